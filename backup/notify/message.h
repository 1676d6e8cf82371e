/*
 * backup/notify/message.h -- one message, before it is known where it goes and how it will look there.
 *
 * It is made where something happened, kept in the outbox as JSON, and rendered by whoever delivers it.  Nothing in it is a
 * secret; what others named (a database, a key, an error's words) is text of bounded length, without control characters
 * but for the lines of text.
 */
#pragma once

#include "backup/notify/event.h"
#include "common/json.h"

#define HF_MESSAGE_TITLE_BYTES 200
#define HF_MESSAGE_TEXT_BYTES 4096
#define HF_MESSAGE_FACTS_MAX 24

typedef struct {
	char *label, *text;
} HfFact;

typedef struct {
	char *id; /* unique for ever: what a receiver knows a repeated message by */
	HfEvent event;
	HfEvent cause;    /* of RECOVERED: the good event; else the same */
	bool is_reminder; /* the trouble is not new */
	bool is_quiet;    /* for the heartbeat alone, which hears of each backup */
	int64_t at_s;
	int64_t since_s;  /* since when the trouble is, or was; 0: not known */
	char *subject;    /* "backup full" */
	char *title;      /* one line, without the host's name */
	char *text;       /* NULL, or what went wrong and what to do, in lines */
	GPtrArray *facts; /* of HfFact, in the order in which they are told */
	HfJson *data;     /* an object with what a program may want of the same */
} HfMessage;

/* With a new id, cause as event, and the time now. */
HfMessage *hf_message_new(HfEvent event, const char *subject);
void hf_message_free(HfMessage *message);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfMessage, hf_message_free)

/* Makes text presentable and cuts it: one line for a title and a fact, lines for the text. */
void hf_message_set_title(HfMessage *message, const char *format, ...) G_GNUC_PRINTF(2, 3);
void hf_message_add_text(HfMessage *message, const char *line);
void hf_message_add_fact(HfMessage *message, const char *label, const char *text);

/* As the outbox keeps it; CORRUPT where text is not such.  g_free() the former. */
char *hf_message_to_json(const HfMessage *message);
HfMessage *hf_message_parse(const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether mask (hf_event_mask()) wants it.  Of what has recovered, also who wants each success does. */
bool hf_message_is_wanted(const HfMessage *message, unsigned mask);

/* Whether something is wrong: for a colour, or a priority. */
bool hf_message_is_bad(const HfMessage *message);
