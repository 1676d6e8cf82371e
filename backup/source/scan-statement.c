#include "config.h"

#include "backup/source/scan-statement.h"

#include <glib.h>
#include <string.h>

/* Skips a name with its quoted parts; behind it. */
static const char *
skip_name(const char *at)
{
	bool is_quoted = false;

	for (; *at && (is_quoted || (!g_ascii_isspace(*at) && *at != '(')); at++)
		if (*at == '"')
			is_quoted = !is_quoted;
	return at;
}

static const char *
skip_spaces(const char *at)
{
	while (g_ascii_isspace(*at))
		at++;
	return at;
}

/* Skips "(...)" where there is one; quoted names in it may hold parentheses. */
static const char *
skip_columns(const char *at)
{
	bool is_quoted = false;

	if (*at != '(')
		return at;
	for (; *at && (is_quoted || *at != ')'); at++)
		if (*at == '"')
			is_quoted = !is_quoted;
	return *at ? skip_spaces(at + 1) : at;
}

static bool
skip_word(const char **at, const char *word)
{
	size_t len = strlen(word);

	if (g_ascii_strncasecmp(*at, word, len) != 0)
		return false;
	*at = skip_spaces(*at + len);
	return true;
}

char *
hf_scan_parse_copy(const char *text)
{
	const char *at = text, *name, *name_end;

	if (!skip_word(&at, "COPY"))
		return NULL;
	name = at;
	name_end = skip_name(at);
	at = skip_columns(skip_spaces(name_end));
	if (name == name_end || !skip_word(&at, "FROM") || !skip_word(&at, "stdin"))
		return NULL;
	return g_strndup(name, (size_t)(name_end - name));
}

void
hf_scan_parse_strings(const char *text, bool *are_standard)
{
	const char *at = text;

	if (!skip_word(&at, "SET") || !skip_word(&at, "standard_conforming_strings"))
		return;
	if (skip_word(&at, "=") || skip_word(&at, "TO"))
		*are_standard = g_ascii_strncasecmp(at, "off", 3) != 0;
}
