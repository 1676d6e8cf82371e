#include "config.h"

#include "backup/source/objects.h"
#include "backup/source/tarball.h"
#include "backup/store/sorted.h"
#include "common/error.h"

#include <string.h>

/*
 * Three rows in one order; a head is the next of a row, NULL at its end.  What a step has used up is passed over when
 * the next step is asked for, so that the step may point into the heads.
 */
struct HfObjects {
	HfObjectsOptions options;
	HfListing *listing;
	const HfObject *live;
	const HfImage *last;
	const HfDead *dead;
	bool uses_live, uses_last, uses_dead;
	bool is_cut;

	GString *listed_key; /* of the head of the listing, for the check of its order */
	HfObjectStep step;
	HfRemedy remedy;

	/*
	 * Keys that are files under their own name in an archive, or will be, and of which each is a beginning of the
	 * next: their lengths, and the longest.  In byte order all keys that begin with one follow it without a gap.
	 */
	GArray *file_lengths; /* of size_t */
	GString *longest_file;
};

/* ---- the rows ---- */

static bool
needs_full(HfObjects *objects, const GError *trouble)
{
	if (hf_error_is(trouble, HF_ERROR_CORRUPT) || hf_error_is(trouble, HF_ERROR_NOT_FOUND) ||
	    hf_error_is(trouble, HF_ERROR_USAGE))
		objects->remedy = HF_REMEDY_FULL;
	return false;
}

static bool
advance_last(HfObjects *objects, GError **error)
{
	GError *trouble = NULL;

	if (!objects->options.last || hf_image_index_next(objects->options.last, &objects->last, &trouble))
		return true;
	needs_full(objects, trouble);
	g_propagate_error(error, trouble);
	return false;
}

static bool
advance_dead(HfObjects *objects, GError **error)
{
	GError *trouble = NULL;

	if (!objects->options.dead || hf_dead_next(objects->options.dead, &objects->dead, &trouble))
		return true;
	needs_full(objects, trouble);
	g_propagate_error(error, trouble);
	return false;
}

static bool
check_order(HfObjects *objects, GError **error)
{
	if (strcmp(objects->live->key, objects->listed_key->str) > 0) {
		g_string_assign(objects->listed_key, objects->live->key);
		return true;
	}
	objects->remedy = HF_REMEDY_SORTED;
	return hf_error_set(error, HF_ERROR_FAILED,
			    "\"%s\" does not list its objects in byte order: \"%s\" came after \"%s\"",
			    hf_store_location(objects->options.source), objects->live->key,
			    objects->listed_key->str);
}

static bool
is_skipped(const HfObjects *objects, const HfObject *object)
{
	const char *prefix = objects->options.skip_prefix;

	return prefix && strncmp(object->key, prefix, strlen(prefix)) == 0;
}

static bool
advance_live(HfObjects *objects, GError **error)
{
	do {
		if (!hf_listing_next(objects->listing, &objects->live, error))
			return false;
		if (objects->live && !check_order(objects, error))
			return false;
	} while (objects->live && is_skipped(objects, objects->live));
	return true;
}

static bool
advance(HfObjects *objects, GError **error)
{
	if ((objects->uses_live && !advance_live(objects, error)) ||
	    (objects->uses_last && !advance_last(objects, error)) ||
	    (objects->uses_dead && !advance_dead(objects, error)))
		return false;
	return true;
}

/* ---- names ---- */

/* Leaves the files of which the key is no continuation; true where one of the rest would have to be its folder. */
static bool
has_file_as_folder(HfObjects *objects, const char *key)
{
	const char *longest = objects->longest_file->str;
	bool has_one = false;
	size_t common = 0;

	while (key[common] && key[common] == longest[common])
		common++;
	while (objects->file_lengths->len > 0 &&
	       g_array_index(objects->file_lengths, size_t, objects->file_lengths->len - 1) > common)
		g_array_set_size(objects->file_lengths, objects->file_lengths->len - 1);
	for (guint i = 0; i < objects->file_lengths->len; i++)
		has_one = has_one || key[g_array_index(objects->file_lengths, size_t, i)] == '/';
	return has_one;
}

static void
note_file(HfObjects *objects, const char *key)
{
	size_t len = strlen(key);

	g_string_assign(objects->longest_file, key);
	g_array_append_val(objects->file_lengths, len);
}

static unsigned
stale_paths(const HfObjects *objects)
{
	unsigned stale = objects->uses_dead ? objects->dead->paths : 0;

	if (objects->uses_last && !objects->last->trouble)
		stale |= objects->last->path ? HF_DEAD_ESCAPED : HF_DEAD_PLAIN;
	return stale;
}

static bool
is_new_content(const HfObjectStep *step)
{
	return step->state == HF_OBJECT_ADDED || step->state == HF_OBJECT_CHANGED ||
	       step->state == HF_OBJECT_MOVED;
}

