#include "config.h"

#include "backup/catalog/names.h"
#include "backup/catalog/prune.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"

static void
row_free(gpointer data)
{
	g_free(((HfPruneRow *)data)->lock);
	g_free(data);
}

void
hf_prune_free(HfPrune *prune)
{
	if (!prune)
		return;
	g_ptr_array_unref(prune->rows);
	hf_retention_plan_free(prune->plan);
	hf_sweep_free(prune->sweep);
	g_clear_pointer(&prune->sets, g_ptr_array_unref);
	g_clear_pointer(&prune->unfinished, g_ptr_array_unref);
	g_free(prune->unfinished_error);
	g_free(prune);
}

/* ---- planning ---- */

typedef struct {
	HfStore *store;
	const HfPruneOptions *options;
	HfPrune *prune;
} Work;

static bool
has_damaged(const GPtrArray *sets)
{
	for (guint i = 0; i < sets->len; i++)
		if (((const HfSet *)sets->pdata[i])->is_damaged)
			return true;
	return false;
}

/* What lies in the store beside the sets.  NULL without an error where a damaged manifest, which is known, forbids it. */
static bool
look(Work *work, GHashTable *doomed, GError **error)
{
	const HfSweepOptions options = {.doomed = doomed, .has_no_runs = work->options->has_no_runs};
	g_autoptr(GError) trouble = NULL;

	g_clear_pointer(&work->prune->sweep, hf_sweep_free);
	work->prune->sweep = hf_sweep_plan(work->store, &options, work->options->now_s, &trouble);
	if (work->prune->sweep ||
	    ((hf_error_is(trouble, HF_ERROR_CORRUPT) || hf_error_is(trouble, HF_ERROR_USAGE)) &&
	     has_damaged(work->prune->sets)))
		return true;
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

/* The run in progress, or killed, that a claim without a manifest shows. */
static HfFailedRun *
run_of_claim(const HfSweep *sweep)
{
	HfFailedRun *run = g_new0(HfFailedRun, 1);

	run->what = g_strdup_printf("the run of set %s goes on, or was killed", sweep->unfinished);
	run->at_s = sweep->unfinished_s;
	return run;
}

static void
make_plan(Work *work)
{
	g_autoptr(GPtrArray) failed = g_ptr_array_new();
	const GPtrArray *told = work->options->failed;
	HfPrune *prune = work->prune;
	HfFailedRun *unfinished = prune->sweep && prune->sweep->unfinished ? run_of_claim(prune->sweep)
									   : NULL;

	for (guint i = 0; told && i < told->len; i++)
		g_ptr_array_add(failed, told->pdata[i]);
	if (unfinished)
		g_ptr_array_add(failed, unfinished);
	prune->plan = hf_retention_plan(prune->sets, &work->options->policy, failed, work->options->now_s);
	hf_failed_run_free(unfinished);
	for (guint i = 0; i < prune->plan->decisions->len; i++) {
		HfPruneRow *row = g_new0(HfPruneRow, 1);

		row->decision = prune->plan->decisions->pdata[i];
		row->fate = row->decision->keep ? HF_FATE_KEPT : HF_FATE_DOOMED;
		g_ptr_array_add(prune->rows, row);
	}
}

/*
 * Where objects may be locked: a plain delete of one hides it behind a delete marker, although its bytes must stay.  So a
 * set stays in sight, and can be restored, for as long as its manifest, which was stored last, is locked.
 */
static bool
look_at_locks(Work *work, GError **error)
{
	for (guint i = 0; work->prune->upkeep.has_lock && i < work->prune->rows->len; i++) {
		HfPruneRow *row = work->prune->rows->pdata[i];
		const HfSet *set = row->decision->set;
		g_autofree char *manifest = hf_name_manifest(set->id);
		HfObjectLock lock;

		if (row->fate != HF_FATE_DOOMED)
			continue;
		if (!hf_store_lock(work->store, set->file_key ? set->file_key : manifest, &lock, error))
			return false;
		row->lock = hf_object_lock_to_text(&lock, work->options->now_s);
		if (row->lock)
			row->fate = HF_FATE_RETAINED;
	}
	return true;
}

static void
check_half(Work *work)
{
	HfPrune *prune = work->prune;
	guint doomed = 0;

	for (guint i = 0; i < prune->rows->len; i++)
		doomed += ((const HfPruneRow *)prune->rows->pdata[i])->fate == HF_FATE_DOOMED;
	prune->needs_force = (uint64_t)doomed * 2 > prune->rows->len;
	prune->is_refused = prune->needs_force && !work->options->is_forced && !work->options->is_dry;
}

/* ---- deleting sets ---- */

static const char *
name_of(const HfSet *set)
{
	return set->file_key ? set->file_key : set->id;
}

static bool
unmake(Work *work, HfPruneRow *row, GError **error)
{
	g_autoptr(GPtrArray) retained = g_ptr_array_new_with_free_func((GDestroyNotify)hf_retained_free);
	const HfSet *set = row->decision->set;
	bool is_deleted;

	if (!hf_cancel_check(error) ||
	    !hf_set_unmake(work->store, set, work->options->now_s, retained, &is_deleted, error))
		return false;
	row->fate = is_deleted ? HF_FATE_DELETED : retained->len > 0 ? HF_FATE_RETAINED : HF_FATE_SPARED;
	if (retained->len > 0)
		row->lock = g_strdup(((const HfRetained *)retained->pdata[0])->lock);
	/* One line for each, as the earlier implementation wrote them. */
	if (is_deleted)
		g_message("deleted old backup %s: %s", name_of(set), row->decision->why);
	return true;
}

static bool
unmake_all(Work *work, GError **error)
{
	for (guint i = 0; i < work->prune->rows->len; i++) {
		HfPruneRow *row = work->prune->rows->pdata[i];

		if (row->fate == HF_FATE_DOOMED && !unmake(work, row, error))
			return false;
	}
	return true;
}

static void
count_fates(HfPrune *prune)
{
	for (guint i = 0; i < prune->rows->len; i++)
		prune->counts[((const HfPruneRow *)prune->rows->pdata[i])->fate]++;
}

/* What the dry run looks at as deleted. */
static GHashTable *
doomed_ids(const HfPrune *prune)
{
	GHashTable *ids = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < prune->rows->len; i++) {
		const HfPruneRow *row = prune->rows->pdata[i];

		if (row->fate == HF_FATE_DOOMED && !row->decision->set->is_adopted)
			g_hash_table_add(ids, row->decision->set->id);
	}
	return ids;
}

