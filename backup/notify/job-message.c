#include "config.h"

#include "backup/notify/note-impl.h"
#include "backup/notify/result.h"
#include "common/clock.h"

#include <string.h>

/* Of a list of alarms so many are told. */
#define ALARMS_MAX 10

#define EXIT_SUSPECT 3 /* as cli/command.h has it */

/* ---- what a job is ---- */

static bool
is_proof(const char *kind)
{
	return strcmp(kind, "verify") == 0 || strcmp(kind, "drill") == 0;
}

/* Who asks for these waits for the answer, and no night depends on them. */
static bool
is_private(const char *kind)
{
	return g_str_has_prefix(kind, "restore ") || strcmp(kind, "delete") == 0;
}

/* ---- which event it is ---- */

/* Stored and whole, and nothing is wrong with it but that its proof failed. */
static bool
has_only_failed_proof(HfJson *result)
{
	return hf_result_text(result, "verification_error") && !hf_result_flag(result, "suspect") &&
	       g_strcmp0(hf_result_text(result, "status"), "partial") != 0;
}

static bool
done_event(const HfJobRecord *record, HfEvent *event_out)
{
	g_autoptr(HfJson) result = NULL;

	*event_out = is_proof(record->kind) ? HF_EVENT_VERIFIED : HF_EVENT_SUCCESS;
	/* That a replica is behind is told of by itself. */
	if (record->exit != EXIT_SUSPECT || hf_job_record_is_good(record))
		return true;
	/* It deleted nothing, because of something else that was told of. */
	if (strcmp(record->kind, "prune") == 0)
		return false;
	result = hf_result_parse(record->result);
	*event_out = has_only_failed_proof(result) ? HF_EVENT_VERIFY_FAILED : HF_EVENT_SUSPECT;
	return true;
}

bool
hf_job_event(const HfJobRecord *record, HfEvent *event_out)
{
	if (is_private(record->kind) || hf_job_record_is_void(record))
		return false;
	switch (record->status) {
	case HF_JOB_DONE:
		return done_event(record, event_out);
	case HF_JOB_FAILED:
	case HF_JOB_INTERRUPTED:
		*event_out = is_proof(record->kind) ? HF_EVENT_VERIFY_FAILED : HF_EVENT_FAILURE;
		return true;
	case HF_JOB_QUEUED:
	case HF_JOB_RUNNING:
	case HF_JOB_CANCELLED:
		break;
	}
	return false;
}

/* The set that a proof is about, also where it did not get as far as to open it. */
static char *
set_of(const HfJobRecord *record)
{
	g_autoptr(HfJson) parameters = NULL;

	if (record->set_id)
		return g_strdup(record->set_id);
	parameters = hf_result_parse(record->parameters);
	return g_strdup(hf_result_text(parameters, "set"));
}

char *
hf_job_subject(const HfJobRecord *record)
{
	g_autofree char *set = is_proof(record->kind) ? set_of(record) : NULL;

	return set ? g_strconcat(record->kind, " ", set, NULL) : g_strdup(record->kind);
}

/* ---- words ---- */

static char *
name_of(const HfJobRecord *record)
{
	static const char *const names[][2] = {
		{"backup full", "Backup of database and images"},
		{"backup database", "Backup of the database"},
		{"backup images", "Backup of the images"},
		{"prune", "Deleting old sets"},
		{"replicate", "Replication"},
	};
	g_autofree char *set = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(record->kind, names[i][0]) == 0)
			return g_strdup(names[i][1]);
	if (!is_proof(record->kind))
		return g_strdup(record->kind);
	set = set_of(record);
	return g_strdup_printf("%s of set %s",
			       strcmp(record->kind, "drill") == 0 ? "Restore drill" : "Verification",
			       set ? set : "?");
}

static const char *
suspect_words(const HfJobRecord *record, HfJson *result)
{
	if (is_proof(record->kind))
		return "did not reach the level that was asked for";
	return g_strcmp0(hf_result_text(result, "status"), "partial") == 0 ? "is partial" : "is suspect";
}

