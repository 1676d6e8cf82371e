#include "config.h"

#include "backup/job/cached-sets.h"
#include "backup/job/metrics-impl.h"
#include "common/error.h"
#include "common/json.h"

#include <string.h>

#define LEVELS 5 /* 0 to 4: docs/design.md, section 5 */

/* What a set holds; a full one counts for both. */
typedef enum {
	DATABASE,
	IMAGES,
	HALVES
} Half;

static const char *const half_names[HALVES] = {"database", "images"};

/* Each set is in one of these, the first that fits. */
typedef enum {
	DAMAGED,
	SUSPECT,
	PARTIAL,
	ADOPTED,
	GOOD,
	STATES
} SetState;

static const char *const state_names[STATES] = {"damaged", "suspect", "partial", "adopted", "good"};
static const char *const kind_names[] = {"full", "database", "images"};

static SetState
state_of(const HfCachedSet *set)
{
	if (set->is_damaged)
		return DAMAGED;
	if (set->is_suspect && !set->is_accepted)
		return SUSPECT;
	if (strcmp(set->status, "partial") == 0 && !set->is_accepted)
		return PARTIAL;
	return set->is_adopted ? ADOPTED : GOOD;
}

static bool
has_half(const HfCachedSet *set, Half half)
{
	return g_strcmp0(set->kind, "full") == 0 || g_strcmp0(set->kind, half_names[half]) == 0;
}

/* The newest good one with that half that is of the level, or a higher one. */
static const HfCachedSet *
newest(const GPtrArray *sets, Half half, int level)
{
	const HfCachedSet *found = NULL;

	for (guint i = 0; i < sets->len; i++) {
		const HfCachedSet *set = sets->pdata[i];

		if (state_of(set) >= ADOPTED && has_half(set, half) && set->level >= level &&
		    (!found || set->started_s >= found->started_s))
			found = set;
	}
	return found;
}

/* ---- all sets ---- */

static void
add_counts(GString *text, const GPtrArray *sets)
{
	static const char name[] = "holdfast_sets";
	uint64_t counts[G_N_ELEMENTS(kind_names) + 1][STATES] = {0};

	for (guint i = 0; i < sets->len; i++) {
		const HfCachedSet *set = sets->pdata[i];
		size_t kind = 0;

		while (kind < G_N_ELEMENTS(kind_names) && g_strcmp0(set->kind, kind_names[kind]) != 0)
			kind++;
		counts[kind][state_of(set)]++;
	}
	hf_exposition_begin(text, name, "Sets in the store; the kind of a damaged one is not known.");
	for (size_t kind = 0; kind < G_N_ELEMENTS(counts); kind++)
		for (SetState state = DAMAGED; state < STATES; state++) {
			const char *word = kind < G_N_ELEMENTS(kind_names) ? kind_names[kind] : "unknown";

			hf_exposition_add(text, name,
					  (const HfLabel[]){{"kind", word},
							    {"state", state_names[state]},
							    {NULL, NULL}},
					  counts[kind][state]);
		}
}

static void
add_totals(GString *text, const GPtrArray *sets, int64_t as_of_s)
{
	uint64_t bytes = 0, held = 0;

	for (guint i = 0; i < sets->len; i++) {
		const HfCachedSet *set = sets->pdata[i];

		bytes += set->bytes;
		held += set->is_held;
	}
	hf_exposition_begin(text, "holdfast_sets_held", "Sets that are held: nothing deletes them.");
	hf_exposition_add(text, "holdfast_sets_held", NULL, held);
	hf_exposition_begin(text, "holdfast_store_bytes", "What all sets take in the store.");
	hf_exposition_add(text, "holdfast_store_bytes", NULL, bytes);
	hf_exposition_begin(text, "holdfast_store_seen_timestamp_seconds",
			    "When the store was listed last; 0 where it never was.");
	hf_exposition_add(text, "holdfast_store_seen_timestamp_seconds", NULL, (uint64_t)MAX(as_of_s, 0));
}

static void
add_last_good(GString *text, const GPtrArray *sets)
{
	static const char name[] = "holdfast_last_good_set_timestamp_seconds";

	hf_exposition_begin(
		text, name,
		"When the newest good set began that holds this kind, and is of this level of proof or a "
		"higher one; a full set counts for both kinds.");
	for (Half half = DATABASE; half < HALVES; half++)
		for (int level = 0; level < LEVELS; level++) {
			const HfCachedSet *set = newest(sets, half, level);
			const char digit[] = {(char)('0' + level), 0};

			if (set && set->started_s > 0)
				hf_exposition_add(text, name,
						  (const HfLabel[]){{"kind", half_names[half]},
								    {"level", digit},
								    {NULL, NULL}},
						  (uint64_t)set->started_s);
		}
}

