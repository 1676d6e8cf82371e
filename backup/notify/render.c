#include "config.h"

#include "backup/notify/render.h"
#include "common/clock.h"

#include <string.h>

#define LABEL_COLUMNS 16

char *
hf_render_headline(const HfMessage *message, const char *name)
{
	return g_strdup_printf("[Holdfast %s] %s", name, message->title ? message->title : message->subject);
}

char *
hf_render_text(const HfMessage *message, const char *name)
{
	GString *text = g_string_new(NULL);

	g_string_append_printf(text, "%s\n", message->title ? message->title : message->subject);
	if (message->text)
		g_string_append_printf(text, "\n%s\n", message->text);
	if (message->facts->len > 0)
		g_string_append_c(text, '\n');
	for (guint i = 0; i < message->facts->len; i++) {
		const HfFact *fact = message->facts->pdata[i];
		glong width = g_utf8_strlen(fact->label, -1);

		g_string_append_printf(text, "%s%*s%s\n", fact->label, (int)MAX(LABEL_COLUMNS - width, 1), "",
				       fact->text);
	}
	g_string_append_printf(text, "\n-- \nHoldfast %s on %s\n", PACKAGE_VERSION, name);
	return g_string_free(text, FALSE);
}

static void
append_escaped(GString *html, const char *format, const char *text)
{
	g_autofree char *escaped = g_markup_escape_text(text, -1);
	g_auto(GStrv) lines = g_strsplit(escaped, "\n", -1);
	g_autofree char *joined = g_strjoinv("<br>\n", lines);
	const char *place = strstr(format, "%s");

	g_string_append_len(html, format, place - format);
	g_string_append(html, joined);
	g_string_append(html, place + strlen("%s"));
}

static const char *
colour_of(const HfMessage *message)
{
	if (!hf_message_is_bad(message))
		return message->event == HF_EVENT_TEST ? "#3b5b8c" : "#1f7a3d";
	return message->event == HF_EVENT_FAILURE || message->event == HF_EVENT_VERIFY_FAILED ? "#b3261e"
											      : "#9a5b00";
}

char *
hf_render_html(const HfMessage *message, const char *name)
{
	GString *html = g_string_new("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");

	append_escaped(html, "<title>%s</title></head>\n", message->title ? message->title : "");
	g_string_append(html, "<body style=\"font-family:sans-serif;font-size:15px;color:#222\">\n");
	g_string_append_printf(html, "<div style=\"border-left:6px solid %s;padding:4px 14px\">\n",
			       colour_of(message));
	append_escaped(html, "<h2 style=\"margin:4px 0;font-size:19px\">%s</h2>\n",
		       message->title ? message->title : message->subject);
	if (message->text)
		append_escaped(html, "<p style=\"line-height:1.45\">%s</p>\n", message->text);
	g_string_append(html, "<table style=\"border-collapse:collapse\">\n");
	for (guint i = 0; i < message->facts->len; i++) {
		const HfFact *fact = message->facts->pdata[i];

		append_escaped(
			html,
			"<tr><td style=\"padding:3px 18px 3px 0;color:#666;vertical-align:top\">%s</td>",
			fact->label);
		append_escaped(html, "<td style=\"padding:3px 0\">%s</td></tr>\n", fact->text);
	}
	append_escaped(html, "</table>\n<p style=\"color:#888;font-size:12px\">Holdfast on %s</p>\n", name);
	g_string_append(html, "</div></body></html>\n");
	return g_string_free(html, FALSE);
}
