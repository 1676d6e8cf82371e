/*
 * tests/backup/store/scripted.h -- an HTTP server on loopback whose answers a test writes, and which keeps what it was asked.
 *
 * One request a connection, one after the other.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Scripted Scripted;

/*
 * The answer to a request, which is head and body as they came: "200\r\nETag: x" and, behind an empty line, a body.  NULL: the
 * connection is closed without one.  It runs on the server's thread.
 */
typedef char *(*ScriptedAnswer)(const char *request, void *data);

Scripted *scripted_start(ScriptedAnswer answer, void *data);
const char *scripted_url(const Scripted *server); /* "http://127.0.0.1:PORT" */

/* What came, the whole of each request, of char *; and how many there were.  Asked once the client has its answer. */
const char *scripted_request(const Scripted *server, guint number);
guint scripted_count(const Scripted *server);

/* The value of a header of a request, in whatever case its name was sent; NULL where it has none.  g_free() it. */
char *scripted_header(const char *request, const char *name);
const char *scripted_body(const char *request);

void scripted_stop(Scripted *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scripted, scripted_stop)
