#include "config.h"

#include "backup/job/record.h"
#include "common/clock.h"

#include <string.h>

static void
add_time(HfJson *object, const char *name, int64_t time_s)
{
	g_autofree char *text = time_s > 0 ? hf_clock_rfc3339(time_s) : NULL;

	hf_json_add_text(object, name, text);
}

/* It is our own text; what a damaged file made of it is left out. */
static void
add_document(HfJson *object, const char *name, const char *text)
{
	HfJson *value = text ? hf_json_parse(text, strlen(text), NULL) : NULL;

	if (value)
		hf_json_add(object, name, value);
}

static void
add_duration(HfJson *object, const HfJobRecord *record, int64_t now_s)
{
	int64_t running_ms = MAX(now_s - record->started_s, 0) * 1000;
	int64_t ms = hf_job_status_is_end(record->status) ? record->duration_ms : running_ms;
	g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT ".%03d", ms / 1000, (int)(ms % 1000));

	if (record->started_s > 0)
		hf_json_add(object, "duration", json_object_new_double_s((double)ms / 1000, text));
}

static HfJson *
progress_to_json(const HfJobRecord *record)
{
	HfJson *progress = json_object_new_object();

	hf_json_add_text(progress, "phase", record->phase);
	hf_json_add_number(progress, "bytes", record->bytes);
	if (record->estimated_bytes > 0)
		hf_json_add_number(progress, "estimatedBytes", record->estimated_bytes);
	if (record->status == HF_JOB_RUNNING)
		hf_json_add_number(progress, "bytesPerSecond", record->bytes_per_s);
	if (record->objects > 0 || record->estimated_objects > 0)
		hf_json_add_number(progress, "objects", record->objects);
	if (record->estimated_objects > 0)
		hf_json_add_number(progress, "estimatedObjects", record->estimated_objects);
	return progress;
}

HfJson *
hf_job_record_to_json(const HfJobRecord *record, int64_t now_s)
{
	HfJson *object = json_object_new_object();

	hf_json_add_text(object, "id", record->id);
	hf_json_add_text(object, "kind", record->kind);
	hf_json_add_text(object, "status", hf_job_status_word(record->status));
	hf_json_add_bytes(object, "requestedBy", record->requested_by);
	add_document(object, "parameters", record->parameters);
	add_time(object, "created", record->created_s);
	add_time(object, "started", record->started_s);
	add_time(object, "finished", record->finished_s);
	add_duration(object, record, now_s);
	if (record->exit >= 0)
		hf_json_add_number(object, "exit", (uint64_t)record->exit);
	hf_json_add_text(object, "set", record->set_id);
	hf_json_add_bytes(object, "file", record->file);
	hf_json_add_bytes(object, "error", record->error);
	hf_json_add_text(object, "code", record->error_code);
	if (record->is_cancel_requested)
		hf_json_add_flag(object, "cancelRequested", true);
	if (record->phase)
		hf_json_add(object, "progress", progress_to_json(record));
	add_document(object, "result", record->result);
	return object;
}

static HfJson *
result_of(const HfJobRecord *record)
{
	HfJson *result = record->result ? hf_json_parse(record->result, strlen(record->result), NULL) : NULL;

	if (json_object_is_type(result, json_type_object))
		return result;
	json_object_put(result);
	return NULL;
}

char *
hf_job_record_warning(const HfJobRecord *record)
{
	bool may_warn = record->status == HF_JOB_DONE && record->exit != 0;
	g_autoptr(HfJson) result = may_warn ? result_of(record) : NULL;
	const char *text = NULL;

	return result && hf_json_find_text(result, "warning", &text, NULL) ? g_strdup(text) : NULL;
}

bool
hf_job_record_is_good(const HfJobRecord *record)
{
	g_autofree char *warning = hf_job_record_warning(record);

	return record->status == HF_JOB_DONE && (record->exit == 0 || warning);
}

bool
hf_job_record_is_void(const HfJobRecord *record)
{
	g_autoptr(HfJson) result = NULL;
	HfJson *already = NULL;

	/* A run whose lease was lost on the way is a conflict, too, and has failed. */
	if (record->status == HF_JOB_FAILED)
		return g_strcmp0(record->error_code, "conflict") == 0 && record->bytes == 0;
	result = record->status == HF_JOB_DONE && !record->set_id ? result_of(record) : NULL;
	return result && json_object_object_get_ex(result, "already", &already) &&
	       json_object_get_boolean(already);
}
