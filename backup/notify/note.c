#include "config.h"

#include "backup/job/jobs-table.h"
#include "backup/notify/note-impl.h"
#include "backup/notify/outbox-impl.h"
#include "backup/notify/standings.h"
#include "common/clock.h"

#include <string.h>

/* Jobs that could have run since the slot: those before them are not looked at. */
#define JOBS_SEEN 100

#define CHAIN "chain"  /* the subject */
#define CHAIN_LINES 10 /* of a message; "holdfast chain" has all */

/* ---- any report ---- */

static bool
is_backup(const char *subject)
{
	return g_str_has_prefix(subject, "backup ");
}

/* Turns what is well again, or is a reminder, into the words for it. */
static void
put_in_words(HfMessage *message, HfSay say, const HfStanding *last)
{
	g_autofree char *since = hf_clock_rfc3339(last->since_s);
	g_autofree char *title = g_steal_pointer(&message->title);

	message->since_s = say == HF_SAY_EVENT ? 0 : last->since_s;
	message->is_reminder = say == HF_SAY_REMINDER;
	if (say == HF_SAY_RECOVERED) {
		g_autofree char *line = g_strdup_printf("There was trouble from %s on (%s).", since,
							hf_event_word((HfEvent)last->last));

		message->event = HF_EVENT_RECOVERED;
		hf_message_add_text(message, line);
	}
	if (say == HF_SAY_REMINDER)
		hf_message_set_title(message, "Still: %s, since %s", title, since);
	else if (say == HF_SAY_RECOVERED)
		hf_message_set_title(message, "All well again: %s", title);
	else
		message->title = g_steal_pointer(&title);
}

static bool
report_within(HfState *state, HfMessage *message, GError **error)
{
	int64_t now_s = hf_clock_now_s();
	HfStanding last, next;
	HfSay say;

	if (!hf_standings_get(state, message->subject, &last, error))
		return false;
	say = hf_notify_decide(&last, message->event, now_s, &next);
	if (next.last >= 0 && !hf_standings_set(state, message->subject, &next, now_s, error))
		return false;
	message->is_quiet = say == HF_SAY_NOTHING;
	if (message->is_quiet && !is_backup(message->subject))
		return true;
	put_in_words(message, say, &last);
	return hf_messages_add(state, message, error);
}

/* Work may be done twice: each time on a message of its own. */
static bool
report_work(HfState *state, void *data, GError **error)
{
	g_autofree char *text = hf_message_to_json(data);
	g_autoptr(HfMessage) message = hf_message_parse(text, error);

	return message && report_within(state, message, error);
}

bool
hf_notify_report(HfState *state, HfMessage *message, GError **error)
{
	g_autoptr(HfMessage) owned = message;

	return hf_state_run(state, HF_STATE_WRITE, report_work, owned, error);
}

bool
hf_notify_replica(HfState *state, const char *replica, bool is_behind, const char *text, GError **error)
{
	g_autoptr(HfMessage) message = hf_message_new(
		is_behind ? HF_EVENT_REPLICA_BEHIND : HF_EVENT_REPLICA_LEVEL, replica);

	hf_message_set_title(message, is_behind ? "%s is behind the store" : "%s is level with the store",
			     replica);
	if (text)
		hf_message_add_text(message, text);
	hf_json_add_text(message->data, "replica", message->subject);
	return hf_notify_report(state, g_steal_pointer(&message), error);
}

/* ---- the chain ---- */

static bool
was_broken_work(HfState *state, void *data, GError **error)
{
	HfStanding standing;

	if (!hf_standings_get(state, CHAIN, &standing, error))
		return false;
	*(bool *)data = standing.last == HF_EVENT_CHAIN_BROKEN;
	return true;
}

static HfMessage *
chain_message(const GPtrArray *troubles)
{
	HfMessage *message = hf_message_new(troubles->len > 0 ? HF_EVENT_CHAIN_BROKEN : HF_EVENT_CHAIN_WHOLE,
					    CHAIN);
	const char *first;

	if (troubles->len == 0) {
		hf_message_set_title(message, "The chain of sets is whole");
		return message;
	}
	/* Each begins with what it is about: `set "..." was taken away: ...`. */
	first = troubles->pdata[0];
	hf_message_set_title(message, "The chain of sets is broken: %.*s", (int)strcspn(first, ":"), first);
	for (guint i = 0; i < MIN(troubles->len, CHAIN_LINES); i++)
		hf_message_add_text(message, troubles->pdata[i]);
	if (troubles->len > CHAIN_LINES) {
		g_autofree char *more = g_strdup_printf("... and %u more", troubles->len - CHAIN_LINES);

		hf_message_add_text(message, more);
	}
	hf_message_add_text(message, "\"holdfast chain\" looks at it again at any time.");
	return message;
}

