#include "config.h"

#include "backup/catalog/prune.h"
#include "backup/catalog/replicate-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

#define DAY_S INT64_C(86400)

void
hf_replication_clear(HfReplication *result)
{
	g_clear_pointer(&result->copied, g_ptr_array_unref);
	g_clear_pointer(&result->mended, g_ptr_array_unref);
	g_clear_pointer(&result->troubles, g_ptr_array_unref);
	g_clear_pointer(&result->deleted, g_ptr_array_unref);
	g_clear_pointer(&result->stop, g_free);
}

/* ---- which sets ---- */

static int
compare_newest_first(gconstpointer a, gconstpointer b)
{
	return strcmp((*(HfReplicaSet *const *)b)->id, (*(HfReplicaSet *const *)a)->id);
}

/* The sets of the store, the newest first; borrowed. */
static GPtrArray *
sets_of_store(const HfReplicaLook *look)
{
	GPtrArray *sets = g_ptr_array_new();
	GHashTableIter iter;
	gpointer value;

	g_hash_table_iter_init(&iter, look->sets);
	while (g_hash_table_iter_next(&iter, NULL, &value))
		if (((HfReplicaSet *)value)->in_store)
			g_ptr_array_add(sets, value);
	g_ptr_array_sort(sets, compare_newest_first);
	return sets;
}

static bool
keeps_everything(const HfRetentionPolicy *policy)
{
	return policy->days == 0 && policy->last == 0 && policy->daily == 0 && policy->weekly == 0 &&
	       policy->monthly == 0 && policy->yearly == 0;
}

/* Wanted for its age alone; of what is older, the rules decide. */
static bool
is_young(const HfReplicating *work, int64_t time_s)
{
	const HfRetentionPolicy *policy = &work->options->policy;

	return keeps_everything(policy) || time_s >= work->options->now_s - (int64_t)policy->days * DAY_S;
}

/* Ids and file keys, of char *, that the replica's policy would keep of what the store holds. */
static GHashTable *
kept_by_policy(const HfReplicating *work, GError **error)
{
	g_autoptr(GPtrArray) sets = hf_catalog_list(work->store, error);
	g_autoptr(HfRetentionPlan) plan = NULL;
	GHashTable *kept;

	if (!sets)
		return NULL;
	plan = hf_retention_plan(sets, &work->options->policy, NULL, work->options->now_s);
	kept = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < plan->decisions->len; i++) {
		const HfDecision *decision = plan->decisions->pdata[i];
		const HfSet *set = decision->set;

		if (decision->keep & ~(unsigned)HF_KEEP_STOPPED)
			g_hash_table_add(kept, g_strdup(set->file_key ? set->file_key : set->id));
	}
	return kept;
}

static bool
is_young_file(const HfReplicating *work, const HfReplicaObject *file)
{
	return file->name.id[0] && is_young(work, file->name.time_s);
}

static bool
needs_policy(const HfReplicating *work, const GPtrArray *sets)
{
	for (guint i = 0; i < sets->len; i++) {
		const HfReplicaSet *set = sets->pdata[i];

		if (!set->in_replica && !is_young(work, set->time_s))
			return true;
	}
	for (guint i = 0; i < work->look->files->len; i++)
		if (!is_young_file(work, work->look->files->pdata[i]))
			return true;
	return false;
}

/* What the replica's own retention would delete at once is not brought.  Only where there is such is any manifest read. */
static bool
decide(HfReplicating *work, const GPtrArray *sets, GError **error)
{
	GPtrArray *files = work->look->files;
	g_autoptr(GHashTable) kept = NULL;

	if (needs_policy(work, sets)) {
		kept = kept_by_policy(work, error);
		if (!kept)
			return false;
	}
	for (guint i = 0; i < sets->len; i++) {
		HfReplicaSet *set = sets->pdata[i];

		set->is_wanted = set->in_replica || is_young(work, set->time_s) ||
				 g_hash_table_contains(kept, set->id);
	}
	for (guint i = files->len; i > 0; i--) {
		const HfReplicaObject *file = files->pdata[i - 1];

		if (!is_young_file(work, file) && !g_hash_table_contains(kept, file->key))
			g_ptr_array_remove_index(files, i - 1);
	}
	return true;
}

static bool
refers_to(const HfManifest *manifest, GHashTable *keys)
{
	for (guint i = 0; manifest->images && i < manifest->images->archives->len; i++) {
		const HfImageArchive *archive = manifest->images->archives->pdata[i];

		for (guint j = 0; j < archive->archive->parts->len; j++)
			if (g_hash_table_contains(keys, ((HfPart *)archive->archive->parts->pdata[j])->key))
				return true;
	}
	return false;
}

