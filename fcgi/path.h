/*
 * fcgi/path.h -- the path and the query of a request, decoded strictly.
 *
 * Nothing is repaired: an empty segment, "." and "..", an escape that is none, a NUL, and what is not UTF-8 are refused,
 * however they are spelled.  So a path has one reading only, and it never is a file's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/*
 * Appends the decoded segments of path, which begins behind a prefix and so with no slash, to segments (of char *).  An
 * escaped slash ends a segment as a plain one does: the keys of images hold slashes.  USAGE says what is wrong.
 */
bool hf_path_split(const char *path, unsigned limit, GPtrArray *segments,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Fills name -> value from "a=b&c=d", "+" read as a blank (WHATWG URL, application/x-www-form-urlencoded).  USAGE where
 * a name stands twice.
 */
bool hf_path_parse_query(const char *query, GHashTable *values, GError **error) G_GNUC_WARN_UNUSED_RESULT;