static void
set_title(HfMessage *message, const HfJobRecord *record, HfJson *result)
{
	g_autofree char *name = name_of(record);

	if (message->event == HF_EVENT_SUSPECT)
		hf_message_set_title(message, "%s %s", name, suspect_words(record, result));
	else if (message->event == HF_EVENT_VERIFY_FAILED && !is_proof(record->kind))
		hf_message_set_title(message, "%s was stored, but its proof failed", name);
	else if (message->event == HF_EVENT_SUCCESS || message->event == HF_EVENT_VERIFIED)
		hf_message_set_title(message, "%s succeeded", name);
	else
		hf_message_set_title(message, "%s %s", name,
				     record->status == HF_JOB_INTERRUPTED ? "was interrupted" : "failed");
}

/* What is wrong, line by line. */
static void
add_troubles(HfMessage *message, const HfJobRecord *record, HfJson *result)
{
	HfJson *alarms = NULL;

	if (record->error)
		hf_message_add_text(message, record->error);
	if (hf_result_text(result, "note"))
		hf_message_add_text(message, hf_result_text(result, "note"));
	if (hf_result_text(result, "verification_error"))
		hf_message_add_text(message, hf_result_text(result, "verification_error"));
	if (!result || !json_object_object_get_ex(result, "alarms", &alarms) ||
	    !json_object_is_type(alarms, json_type_array))
		return;
	for (size_t i = 0; i < MIN(json_object_array_length(alarms), (size_t)ALARMS_MAX); i++)
		hf_message_add_text(message, json_object_get_string(json_object_array_get_idx(alarms, i)));
}

static void
add_remedy(HfMessage *message, const HfJobRecord *record)
{
	g_autofree char *line = NULL;

	if (message->event == HF_EVENT_SUSPECT && record->set_id && !is_proof(record->kind))
		line = g_strdup_printf(
			"Nothing is pruned until somebody has looked: \"holdfast show %s\", then "
			"\"holdfast accept %s\" where all is as it should be.",
			record->set_id, record->set_id);
	else if (hf_message_is_bad(message))
		line = g_strdup_printf("What the job said: \"holdfast jobs %s --log\".", record->id);
	if (line)
		hf_message_add_text(message, line);
}

/* ---- the whole ---- */

static void
add_data(HfMessage *message, const HfJobRecord *record, HfJson *result)
{
	g_autofree char *started = hf_clock_rfc3339(record->started_s);
	g_autofree char *finished = hf_clock_rfc3339(record->finished_s);
	g_autofree char *duration = g_strdup_printf("%.3f", (double)record->duration_ms / 1000);

	hf_json_add_text(message->data, "job", record->id);
	hf_json_add_text(message->data, "kind", record->kind);
	hf_json_add_text(message->data, "status", hf_job_status_word(record->status));
	hf_json_add_text(message->data, "requestedBy", record->requested_by);
	hf_json_add_text(message->data, "started", record->started_s > 0 ? started : NULL);
	hf_json_add_text(message->data, "finished", record->finished_s > 0 ? finished : NULL);
	hf_json_add(message->data, "duration",
		    json_object_new_double_s((double)record->duration_ms / 1000, duration));
	hf_json_add_text(message->data, "set", record->set_id);
	hf_json_add_bytes(message->data, "error", record->error);
	hf_json_add_text(message->data, "code", record->error_code);
	hf_message_add_fact(message, "Store", hf_result_text(result, "store"));
	hf_message_add_fact(message, "Set", record->set_id);
	hf_message_add_fact(message, "Job", record->id);
	hf_message_add_fact(message, "Asked for by", record->requested_by);
}

HfMessage *
hf_job_message(const HfJobRecord *record, HfEvent event, const HfJobRecord *before)
{
	g_autofree char *subject = hf_job_subject(record);
	g_autoptr(HfJson) result = hf_result_parse(record->result);
	HfMessage *message = hf_message_new(event, subject);

	set_title(message, record, result);
	add_troubles(message, record, result);
	add_remedy(message, record);
	hf_job_add_facts(message, record, result, before);
	add_data(message, record, result);
	return message;
}
