#include "config.h"

#include "cli/replicas.h"
#include "backup/catalog/prune.h"
#include "backup/catalog/replicate.h"
#include "backup/job/lock.h"
#include "backup/job/replicas.h"
#include "backup/notify/note.h"
#include "backup/store/open.h"
#include "backup/store/replica.h"
#include "cli/history.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

void
hf_replicated_clear(HfReplicated *done)
{
	g_clear_error(&done->trouble);
}

typedef struct {
	HfCli *cli;
	HfStore *store;
	HfState *state; /* NULL: it cannot be used */
	const HfReplicateWish *wish;
	GPtrArray *failed;
	bool prunes;
} Work;

/* ---- what came of one ---- */

static void
say_list(const HfCli *cli, const char *label, const GPtrArray *lines)
{
	for (guint i = 0; i < lines->len; i++)
		hf_cli_say(cli, "  %-8s%s\n", label, (const char *)lines->pdata[i]);
}

static void
say(const Work *work, const char *name, const char *place, const HfReplication *result, const GError *trouble)
{
	const HfCli *cli = work->cli;
	g_autofree char *bytes = hf_text_bytes(result->bytes);
	g_autofree char *objects = hf_text_count(result->objects);

	hf_cli_say(cli, "%s%s%s: %s, %u of %u sets\n", name, place ? " " : "", place ? place : "",
		   result->is_level ? "level" : "behind", result->sets - result->missing, result->sets);
	say_list(cli, work->wish->is_dry ? "lacks" : "copied", result->copied);
	say_list(cli, work->wish->is_dry ? "wrong" : "mended", result->mended);
	say_list(cli, "deleted", result->deleted);
	if (result->objects > 0)
		hf_cli_say(cli,
			   "  %s objects, %s; %" G_GUINT64_FORMAT " of them copied by the server itself\n",
			   objects, bytes, result->copied_by_server);
	say_list(cli, "trouble", result->troubles);
	if (trouble)
		hf_cli_say(cli, "  trouble %s\n", trouble->message);
	if (result->stop)
		hf_cli_say(cli, "  old sets stay there: %s\n", result->stop);
}

static HfJson *
texts_to_json(const GPtrArray *texts)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < texts->len; i++) {
		g_autofree char *valid = g_utf8_make_valid(texts->pdata[i], -1);

		json_object_array_add(array, json_object_new_string(valid));
	}
	return array;
}

static HfJson *
to_json(const char *name, const char *place, const HfReplication *result, const GError *trouble)
{
	HfJson *object = json_object_new_object();

	hf_json_add_text(object, "name", name);
	hf_json_add_bytes(object, "place", place);
	hf_json_add_flag(object, "level", result->is_level);
	hf_json_add_number(object, "sets", result->sets);
	hf_json_add_number(object, "missing", result->missing);
	hf_json_add(object, "copied", texts_to_json(result->copied));
	hf_json_add(object, "mended", texts_to_json(result->mended));
	hf_json_add(object, "troubles", texts_to_json(result->troubles));
	hf_json_add(object, "deleted", texts_to_json(result->deleted));
	hf_json_add_bytes(object, "stopped", result->stop);
	hf_json_add_number(object, "objects", result->objects);
	hf_json_add_number(object, "bytes", result->bytes);
	hf_json_add_number(object, "copied_by_server", result->copied_by_server);
	if (trouble) {
		hf_json_add_bytes(object, "error", trouble->message);
		hf_json_add_text(object, "code", hf_error_word(trouble));
	}
	return object;
}

/* The row of a replica, or NULL; *rows_out holds it. */
static const HfReplicaState *
row_of(const Work *work, const char *name, GPtrArray **rows_out)
{
	GPtrArray *rows = *rows_out = work->state ? hf_replicas_list(work->state, NULL) : NULL;

	for (guint i = 0; rows && i < rows->len; i++)
		if (strcmp(((const HfReplicaState *)rows->pdata[i])->name, name) == 0)
			return rows->pdata[i];
	return NULL;
}

/* Where a replica is down nobody knows what it lacks: at least the sets that began since it was level. */
static uint64_t
guess_missing(const Work *work, const char *name)
{
	g_autoptr(GPtrArray) ids = hf_catalog_list_ids(work->store, NULL);
	g_autoptr(GPtrArray) rows = NULL;
	const HfReplicaState *row = row_of(work, name, &rows);
	int64_t level_s = row ? row->level_s : 0, time_s;
	uint64_t missing = 0;

	for (guint i = 0; ids && i < ids->len; i++)
		missing += hf_clock_parse_set_id(ids->pdata[i], &time_s) && time_s > level_s;
	return missing;
}

/* Why it is not level, in a line; NULL where it is.  g_free() it. */
static char *
reason(const HfReplication *result, const GError *trouble)
{
	if (trouble)
		return g_strdup(trouble->message);
	if (result->troubles->len > 0)
		return g_strdup(result->troubles->pdata[0]);
	return result->is_level ? NULL : g_strdup_printf("%u sets are missing there", result->missing);
}

static void
note(const Work *work, const char *name, const char *place, const HfReplication *result,
     const GError *trouble)
{
	g_autofree char *why = reason(result, trouble);
	HfReplicaSeen seen = {.name = name,
			      .place = place,
			      .error = why,
			      .missing = result->missing,
			      .now_s = hf_clock_now_s()};
	g_autoptr(GError) error = NULL;

	if (!work->state || work->wish->is_dry)
		return;
	if (trouble && result->sets == 0)
		seen.missing = guess_missing(work, name);
	if (!hf_replicas_note(work->state, &seen, &error) ||
	    !hf_notify_replica(work->state, name, why != NULL, why, &error))
		g_warning("how far behind %s is could not be noted: %s", name, error->message);
}

