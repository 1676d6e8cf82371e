#include "config.h"

#include "backup/notify/note-impl.h"
#include "common/clock.h"
#include "common/text.h"

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

static HfJson *
parse_object(const char *text)
{
	HfJson *object = text ? hf_json_parse(text, strlen(text), NULL) : NULL;

	if (json_object_is_type(object, json_type_object))
		return object;
	json_object_put(object);
	return NULL;
}

static const char *
text_of(HfJson *object, const char *name)
{
	const char *text = NULL;

	return object && hf_json_find_text(object, name, &text, NULL) ? text : NULL;
}

static bool
number_of(HfJson *object, const char *name, uint64_t *number_out)
{
	return object && hf_json_get_number(object, name, number_out, NULL);
}

static bool
flag_of(HfJson *object, const char *name)
{
	HfJson *value = NULL;

	return object && json_object_object_get_ex(object, name, &value) && json_object_get_boolean(value);
}

static HfJson *
object_of(HfJson *object, const char *name)
{
	HfJson *value = NULL;

	return object && hf_json_find_object(object, name, &value, NULL) ? value : NULL;
}

/* ---- which event it is ---- */

/* Stored and whole, and nothing is wrong with it but that its proof failed. */
static bool
has_only_failed_proof(HfJson *result)
{
	return text_of(result, "verification_error") && !flag_of(result, "suspect") &&
	       g_strcmp0(text_of(result, "status"), "partial") != 0;
}

static bool
done_event(const HfJobRecord *record, HfEvent *event_out)
{
	g_autoptr(HfJson) result = NULL;

	*event_out = is_proof(record->kind) ? HF_EVENT_VERIFIED : HF_EVENT_SUCCESS;
	if (record->exit != EXIT_SUSPECT)
		return true;
	/* It deleted nothing, because of something else that was told of. */
	if (strcmp(record->kind, "prune") == 0)
		return false;
	result = parse_object(record->result);
	*event_out = has_only_failed_proof(result) ? HF_EVENT_VERIFY_FAILED : HF_EVENT_SUSPECT;
	return true;
}

