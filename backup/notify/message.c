#include "config.h"

#include "backup/notify/message.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"

#include <string.h>
#include <sys/random.h>

/* A text with less room than this takes no further line. */
#define SHORTEST_LINE 80

static void
free_fact(gpointer data)
{
	HfFact *fact = data;

	g_free(fact->label);
	g_free(fact->text);
	g_free(fact);
}

/* 128 bits of chance, in letters that no header or URL minds. */
static char *
new_id(void)
{
	unsigned char bytes[16] = {0};
	GString *text = g_string_new("msg_");

	/* Of so few bytes this never gives fewer (getrandom(2)). */
	(void)!getrandom(bytes, sizeof bytes, 0);
	for (size_t i = 0; i < sizeof bytes; i++)
		g_string_append_printf(text, "%02x", bytes[i]);
	return g_string_free(text, FALSE);
}

HfMessage *
hf_message_new(HfEvent event, const char *subject)
{
	HfMessage *message = g_new0(HfMessage, 1);

	message->id = new_id();
	message->event = message->cause = event;
	message->at_s = hf_clock_now_s();
	message->subject = hf_log_one_line(subject);
	message->facts = g_ptr_array_new_with_free_func(free_fact);
	message->data = json_object_new_object();
	return message;
}

void
hf_message_free(HfMessage *message)
{
	if (!message)
		return;
	g_free(message->id);
	g_free(message->subject);
	g_free(message->title);
	g_free(message->text);
	g_ptr_array_unref(message->facts);
	json_object_put(message->data);
	g_free(message);
}

/* One line of at most so many bytes, cut between two letters. */
static char *
line_of(const char *text, size_t bytes_max)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);
	char *line = hf_log_one_line(valid);
	const char *end;

	if (strlen(line) <= bytes_max)
		return line;
	end = g_utf8_find_prev_char(line, line + bytes_max - 2);
	memcpy(line + (end ? end - line : 0), "\u2026", sizeof "\u2026");
	return line;
}

void
hf_message_set_title(HfMessage *message, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	g_free(message->title);
	message->title = line_of(text, HF_MESSAGE_TITLE_BYTES);
}

void
hf_message_add_text(HfMessage *message, const char *text)
{
	size_t used = message->text ? strlen(message->text) + 1 : 0;
	g_autofree char *line = NULL;
	char *joined;

	if (used + SHORTEST_LINE > HF_MESSAGE_TEXT_BYTES)
		return;
	line = line_of(text, HF_MESSAGE_TEXT_BYTES - used);
	joined = message->text ? g_strconcat(message->text, "\n", line, NULL) : g_strdup(line);
	g_free(message->text);
	message->text = joined;
}

static void
add_fact(HfMessage *message, const char *label, const char *text)
{
	HfFact *fact;

	if (message->facts->len >= HF_MESSAGE_FACTS_MAX)
		return;
	fact = g_new0(HfFact, 1);
	fact->label = line_of(label, HF_MESSAGE_TITLE_BYTES);
	fact->text = line_of(text, 2 * HF_MESSAGE_TITLE_BYTES);
	g_ptr_array_add(message->facts, fact);
}

void
hf_message_add_fact(HfMessage *message, const char *label, const char *text)
{
	if (text && *text)
		add_fact(message, label, text);
}

/* ---- as JSON ---- */

static HfJson *
facts_to_json(const GPtrArray *facts)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < facts->len; i++) {
		const HfFact *fact = facts->pdata[i];
		HfJson *object = json_object_new_object();

		hf_json_add_text(object, "label", fact->label);
		hf_json_add_text(object, "text", fact->text);
		json_object_array_add(array, object);
	}
	return array;
}

char *
hf_message_to_json(const HfMessage *message)
{
	g_autoptr(HfJson) object = json_object_new_object();

	hf_json_add_text(object, "id", message->id);
	hf_json_add_text(object, "event", hf_event_word(message->event));
	hf_json_add_text(object, "cause", hf_event_word(message->cause));
	hf_json_add_flag(object, "reminder", message->is_reminder);
	hf_json_add_flag(object, "quiet", message->is_quiet);
	hf_json_add_number(object, "at", (uint64_t)MAX(message->at_s, 0));
	hf_json_add_number(object, "since", (uint64_t)MAX(message->since_s, 0));
	hf_json_add_text(object, "subject", message->subject);
	hf_json_add_text(object, "title", message->title ? message->title : message->subject);
	hf_json_add_text(object, "text", message->text);
	hf_json_add(object, "facts", facts_to_json(message->facts));
	hf_json_add(object, "data", json_object_get(message->data));
	return g_strdup(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
}

static bool
parse_event(HfJson *object, const char *name, HfEvent *event_out, GError **error)
{
	const char *word;

	if (!hf_json_get_text(object, name, &word, error))
		return false;
	return hf_event_find(word, event_out) ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" is no event", word);
}