/* Tarballs of sets that are gone lack at the replica: sets that both have may refer to them, which their manifests say. */
static bool
look_for_references(const HfReplicating *work, const GPtrArray *sets, GError **error)
{
	const GPtrArray *left_overs = work->look->left_overs;
	g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < left_overs->len; i++)
		g_hash_table_add(keys, ((HfReplicaObject *)left_overs->pdata[i])->key);
	for (guint i = 0; i < sets->len && left_overs->len > 0; i++) {
		HfReplicaSet *set = sets->pdata[i];
		g_autoptr(GError) trouble = NULL;
		g_autoptr(HfManifest) manifest = NULL;

		if (!set->in_replica || set->differs)
			continue;
		manifest = hf_catalog_read_manifest(work->store, set->id, &trouble);
		if (manifest && refers_to(manifest, keys))
			set->differs = true;
		if (hf_error_is(trouble, HF_ERROR_TRANSIENT) || hf_error_is(trouble, HF_ERROR_DENIED)) {
			g_propagate_error(error, g_steal_pointer(&trouble));
			return false;
		}
	}
	return true;
}

/* ---- two places ---- */

/*
 * One bucket has many addresses, and settings that differ may mean one place.  There all would seem level with no second copy of
 * anything, and the replica's rules would delete the store's sets: so at first, and before anything is deleted, it is seen that what
 * is put into the one does not show in the other.
 */
static bool
check_two_places(const HfReplicating *work, GError **error)
{
	static const char text[] = "holdfast replicate wrote this; it may be removed";
	g_autofree char *key = g_strdup_printf("holdfast_replica_%08x%08x.probe", g_random_int(),
					       g_random_int());
	g_autoptr(GBytes) bytes = g_bytes_new_static(text, strlen(text));
	bool is_there = false;
	uint64_t size;
	bool is_seen = hf_replicate_put(work, key, bytes, error) &&
		       hf_replicate_size(work->store, key, &is_there, &size, error);

	/* A host that may not delete there leaves it: 49 bytes. */
	(void)!hf_store_remove(work->replica, (const char *const[]){key, NULL}, NULL);
	return is_seen &&
	       (!is_there || hf_error_set(error, HF_ERROR_USAGE,
					  "%s and %s are one place: name another one for the replica",
					  hf_store_location(work->store), hf_store_location(work->replica)));
}

/* ---- bringing them ---- */

static bool
needs_work(const HfReplicaSet *set)
{
	return set->is_wanted && (!set->in_replica || set->differs || set->is_doubted);
}

static void
estimate(const HfReplicating *work, const GPtrArray *sets)
{
	HfProgress *progress = work->options->progress;
	uint64_t bytes = 0;

	for (guint i = 0; i < sets->len; i++)
		if (needs_work(sets->pdata[i]))
			bytes += ((const HfReplicaSet *)sets->pdata[i])->missing_bytes;
	for (guint i = 0; i < work->look->files->len; i++)
		bytes += ((const HfReplicaObject *)work->look->files->pdata[i])->bytes;
	if (progress)
		__atomic_store_n(&progress->estimated_bytes, bytes, __ATOMIC_RELAXED);
}

static bool
is_about_one(const GError *trouble)
{
	return hf_error_is(trouble, HF_ERROR_CORRUPT) || hf_error_is(trouble, HF_ERROR_NOT_FOUND) ||
	       hf_error_is(trouble, HF_ERROR_CONFLICT);
}

static void
note_trouble(const HfReplicating *work, const char *what, const GError *trouble)
{
	char *line = g_strdup_printf("%s: %s", what, trouble->message);

	g_ptr_array_add(work->result->troubles, line);
	g_warning("%s is not brought level: %s", hf_store_location(work->replica), line);
}

/* Where prune, or a person, deletes a set while it is copied, that is no trouble; what was copied goes by its claim. */
static bool
settle_deleted(const HfReplicating *work, HfReplicaSet *set, bool *is_deleted_out, GError **error)
{
	g_autofree char *key = hf_name_manifest(set->id);
	bool is_there;
	uint64_t bytes;

	if (!hf_replicate_size(work->store, key, &is_there, &bytes, error))
		return false;
	*is_deleted_out = !is_there;
	if (is_there)
		return true;
	set->in_store = false;
	return set->in_replica || hf_set_claim_deleted(work->replica, set->id, error);
}

static bool
bring_set(const HfReplicating *work, HfReplicaSet *set, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	g_autofree char *what = g_strdup_printf("set %s", set->id);
	bool is_deleted = false;

	if (hf_replicate_set(work, set, &trouble))
		return true;
	if (hf_error_is(trouble, HF_ERROR_NOT_FOUND) && !settle_deleted(work, set, &is_deleted, error))
		return false;
	if (!is_about_one(trouble)) {
		g_propagate_prefixed_error(error, g_steal_pointer(&trouble), "%s: ", what);
		return false;
	}
	if (!is_deleted)
		note_trouble(work, what, trouble);
	return true;
}

