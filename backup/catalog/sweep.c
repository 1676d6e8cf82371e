#include "config.h"

#include "backup/catalog/sweep.h"
#include "backup/catalog/catalog.h"
#include "backup/catalog/fence.h"
#include "backup/catalog/sweep-records.h"
#include "backup/stage/sink.h"
#include "backup/store/expect.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* What a claim says once its set was deleted (docs/format.md, "Claims"); the rest of a claim is for people. */
#define DELETED "deleted"
#define CLAIM_BYTES_MAX ((size_t)4096)

/* What is known of an id. */
typedef struct {
	bool has_manifest;
	char *claim;      /* its key; NULL: none */
	int64_t newest_s; /* when its claim or its newest object was stored: a run of days stores parts */
	int64_t begun_s; /* by its id; by when its claim or manifest was stored, where the clock was ahead then */
	int64_t manifest_s; /* when what its manifest's key holds was stored */
	bool is_fenced;     /* that is a fence (fence.h): the run can never commit */
	bool is_deleted;
	bool is_kept; /* something of it stays, and so does the claim */
} Known;

/* An object that may go. */
typedef struct {
	char *key;
	HfName name;
	uint64_t bytes;
} Candidate;

typedef struct {
	HfStore *store;
	const HfSweepOptions *options;
	int64_t now_s;
	int64_t newest_set_s;   /* when the newest set began */
	GHashTable *known;      /* id to Known */
	GPtrArray *candidates;  /* of Candidate */
	GHashTable *referenced; /* keys that manifests name */
	HfRecords *records;     /* of deletions */
	HfSweep *sweep;
} Plan;

static void
known_free(gpointer data)
{
	g_free(((Known *)data)->claim);
	g_free(data);
}

static void
candidate_free(gpointer data)
{
	g_free(((Candidate *)data)->key);
	g_free(data);
}

void
hf_sweep_free(HfSweep *sweep)
{
	if (!sweep)
		return;
	g_ptr_array_unref(sweep->keys);
	g_array_unref(sweep->sizes);
	g_ptr_array_unref(sweep->last);
	g_ptr_array_unref(sweep->retained);
	g_free(sweep->running);
	g_free(sweep->unfinished);
	g_free(sweep);
}

/* ---- what there is ---- */

static Known *
known_of(Plan *plan, const char *id)
{
	Known *known = g_hash_table_lookup(plan->known, id);

	if (!known) {
		known = g_new0(Known, 1);
		g_hash_table_insert(plan->known, g_strdup(id), known);
	}
	return known;
}

static bool
is_doomed(const Plan *plan, const char *id)
{
	return plan->options->doomed && g_hash_table_contains(plan->options->doomed, id);
}

/* Where the set is to be deleted, that is how it will be: a claim that says so, and its manifest among what goes. */
static void
note_manifest(Plan *plan, Known *known, const char *key, const char *id)
{
	Candidate *candidate;

	if (!is_doomed(plan, id)) {
		known->has_manifest = true;
		return;
	}
	known->is_deleted = true;
	candidate = g_new0(Candidate, 1);
	candidate->key = g_strdup(key);
	candidate->name = hf_name_read(key);
	g_ptr_array_add(plan->candidates, candidate);
	if (!known->claim)
		known->claim = hf_name_claim(id);
}

