#include "config.h"

#include "backup/notify/render.h"
#include "common/clock.h"

#include <string.h>

/* What the others take at most: Slack 3,000 letters a section; Discord 256 a title, 4,096 a description, 1,024 a field. */
#define SECTION_BYTES 2900
#define EMBED_TITLE_BYTES 250
#define FIELD_BYTES 1000

static const char *
title_of(const HfMessage *message)
{
	return message->title ? message->title : message->subject;
}

static HfJson *
text_json(const char *text)
{
	return json_object_new_string(text);
}

/* Cut between two letters. */
static void
add_cut(HfJson *object, const char *name, const char *text, size_t bytes_max)
{
	size_t len = strlen(text);

	if (len > bytes_max) {
		const char *end = g_utf8_find_prev_char(text, text + bytes_max);

		len = end ? (size_t)(end - text) : 0;
	}
	hf_json_add(object, name, json_object_new_string_len(text, (int)len));
}

/* ---- our own ---- */

static HfJson *
facts_object(const HfMessage *message)
{
	HfJson *object = json_object_new_object();

	for (guint i = 0; i < message->facts->len; i++) {
		const HfFact *fact = message->facts->pdata[i];

		json_object_object_add(object, fact->label, text_json(fact->text));
	}
	return object;
}

static HfJson *
generic(const HfMessage *message, const char *name)
{
	HfJson *body = json_object_new_object(), *data = json_object_new_object();
	g_autofree char *type = g_strconcat("holdfast.", hf_event_word(message->event), NULL);
	g_autofree char *at = hf_clock_rfc3339(message->at_s);
	g_autofree char *since = message->since_s > 0 ? hf_clock_rfc3339(message->since_s) : NULL;

	hf_json_add_text(body, "type", type);
	hf_json_add_text(body, "timestamp", at);
	hf_json_add_text(data, "event", hf_event_word(message->event));
	hf_json_add_text(data, "subject", message->subject);
	hf_json_add_text(data, "host", name);
	hf_json_add_text(data, "title", title_of(message));
	hf_json_add_text(data, "text", message->text);
	hf_json_add_flag(data, "reminder", message->is_reminder);
	hf_json_add_text(data, "since", since);
	json_object_object_foreach(message->data, member, value)
	{
		if (!json_object_object_get_ex(data, member, NULL))
			json_object_object_add(data, member, json_object_get(value));
	}
	hf_json_add(data, "facts", facts_object(message));
	hf_json_add(body, "data", data);
	return body;
}

/* ---- Slack: "Formatting text for app surfaces", and Block Kit ---- */

/* Of these three letters links and mentions are made. */
static char *
slack_text(const char *text)
{
	GString *escaped = g_string_new(text);

	g_string_replace(escaped, "&", "&amp;", 0);
	g_string_replace(escaped, "<", "&lt;", 0);
	g_string_replace(escaped, ">", "&gt;", 0);
	return g_string_free(escaped, FALSE);
}

static HfJson *
slack_section(const char *type, const char *text)
{
	HfJson *section = json_object_new_object(), *inner = json_object_new_object();

	hf_json_add_text(inner, "type", type);
	add_cut(inner, "text", text, SECTION_BYTES);
	hf_json_add_text(section, "type", "section");
	hf_json_add(section, "text", inner);
	return section;
}

static char *
slack_facts(const HfMessage *message)
{
	GString *lines = g_string_new(NULL);

	for (guint i = 0; i < message->facts->len; i++) {
		const HfFact *fact = message->facts->pdata[i];
		g_autofree char *text = slack_text(fact->text);

		g_string_append_printf(lines, "*%s:* %s\n", fact->label, text);
	}
	return g_string_free(lines, FALSE);
}

static HfJson *
slack(const HfMessage *message, const char *name)
{
	HfJson *body = json_object_new_object(), *blocks = json_object_new_array();
	g_autofree char *headline = hf_render_headline(message, name);
	g_autofree char *plain = slack_text(headline);
	g_autofree char *bold = g_strdup_printf(
		"%s *%s*", hf_message_is_bad(message) ? ":red_circle:" : ":large_green_circle:", plain);
	g_autofree char *facts = slack_facts(message);

	hf_json_add_text(body, "text", plain);
	json_object_array_add(blocks, slack_section("mrkdwn", bold));
	if (message->text)
		json_object_array_add(blocks, slack_section("plain_text", message->text));
	if (*facts)
		json_object_array_add(blocks, slack_section("mrkdwn", facts));
	hf_json_add(body, "blocks", blocks);
	return body;
}

/* ---- Discord: "Execute Webhook", "Embed Object" ---- */

