/*
 * common/envfile.h -- a file of NAME=VALUE lines.
 *
 * The rules are those of Node's dotenv, since the file is mostly the web application's own: "export " before a name is
 * allowed; '...', "..." and `...` may span lines; in double quotes \n and \r mean line ends and nothing else is special;
 * an unquoted value ends at a "#"; nothing is expanded.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
	char *name;
	char *value;
	unsigned line; /* where the name stands, from 1 */
	/* A "#" right after a character, outside quotes: dotenv cuts there, systemd and others do not. */
	bool is_ambiguous;
} HfEnvEntry;

/*
 * Parses text; path is for messages.  The entries are of HfEnvEntry, in the file's order.  USAGE names file and line,
 * never the value, which may be a secret.
 */
GPtrArray *hf_envfile_parse(const char *text, size_t len, const char *path,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same from a file of at most 1 MiB; NOT_FOUND where there is none. */
GPtrArray *hf_envfile_read(const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
