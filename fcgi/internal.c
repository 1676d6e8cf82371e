#include "config.h"

#include "backup/job/marks.h"
#include "backup/job/record.h"
#include "backup/notify/configured.h"
#include "common/clock.h"
#include "common/error.h"
#include "fcgi/answer.h"
#include "fcgi/body.h"
#include "fcgi/handlers.h"

#include <string.h>

#define WEEKLY_LEVEL 4

/* ---- which job a schedule means ---- */

static bool
has_database(const HfSettings *settings)
{
	return hf_settings_secret(settings, HF_SET_DATABASE_URL) ||
	       hf_settings_text(settings, HF_SET_DB_NAME);
}

static bool
has_images(const HfSettings *settings)
{
	return hf_settings_text(settings, HF_SET_IMAGES_DIR) ||
	       hf_settings_text(settings, HF_SET_AWS_BUCKET_NAME);
}

/* What there is to back up; and where there is nothing, the job's own words say so. */
static const char *
kind_of(const HfSettings *settings)
{
	if (!has_images(settings) && has_database(settings))
		return "backup database";
	return has_images(settings) && !has_database(settings) ? "backup images" : "backup full";
}

/* Weekly, every image is stored again. */
static HfJson *
parameters_of(const char *schedule, const char *kind)
{
	HfJson *parameters = json_object_new_object();

	if (strcmp(schedule, "weekly") != 0)
		return parameters;
	/* As far as this host can: docs/design.md, section 5. */
	hf_json_add_number(parameters, "verify", WEEKLY_LEVEL);
	if (strcmp(kind, "backup full") == 0)
		hf_json_add_flag(parameters, "full_images", true);
	else if (strcmp(kind, "backup images") == 0)
		hf_json_add_flag(parameters, "full", true);
	return parameters;
}

/* ---- messages ---- */

/* The timer calls when it starts, and for each run: what a crash or a reboot left in the outbox goes out then. */
static void
deliver(const HfService *service, HfState *state)
{
	HfJobProgram program = hf_service_program(service);
	g_autoptr(GError) error = NULL;

	if (hf_notify_is_configured(service->settings) &&
	    !hf_deliver_start(&program, hf_state_folder(state), &error))
		g_warning("messages cannot be delivered: %s", error->message);
}

/* ---- run ---- */

static HfReply *
already(void)
{
	HfJson *members = json_object_new_object();

	hf_json_add_flag(members, "already", true);
	return hf_reply_json(200, members);
}

/*
 * True where the slot has been run.  A mark that a clock which was far ahead has left is taken away first, so that the
 * claim, which compares with it, goes through.
 */
static bool
is_past(HfState *state, const char *schedule, int64_t slot_s, bool *past_out, GError **error)
{
	int64_t mark_s = 0;

	*past_out = false;
	if (!hf_marks_get(state, schedule, &mark_s, error))
		return false;
	if (mark_s == 0)
		return true;
	if (hf_schedule_credible_mark(mark_s, hf_clock_now_s()) == HF_SCHEDULE_NEVER)
		return hf_marks_set(state, schedule, 0, error);
	*past_out = slot_s <= mark_s;
	return true;
}

static HfReply *
start(HfService *service, HfState *state, const HfRoute *route, const char *schedule, int64_t slot_s)
{
	const char *kind = kind_of(service->settings);
	g_autoptr(HfJson) parameters = parameters_of(schedule, kind);
	g_autofree char *by = g_strconcat("schedule:", schedule, NULL);
	HfJobRequest request = {
		.kind = kind,
		.parameters = json_object_to_json_string_ext(parameters, JSON_C_TO_STRING_PLAIN),
		.requested_by = by,
		.mark = schedule,
		.slot_s = slot_s};
	HfJobProgram program = hf_service_program(service);
	g_autofree char *job = NULL;
	g_autofree char *running = NULL;
	g_autoptr(GError) error = NULL;
	HfJson *members;

	if (hf_job_start(state, &request, &program, &job, &running, &error))
		return hf_answer_accepted(job, "Scheduled run started");
	if (!running)
		return hf_error_is(error, HF_ERROR_CONFLICT) ? already()
							     : hf_reply_error(error, route->failure);
	members = json_object_new_object();
	hf_json_add_text(members, "job", running);
	return hf_reply_problem_with(409, HF_CODE_CONFLICT, route->failure, error->message, members);
}

static const HfRun *
find_run(const HfRuns *runs, const char *name)
{
	for (size_t i = 0; i < HF_RUN_COUNT; i++)
		if (g_strcmp0(runs->items[i].name, name) == 0)
			return &runs->items[i];
	return NULL;
}

HfReply *
hf_handle_run(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const HfMember known[] = {{"schedule", json_type_string}, {"slot", json_type_int}, {0}};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfJson) body = NULL;
	HfJson *slot = NULL;
	const char *schedule = NULL;
	const HfRun *run;
	HfReply *refusal;
	HfState *state;
	bool past;

	(void)arguments;
	body = hf_body_parse(request, known, route->failure, &refusal);
	if (!body)
		return refusal;
	(void)hf_json_find_text(body, "schedule", &schedule, NULL);
	run = find_run(service->runs, schedule);
	if (!run || !json_object_object_get_ex(body, "slot", &slot) || json_object_get_int64(slot) <= 0)
		return hf_reply_problem(422, HF_CODE_USAGE, route->failure,
					"schedule (\"daily\", \"weekly\") and slot (Unix time) are wanted");
	state = hf_service_state(service, &error);
	if (!state || !is_past(state, run->name, json_object_get_int64(slot), &past, &error))
		return hf_reply_error(error, route->failure);
	if (past)
		return already();
	deliver(service, state);
	return start(service, state, route, run->name, json_object_get_int64(slot));
}

HfReply *
hf_handle_slots(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	g_autoptr(GError) error = NULL;
	HfState *state = hf_service_state(service, &error);
	g_autoptr(HfJson) members = json_object_new_object();

	(void)request;
	(void)arguments;
	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		HfJson *member = json_object_new_object();
		int64_t slot_s = 0;

		hf_json_add(members, service->runs->items[i].name, member);
		if (!state || !hf_marks_get(state, service->runs->items[i].name, &slot_s, &error))
			return hf_reply_error(error, route->failure);
		json_object_object_add(member, "lastSlot",
				       slot_s != 0 ? json_object_new_int64(slot_s) : NULL);
	}
	deliver(service, state);
	return hf_reply_json(200, g_steal_pointer(&members));
}
