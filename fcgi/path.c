#include "config.h"

#include "common/error.h"
#include "fcgi/path.h"

#include <string.h>

/* The bytes of len characters of text, escapes read; NULL where they are no text. */
static char *
decode(const char *text, size_t len, bool plus_is_blank, GError **error)
{
	g_autofree char *decoded = g_malloc(len + 1);
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '%') {
			int high = i + 2 < len ? g_ascii_xdigit_value(text[i + 1]) : -1;
			int low = i + 2 < len ? g_ascii_xdigit_value(text[i + 2]) : -1;

			if (high < 0 || low < 0) {
				hf_error_set(error, HF_ERROR_USAGE,
					     "a \"%%\" is not followed by two hex digits");
				return NULL;
			}
			decoded[used++] = (char)(high * 16 + low);
			i += 2;
		} else {
			decoded[used++] = plus_is_blank && text[i] == '+' ? ' ' : text[i];
		}
	}
	decoded[used] = 0;
	/* Refuses a NUL and overlong forms as well. */
	if (!g_utf8_validate_len(decoded, used, NULL)) {
		hf_error_set(error, HF_ERROR_USAGE, "it is not UTF-8, or holds a NUL");
		return NULL;
	}
	return g_steal_pointer(&decoded);
}

static bool
add_segment(GPtrArray *segments, unsigned limit, const char *segment, GError **error)
{
	if (!*segment)
		return hf_error_set(error, HF_ERROR_USAGE, "it holds an empty segment");
	if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
		return hf_error_set(error, HF_ERROR_USAGE, "it holds the segment \"%s\"", segment);
	if (segments->len >= limit)
		return hf_error_set(error, HF_ERROR_USAGE, "it has more than %u segments", limit);
	g_ptr_array_add(segments, g_strdup(segment));
	return true;
}

bool
hf_path_split(const char *path, unsigned limit, GPtrArray *segments, GError **error)
{
	g_autofree char *decoded = decode(path, strlen(path), false, error);
	g_auto(GStrv) parts = decoded ? g_strsplit(decoded, "/", (gint)limit + 2) : NULL;

	if (!parts)
		return false;
	for (char **part = parts; *part; part++)
		if (!add_segment(segments, limit, *part, error))
			return false;
	return segments->len > 0 || hf_error_set(error, HF_ERROR_USAGE, "it is empty");
}

bool
hf_path_parse_query(const char *query, GHashTable *values, GError **error)
{
	g_auto(GStrv) pairs = g_strsplit(query, "&", -1);

	for (char **pair = pairs; *pair; pair++) {
		const char *equals = strchr(*pair, '=');
		size_t length = equals ? (size_t)(equals - *pair) : strlen(*pair);
		g_autofree char *name = NULL;
		g_autofree char *value = NULL;

		if (!**pair)
			continue;
		name = decode(*pair, length, true, error);
		value = name ? decode(equals ? equals + 1 : "", equals ? strlen(equals + 1) : 0, true, error)
			     : NULL;
		if (!value)
			return false;
		if (g_hash_table_contains(values, name))
			return hf_error_set(error, HF_ERROR_USAGE, "\"%s\" stands in it twice", name);
		g_hash_table_insert(values, g_steal_pointer(&name), g_steal_pointer(&value));
	}
	return true;
}