static bool
bring_file(const HfReplicating *work, const HfReplicaObject *file, GError **error)
{
	const HfReplicaPart part = {file->key, file->bytes, "", file->is_there};
	g_autoptr(GError) trouble = NULL;

	if (!work->options->is_dry && !hf_replicate_copy(work, &part, &trouble)) {
		if (!is_about_one(trouble)) {
			g_propagate_error(error, g_steal_pointer(&trouble));
			return false;
		}
		note_trouble(work, file->key, trouble);
		return true;
	}
	g_ptr_array_add(file->is_there ? work->result->mended : work->result->copied,
			file->is_there ? g_strdup_printf("%s had another size", file->key)
				       : g_strdup(file->key));
	return true;
}

static bool
bring_all(const HfReplicating *work, const GPtrArray *sets, GError **error)
{
	hf_replicate_phase(work, "copying");
	for (guint i = 0; i < sets->len; i++)
		if (needs_work(sets->pdata[i]) &&
		    (!hf_cancel_check(error) || !bring_set(work, sets->pdata[i], error)))
			return false;
	for (guint i = 0; i < work->look->files->len; i++)
		if (!hf_cancel_check(error) || !bring_file(work, work->look->files->pdata[i], error))
			return false;
	return true;
}

static void
count(const HfReplicating *work, const GPtrArray *sets, bool is_done)
{
	HfReplication *result = work->result;

	for (guint i = 0; i < sets->len; i++) {
		const HfReplicaSet *set = sets->pdata[i];

		result->sets += set->in_store && set->is_wanted;
		result->missing += set->in_store && set->is_wanted && !set->in_replica;
	}
	result->is_level = is_done && result->missing == 0 && result->troubles->len == 0 &&
			   (!work->options->is_dry || (result->copied->len == 0 && result->mended->len == 0));
}

/* ---- the replica's own retention ---- */

/* Something may be too old there: a set came, or one is that only the replica has. */
static bool
may_be_old(const HfReplicating *work)
{
	return work->result->copied->len > 0 || !is_young(work, work->look->oldest_only_s);
}

static void
take_pruned(HfReplication *result, const HfPrune *prune)
{
	for (guint i = 0; i < prune->rows->len; i++) {
		const HfPruneRow *row = prune->rows->pdata[i];
		const HfSet *set = row->decision->set;

		if (row->fate == HF_FATE_DELETED)
			g_ptr_array_add(result->deleted, g_strdup(set->file_key ? set->file_key : set->id));
	}
	if (prune->plan->stop && !prune->plan->is_off)
		result->stop = g_strdup(prune->plan->stop);
	else if (prune->is_refused)
		result->stop = g_strdup_printf("%u of %u sets would be deleted, more than half",
					       prune->counts[HF_FATE_DOOMED], prune->rows->len);
}

/* The replica is level by then: trouble is a warning. */
static bool
prune(const HfReplicating *work, GError **error)
{
	const HfPruneOptions options = {.policy = work->options->policy,
					.failed = work->options->failed,
					.now_s = work->options->now_s};
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfPrune) pruned = NULL;

	if (!work->options->prunes || work->options->is_dry || !work->result->is_level || !may_be_old(work))
		return true;
	hf_replicate_phase(work, "pruning");
	if (!check_two_places(work, &trouble)) {
		if (hf_error_is(trouble, HF_ERROR_USAGE)) {
			g_propagate_error(error, g_steal_pointer(&trouble));
			return false;
		}
	} else {
		pruned = hf_prune(work->replica, &options, &trouble);
	}
	if (pruned)
		take_pruned(work->result, pruned);
	else
		work->result->stop = g_strdup(trouble->message);
	if (work->result->stop)
		g_warning("%s is level, but old sets stay there: %s", hf_store_location(work->replica),
			  work->result->stop);
	return true;
}

void
hf_replication_begin(HfReplication *result)
{
	*result = (HfReplication){0};
	result->copied = g_ptr_array_new_with_free_func(g_free);
	result->mended = g_ptr_array_new_with_free_func(g_free);
	result->troubles = g_ptr_array_new_with_free_func(g_free);
	result->deleted = g_ptr_array_new_with_free_func(g_free);
}

bool
hf_replicate(HfStore *store, HfStore *replica, const HfReplicateOptions *options, HfReplication *result,
	     GError **error)
{
	HfReplicating work = {.store = store, .replica = replica, .options = options, .result = result};
	g_autoptr(HfReplicaLook) look = NULL;
	g_autoptr(GPtrArray) sets = NULL;
	bool is_done;

	hf_replication_begin(result);
	hf_replicate_phase(&work, "comparing");
	if (options->is_first && !options->is_dry && !check_two_places(&work, error))
		return false;
	look = hf_replica_look(store, replica, error);
	if (!look)
		return false;
	work.look = look;
	sets = sets_of_store(look);
	if (!decide(&work, sets, error) || !look_for_references(&work, sets, error))
		return false;
	estimate(&work, sets);
	work.server_copies = hf_store_can_copy(replica, store);
	is_done = bring_all(&work, sets, error);
	count(&work, sets, is_done);
	return is_done && prune(&work, error);
}
