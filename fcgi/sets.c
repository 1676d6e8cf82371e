#include "config.h"

#include "backup/job/cached-sets.h"
#include "common/clock.h"
#include "common/error.h"
#include "fcgi/answer.h"
#include "fcgi/body.h"
#include "fcgi/catalogue.h"
#include "fcgi/handlers.h"

#include <string.h>

#define REASON_MAX 500

/* ---- the list ---- */

static HfJson *
row_of(const HfCachedSet *set)
{
	HfJson *row = json_object_new_object();
	g_autofree char *started = set->started_s > 0 ? hf_clock_rfc3339(set->started_s) : NULL;

	hf_json_add_text(row, "set", set->id);
	hf_json_add_text(row, "kind", set->kind);
	hf_json_add_number(row, "level", (uint64_t)MAX(set->level, 0));
	hf_json_add_text(row, "status", set->status);
	hf_json_add_text(row, "started", started);
	hf_json_add_number(row, "bytes", set->bytes);
	hf_json_add_flag(row, "held", set->is_held);
	hf_json_add_flag(row, "suspect", set->is_suspect);
	hf_json_add_flag(row, "accepted", set->is_accepted);
	hf_json_add_flag(row, "adopted", set->is_adopted);
	hf_json_add_text(row, "signed", set->is_signed);
	hf_json_add_text(row, "trouble", set->trouble);
	hf_json_add_text(row, "suspectReason", set->suspect_reason);
	return row;
}

/* How many of the sets, oldest first, lie on the pages from the one behind `after` on. */
static bool
find_start(const GPtrArray *sets, const char *after, guint *count_out)
{
	*count_out = sets->len;
	if (!after)
		return true;
	for (guint i = 0; i < sets->len; i++) {
		if (strcmp(((const HfCachedSet *)sets->pdata[i])->id, after) == 0) {
			*count_out = i;
			return true;
		}
	}
	return false;
}

HfReply *
hf_handle_sets(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const char *const names[] = {"limit", "after", NULL};
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) sets = NULL;
	HfReply *refusal = hf_answer_check_query(request, route, names);
	int64_t as_of_s = 0;
	unsigned limit = 0;
	guint start = 0;
	HfJson *members, *rows;

	(void)arguments;
	if (refusal || !hf_answer_limit(request, route, &limit, &refusal))
		return refusal;
	sets = hf_catalogue_list(service, &as_of_s, &error);
	if (!sets)
		return hf_reply_error(error, route->failure);
	if (!find_start(sets, hf_request_query(request, "after"), &start))
		return hf_reply_problem(404, HF_CODE_NOT_FOUND, route->failure,
					"after: there is no such set");
	members = json_object_new_object();
	rows = json_object_new_array();
	hf_json_add(members, "store", hf_catalogue_store(service, as_of_s));
	hf_json_add_number(members, "total", sets->len);
	hf_json_add(members, "sets", rows);
	for (guint i = start; i > 0 && start - i < limit; i--)
		json_object_array_add(rows, row_of(sets->pdata[i - 1]));
	if (start > limit)
		hf_json_add_text(members, "next", ((const HfCachedSet *)sets->pdata[start - limit])->id);
	return hf_reply_json(200, members);
}

/* ---- one ---- */

/* From the cache where it is there: the manifest never changes, what lies beside it is refreshed with the cache. */
static HfJson *
cached(HfService *service, const char *id)
{
	HfState *state = hf_service_state(service, NULL);
	g_autoptr(HfCachedSet) set = state ? hf_cached_sets_find(state, id, NULL) : NULL;
	HfJson *manifest = set && set->manifest ? hf_json_parse(set->manifest, strlen(set->manifest), NULL)
						: NULL;
	HfJson *members;

	if (!manifest)
		return NULL;
	members = row_of(set);
	hf_json_add(members, "manifest", manifest);
	return members;
}

HfReply *
hf_handle_set(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	const char *const words[] = {"show", "--", arguments[0], NULL};
	HfReply *refusal = hf_answer_check_set(arguments[0], route);
	g_autoptr(GError) error = NULL;
	HfJson *reply;

	(void)request;
	if (refusal)
		return refusal;
	reply = cached(service, arguments[0]);
	if (!reply)
		reply = hf_tool_run(service->tool, words, &error);
	return reply ? hf_reply_json(200, reply) : hf_reply_error(error, route->failure);
}

/* What changed the store made the cache old. */
static HfReply *
done(HfService *service, HfJson *reply)
{
	hf_catalogue_refresh(service);
	return hf_reply_json(200, reply);
}

HfReply *
hf_handle_delete(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const HfMember none[] = {{0}};
	const char *const words[] = {"delete", "--", arguments[0], NULL};
	HfReply *refusal = hf_answer_check_set(arguments[0], route);
	g_autoptr(HfJson) body = refusal ? NULL : hf_body_parse(request, none, route->failure, &refusal);
	g_autoptr(GError) error = NULL;
	HfJson *reply;

	if (!body)
		return refusal;
	reply = hf_tool_run(service->tool, words, &error);
	if (!reply)
		return hf_reply_error(error, route->failure);
	return done(service, reply);
}

/* Hold, release and accept: `holdfast` has a command of each name. */
HfReply *
hf_handle_mark(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const HfMember known[] = {{"reason", json_type_string}, {0}};
	static const HfMember none[] = {{0}};
	bool takes_reason = strcmp(route->detail, "hold") == 0;
	HfReply *refusal = hf_answer_check_set(arguments[0], route);
	g_autoptr(HfJson) body = refusal ? NULL
					 : hf_body_parse(request, takes_reason ? known : none, route->failure,
							 &refusal);
	g_autofree char *option = NULL;
	g_autoptr(GError) error = NULL;
	const char *reason = NULL;
	HfJson *reply;

	if (!body)
		return refusal;
	(void)hf_json_find_text(body, "reason", &reason, NULL);
	if (reason && strlen(reason) > REASON_MAX)
		return hf_reply_problem(422, HF_CODE_USAGE, route->failure,
					"reason: at most 500 bytes are wanted");
	if (reason)
		option = g_strconcat("--reason=", reason, NULL);
	reply = hf_tool_run(service->tool,
			    option ? (const char *const[]){route->detail, option, "--", arguments[0], NULL}
				   : (const char *const[]){route->detail, "--", arguments[0], NULL},
			    &error);
	if (!reply)
		return hf_reply_error(error, route->failure);
	return done(service, reply);
}