bool
hf_notify_chain(HfState *state, const GPtrArray *troubles, GError **error)
{
	bool was_broken = false;

	if (!hf_state_run(state, HF_STATE_READ, was_broken_work, &was_broken, error))
		return false;
	return (troubles->len == 0 && !was_broken) || hf_notify_report(state, chain_message(troubles), error);
}

bool
hf_notify_started(HfState *state, const HfJobRecord *record, GError **error)
{
	g_autoptr(HfMessage) message = NULL;

	if (!is_backup(record->kind))
		return true;
	message = hf_message_new(HF_EVENT_STARTED, record->kind);
	hf_message_set_title(message, "%s has begun", record->kind);
	hf_json_add_text(message->data, "job", record->id);
	return hf_notify_report(state, g_steal_pointer(&message), error);
}

/* ---- the end of a job ---- */

/* The one before it that was done; NULL where there is none, or where it cannot be read. */
static HfJobRecord *
done_before(HfState *state, const HfJobRecord *record)
{
	const HfJobsQuery query = {
		.kind = record->kind, .before_id = record->id, .is_done = true, .limit = 1};
	g_autoptr(GPtrArray) records = hf_jobs_table_select(state, &query, NULL);

	return records && records->len > 0 ? g_ptr_array_steal_index(records, 0) : NULL;
}

bool
hf_note_job_end(HfState *state, const HfJobRecord *record, GError **error)
{
	g_autoptr(HfJobRecord) before = NULL;
	g_autoptr(HfMessage) message = NULL;
	HfEvent event;

	if (!hf_job_event(record, &event))
		return true;
	before = done_before(state, record);
	message = hf_job_message(record, event, before);
	return report_within(state, message, error);
}

/* ---- a run that was missed ---- */

bool
hf_note_is_missed(const GPtrArray *jobs, int64_t slot_s, int64_t now_s)
{
	int64_t busy_until_s = slot_s;

	for (guint i = jobs->len; i > 0; i--) {
		const HfJobRecord *job = jobs->pdata[i - 1];
		int64_t begun_s = job->started_s > 0 ? job->started_s : job->created_s;
		int64_t ended_s = hf_job_status_is_end(job->status) ? job->finished_s : now_s;

		if (ended_s <= busy_until_s)
			continue;
		if (begun_s - busy_until_s > HF_NOTE_LATE_S)
			return true;
		busy_until_s = ended_s;
	}
	return now_s - busy_until_s > HF_NOTE_LATE_S;
}

static HfMessage *
missed_message(const char *schedule, int64_t slot_s)
{
	g_autofree char *subject = g_strconcat("schedule ", schedule, NULL);
	HfMessage *message = hf_message_new(HF_EVENT_MISSED, subject);
	g_autofree char *slot = hf_clock_rfc3339(slot_s);

	hf_message_set_title(message, "The %s backup was not started at its time", schedule);
	hf_message_add_text(message,
			    "It is made up for now. The host, holdfast-timer or the pool of workers was down "
			    "at that time: look at their logs, and whether they start with the host.");
	hf_message_add_fact(message, "Planned for", slot);
	hf_json_add_text(message->data, "schedule", schedule);
	hf_json_add_text(message->data, "slot", slot);
	return message;
}

bool
hf_note_scheduled(HfState *state, const char *schedule, int64_t slot_s, GError **error)
{
	g_autoptr(GPtrArray) jobs = NULL;
	g_autoptr(HfMessage) message = NULL;

	if (hf_clock_now_s() - slot_s <= HF_NOTE_LATE_S)
		return true;
	jobs = hf_jobs_table_select(state, &(HfJobsQuery){.limit = JOBS_SEEN}, error);
	if (!jobs)
		return false;
	if (!hf_note_is_missed(jobs, slot_s, hf_clock_now_s()))
		return true;
	message = missed_message(schedule, slot_s);
	return report_within(state, message, error);
}