static bool
parse_facts(HfMessage *message, HfJson *object, GError **error)
{
	HfJson *array;

	if (!hf_json_get_array(object, "facts", &array, error))
		return false;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		HfJson *item = json_object_array_get_idx(array, i);
		const char *label, *text;

		if (!json_object_is_type(item, json_type_object))
			return hf_error_set(error, HF_ERROR_CORRUPT, "facts[%zu] is no object", i);
		if (!hf_json_get_text(item, "label", &label, error) ||
		    !hf_json_get_text(item, "text", &text, error))
			return false;
		hf_message_add_fact(message, label, text);
	}
	return true;
}

static bool
is_set(HfJson *object, const char *name)
{
	HfJson *value = NULL;

	return json_object_object_get_ex(object, name, &value) && json_object_get_boolean(value);
}

static bool
parse_times(HfMessage *message, HfJson *object, GError **error)
{
	uint64_t at_s, since_s;

	if (!hf_json_get_number(object, "at", &at_s, error) ||
	    !hf_json_get_number(object, "since", &since_s, error))
		return false;
	message->at_s = (int64_t)MIN(at_s, (uint64_t)INT32_MAX * 8);
	message->since_s = (int64_t)MIN(since_s, (uint64_t)INT32_MAX * 8);
	message->is_reminder = is_set(object, "reminder");
	message->is_quiet = is_set(object, "quiet");
	return true;
}

static void
add_lines(HfMessage *message, const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++)
		hf_message_add_text(message, *line);
}

static HfMessage *
from_object(HfJson *object, GError **error)
{
	const char *id, *subject, *title, *text = NULL;
	HfEvent event;
	HfJson *data;
	g_autoptr(HfMessage) message = NULL;

	if (!parse_event(object, "event", &event, error) ||
	    !hf_json_get_text(object, "subject", &subject, error))
		return NULL;
	message = hf_message_new(event, subject);
	if (!hf_json_get_text(object, "id", &id, error) ||
	    !hf_json_get_text(object, "title", &title, error) ||
	    !hf_json_find_text(object, "text", &text, error) ||
	    !hf_json_get_object(object, "data", &data, error) ||
	    !parse_event(object, "cause", &message->cause, error) || !parse_times(message, object, error) ||
	    !parse_facts(message, object, error))
		return NULL;
	g_free(message->id);
	message->id = line_of(id, HF_MESSAGE_TITLE_BYTES);
	hf_message_set_title(message, "%s", title);
	if (text)
		add_lines(message, text);
	json_object_put(message->data);
	message->data = json_object_get(data);
	return g_steal_pointer(&message);
}

HfMessage *
hf_message_parse(const char *text, GError **error)
{
	g_autoptr(HfJson) object = hf_json_parse(text, strlen(text), error);

	if (!object)
		return NULL;
	if (json_object_is_type(object, json_type_object))
		return from_object(object, error);
	hf_error_set(error, HF_ERROR_CORRUPT, "a message is a JSON object");
	return NULL;
}

bool
hf_message_is_wanted(const HfMessage *message, unsigned mask)
{
	if (message->is_quiet)
		return false;
	return message->event == HF_EVENT_TEST || (mask & (1U << message->event | 1U << message->cause)) != 0;
}

bool
hf_message_is_bad(const HfMessage *message)
{
	switch (message->event) {
	case HF_EVENT_FAILURE:
	case HF_EVENT_SUSPECT:
	case HF_EVENT_MISSED:
	case HF_EVENT_VERIFY_FAILED:
	case HF_EVENT_REPLICA_BEHIND:
	case HF_EVENT_CHAIN_BROKEN:
		return true;
	case HF_EVENT_SUCCESS:
	case HF_EVENT_VERIFIED:
	case HF_EVENT_REPLICA_LEVEL:
	case HF_EVENT_CHAIN_WHOLE:
	case HF_EVENT_RECOVERED:
	case HF_EVENT_STARTED:
	case HF_EVENT_TEST:
	case HF_EVENT_COUNT:
		break;
	}
	return false;
}
