#include "config.h"

#include "backup/age/keyring.h"
#include "backup/job/refresh.h"
#include "backup/catalog/catalog.h"
#include "backup/catalog/names.h"
#include "backup/job/cached-sets.h"
#include "backup/job/lock.h"
#include "backup/job/seen.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

#define LOCK_NAME "refresh"
#define WAIT_US (G_USEC_PER_SEC / 5)
#define WAIT_TRIES 150 /* half a minute: a listing of thousands of sets */

static void
free_cached(gpointer set)
{
	hf_cached_set_free(set);
}

static const char *
status_word(const HfSet *set)
{
	if (set->is_damaged)
		return "damaged";
	if (set->is_adopted)
		return "adopted";
	return set->status == HF_SET_COMPLETE ? "complete" : "partial";
}

/* One that the listing left sealed for its slowness is read when somebody asks for it. */
static bool
is_worth_caching(const HfStore *store, const HfSet *set)
{
	return set->manifest && !set->is_adopted &&
	       (!set->manifest->sealed || !hf_keyring_can_read(hf_store_keyring(store)));
}

static HfCachedSet *
cached_from(const HfStore *store, const HfSet *set)
{
	HfCachedSet *cached = hf_cached_set_new(set->id);

	cached->kind = g_strdup(set->kind);
	cached->level = set->level;
	cached->status = g_strdup(status_word(set));
	cached->started_s = set->started_s;
	cached->bytes = set->bytes;
	cached->is_adopted = set->is_adopted;
	cached->is_damaged = set->is_damaged;
	cached->is_held = set->is_held;
	cached->is_suspect = set->is_suspect;
	cached->is_accepted = set->is_accepted;
	cached->is_signed = g_strdup(set->is_adopted ? NULL : hf_signed_word(set->is_signed));
	cached->suspect_reason = g_strdup(set->suspect_reason);
	cached->trouble = g_strdup(set->trouble);
	if (is_worth_caching(store, set)) {
		g_autoptr(GBytes) json = hf_manifest_to_json(set->manifest);
		gsize len;
		const char *text = g_bytes_get_data(json, &len);

		cached->manifest = g_strndup(text, len);
	}
	return cached;
}

/* ---- files ---- */

/* The data itself, not what stands beside it; it may be packed and encrypted, and be a later part. */
static const char *
type_of(const char *key, const HfName *name)
{
	if (name->kind == HF_NAME_DATABASE && strstr(key, HF_EXT_DUMP) && !strstr(key, HF_EXT_GLOBALS))
		return "database";
	return name->kind == HF_NAME_IMAGES && strstr(key, HF_EXT_TARBALL) ? "images" : NULL;
}

/* Two adopted files may hold one time: each becomes the set of its own kind that has no file yet. */
static bool
is_of(const HfCachedSet *set, const char *key, const HfName *name, const char *type)
{
	if (!set->is_adopted)
		return name->has_own_form && strcmp(set->id, name->id) == 0;
	return set->files->len == 0 && g_strcmp0(set->kind, type) == 0 &&
	       strcmp(set->id, name->id[0] ? name->id : key) == 0;
}

static void
add_file(const GPtrArray *sets, const HfObject *object)
{
	HfName name = hf_name_read(object->key);
	const char *type = type_of(object->key, &name);

	for (guint i = 0; type && i < sets->len; i++) {
		HfCachedSet *set = sets->pdata[i];

		if (!is_of(set, object->key, &name, type))
			continue;
		hf_cached_set_add_file(set, object->key, object->bytes, object->modified_s, type);
		return;
	}
}

static bool
add_files(HfStore *store, const GPtrArray *sets, const char *prefix, GError **error)
{
	g_autoptr(HfListing) listing = hf_store_list(store, prefix, NULL, error);
	const HfObject *object = NULL;

	if (!listing)
		return false;
	do {
		if (!hf_cancel_check(error) || !hf_listing_next(listing, &object, error))
			return false;
		if (object)
			add_file(sets, object);
	} while (object);
	return true;
}

static bool
has_images_file(const HfCachedSet *cached)
{
	for (guint i = 0; i < cached->files->len; i++)
		if (strcmp(((const HfCachedFile *)cached->files->pdata[i])->type, "images") == 0)
			return true;
	return false;
}

/* Where nothing was new, all that a set stored of the images is its index: it stands for them. */
static void
add_index(const HfSet *set, HfCachedSet *cached)
{
	const HfImagesRecord *images = set->manifest && !set->is_adopted ? set->manifest->images : NULL;
	const HfPart *part;

	if (!images || !images->index || images->index->parts->len == 0 || has_images_file(cached))
		return;
	part = images->index->parts->pdata[0];
	hf_cached_set_add_file(cached, part->key, part->bytes, set->manifest->finished_s, "images");
}

static bool
remember_newest(HfState *state, HfStore *store, const GPtrArray *sets, GError **error)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new();

	for (guint i = 0; i < sets->len; i++) {
		const HfSet *set = sets->pdata[i];

		if (!set->is_adopted)
			g_ptr_array_add(ids, set->id);
	}
	return hf_seen_update(state, store, ids, error);
}

static bool
refresh(HfState *state, HfStore *store, GError **error)
{
	int64_t now_s = hf_clock_now_s();
	g_autoptr(GPtrArray) sets = hf_catalog_list(store, error);
	g_autoptr(GPtrArray) cached = g_ptr_array_new_with_free_func(free_cached);

	if (!sets)
		return false;
	for (guint i = 0; i < sets->len; i++)
		g_ptr_array_add(cached, cached_from(store, sets->pdata[i]));
	if (!add_files(store, cached, HF_DATABASE_PREFIX "_", error) ||
	    !add_files(store, cached, HF_IMAGES_PREFIX "_", error))
		return false;
	for (guint i = 0; i < sets->len; i++)
		add_index(sets->pdata[i], cached->pdata[i]);
	return remember_newest(state, store, sets, error) &&
	       hf_cached_sets_replace(state, cached, now_s, error);
}

static HfLock *
wait_for_lock(const char *folder, GError **error)
{
	for (int tries = 0;; tries++) {
		g_autoptr(GError) trouble = NULL;
		HfLock *lock = hf_lock_take(folder, LOCK_NAME, &trouble);

		if (lock)
			return lock;
		if (!hf_error_is(trouble, HF_ERROR_CONFLICT) || tries >= WAIT_TRIES ||
		    hf_cancel_is_requested()) {
			g_propagate_error(error, g_steal_pointer(&trouble));
			return NULL;
		}
		g_usleep(WAIT_US);
	}
}

bool
hf_refresh(HfState *state, HfStore *store, bool wants_own, GError **error)
{
	const char *folder = hf_state_folder(state);
	g_autoptr(HfLock) lock = wants_own ? wait_for_lock(folder, error)
					   : hf_lock_take(folder, LOCK_NAME, error);

	return lock && refresh(state, store, error);
}