static void
note_object(Plan *plan, const HfObject *object)
{
	HfName name = hf_name_read(object->key);
	Candidate *candidate;
	Known *known;

	if (!name.is_own)
		return;
	if (!is_doomed(plan, name.id))
		hf_catalog_expect(plan->store, object);
	if (name.kind == HF_NAME_DELETION) {
		hf_records_note(plan->records, object, &name);
		return;
	}
	known = known_of(plan, name.id);
	known->newest_s = MAX(known->newest_s, object->modified_s);
	if (name.kind == HF_NAME_MANIFEST || name.kind == HF_NAME_CLAIM)
		known->begun_s = MIN(name.time_s, object->modified_s);
	if (name.kind == HF_NAME_MANIFEST) {
		known->manifest_s = object->modified_s;
		note_manifest(plan, known, object->key, name.id);
	}
	if (name.kind == HF_NAME_CLAIM) {
		g_free(known->claim);
		known->claim = g_strdup(object->key);
	}
	if (name.kind == HF_NAME_MANIFEST || name.kind == HF_NAME_CLAIM)
		return;
	candidate = g_new0(Candidate, 1);
	candidate->key = g_strdup(object->key);
	candidate->name = name;
	candidate->bytes = object->bytes;
	g_ptr_array_add(plan->candidates, candidate);
}

/*
 * The names with claims and manifests come first, in byte order, so a set's claim before its manifest: of a run that
 * commits meanwhile the one or the other is seen.
 */
static bool
look(Plan *plan, GError **error)
{
	static const char *const prefixes[] = {HF_SET_PREFIX "_", HF_DATABASE_PREFIX "_",
					       HF_IMAGES_PREFIX "_"};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		g_autoptr(HfListing) listing = hf_store_list(plan->store, prefixes[i], NULL, error);
		const HfObject *object;

		if (!listing)
			return false;
		do {
			if (!hf_listing_next(listing, &object, error))
				return false;
			if (object)
				note_object(plan, object);
		} while (object);
	}
	return true;
}

/* ---- what is referred to ---- */

static void
refer_to(Plan *plan, const HfArchive *archive)
{
	for (guint i = 0; archive && i < archive->parts->len; i++) {
		const HfPart *part = archive->parts->pdata[i];

		g_hash_table_add(plan->referenced, g_strdup(part->key));
	}
}

/* Deleted since it was listed; or a fence: then it is as if there were no manifest, and never will be. */
static bool
note_fence(Plan *plan, Known *known, const char *id, GError **error)
{
	if (!hf_fence_find(plan->store, id, &known->is_fenced, NULL, error))
		return false;
	known->has_manifest = !known->is_fenced;
	return true;
}

/* Its own objects need no look: an id with a manifest is not swept. */
static bool
read_references(Plan *plan, Known *known, const char *id, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfManifest) manifest = hf_catalog_read_manifest(plan->store, id, &trouble);

	if (hf_error_is(trouble, HF_ERROR_NOT_FOUND))
		return note_fence(plan, known, id, error);
	if (!manifest) {
		g_propagate_prefixed_error(
			error, g_steal_pointer(&trouble),
			"what set \"%s\" refers to is not known, so nothing is removed: ", id);
		return false;
	}
	hf_records_note_manifest(plan->records, manifest);
	plan->newest_set_s = MAX(plan->newest_set_s, known->begun_s);
	for (guint i = 0; manifest->images && i < manifest->images->archives->len; i++)
		refer_to(plan, ((const HfImageArchive *)manifest->images->archives->pdata[i])->archive);
	return true;
}

static bool
is_deleted(HfStage *sink)
{
	g_autoptr(GBytes) bytes = hf_sink_bytes_get(sink);
	gsize len;
	const char *text = g_bytes_get_data(bytes, &len);

	return len >= strlen(DELETED) && memcmp(text, DELETED, strlen(DELETED)) == 0;
}