/* ---- the newest good set of each kind, by its manifest ---- */

/* The number at a path such as "database/archive/plain_bytes"; false where there is none. */
static bool
find_number(HfJson *object, const char *path, uint64_t *value_out)
{
	g_auto(GStrv) names = g_strsplit(path, "/", -1);

	for (char **name = names; *name; name++)
		if (!json_object_is_type(object, json_type_object) ||
		    !json_object_object_get_ex(object, *name, &object))
			return false;
	return hf_json_to_number(object, path, value_out, NULL);
}

/* What an archive of the manifest takes in the store. */
static uint64_t
stored_bytes(HfJson *archive)
{
	HfJson *parts = NULL;
	uint64_t sum = 0, bytes;

	if (!archive || !hf_json_get_array(archive, "parts", &parts, NULL))
		return 0;
	for (size_t i = 0; i < json_object_array_length(parts); i++)
		if (hf_json_get_number(json_object_array_get_idx(parts, i), "bytes", &bytes, NULL))
			sum += bytes;
	return sum;
}

static HfJson *
find(HfJson *object, const char *name)
{
	HfJson *found = NULL;

	return json_object_is_type(object, json_type_object) &&
			       json_object_object_get_ex(object, name, &found)
		       ? found
		       : NULL;
}

/* The sizes of a half: all that it needs to be restored, whichever set stored it. */
typedef enum {
	PLAIN,
	PACKED,
	STORED,
	SIZES
} Size;

typedef struct {
	uint64_t bytes[SIZES];
} Sizes;

static void
add_archive(Sizes *sizes, HfJson *archive)
{
	uint64_t plain = 0, packed = 0;

	(void)find_number(archive, "plain_bytes", &plain);
	(void)find_number(archive, "packed_bytes", &packed);
	sizes->bytes[PLAIN] += plain;
	sizes->bytes[PACKED] += packed;
	sizes->bytes[STORED] += stored_bytes(archive);
}

static Sizes
sizes_of(HfJson *manifest, Half half)
{
	HfJson *record = find(manifest, half_names[half]);
	HfJson *archives = find(record, "archives");
	Sizes sizes = {0};

	if (half == DATABASE)
		add_archive(&sizes, find(record, "archive"));
	for (size_t i = 0;
	     json_object_is_type(archives, json_type_array) && i < json_object_array_length(archives); i++)
		add_archive(&sizes, find(json_object_array_get_idx(archives, i), "archive"));
	return sizes;
}

typedef struct {
	HfJson *manifests[HALVES]; /* NULL: there is no such set, or it has none */
	Sizes sizes[HALVES];
} Newest;

static void
newest_clear(Newest *it)
{
	for (Half half = DATABASE; half < HALVES; half++)
		json_object_put(it->manifests[half]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Newest, newest_clear)

static bool
read_newest(HfState *state, const GPtrArray *sets, Newest *newest_out, GError **error)
{
	for (Half half = DATABASE; half < HALVES; half++) {
		const HfCachedSet *listed = newest(sets, half, 1);
		g_autoptr(GError) trouble = NULL;
		g_autoptr(HfCachedSet) set = listed ? hf_cached_sets_find(state, listed->id, &trouble) : NULL;

		/* One that was deleted since the list was read is none. */
		if (trouble && !hf_error_is(trouble, HF_ERROR_NOT_FOUND)) {
			g_propagate_error(error, g_steal_pointer(&trouble));
			return false;
		}
		if (!set || !set->manifest)
			continue;
		newest_out->manifests[half] = hf_json_parse(set->manifest, strlen(set->manifest), NULL);
		newest_out->sizes[half] = sizes_of(newest_out->manifests[half], half);
	}
	return true;
}

static void
add_sizes(GString *text, const Newest *it)
{
	static const struct {
		const char *name, *help;
	} families[SIZES] = {
		[PLAIN] = {"holdfast_last_good_set_plain_bytes",
			   "Bytes of the newest good set of this kind before compression: all archives that "
			   "it needs."},
		[PACKED] = {"holdfast_last_good_set_packed_bytes", "The same after compression."},
		[STORED] = {"holdfast_last_good_set_stored_bytes",
			    "The same as it lies in the store, after compression and encryption."},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		hf_exposition_begin(text, families[i].name, families[i].help);
		for (Half half = DATABASE; half < HALVES; half++)
			if (it->manifests[half])
				hf_exposition_add(text, families[i].name,
						  (const HfLabel[]){{"kind", half_names[half]}, {NULL, NULL}},
						  it->sizes[half].bytes[i]);
	}
}

/* One number of one half. */
static void
add_contents(GString *text, const Newest *it)
{
	static const struct {
		const char *name, *help;
		Half half;
		const char *path;
	} families[] = {
		{"holdfast_database_tables", "Tables of the newest good dump.", DATABASE, "database/tables"},
		{"holdfast_database_rows", "Rows of the newest good dump.", DATABASE, "database/rows"},
		{"holdfast_images_objects", "Images of the newest good set of images.", IMAGES,
		 "images/objects"},
		{"holdfast_images_bytes", "What these images are together.", IMAGES, "images/bytes"},
		{"holdfast_images_added", "Images that were new in its run.", IMAGES, "images/added"},
		{"holdfast_images_changed", "Images that had changed in its run.", IMAGES, "images/changed"},
		{"holdfast_images_deleted", "Images that were gone in its run.", IMAGES, "images/deleted"},
		{"holdfast_images_missing", "Images that rows name, and that the set has not.", IMAGES,
		 "images/references/missing"},
	};
	uint64_t value;

	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		hf_exposition_begin(text, families[i].name, families[i].help);
		if (find_number(it->manifests[families[i].half], families[i].path, &value))
			hf_exposition_add(text, families[i].name, NULL, value);
	}
}