static bool
delete_sets(Work *work, GError **error)
{
	HfPrune *prune = work->prune;
	g_autoptr(GHashTable) doomed = NULL;
	bool is_dry = work->options->is_dry;

	if (prune->plan->deletions == 0 || prune->is_refused)
		return true;
	if (!is_dry && !unmake_all(work, error))
		return false;
	/* The look comes after the manifests have gone: a run that begins from here on cannot refer to these sets. */
	doomed = is_dry ? doomed_ids(prune) : NULL;
	return look(work, doomed, error);
}

/* ---- sweeping ---- */

static bool
is_ours(const HfUnfinished *unfinished)
{
	return !unfinished->upload_id || hf_name_read(unfinished->key).is_own;
}

static bool
abandon(Work *work, GPtrArray *found, GError **error)
{
	for (guint i = 0; i < found->len; i++) {
		const HfUnfinished *unfinished = found->pdata[i];

		if (!is_ours(unfinished))
			continue;
		if (!work->options->is_dry && !hf_store_abandon(work->store, unfinished, error))
			return false;
		g_ptr_array_add(work->prune->unfinished, g_steal_pointer(&found->pdata[i]));
	}
	return true;
}

/* A server that does not list them, or not to us, leaves them to the bucket's lifecycle. */
static bool
abandon_unfinished(Work *work, GError **error)
{
	const HfPruneOptions *options = work->options;
	int64_t before_s = options->has_no_runs ? G_MAXINT64 : options->now_s - HF_SWEEP_AGE_S;
	g_autoptr(GError) trouble = NULL;
	g_autoptr(GPtrArray) found = hf_store_unfinished(work->store, NULL, before_s, &trouble);

	if (found && abandon(work, found, &trouble))
		return true;
	if (hf_error_is(trouble, HF_ERROR_TRANSIENT) || hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	work->prune->unfinished_error = g_strdup(trouble->message);
	return true;
}

static bool
sweep(Work *work, GError **error)
{
	HfSweep *plan = work->prune->sweep;

	return !plan || work->options->is_dry || hf_sweep_run(work->store, plan, work->options->now_s, error);
}

HfPrune *
hf_prune(HfStore *store, const HfPruneOptions *options, GError **error)
{
	g_autoptr(HfPrune) prune = g_new0(HfPrune, 1);
	Work work = {store, options, prune};

	prune->rows = g_ptr_array_new_with_free_func(row_free);
	prune->unfinished = g_ptr_array_new_with_free_func((GDestroyNotify)hf_unfinished_free);
	prune->sets = hf_catalog_list(store, error);
	if (!prune->sets || !hf_store_upkeep(store, &prune->upkeep, error) || !look(&work, NULL, error))
		return NULL;
	make_plan(&work);
	if (!look_at_locks(&work, error))
		return NULL;
	check_half(&work);
	if (!delete_sets(&work, error) || !sweep(&work, error) || !abandon_unfinished(&work, error))
		return NULL;
	count_fates(prune);
	return g_steal_pointer(&prune);
}

/* ---- settings ---- */

HfRetentionPolicy
hf_prune_policy(const HfSettings *settings)
{
	return (HfRetentionPolicy){
		.days = (unsigned)hf_settings_number(settings, HF_SET_BACKUP_RETENTION_DAYS),
		.last = (unsigned)hf_settings_number(settings, HF_SET_KEEP_LAST),
		.daily = (unsigned)hf_settings_number(settings, HF_SET_KEEP_DAILY),
		.weekly = (unsigned)hf_settings_number(settings, HF_SET_KEEP_WEEKLY),
		.monthly = (unsigned)hf_settings_number(settings, HF_SET_KEEP_MONTHLY),
		.yearly = (unsigned)hf_settings_number(settings, HF_SET_KEEP_YEARLY),
	};
}

char *
hf_prune_upkeep_to_text(const HfUpkeep *upkeep)
{
	const char *which =
		upkeep->versions == HF_VERSIONS_KEPT
			? "the bucket keeps versions: a deleted object is hidden by a delete marker, and its "
			  "bytes stay"
			: "the bucket kept versions once: bytes of what was stored then stay when it is "
			  "deleted";

	if (upkeep->versions == HF_VERSIONS_NONE)
		return NULL;
	if (!upkeep->is_expiry_known)
		return g_strdup_printf("%s until its lifecycle rules remove them (which we may not see)",
				       which);
	if (upkeep->expiry_days == 0)
		return g_strdup_printf(
			"%s for ever: no lifecycle rule for our prefix has NoncurrentVersionExpiration",
			which);
	return g_strdup_printf("%s until a lifecycle rule removes them, %u %s later", which,
			       upkeep->expiry_days, upkeep->expiry_days == 1 ? "day" : "days");
}

static void
log_outcome(const HfPrune *prune)
{
	if (prune->plan->stop && !prune->plan->is_off)
		g_warning("old backups stay: %s", prune->plan->stop);
	if (prune->is_refused)
		g_warning("old backups stay: %u of %u would be deleted, more than half: look at \"holdfast "
			  "prune "
			  "--dry-run\", then run \"holdfast prune --force\"",
			  prune->counts[HF_FATE_DOOMED], prune->rows->len);
	for (guint i = 0; i < prune->rows->len; i++) {
		const HfPruneRow *row = prune->rows->pdata[i];

		if (row->fate == HF_FATE_RETAINED)
			g_info("set %s is retained %s", name_of(row->decision->set), row->lock);
	}
}

HfPrune *
hf_prune_after_backup(HfStore *store, const HfSettings *settings, const GPtrArray *failed)
{
	const HfPruneOptions options = {
		.policy = hf_prune_policy(settings), .failed = failed, .now_s = hf_clock_now_s()};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfPrune) prune = NULL;

	if (!hf_settings_flag(settings, HF_SET_PRUNE_AFTER_BACKUP))
		return NULL;
	prune = hf_prune(store, &options, &error);
	if (prune)
		log_outcome(prune);
	else
		g_warning("the backup is good, but old ones were not pruned: %s", error->message);
	return g_steal_pointer(&prune);
}