static bool
read_claim(Plan *plan, Known *known, GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(CLAIM_BYTES_MAX);
	g_autoptr(GError) trouble = NULL;

	if (hf_store_read(plan->store, known->claim, HF_WHOLE, sink, &trouble) &&
	    hf_stage_finish(sink, &trouble)) {
		known->is_deleted = is_deleted(sink);
		return true;
	}
	/* Committed, or given up, since it was listed; its manifest is not known then: as if it went on. */
	if (hf_error_is(trouble, HF_ERROR_NOT_FOUND)) {
		known->newest_s = plan->now_s;
		return true;
	}
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

/* Of a run that goes on, or whose last words were said not long ago. */
static bool
is_young(const Plan *plan, const Known *known)
{
	return known->claim && !known->has_manifest && !known->is_deleted && !plan->options->has_no_runs &&
	       plan->now_s - known->newest_s < HF_SWEEP_AGE_S;
}

/* What is fenced refers to nothing that others have, ever. */
static bool
is_running(const Plan *plan, const Known *known)
{
	return is_young(plan, known) && !known->is_fenced;
}

/* The newest claim that stands for a run: of one in progress, or of one that was killed. */
static void
note_unfinished(Plan *plan, const char *id, const Known *known)
{
	HfSweep *sweep = plan->sweep;

	if (!known->claim || known->has_manifest || known->is_deleted ||
	    (sweep->unfinished && sweep->unfinished_s >= known->begun_s))
		return;
	g_free(sweep->unfinished);
	sweep->unfinished = g_strdup(id);
	sweep->unfinished_s = known->begun_s;
}

static bool
understand(Plan *plan, GError **error)
{
	g_autoptr(GList) ids = g_list_sort(g_hash_table_get_keys(plan->known), (GCompareFunc)strcmp);

	for (const GList *id = ids; id; id = id->next) {
		Known *known = g_hash_table_lookup(plan->known, id->data);

		if (known->has_manifest && !read_references(plan, known, id->data, error))
			return false;
		if (known->claim && !known->has_manifest && !is_doomed(plan, id->data) &&
		    !read_claim(plan, known, error))
			return false;
		note_unfinished(plan, id->data, known);
		if (is_running(plan, known) && !plan->sweep->running)
			plan->sweep->running = g_strdup(id->data);
	}
	return true;
}

/* ---- what goes ---- */

static bool
is_of_nobody(const Plan *plan, const char *id, const Known *known)
{
	return known->claim && !known->has_manifest && !is_young(plan, known) &&
	       (!plan->options->only_id || strcmp(plan->options->only_id, id) == 0);
}

/* The last trace of a run that failed, while no newer set shows that all is well again. */
static bool
is_last_trace(const Plan *plan, const Known *known)
{
	return !known->is_deleted && known->begun_s > plan->newest_set_s;
}

static bool
must_stay(const Plan *plan, const Candidate *candidate)
{
	return g_hash_table_contains(plan->referenced, candidate->key) ||
	       (candidate->name.kind == HF_NAME_IMAGES && plan->sweep->running);
}

/*
 * A fence, and the claim beside it: in the claim's absence what a run that slept stores after all would look like a file of the
 * earlier implementation.
 */
static bool
must_fence_stay(const Plan *plan, const Known *known)
{
	return known->is_fenced && !plan->options->has_no_runs &&
	       plan->now_s - known->manifest_s < HF_FENCE_AGE_S;
}

static void
decide_last(Plan *plan, const char *id, Known *known)
{
	bool is_wanted = !plan->options->only_id || strcmp(plan->options->only_id, id) == 0;

	if (known->is_kept || must_fence_stay(plan, known))
		return;
	if (known->is_fenced && is_wanted)
		g_ptr_array_add(plan->sweep->last, hf_name_manifest(id));
	if (is_of_nobody(plan, id, known) && !is_last_trace(plan, known))
		g_ptr_array_add(plan->sweep->last, g_steal_pointer(&known->claim));
}

static void
decide(Plan *plan)
{
	GHashTableIter iter;
	gpointer id, value;

	for (guint i = 0; i < plan->candidates->len; i++) {
		Candidate *candidate = plan->candidates->pdata[i];
		Known *known = known_of(plan, candidate->name.id);

		if (!is_of_nobody(plan, candidate->name.id, known))
			continue;
		if (must_stay(plan, candidate)) {
			known->is_kept = true;
			plan->sweep->kept_archives++;
			continue;
		}
		plan->sweep->bytes += candidate->bytes;
		g_array_append_val(plan->sweep->sizes, candidate->bytes);
		g_ptr_array_add(plan->sweep->keys, g_steal_pointer(&candidate->key));
	}
	g_hash_table_iter_init(&iter, plan->known);
	while (g_hash_table_iter_next(&iter, &id, &value))
		decide_last(plan, id, value);
}

static void
add_record(const char *key, uint64_t bytes, gpointer context)
{
	Plan *plan = context;

	plan->sweep->bytes += bytes;
	g_array_append_val(plan->sweep->sizes, bytes);
	g_ptr_array_add(plan->sweep->keys, g_strdup(key));
}

static bool
decide_records(Plan *plan, GError **error)
{
	const HfRecordsLimits limits = {
		.newest_set_s = plan->newest_set_s,
		.before_s = plan->options->has_no_runs ? G_MAXINT64 : plan->now_s - HF_SWEEP_AGE_S};

	return plan->options->only_id ||
	       hf_records_unneeded(plan->records, plan->store, &limits, add_record, plan, error);
}

HfSweep *
hf_sweep_plan(HfStore *store, const HfSweepOptions *options, int64_t now_s, GError **error)
{
	static const HfSweepOptions nothing = {0};
	g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_free);
	g_autoptr(GHashTable) referenced = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) candidates = g_ptr_array_new_with_free_func(candidate_free);
	g_autoptr(HfRecords) records = hf_records_new();
	g_autoptr(HfSweep) sweep = g_new0(HfSweep, 1);
	Plan plan = {.store = store,
		     .options = options ? options : &nothing,
		     .now_s = now_s,
		     .known = known,
		     .candidates = candidates,
		     .referenced = referenced,
		     .records = records,
		     .sweep = sweep};
	bool is_understood;

	sweep->keys = g_ptr_array_new_with_free_func(g_free);
	sweep->sizes = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	sweep->last = g_ptr_array_new_with_free_func(g_free);
	sweep->retained = g_ptr_array_new_with_free_func((GDestroyNotify)hf_retained_free);
	is_understood = look(&plan, error) && understand(&plan, error);
	hf_store_expect_nothing(store);
	if (!is_understood)
		return NULL;
	decide(&plan);
	return decide_records(&plan, error) ? g_steal_pointer(&sweep) : NULL;
}

