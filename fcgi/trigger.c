#include "config.h"

#include "backup/job/record.h"
#include "common/clock.h"
#include "fcgi/answer.h"
#include "fcgi/body.h"
#include "fcgi/handlers.h"
#include "fcgi/waiters.h"

#include <string.h>
#include <unistd.h>

/* A short backup is answered at once, a long one costs a look four times a second. */
#define LOOK_FIRST_MS 20
#define LOOK_LAST_MS 250

static const char *
done_message(const HfRoute *route)
{
	if (strcmp(route->detail, "backup database") == 0)
		return "Database backup completed successfully";
	if (strcmp(route->detail, "backup images") == 0)
		return "S3 images backup completed successfully";
	return "Backup completed successfully";
}

static HfReply *
started(const HfRequest *request, const char *job)
{
	HfReply *reply = hf_answer_accepted(job, "Backup started");

	if (hf_request_prefers_async(request))
		hf_reply_add_header(reply, "Preference-Applied", "respond-async");
	return reply;
}

/* As precise as the job itself told it: its record has whole seconds. */
static double
duration_of(const HfJobRecord *record)
{
	g_autoptr(HfJson)
		result = record->result ? hf_json_parse(record->result, strlen(record->result), NULL) : NULL;
	HfJson *duration = NULL;

	if (result && json_object_object_get_ex(result, "duration", &duration))
		return json_object_get_double(duration);
	return (double)MAX(record->finished_s - record->started_s, 0);
}

static HfReply *
completed(const HfJobRecord *record, const HfRoute *route, const char *warning)
{
	HfJson *members = json_object_new_object();
	HfReply *reply;
	g_autofree char *duration = g_strdup_printf("%.1f", duration_of(record));
	g_autofree char *now = hf_answer_time(g_get_real_time() / 1000);

	hf_json_add_flag(members, "success", true);
	hf_json_add_text(members, "message", done_message(route));
	hf_json_add(members, "duration", json_object_new_double_s(duration_of(record), duration));
	hf_json_add_text(members, "timestamp", now);
	if (strcmp(route->detail, "backup full") != 0)
		hf_json_add_bytes(members, "file", record->file);
	hf_json_add_text(members, "set", record->set_id);
	hf_json_add_text(members, "job", record->id);
	hf_json_add_text(members, "warning", warning);
	reply = hf_reply_json(200, members);
	reply->what = g_strdup(record->id);
	return reply;
}

/* Whose job was in the way, where that was another host's. */
static void
add_elsewhere(const HfJobRecord *record, HfJson *members)
{
	g_autoptr(HfJson)
		result = record->result ? hf_json_parse(record->result, strlen(record->result), NULL) : NULL;
	HfJson *elsewhere = NULL;

	if (result && json_object_object_get_ex(result, "elsewhere", &elsewhere))
		hf_json_add(members, "elsewhere", json_object_get(elsewhere));
}

/* The words of a job's code are those of the reply. */
static HfReply *
failed(const HfJobRecord *record, const HfRoute *route)
{
	HfJson *members = json_object_new_object();
	bool is_suspect = record->status == HF_JOB_DONE;
	const char *code = record->error_code ? record->error_code : "failed";
	unsigned status = strcmp(code, "transient") == 0 ? 503 : strcmp(code, "conflict") == 0 ? 409 : 500;
	g_autofree char *text = NULL;

	hf_json_add_text(members, "set", record->set_id);
	hf_json_add_text(members, "job", record->id);
	if (is_suspect)
		text = g_strdup_printf("%s: see GET " HF_API_PREFIX "jobs/%s",
				       record->error ? record->error
						     : "the backup was stored, but it is partial or suspect",
				       record->id);
	else
		text = g_strdup(record->error ? record->error : hf_job_status_word(record->status));
	add_elsewhere(record, members);
	return hf_reply_problem_with(status, is_suspect ? HF_CODE_SUSPECT : code, route->failure, text,
				     members);
}

static HfReply *
conclude(const HfJobRecord *record, const HfRoute *route)
{
	g_autofree char *warning = hf_job_record_warning(record);

	return record->status == HF_JOB_DONE && (record->exit == 0 || warning)
		       ? completed(record, route, warning)
		       : failed(record, route);
}

/* Whoever leaves, or a worker that is to stop, ends the waiting and not the backup. */
static HfReply *
wait_for(HfService *service, const HfRequest *request, const HfRoute *route, const char *job)
{
	double until_s = hf_clock_monotonic_s() +
			 (double)hf_settings_number(service->settings, HF_SET_TRIGGER_WAIT_SECONDS);
	unsigned pause_ms = LOOK_FIRST_MS;

	while (hf_clock_monotonic_s() < until_s) {
		g_autoptr(GError) error = NULL;
		HfState *state = hf_service_state(service, &error);
		g_autoptr(HfJobRecord) record = state ? hf_jobs_find(state, job, &error) : NULL;

		if (record && hf_job_status_is_end(record->status))
			return conclude(record, route);
		if (!request->wait || !request->wait(request->wait_context, pause_ms))
			break;
		pause_ms = MIN(pause_ms * 2, LOOK_LAST_MS);
	}
	return started(request, job);
}

HfReply *
hf_handle_trigger(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const HfMember none[] = {{0}};
	g_autoptr(HfJson) body = NULL;
	g_autofree char *job = NULL;
	HfReply *reply;
	int place;

	(void)arguments;
	body = hf_body_parse(request, none, route->failure, &reply);
	if (!body)
		return reply;
	reply = hf_answer_start(service, request, route, route->detail, NULL, &job);
	if (reply)
		return reply;
	if (hf_request_prefers_async(request))
		return started(request, job);
	place = hf_waiters_enter(hf_state_folder(service->state), hf_waiters_places(service->workers));
	if (place < 0)
		return started(request, job);
	reply = wait_for(service, request, route, job);
	close(place);
	return reply;
}
