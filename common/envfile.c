#include "config.h"

#include "common/envfile.h"
#include "common/error.h"
#include "common/file.h"

#include <openssl/crypto.h>
#include <string.h>

#define FILE_BYTES_MAX (1024 * 1024)

typedef struct {
	const char *at;
	const char *end;
	const char *path;
	unsigned line;
} Reader;

static void
entry_free(HfEnvEntry *entry)
{
	g_free(entry->name);
	if (entry->value)
		OPENSSL_cleanse(entry->value, strlen(entry->value));
	g_free(entry->value);
	g_free(entry);
}

static bool
is_at(const Reader *in, const char *set)
{
	return in->at < in->end && strchr(set, *in->at);
}

static void
skip_blanks(Reader *in)
{
	while (is_at(in, " \t\r"))
		in->at++;
}

static void
skip_line(Reader *in)
{
	while (in->at < in->end && *in->at != '\n')
		in->at++;
}

static bool
is_name_char(char c)
{
	return g_ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
}

static char *
read_name(Reader *in)
{
	const char *begin = in->at;

	while (in->at < in->end && is_name_char(*in->at))
		in->at++;
	return g_strndup(begin, (size_t)(in->at - begin));
}

/* In double quotes "\n" and "\r" are line ends; the result never grows, so it is made in place. */
static void
unescape(char *value)
{
	char *out = value;

	for (const char *in = value; *in; in++) {
		if (in[0] == '\\' && (in[1] == 'n' || in[1] == 'r'))
			*out++ = *++in == 'n' ? '\n' : '\r';
		else
			*out++ = *in;
	}
	*out = 0;
}

/* The closing quote, or NULL.  A quote behind a backslash does not close, as in dotenv. */
static const char *
find_close(const Reader *in, char quote)
{
	for (const char *p = in->at + 1; p < in->end; p++)
		if (*p == quote && p[-1] != '\\')
			return p;
	return NULL;
}

static bool
read_quoted(Reader *in, HfEnvEntry *entry, GError **error)
{
	char quote = *in->at;
	const char *begin = in->at + 1;
	const char *close = find_close(in, quote);

	if (!close)
		return hf_error_set(error, HF_ERROR_USAGE, "%s:%u: the value of %s has no closing %c",
				    in->path, entry->line, entry->name, quote);
	entry->value = g_strndup(begin, (size_t)(close - begin));
	for (const char *p = begin; p < close; p++)
		in->line += *p == '\n';
	if (quote == '"')
		unescape(entry->value);
	in->at = close + 1;
	skip_blanks(in);
	if (in->at < in->end && !is_at(in, "\n#"))
		return hf_error_set(error, HF_ERROR_USAGE, "%s:%u: text follows the closing quote of %s",
				    in->path, in->line, entry->name);
	skip_line(in);
	return true;
}

static void
read_bare(Reader *in, HfEnvEntry *entry)
{
	const char *begin = in->at;

	while (in->at < in->end && !is_at(in, "\n#"))
		in->at++;
	entry->is_ambiguous = is_at(in, "#") && in->at > begin && !g_ascii_isspace(in->at[-1]);
	entry->value = g_strchomp(g_strndup(begin, (size_t)(in->at - begin)));
	skip_line(in);
}

static bool
read_entry(Reader *in, HfEnvEntry *entry, GError **error)
{
	entry->line = in->line;
	entry->name = read_name(in);
	if (strcmp(entry->name, "export") == 0 && is_at(in, " \t")) {
		skip_blanks(in);
		g_free(entry->name);
		entry->name = read_name(in);
	}
	skip_blanks(in);
	if (!*entry->name || !is_at(in, "="))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "%s:%u: this is not NAME=VALUE, a comment or an empty line", in->path,
				    in->line);
	in->at++;
	skip_blanks(in);
	if (is_at(in, "'\"`"))
		return read_quoted(in, entry, error);
	read_bare(in, entry);
	return true;
}

GPtrArray *
hf_envfile_parse(const char *text, size_t len, const char *path, GError **error)
{
	g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func((GDestroyNotify)entry_free);
	Reader in = {text, text + len, path, 1};

	if (memchr(text, 0, len)) {
		hf_error_set(error, HF_ERROR_USAGE, "\"%s\" is not a text file", path);
		return NULL;
	}
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		in.at += 3; /* the mark that some editors of Windows begin UTF-8 with */
	for (; in.at < in.end; in.at++, in.line++) {
		HfEnvEntry *entry;

		skip_blanks(&in);
		if (in.at == in.end)
			break;
		if (is_at(&in, "#"))
			skip_line(&in);
		if (in.at == in.end || is_at(&in, "\n"))
			continue;
		entry = g_new0(HfEnvEntry, 1);
		g_ptr_array_add(entries, entry);
		if (!read_entry(&in, entry, error))
			return NULL;
	}
	return g_steal_pointer(&entries);
}

GPtrArray *
hf_envfile_read(const char *path, GError **error)
{
	g_autofree char *text = NULL;
	GPtrArray *entries;
	size_t len;

	if (!hf_file_read_small(path, FILE_BYTES_MAX, &text, &len, error))
		return NULL;
	entries = hf_envfile_parse(text, len, path, error);
	OPENSSL_cleanse(text, len);
	return entries;
}