bool
hf_job_event(const HfJobRecord *record, HfEvent *event_out)
{
	if (is_private(record->kind))
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
	parameters = parse_object(record->parameters);
	return g_strdup(text_of(parameters, "set"));
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
	return g_strcmp0(text_of(result, "status"), "partial") == 0 ? "is partial" : "is suspect";
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
	if (text_of(result, "note"))
		hf_message_add_text(message, text_of(result, "note"));
	if (text_of(result, "verification_error"))
		hf_message_add_text(message, text_of(result, "verification_error"));
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

/* ---- facts ---- */

static void
add_when(HfMessage *message, const HfJobRecord *record)
{
	g_autofree char *started = hf_clock_rfc3339(record->started_s);
	g_autofree char *took = hf_text_duration((double)record->duration_ms / 1000);
	g_autofree char *text = NULL;

	if (record->started_s > 0)
		text = g_strdup_printf("%s, took %s", started, took);
	hf_message_add_fact(message, "When", text);
}

static void
add_size(HfMessage *message, HfJson *result)
{
	g_autofree char *stored = NULL;
	g_autofree char *plain = NULL;
	g_autofree char *text = NULL;
	uint64_t stored_bytes, plain_bytes;

	if (!number_of(result, "stored_bytes", &stored_bytes))
		return;
	stored = hf_text_bytes(stored_bytes);
	if (number_of(result, "plain_bytes", &plain_bytes)) {
		plain = hf_text_bytes(plain_bytes);
		text = g_strdup_printf("%s stored; the dump is %s long", stored, plain);
	} else {
		text = g_strdup_printf("%s stored", stored);
	}
	hf_message_add_fact(message, "Size", text);
	hf_json_add_number(message->data, "storedBytes", stored_bytes);
}

static void
add_level(HfMessage *message, HfJson *result)
{
	g_autofree char *text = NULL;
	uint64_t level, wanted;

	if (!number_of(result, "level", &level))
		return;
	text = g_strdup_printf("%d of 4, %s", (int)MIN(level, 4), hf_text_level((int)MIN(level, 4)));
	if (number_of(result, "wanted", &wanted) && wanted > level) {
		g_autofree char *reached = g_steal_pointer(&text);

		text = g_strdup_printf("%s; %d was asked for", reached, (int)MIN(wanted, 4));
	}
	hf_message_add_fact(message, "Level", text);
	hf_json_add_number(message->data, "level", level);
}

static void
add_database(HfMessage *message, HfJson *result)
{
	g_autofree char *tables_text = NULL;
	g_autofree char *rows_text = NULL;
	g_autofree char *text = NULL;
	uint64_t tables, rows;

	if (!text_of(result, "database") || !number_of(result, "tables", &tables) ||
	    !number_of(result, "rows", &rows))
		return;
	tables_text = hf_text_count(tables);
	rows_text = hf_text_count(rows);
	text = g_strdup_printf("\"%s\": %s tables, %s rows", text_of(result, "database"), tables_text,
			       rows_text);
	hf_message_add_fact(message, "Database", text);
}

static void
add_images(HfMessage *message, HfJson *result)
{
	HfJson *images = object_of(result, "images");
	g_autofree char *objects_text = NULL;
	g_autofree char *bytes_text = NULL;
	g_autofree char *text = NULL;
	uint64_t objects, bytes;

	if (!number_of(images, "objects", &objects) || !number_of(images, "bytes", &bytes))
		return;
	objects_text = hf_text_count(objects);
	bytes_text = hf_text_bytes(bytes);
	text = g_strdup_printf("%s, %s", objects_text, bytes_text);
	hf_message_add_fact(message, "Images", text);
}

/* ---- what changed ---- */

static void
append_part(GString *text, const char *part)
{
	g_string_append_printf(text, "%s%s", text->len > 0 ? "; " : "", part);
}

/* "+1,204 rows", "-1.2 MiB stored", and nothing where either is not known. */
static void
append_change(GString *text, const char *what, HfJson *now, HfJson *before)
{
	bool is_bytes = g_str_has_suffix(what, "_bytes");
	uint64_t new_value, old_value, difference;
	g_autofree char *amount = NULL;
	g_autofree char *part = NULL;

	if (!number_of(now, what, &new_value) || !number_of(before, what, &old_value))
		return;
	difference = new_value > old_value ? new_value - old_value : old_value - new_value;
	amount = is_bytes ? hf_text_bytes(difference) : hf_text_count(difference);
	if (difference == 0)
		part = g_strdup_printf("as many %s", is_bytes ? "bytes stored" : what);
	else
		part = g_strdup_printf("%s%s %s", new_value > old_value ? "+" : "-", amount,
				       is_bytes ? "stored" : what);
	append_part(text, part);
}

static void
append_images(GString *text, HfJson *images)
{
	static const struct {
		const char *name, *word;
	} counts[] = {{"added", "new"}, {"changed", "changed"}, {"deleted", "deleted"}};
	g_autoptr(GString) part = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
		g_autofree char *amount = NULL;
		uint64_t count;

		if (!number_of(images, counts[i].name, &count))
			return;
		amount = hf_text_count(count);
		g_string_append_printf(part, "%s%s %s", i == 0 ? "images: " : ", ", amount, counts[i].word);
	}
	append_part(text, part->str);
}

static void
add_changes(HfMessage *message, HfJson *result, const HfJobRecord *before)
{
	g_autoptr(HfJson) old = before ? parse_object(before->result) : NULL;
	g_autoptr(GString) text = g_string_new(NULL);

	append_change(text, "tables", result, old);
	append_change(text, "rows", result, old);
	append_change(text, "stored_bytes", result, old);
	append_images(text, object_of(result, "images"));
	hf_message_add_fact(message, "Since the last", text->str);
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
	hf_message_add_fact(message, "Store", text_of(result, "store"));
	hf_message_add_fact(message, "Set", record->set_id);
	hf_message_add_fact(message, "Job", record->id);
	hf_message_add_fact(message, "Asked for by", record->requested_by);
}

HfMessage *
hf_job_message(const HfJobRecord *record, HfEvent event, const HfJobRecord *before)
{
	g_autofree char *subject = hf_job_subject(record);
	g_autoptr(HfJson) result = parse_object(record->result);
	HfMessage *message = hf_message_new(event, subject);

	set_title(message, record, result);
	add_troubles(message, record, result);
	add_remedy(message, record);
	add_when(message, record);
	add_size(message, result);
	add_level(message, result);
	add_database(message, result);
	add_images(message, result);
	if (strncmp(record->kind, "backup ", strlen("backup ")) == 0)
		add_changes(message, result, before);
	add_data(message, record, result);
	return message;
}
