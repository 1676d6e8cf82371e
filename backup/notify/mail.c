#include "config.h"

#include "backup/notify/address.h"
#include "backup/notify/render.h"

#include <string.h>

/* A line of quoted-printable, with the "=" at its end (RFC 2045, section 6.7, rule 5). */
#define LINE_LETTERS 76

/* ---- quoted-printable ---- */

static bool
is_literal(unsigned char c, bool is_last)
{
	/* Blanks at a line's end get lost on the way (rule 3); "." and "F" alone upset some servers at its begin. */
	if (c == ' ')
		return !is_last;
	return c > 0x20 && c < 0x7f && c != '=';
}

static void
append_letter(GString *out, size_t *column, unsigned char c, bool is_last)
{
	bool is_plain = is_literal(c, is_last) && !(*column == 0 && c == '.');
	size_t width = is_plain ? 1 : 3;

	if (*column + width > LINE_LETTERS - 1) {
		g_string_append(out, "=\r\n");
		*column = 0;
		is_plain = is_literal(c, is_last) && c != '.';
		width = is_plain ? 1 : 3;
	}
	if (is_plain)
		g_string_append_c(out, (char)c);
	else
		g_string_append_printf(out, "=%02X", c);
	*column += width;
}

static void
append_quoted(GString *out, const char *text)
{
	size_t column = 0;

	for (const char *p = text; *p; p++) {
		if (*p == '\n') {
			g_string_append(out, "\r\n");
			column = 0;
			continue;
		}
		append_letter(out, &column, (unsigned char)*p, p[1] == '\n' || p[1] == '\0');
	}
	if (column > 0)
		g_string_append(out, "\r\n");
}

/* ---- the letter ---- */

static void
append_header(GString *out, const char *name, const char *value)
{
	g_string_append_printf(out, "%s: %s\r\n", name, value);
}

static void
append_headers(GString *out, const HfMessage *message, const HfLetter *letter)
{
	g_autofree char *headline = hf_render_headline(message, letter->name);
	g_autofree char *subject = hf_header_text(headline);
	g_autofree char *from = hf_header_mailbox(letter->from_name ? letter->from_name : "Holdfast",
						  letter->from);
	g_autofree char *date = hf_header_date(message->at_s);
	g_autofree char *id = g_strdup_printf("<%s@%s>", message->id, strrchr(letter->from, '@') + 1);

	append_header(out, "Date", date);
	append_header(out, "From", from);
	append_header(out, "To", letter->to);
	append_header(out, "Subject", subject);
	append_header(out, "Message-ID", id);
	/* RFC 3834, section 5: nobody's absence assistant answers it. */
	append_header(out, "Auto-Submitted", "auto-generated");
	append_header(out, "X-Holdfast-Event", hf_event_word(message->event));
	append_header(out, "MIME-Version", "1.0");
}

static void
append_part(GString *out, const char *boundary, const char *type, const char *text)
{
	g_string_append_printf(out,
			       "--%s\r\nContent-Type: %s; charset=utf-8\r\n"
			       "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
			       boundary, type);
	append_quoted(out, text);
	g_string_append(out, "\r\n");
}

char *
hf_render_mail(const HfMessage *message, const HfLetter *letter)
{
	GString *out = g_string_new(NULL);
	g_autofree char *text = hf_render_text(message, letter->name);
	g_autofree char *html = hf_render_html(message, letter->name);
	/* "=_" never comes up in quoted-printable (RFC 2045, section 6.7). */
	g_autofree char *boundary = g_strdup_printf("=_%.40s", message->id);

	append_headers(out, message, letter);
	g_string_append_printf(out, "Content-Type: multipart/alternative;\r\n boundary=\"%s\"\r\n\r\n",
			       boundary);
	append_part(out, boundary, "text/plain", text);
	append_part(out, boundary, "text/html", html);
	g_string_append_printf(out, "--%s--\r\n", boundary);
	return g_string_free(out, FALSE);
}
