/*
 * fcgi/client.h -- one HTTP-like request to a FastCGI application on a unix socket, and its reply.
 *
 * What nginx does for a browser this does for the timer; the records are fcgi/wire.h's.  A connection serves one request.
 * Time and memory are bounded: a reply is taken up to HF_CLIENT_REPLY_MAX bytes, and the whole of it must be there before
 * the timeout, whatever the other side sends meanwhile.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define HF_CLIENT_REPLY_MAX (256 * 1024)

typedef struct {
	const char *method;       /* "GET" */
	const char *path;         /* "/api/backup/status", as it is to stand in the URI */
	const char *query;        /* NULL, or what stands behind the ? */
	const char *content_type; /* NULL: none */
	const char *body;         /* NULL: none */
	size_t body_len;
	const char *const
		*headers;   /* NULL, or name, value, name, value, NULL; not Content-Type and -Length */
	const int *stop_fd; /* NULL, or a descriptor that, once readable, ends the request with CANCELLED */
} HfFcgiRequest;

typedef struct {
	unsigned status;     /* 200 where the application named none (RFC 3875 section 6.3.3) */
	GHashTable *headers; /* lower-case names to values */
	GBytes *body;
} HfFcgiReply;

/*
 * TRANSIENT where nobody listens, nobody answers in time, or the connection ends before the reply does: the request may or
 * may not have been served.  DENIED where the socket may not be opened; CORRUPT where what came is no reply; FAILED where
 * it is too large.  Every message names the socket.
 */
bool hf_fcgi_request(const char *socket_path, const HfFcgiRequest *request, unsigned timeout_s,
		     HfFcgiReply **reply_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The value of a header, by its lower-case name, or NULL.  Borrowed. */
const char *hf_fcgi_header(const HfFcgiReply *reply, const char *name);

void hf_fcgi_reply_free(HfFcgiReply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfFcgiReply, hf_fcgi_reply_free)

/* What an application wrote on stdout (RFC 3875 section 6.2) as a reply.  CORRUPT where it is none. */
HfFcgiReply *hf_fcgi_reply_parse(const uint8_t *bytes, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;
