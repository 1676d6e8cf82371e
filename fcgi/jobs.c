#include "config.h"

#include "backup/job/record.h"
#include "common/clock.h"
#include "common/error.h"
#include "fcgi/answer.h"
#include "fcgi/body.h"
#include "fcgi/handlers.h"

static HfJobRecord *
find(HfService *service, const char *id, GError **error)
{
	HfState *state = hf_service_state(service, error);

	return state ? hf_jobs_find(state, id, error) : NULL;
}

HfReply *
hf_handle_jobs(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const char *const names[] = {"limit", "after", NULL};
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) records = NULL;
	HfState *state = NULL;
	HfJson *members, *rows;
	unsigned limit = 0;
	HfReply *refusal = hf_answer_check_query(request, route, names);

	(void)arguments;
	if (refusal || !hf_answer_limit(request, route, &limit, &refusal))
		return refusal;
	state = hf_service_state(service, &error);
	/* One more than the page, to know whether another one follows. */
	records = state ? hf_jobs_list(state, hf_request_query(request, "after"), limit + 1, &error) : NULL;
	if (!records)
		return hf_reply_error(error, route->failure);
	members = json_object_new_object();
	rows = json_object_new_array();
	hf_json_add(members, "jobs", rows);
	for (guint i = 0; i < records->len && i < limit; i++)
		json_object_array_add(rows, hf_job_record_to_json(records->pdata[i], hf_clock_now_s()));
	if (records->len > limit)
		hf_json_add_text(members, "next", ((HfJobRecord *)records->pdata[limit - 1])->id);
	return hf_reply_json(200, members);
}

HfReply *
hf_handle_job(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfJobRecord) record = find(service, arguments[0], &error);
	HfJson *members;

	(void)request;
	if (!record)
		return hf_reply_error(error, route->failure);
	members = json_object_new_object();
	hf_json_add(members, "job", hf_job_record_to_json(record, hf_clock_now_s()));
	return hf_reply_json(200, members);
}

/* A log is a program's words: what is not UTF-8 in it is replaced. */
HfReply *
hf_handle_log(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const char *const names[] = {"after", NULL};
	g_autoptr(GError) error = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *valid = NULL;
	const char *after_text = hf_request_query(request, "after");
	HfReply *refusal = hf_answer_check_query(request, route, names);
	HfState *state = NULL;
	guint64 after = 0;
	uint64_t next = 0;
	HfJson *members;

	if (refusal)
		return refusal;
	if (after_text && !g_ascii_string_to_unsigned(after_text, 10, 0, G_MAXINT64, &after, NULL))
		return hf_reply_problem(400, HF_CODE_USAGE, route->failure,
					"after: a number of bytes is wanted");
	state = hf_service_state(service, &error);
	if (!state || !hf_jobs_log(state, arguments[0], after, text, &next, &error))
		return hf_reply_error(error, route->failure);
	valid = g_utf8_make_valid(text->str, (gssize)text->len);
	members = json_object_new_object();
	hf_json_add_text(members, "job", arguments[0]);
	hf_json_add_text(members, "log", valid);
	hf_json_add_number(members, "next", next);
	return hf_reply_json(200, members);
}

HfReply *
hf_handle_cancel(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const HfMember none[] = {{0}};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfJson) body = NULL;
	HfReply *refusal;
	HfState *state;

	body = hf_body_parse(request, none, route->failure, &refusal);
	if (!body)
		return refusal;
	state = hf_service_state(service, &error);
	if (!state || !hf_jobs_cancel(state, arguments[0], &error))
		return hf_reply_error(error, route->failure);
	return hf_answer_accepted(arguments[0], "The job was asked to stop");
}