/* ---- what its run cost ---- */

static void
add_phases(GString *text, const Newest *it)
{
	static const char name[] = "holdfast_last_good_run_phase_seconds";

	hf_exposition_begin(text, name,
			    "How long the phases of this run took; those of database and images overlap.");
	for (Half half = DATABASE; half < HALVES; half++) {
		HfJson *phases = find(find(it->manifests[half], "metrics"), "phases");

		for (size_t i = 0;
		     json_object_is_type(phases, json_type_array) && i < json_object_array_length(phases);
		     i++) {
			HfJson *phase = json_object_array_get_idx(phases, i);
			const char *word;
			uint64_t ms;

			if (hf_json_get_text(phase, "name", &word, NULL) &&
			    hf_json_get_number(phase, "ms", &ms, NULL))
				hf_exposition_add_ms(text, name,
						     (const HfLabel[]){{"kind", half_names[half]},
								       {"phase", word},
								       {NULL, NULL}},
						     ms);
		}
	}
}

static void
add_run(GString *text, const Newest *it)
{
	static const struct {
		const char *name, *help, *path;
		bool is_ms;
	} families[] = {
		{"holdfast_last_good_run_duration_seconds",
		 "How long the run took that made the newest good set of this kind.", "metrics/duration_ms",
		 true},
		{"holdfast_last_good_run_cpu_seconds", "Its processor time, pg_dump's included.",
		 "metrics/cpu_ms", true},
		{"holdfast_last_good_run_peak_memory_bytes",
		 "The most memory that it had resident, without pg_dump.", "metrics/peak_memory_bytes",
		 false},
		{"holdfast_last_good_run_plain_bytes", "Bytes that it read and stored, before compression.",
		 "metrics/plain_bytes", false},
		{"holdfast_last_good_run_throughput_bytes_per_second", "These bytes by its duration.",
		 "metrics/bytes_per_second", false},
		{"holdfast_last_good_run_requests", "Requests that it sent to object stores, tries counted.",
		 "metrics/requests", false},
		{"holdfast_last_good_run_retries", "Of these, the tries after a first one that failed.",
		 "metrics/retries", false},
	};
	uint64_t value;

	for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
		hf_exposition_begin(text, families[i].name, families[i].help);
		for (Half half = DATABASE; half < HALVES; half++) {
			const HfLabel labels[] = {{"kind", half_names[half]}, {NULL, NULL}};

			if (!find_number(it->manifests[half], families[i].path, &value))
				continue;
			if (families[i].is_ms)
				hf_exposition_add_ms(text, families[i].name, labels, value);
			else
				hf_exposition_add(text, families[i].name, labels, value);
		}
	}
	add_phases(text, it);
}

bool
hf_metrics_add_sets(HfState *state, GString *text, GError **error)
{
	int64_t as_of_s = 0;
	g_autoptr(GPtrArray) sets = hf_cached_sets_list(state, &as_of_s, error);
	g_auto(Newest) it = {0};

	if (!sets || !read_newest(state, sets, &it, error))
		return false;
	add_counts(text, sets);
	add_totals(text, sets, as_of_s);
	add_last_good(text, sets);
	add_sizes(text, &it);
	add_contents(text, &it);
	add_run(text, &it);
	return true;
}
