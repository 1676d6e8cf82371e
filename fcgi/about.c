#include "config.h"

#include "backup/job/marks.h"
#include "common/clock.h"
#include "fcgi/answer.h"
#include "fcgi/handlers.h"
#include "fcgi/openapi.h"

/* ---- schedule ---- */

static HfJson *
run_of(HfService *service, HfState *state, const HfRun *run)
{
	HfJson *member = json_object_new_object();
	int64_t slot_s = 0, now_s = hf_clock_now_s();
	int64_t next_s = run->is_enabled ? hf_schedule_next(&run->cron, service->runs->zone, now_s)
					 : HF_SCHEDULE_NEVER;
	g_autofree char *next = next_s != HF_SCHEDULE_NEVER ? hf_answer_time(next_s * 1000) : NULL;
	g_autofree char *last = NULL;

	hf_json_add_flag(member, "enabled", run->is_enabled);
	hf_json_add_text(member, "schedule", run->expression);
	hf_json_add_text(member, "what", run->what);
	json_object_object_add(member, "next", next ? json_object_new_string(next) : NULL);
	if (state && hf_marks_get(state, run->name, &slot_s, NULL) && slot_s != 0)
		last = hf_answer_time(slot_s * 1000);
	json_object_object_add(member, "lastSlot", last ? json_object_new_string(last) : NULL);
	return member;
}

HfReply *
hf_handle_schedule(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	HfState *state = hf_service_state(service, NULL);
	HfJson *members = json_object_new_object();

	(void)request;
	(void)arguments;
	(void)route;
	hf_json_add_text(members, "timezone", hf_zone_name(service->runs->zone));
	for (size_t i = 0; i < HF_RUN_COUNT; i++)
		hf_json_add(members, service->runs->items[i].name,
			    run_of(service, state, &service->runs->items[i]));
	return hf_reply_json(200, members);
}

/* ---- health ---- */

HfReply *
hf_handle_health(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	g_autoptr(GError) error = NULL;
	HfState *state = hf_service_state(service, &error);
	int64_t slot_s;
	HfJson *members;

	(void)request;
	(void)arguments;
	if (!state || !hf_marks_get(state, "daily", &slot_s, &error)) {
		HfReply *reply = hf_reply_problem(503, HF_CODE_TRANSIENT, route->failure, error->message);

		hf_reply_add_header(reply, "Retry-After", "5");
		return reply;
	}
	members = json_object_new_object();
	hf_json_add_text(members, "status", "ok");
	hf_json_add_text(members, "version", PACKAGE_VERSION);
	hf_json_add_text(members, "state", "ok");
	return hf_reply_json(200, members);
}

/* ---- the description ---- */

HfReply *
hf_handle_openapi(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	g_autoptr(GBytes) body = g_bytes_new_static(hf_openapi_json, hf_openapi_json_len);

	(void)service;
	(void)request;
	(void)arguments;
	(void)route;
	return hf_reply_bytes(200, "application/json", body);
}