static HfJson *
discord_fields(const HfMessage *message)
{
	HfJson *fields = json_object_new_array();

	for (guint i = 0; i < message->facts->len; i++) {
		const HfFact *fact = message->facts->pdata[i];
		HfJson *field = json_object_new_object();

		add_cut(field, "name", fact->label, EMBED_TITLE_BYTES);
		add_cut(field, "value", fact->text, FIELD_BYTES);
		json_object_array_add(fields, field);
	}
	return fields;
}

static HfJson *
discord(const HfMessage *message, const char *name)
{
	HfJson *body = json_object_new_object(), *embeds = json_object_new_array();
	HfJson *embed = json_object_new_object(), *mentions = json_object_new_object();
	g_autofree char *headline = hf_render_headline(message, name);
	g_autofree char *at = hf_clock_rfc3339(message->at_s);

	add_cut(embed, "title", headline, EMBED_TITLE_BYTES);
	if (message->text)
		add_cut(embed, "description", message->text, SECTION_BYTES);
	hf_json_add_number(embed, "color", hf_message_is_bad(message) ? 0xb3261e : 0x1f7a3d);
	hf_json_add_text(embed, "timestamp", at);
	hf_json_add(embed, "fields", discord_fields(message));
	json_object_array_add(embeds, embed);
	hf_json_add(body, "embeds", embeds);
	/* A name such as @everyone calls nobody. */
	hf_json_add(mentions, "parse", json_object_new_array());
	hf_json_add(body, "allowed_mentions", mentions);
	return body;
}

/* ---- Teams: a workflow's "When a Teams webhook request is received" takes adaptive cards ---- */

/* A run of text takes no Markdown, as a TextBlock would. */
static HfJson *
teams_text(const char *text, bool is_title, bool is_bad)
{
	HfJson *block = json_object_new_object(), *runs = json_object_new_array();
	HfJson *run = json_object_new_object();

	hf_json_add_text(run, "type", "TextRun");
	hf_json_add_text(run, "text", text);
	if (is_title) {
		hf_json_add_text(run, "size", "Large");
		hf_json_add_text(run, "weight", "Bolder");
		hf_json_add_text(run, "color", is_bad ? "Attention" : "Good");
	}
	json_object_array_add(runs, run);
	hf_json_add_text(block, "type", "RichTextBlock");
	hf_json_add(block, "inlines", runs);
	return block;
}

static HfJson *
teams_facts(const HfMessage *message)
{
	HfJson *set = json_object_new_object(), *facts = json_object_new_array();

	for (guint i = 0; i < message->facts->len; i++) {
		const HfFact *fact = message->facts->pdata[i];
		HfJson *item = json_object_new_object();

		hf_json_add_text(item, "title", fact->label);
		hf_json_add_text(item, "value", fact->text);
		json_object_array_add(facts, item);
	}
	hf_json_add_text(set, "type", "FactSet");
	hf_json_add(set, "facts", facts);
	return set;
}

static HfJson *
teams_card(const HfMessage *message, const char *name)
{
	HfJson *card = json_object_new_object(), *blocks = json_object_new_array();
	g_autofree char *headline = hf_render_headline(message, name);
	g_auto(GStrv) lines = g_strsplit(message->text ? message->text : "", "\n", -1);

	json_object_array_add(blocks, teams_text(headline, true, hf_message_is_bad(message)));
	for (char **line = lines; *line; line++)
		if (**line)
			json_object_array_add(blocks, teams_text(*line, false, false));
	if (message->facts->len > 0)
		json_object_array_add(blocks, teams_facts(message));
	hf_json_add_text(card, "$schema", "http://adaptivecards.io/schemas/adaptive-card.json");
	hf_json_add_text(card, "type", "AdaptiveCard");
	hf_json_add_text(card, "version", "1.4");
	hf_json_add(card, "body", blocks);
	return card;
}

static HfJson *
teams(const HfMessage *message, const char *name)
{
	HfJson *body = json_object_new_object(), *attachments = json_object_new_array();
	HfJson *attachment = json_object_new_object();

	hf_json_add_text(attachment, "contentType", "application/vnd.microsoft.card.adaptive");
	hf_json_add(attachment, "content", teams_card(message, name));
	json_object_array_add(attachments, attachment);
	hf_json_add_text(body, "type", "message");
	hf_json_add(body, "attachments", attachments);
	return body;
}

char *
hf_render_json(const HfMessage *message, const char *name, HfFormat format)
{
	static HfJson *(*const formats[])(const HfMessage *, const char *) = {
		[HF_FORMAT_GENERIC] = generic,
		[HF_FORMAT_SLACK] = slack,
		[HF_FORMAT_DISCORD] = discord,
		[HF_FORMAT_TEAMS] = teams,
	};
	g_autoptr(HfJson) body = formats[format](message, name);

	return g_strdup(json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN |
								     JSON_C_TO_STRING_NOSLASHESCAPE));
}
