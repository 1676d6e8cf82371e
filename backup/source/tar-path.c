#include "config.h"

#include "backup/source/tarball.h"

#include <string.h>

/* The longest name of a file: NAME_MAX of every Linux file system that matters. */
#define COMPONENT_BYTES_MAX 255
/* An escaped key is cut into components of this size, so that with what is appended they stay below that. */
#define ESCAPED_COMPONENT_BYTES 200

/* The first component of names that are ours: no key keeps such a name. */
static const char *const own_names[] = {"_escaped", "manifest.json"};

static bool
is_own_name(const char *component, size_t len)
{
	for (size_t i = 0; i < G_N_ELEMENTS(own_names); i++)
		if (strlen(own_names[i]) == len && memcmp(own_names[i], component, len) == 0)
			return true;
	return false;
}

/* Empty, "." and ".." are what tar drops, resolves or refuses. */
static bool
is_plain_component(const char *component, size_t len)
{
	return len > 0 && len <= COMPONENT_BYTES_MAX && !(len == 1 && component[0] == '.') &&
	       !(len == 2 && component[0] == '.' && component[1] == '.');
}

static bool
has_control_character(const char *key)
{
	for (const unsigned char *at = (const unsigned char *)key; *at; at++)
		if (*at < 0x20 || *at == 0x7f)
			return true;
	return false;
}

/* bsdtar takes a drive's letter and a leading backslash off, on every system. */
static bool
begins_like_windows(const char *key)
{
	return key[0] == '\\' || (g_ascii_isalpha(key[0]) && key[1] == ':');
}

static bool
is_plain(const char *key)
{
	const char *component = key;

	if (has_control_character(key) || begins_like_windows(key) || !g_utf8_validate(key, -1, NULL) ||
	    is_own_name(key, strcspn(key, "/")))
		return false;
	for (;;) {
		size_t len = strcspn(component, "/");

		if (!is_plain_component(component, len))
			return false;
		if (component[len] == 0)
			return true;
		component += len + 1;
	}
}

/* Left as they are: RFC 3986's unreserved characters but "~", which is ours. */
static bool
is_unreserved(unsigned char byte)
{
	return g_ascii_isalnum(byte) || byte == '-' || byte == '.' || byte == '_';
}

char *
hf_tarball_path(const char *key, bool has_ancestor)
{
	GString *path;
	size_t component_start;

	if (!has_ancestor && is_plain(key))
		return NULL;
	path = g_string_new(HF_TARBALL_ESCAPED);
	component_start = path->len;
	for (const unsigned char *at = (const unsigned char *)key; *at; at++) {
		/* A component never ends within %XX, and each but the last is closed by "~". */
		if (path->len - component_start + 3 > ESCAPED_COMPONENT_BYTES) {
			g_string_append(path, "~/");
			component_start = path->len;
		}
		/* "." alone or twice would be no name of a file. */
		if (is_unreserved(*at) && !(*at == '.' && path->len == component_start))
			g_string_append_c(path, (char)*at);
		else
			g_string_append_printf(path, "%%%02X", *at);
	}
	return g_string_free(path, FALSE);
}

static int
hex_digit(char digit)
{
	return g_ascii_isupper(digit) || g_ascii_isdigit(digit) ? g_ascii_xdigit_value(digit) : -1;
}

/* Decodes without looking whether it is the one form that hf_tarball_path() makes; NULL where it is none at all. */
static char *
decode(const char *escaped)
{
	g_autoptr(GString) key = g_string_new(NULL);

	for (const char *at = escaped; *at; at++) {
		if (at[0] == '~' && at[1] == '/') {
			at++;
		} else if (at[0] == '%' && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
			g_string_append_c(key, (char)(hex_digit(at[1]) << 4 | hex_digit(at[2])));
			at += 2;
		} else if (is_unreserved((unsigned char)*at)) {
			g_string_append_c(key, *at);
		} else {
			return NULL;
		}
	}
	return g_strdup(key->str);
}

char *
hf_tarball_key(const char *path)
{
	g_autofree char *key = NULL;
	g_autofree char *again = NULL;

	if (!g_str_has_prefix(path, HF_TARBALL_ESCAPED))
		return is_plain(path) ? g_strdup(path) : NULL;
	key = decode(path + strlen(HF_TARBALL_ESCAPED));
	if (!key || !*key)
		return NULL;
	again = hf_tarball_path(key, true);
	return strcmp(again, path) == 0 ? g_steal_pointer(&key) : NULL;
}