/* A damaged index must not name paths that RESTORE.txt then removes. */
static bool
check_last_path(HfObjects *objects, GError **error)
{
	const HfImage *last = objects->last;
	g_autofree char *path = hf_tarball_path(last->key, last->path != NULL);

	if (last->trouble || g_strcmp0(path, last->path) == 0)
		return true;
	objects->remedy = HF_REMEDY_FULL;
	return hf_error_set(error, HF_ERROR_CORRUPT,
			    "the last index gives \"%s\" another path than it can have", last->key);
}

static bool
choose_path(HfObjects *objects, HfObjectStep *step, GError **error)
{
	bool has_folder = has_file_as_folder(objects, step->key);

	if (has_folder && step->stale & HF_DEAD_PLAIN) {
		objects->remedy = HF_REMEDY_FULL;
		return hf_error_set(
			error, HF_ERROR_CONFLICT,
			"\"%s\" lies in an earlier archive, and what was its folder is a file now",
			step->key);
	}
	if (is_new_content(step))
		step->path = hf_tarball_path(step->key, has_folder);
	if ((is_new_content(step) && !step->path) || step->stale & HF_DEAD_PLAIN)
		note_file(objects, step->key);
	return true;
}

/* ---- steps ---- */

/* The time as well: a server that changed an object's metadata alone gave it a new one. */
static bool
is_same(const HfObject *live, const HfImage *last)
{
	return !last->trouble && live->bytes == last->bytes && live->modified_s == last->modified_s &&
	       g_strcmp0(live->etag, last->etag) == 0;
}

static bool
lies_in_worn(const HfObjects *objects, const HfImage *last)
{
	const GArray *worn = objects->options.worn;

	for (guint i = 0; worn && i < worn->len; i++)
		if (g_array_index(worn, unsigned, i) == last->archive ||
		    g_array_index(worn, unsigned, i) == last->named_in)
			return true;
	return false;
}

static HfObjectState
state_of(const HfObjects *objects)
{
	if (objects->uses_live && objects->uses_last) {
		if (!is_same(objects->live, objects->last))
			return HF_OBJECT_CHANGED;
		return lies_in_worn(objects, objects->last) ? HF_OBJECT_MOVED : HF_OBJECT_UNCHANGED;
	}
	if (objects->uses_live)
		return HF_OBJECT_ADDED;
	if (objects->uses_last && objects->is_cut)
		return HF_OBJECT_UNCHANGED;
	return objects->uses_last ? HF_OBJECT_DELETED : HF_OBJECT_GONE;
}

/* The least key of the heads, or NULL at the end of all; notes which heads have it. */
static const char *
least_key(HfObjects *objects)
{
	const char *keys[] = {
		objects->live ? objects->live->key : NULL,
		objects->last ? objects->last->key : NULL,
		objects->dead ? objects->dead->key : NULL,
	};
	const char *least = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		if (keys[i] && (!least || strcmp(keys[i], least) < 0))
			least = keys[i];
	objects->uses_live = least && keys[0] && strcmp(keys[0], least) == 0;
	objects->uses_last = least && keys[1] && strcmp(keys[1], least) == 0;
	objects->uses_dead = least && keys[2] && strcmp(keys[2], least) == 0;
	return least;
}

bool
hf_objects_next(HfObjects *objects, const HfObjectStep **step_out, GError **error)
{
	HfObjectStep *step = &objects->step;
	const char *key;

	*step_out = NULL;
	g_clear_pointer(&step->path, g_free);
	if (!advance(objects, error))
		return false;
	key = least_key(objects);
	if (!key)
		return true;
	*step = (HfObjectStep){
		.state = state_of(objects),
		.key = key,
		.object = objects->uses_live ? objects->live : NULL,
		.last = objects->uses_last ? objects->last : NULL,
		.stale = stale_paths(objects),
	};
	if ((step->last && !check_last_path(objects, error)) || !choose_path(objects, step, error))
		return false;
	*step_out = step;
	return true;
}

HfObjects *
hf_objects_new(const HfObjectsOptions *options, GError **error)
{
	g_autoptr(HfObjects) objects = g_new0(HfObjects, 1);

	objects->options = *options;
	objects->listed_key = g_string_new(NULL);
	objects->file_lengths = g_array_new(FALSE, FALSE, sizeof(size_t));
	objects->longest_file = g_string_new(NULL);
	objects->uses_live = objects->uses_last = objects->uses_dead = true;
	objects->listing = options->is_unordered ? hf_sorted_list(options->source, error)
						 : hf_store_list(options->source, NULL, NULL, error);
	return objects->listing ? g_steal_pointer(&objects) : NULL;
}

void
hf_objects_cut(HfObjects *objects)
{
	objects->is_cut = true;
	objects->uses_live = false;
	objects->live = NULL;
}

HfRemedy
hf_objects_remedy(const HfObjects *objects)
{
	return objects->remedy;
}

void
hf_objects_free(HfObjects *objects)
{
	if (!objects)
		return;
	hf_listing_free(objects->listing);
	g_string_free(objects->listed_key, TRUE);
	g_array_unref(objects->file_lengths);
	g_string_free(objects->longest_file, TRUE);
	g_free(objects->step.path);
	g_free(objects);
}
