#include "config.h"

#include "backup/notify/address.h"
#include "common/error.h"
#include "common/log.h"

#include <string.h>

#define ADDRESS_BYTES_MAX 254 /* RFC 5321, section 4.5.3.1.3, without the angle brackets */

/* An encoded word has 75 letters at most, 12 of which are "=?UTF-8?B?" and "?=" (RFC 2047, section 2). */
#define WORD_BYTES 45

/* The first one shares its line, of 76 letters then, with the field's name. */
#define FIRST_WORD_BYTES 36

/* What goes plain into one line, with the field's name before it (RFC 5322, section 2.1.1: 78). */
#define PLAIN_BYTES 66

static bool
is_address(const char *text)
{
	const char *at = strrchr(text, '@');

	if (!at || at == text || !at[1] || strchr(text, '@') != at || strlen(text) > ADDRESS_BYTES_MAX)
		return false;
	for (const char *p = text; *p; p++)
		if (*p <= 0x20 || *p >= 0x7f || strchr("<>(),;:\\\"[]", *p))
			return false;
	return true;
}

bool
hf_address_parse(const char *text, const char *setting, char **name_out, char **address_out, GError **error)
{
	g_autofree char *whole = g_strstrip(hf_log_one_line(text));
	const char *open = strrchr(whole, '<');
	size_t len = strlen(whole);
	g_autofree char *address = NULL;

	if (open && whole[len - 1] == '>')
		address = g_strndup(open + 1, len - (size_t)(open - whole) - 2);
	else
		address = g_strdup(whole);
	if (strpbrk(text, "\r\n") || !is_address(g_strstrip(address)))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "%s \"%s\": an address such as ops@example.org is wanted", setting,
				    whole);
	*name_out = NULL;
	if (open && open > whole) {
		g_autofree char *name = g_strndup(whole, (size_t)(open - whole));
		size_t name_len = strlen(g_strstrip(name));
		bool is_quoted = name_len >= 2 && name[0] == '"' && name[name_len - 1] == '"';

		*name_out = is_quoted ? g_strndup(name + 1, name_len - 2) : g_strdup(name);
	}
	*address_out = g_steal_pointer(&address);
	return true;
}

/* ---- header text ---- */

/* "=?" begins an encoded word wherever it stands. */
static bool
is_plain(const char *text)
{
	if (strlen(text) > PLAIN_BYTES || strstr(text, "=?") || *text == ' ')
		return false;
	for (const char *p = text; *p; p++)
		if (*p < 0x20 || *p >= 0x7f)
			return false;
	return true;
}

/* No letter is cut in two (RFC 2047, section 5, at its end). */
static char *
encoded_words(const char *text)
{
	GString *words = g_string_new(NULL);

	while (*text) {
		size_t room = words->len > 0 ? WORD_BYTES : FIRST_WORD_BYTES;
		size_t len = 0;
		g_autofree char *base64 = NULL;

		while (text[len] && len + (size_t)g_utf8_skip[(unsigned char)text[len]] <= room)
			len += (size_t)g_utf8_skip[(unsigned char)text[len]];
		base64 = g_base64_encode((const guchar *)text, len);
		g_string_append_printf(words, "%s=?UTF-8?B?%s?=", words->len > 0 ? "\r\n " : "", base64);
		text += len;
	}
	return g_string_free(words, FALSE);
}

char *
hf_header_text(const char *text)
{
	g_autofree char *line = hf_log_one_line(text);

	return is_plain(line) ? g_steal_pointer(&line) : encoded_words(line);
}

/* RFC 5322, section 3.2.3: an atom's letters and blanks need no quotes. */
static bool
is_phrase(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!g_ascii_isalnum(*p) && !strchr(" !#$%&'*+-/=?^_`{|}~", *p))
			return false;
	return true;
}

static char *
quoted(const char *name)
{
	GString *text = g_string_new("\"");

	for (const char *p = name; *p; p++) {
		if (*p == '"' || *p == '\\')
			g_string_append_c(text, '\\');
		g_string_append_c(text, *p);
	}
	g_string_append_c(text, '"');
	return g_string_free(text, FALSE);
}

char *
hf_header_mailbox(const char *name, const char *address)
{
	g_autofree char *line = name ? hf_log_one_line(name) : NULL;
	g_autofree char *phrase = NULL;

	if (!line || !*line)
		return g_strdup(address);
	if (!is_plain(line))
		phrase = encoded_words(line);
	else
		phrase = is_phrase(line) ? g_strdup(line) : quoted(line);
	/* A line of its own for the address, where the two are long. */
	return g_strdup_printf("%s%s<%s>", phrase, strlen(phrase) > 30 ? "\r\n " : " ", address);
}

char *
hf_header_date(int64_t unix_s)
{
	static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(unix_s);

	if (!time)
		return g_strdup("Thu, 01 Jan 1970 00:00:00 +0000");
	return g_strdup_printf("%s, %02d %s %04d %02d:%02d:%02d +0000",
			       days[g_date_time_get_day_of_week(time) - 1],
			       g_date_time_get_day_of_month(time), months[g_date_time_get_month(time) - 1],
			       g_date_time_get_year(time), g_date_time_get_hour(time),
			       g_date_time_get_minute(time), g_date_time_get_second(time));
}