/* Takes out what a lock kept, and the claims that stay for its sake: it goes by a later sweep, which finds it by its claim. */
static void
leave_retained(HfSweep *sweep)
{
	g_autoptr(GHashTable) keys = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

	for (guint i = 0; i < sweep->retained->len; i++) {
		char *key = ((const HfRetained *)sweep->retained->pdata[i])->key;
		const HfName name = hf_name_read(key);

		g_hash_table_add(keys, key);
		g_hash_table_add(ids, g_strdup(name.id));
	}
	for (guint i = sweep->keys->len; i > 0; i--) {
		if (!g_hash_table_contains(keys, sweep->keys->pdata[i - 1]))
			continue;
		sweep->bytes -= g_array_index(sweep->sizes, uint64_t, i - 1);
		g_array_remove_index(sweep->sizes, i - 1);
		g_ptr_array_remove_index(sweep->keys, i - 1);
	}
	for (guint i = sweep->last->len; i > 0; i--) {
		const HfName name = hf_name_read(sweep->last->pdata[i - 1]);

		if (g_hash_table_contains(ids, name.id))
			g_ptr_array_remove_index(sweep->last, i - 1);
	}
}

bool
hf_sweep_run(HfStore *store, HfSweep *sweep, int64_t now_s, GError **error)
{
	if (!hf_remove(store, sweep->keys, now_s, sweep->retained, error))
		return false;
	leave_retained(sweep);
	return hf_remove(store, sweep->last, now_s, sweep->retained, error);
}
