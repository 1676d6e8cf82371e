#include "config.h"

#include "backup/job/cached-sets.h"
#include "backup/job/elsewhere.h"
#include "backup/job/record.h"
#include "backup/job/replicas.h"
#include "common/clock.h"
#include "fcgi/answer.h"
#include "fcgi/catalogue.h"
#include "fcgi/handlers.h"
#include "fcgi/made.h"

#include <string.h>

/* ---- what the earlier API told ---- */

static HfJson *
group_of(HfJson *groups, const HfCachedFile *file, const HfCachedSet *set)
{
	int64_t time_s = set->started_s > 0 ? set->started_s : file->modified_s;
	g_autofree char *day = hf_clock_rfc3339(time_s);
	HfJson *group = NULL;

	day[strcspn(day, "T")] = 0;
	if (!json_object_object_get_ex(groups, day, &group)) {
		group = json_object_new_array();
		hf_json_add(groups, day, group);
	}
	return group;
}

static void
add_file(HfJson *groups, const HfCachedFile *file, const HfCachedSet *set)
{
	HfJson *row = json_object_new_object();
	g_autofree char *modified = hf_answer_time(file->modified_s * 1000);

	hf_json_add_bytes(row, "key", file->key);
	hf_json_add_number(row, "size", file->bytes);
	hf_json_add_text(row, "lastModified", modified);
	hf_json_add_text(row, "type", file->type);
	hf_json_add_number(row, "level", (uint64_t)MAX(set->level, 0));
	hf_json_add_text(row, "set", set->id);
	json_object_array_add(group_of(groups, file, set), row);
}

static uint64_t
add_groups(HfJson *members, const GPtrArray *sets)
{
	HfJson *groups = json_object_new_object();
	uint64_t files = 0;

	for (guint i = sets->len; i > 0; i--) {
		const HfCachedSet *set = sets->pdata[i - 1];

		for (guint j = 0; j < set->files->len; j++, files++)
			add_file(groups, set->files->pdata[j], set);
	}
	hf_json_add(members, "backupGroups", groups);
	return files;
}

/* ---- what stands beside it ---- */

static HfJson *
running_job(HfState *state)
{
	g_autoptr(HfJobRecord) record = hf_jobs_running(state, NULL, NULL);

	return record ? hf_job_record_to_json(record, hf_clock_now_s()) : NULL;
}

/* Null where there is none; our own before those of other hosts, all of which stand in "elsewhere". */
static bool
add_running(HfService *service, HfState *state, HfJson *members)
{
	g_autoptr(GPtrArray) others = hf_catalogue_elsewhere(service, state);
	HfJson *running = running_job(state);
	HfJson *elsewhere = json_object_new_array();
	int64_t now_s = hf_clock_now_s();

	for (guint i = 0; i < others->len; i++) {
		HfJson *job = hf_lease_entry_to_job(others->pdata[i], now_s);

		if (!running)
			running = json_object_get(job);
		json_object_array_add(elsewhere, job);
	}
	json_object_object_add(members, "running", running);
	hf_json_add(members, "elsewhere", elsewhere);
	return running != NULL;
}

static HfJson *
last_success(const GPtrArray *sets)
{
	for (guint i = sets->len; i > 0; i--) {
		const HfCachedSet *set = sets->pdata[i - 1];
		bool is_whole = strcmp(set->status, "complete") == 0 && !set->is_suspect;
		g_autofree char *started = NULL;
		HfJson *member;

		if (set->is_damaged || (!is_whole && !set->is_accepted))
			continue;
		started = hf_answer_time(set->started_s * 1000);
		member = json_object_new_object();
		hf_json_add_text(member, "set", set->id);
		hf_json_add_text(member, "kind", set->kind);
		hf_json_add_number(member, "level", (uint64_t)MAX(set->level, 0));
		hf_json_add_text(member, "started", started);
		return member;
	}
	return NULL;
}

/* *first_s becomes the earliest of them, where that is earlier. */
static HfJson *
next_runs(const HfRuns *runs, int64_t now_s, int64_t *first_s)
{
	HfJson *member = json_object_new_object();

	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		const HfRun *run = &runs->items[i];
		int64_t next_s = run->is_enabled ? hf_schedule_next(&run->cron, runs->zone, now_s)
						 : HF_SCHEDULE_NEVER;
		g_autofree char *text = next_s != HF_SCHEDULE_NEVER ? hf_answer_time(next_s * 1000) : NULL;

		if (text)
			*first_s = MIN(*first_s, next_s);
		json_object_object_add(member, run->name, text ? json_object_new_string(text) : NULL);
	}
	return member;
}

/* An empty array where there are no replicas, or the state does not tell. */
static HfJson *
replicas(HfState *state, const HfSettings *settings)
{
	g_autoptr(GPtrArray) known = hf_replicas_of(state, settings, NULL);
	HfJson *array = json_object_new_array();

	for (guint i = 0; known && i < known->len; i++)
		json_object_array_add(array, hf_replica_state_to_json(known->pdata[i]));
	return array;
}

/* Makes the reply, and notes up to when it is true. */
static HfJson *
make(HfService *service, HfState *state, GError **error)
{
	int64_t as_of_s = 0, now_s = hf_clock_now_s();
	g_autoptr(GPtrArray) sets = hf_catalogue_list(service, &as_of_s, error);
	HfJson *members;
	bool is_running;
	uint64_t files;

	if (!sets)
		return NULL;
	members = json_object_new_object();
	hf_json_add_flag(members, "success", true);
	hf_json_add_number(members, "totalBackups", 0);
	hf_json_add_number(members, "retentionDays",
			   (uint64_t)hf_settings_number(service->settings, HF_SET_BACKUP_RETENTION_DAYS));
	files = add_groups(members, sets);
	json_object_object_add(members, "totalBackups", json_object_new_int64((int64_t)files));
	is_running = add_running(service, state, members);
	service->status.until_s = now_s + (is_running ? HF_MADE_RUNNING_S : HF_MADE_S);
	json_object_object_add(members, "lastSuccess", last_success(sets));
	hf_json_add(members, "nextRuns", next_runs(service->runs, now_s, &service->status.until_s));
	hf_json_add(members, "replicas", replicas(state, service->settings));
	hf_json_add(members, "store", hf_catalogue_store(service, as_of_s));
	return members;
}

static bool
update(HfService *service, GError **error)
{
	HfMade *made = &service->status;
	HfState *state = hf_service_state(service, error);
	/* Of two numbers one; the factor is that of a common hash, 2^64 by the golden ratio. */
	uint64_t version = state ? hf_state_version(state) +
					   hf_jobs_elsewhere_version(state) * UINT64_C(0x9e3779b97f4a7c15)
				 : 0;
	HfJson *members;
	HfReply *reply;

	if (!state)
		return false;
	if (hf_made_is_current(made, version, hf_clock_now_s()))
		return true;
	members = make(service, state, error);
	if (!members)
		return false;
	reply = hf_reply_json(200, members);
	/* The version as it was before: what was written meanwhile makes the next reply. */
	hf_made_keep(made, reply->body, version);
	hf_reply_free(reply);
	return true;
}

HfReply *
hf_handle_status(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	g_autoptr(GError) error = NULL;

	(void)arguments;
	if (!update(service, &error))
		return hf_reply_error(error, route->failure);
	return hf_made_reply(&service->status, request, "application/json");
}