/* ---- one after the other ---- */

static HfRetentionPolicy
policy_of(const HfSettings *settings, unsigned number)
{
	const HfSettingId days = HF_SET_REPLICA(number, HF_REPLICA_RETENTION_DAYS);
	HfRetentionPolicy policy = hf_prune_policy(settings);

	if (hf_settings_origin(settings, days))
		policy.days = (unsigned)hf_settings_number(settings, days);
	return policy;
}

/* Settings are named in errors as the backups' own bucket has them; an error of that one stays as it is. */
static void
name_settings(const HfSettings *settings, unsigned number, GError *error)
{
	const char *bucket = hf_settings_text(settings, HF_SET_REPLICA(number, HF_REPLICA_BUCKET));

	if (error && bucket && g_strcmp0(bucket, hf_store_settings_bucket(settings)) != 0 &&
	    strstr(error->message, bucket))
		hf_replica_name_settings(number, error);
}

static bool
bring_level(const Work *work, unsigned number, HfStore *replica, HfReplication *result, GError **error)
{
	HfProgress progress = {.phase = "comparing"};
	g_autoptr(GPtrArray) rows = NULL;
	const HfReplicaState *row = row_of(work, hf_replica_name(number), &rows);
	bool was_level = row && row->level_s > 0 && g_strcmp0(row->place, hf_store_location(replica)) == 0;
	const HfReplicateOptions options = {.policy = policy_of(work->cli->settings, number),
					    .failed = work->failed,
					    .now_s = hf_clock_now_s(),
					    .prunes = work->prunes,
					    .is_first = !was_level,
					    .is_dry = work->wish->is_dry,
					    .progress = &progress};
	g_autoptr(HfProgressBar) bar = NULL;

	bar = hf_progress_bar_start("replicate", &progress);
	return hf_replicate(work->store, replica, &options, result, error);
}

static void
count(HfReplicated *done, const char *name, const HfReplication *result, const GError *trouble)
{
	g_autofree char *why = reason(result, trouble);

	if (result->is_level && !trouble) {
		done->level++;
		return;
	}
	if (done->behind++ > 0)
		return;
	done->trouble = g_error_new(HF_ERROR, trouble ? trouble->code : HF_ERROR_FAILED, "%s: %s", name,
				    why ? why : "it is behind");
}

static void
run_one(const Work *work, unsigned number, HfJson *replicas, HfReplicated *done)
{
	const char *name = hf_replica_name(number);
	g_autoptr(GError) trouble = NULL;
	g_auto(HfReplication) result = {0};
	g_autoptr(HfStore) replica = hf_replica_open(work->cli->settings, number, &trouble);
	const char *place = replica ? hf_store_location(replica) : NULL;

	if (replica)
		(void)!bring_level(work, number, replica, &result, &trouble);
	else
		hf_replication_begin(&result);
	name_settings(work->cli->settings, number, trouble);
	if (trouble)
		result.is_level = false;
	say(work, name, place, &result, trouble);
	json_object_array_add(replicas, to_json(name, place, &result, trouble));
	note(work, name, place, &result, trouble);
	count(done, name, &result, trouble);
}

bool
hf_cli_replicate(HfCli *cli, HfStore *store, const HfReplicateWish *wish, HfReplicated *done_out,
		 GError **error)
{
	const char *folder = hf_settings_text(cli->settings, HF_SET_BACKUP_STATE_DIR);
	g_autoptr(HfLock) lock = folder && !wish->is_dry ? hf_lock_take(folder, "replicate", error) : NULL;
	g_autoptr(HfState) state = lock ? hf_state_open(folder, NULL) : NULL;
	g_autofree char *reader = hf_cli_reading_job(cli->settings, true);
	g_autoptr(GPtrArray) failed = hf_cli_failed_runs(cli->settings);
	HfJson *replicas = json_object_new_array();
	const Work work = {cli,    store,
			   state,  wish,
			   failed, hf_settings_flag(cli->settings, HF_SET_PRUNE_AFTER_BACKUP) && !reader};

	*done_out = (HfReplicated){0};
	hf_json_add(cli->reply, "replicas", replicas);
	if (folder && !wish->is_dry && !lock)
		return false;
	for (unsigned number = 1; number <= HF_REPLICAS_MAX; number++)
		if (hf_settings_has_replica(cli->settings, number) &&
		    (wish->only == 0 || wish->only == number))
			run_one(&work, number, replicas, done_out);
	return true;
}

/* ---- after a backup ---- */

static bool
has_any(const HfSettings *settings)
{
	for (unsigned number = 1; number <= HF_REPLICAS_MAX; number++)
		if (hf_settings_has_replica(settings, number))
			return true;
	return false;
}

bool
hf_cli_replicate_after(HfCli *cli, HfStore *store)
{
	const HfReplicateWish wish = {0};
	g_autoptr(GError) trouble = NULL;
	g_auto(HfReplicated) done = {0};

	if (!has_any(cli->settings))
		return true;
	if (!hf_cli_replicate(cli, store, &wish, &done, &trouble)) {
		g_message("the replicas are brought level by another process: %s", trouble->message);
		return true;
	}
	if (done.behind == 0)
		return true;
	g_warning("the backup is stored, but not everywhere: %s", done.trouble->message);
	return false;
}

void
hf_cli_warn_behind(HfCli *cli)
{
	if (cli->exit != HF_EXIT_GOOD)
		return;
	cli->exit = HF_EXIT_SUSPECT;
	hf_json_add_text(cli->reply, "warning",
			 "the backup is good, but a replica is behind: see \"replicas\"");
}
