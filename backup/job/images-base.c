#include "config.h"

#include "backup/job/images-base.h"
#include "backup/catalog/names.h"
#include "common/error.h"

#include <string.h>

/* Manifests that are read: sets of databases alone may lie in front of the newest one of images. */
#define LOOK_BACK_MAX 100

/* What must be in the store: keys to parts. */
static GHashTable *
wanted_parts(const HfImagesRecord *record)
{
	GHashTable *wanted = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < record->archives->len; i++) {
		const HfImageArchive *archive = g_ptr_array_index(record->archives, i);

		for (guint j = 0; j < archive->archive->parts->len; j++) {
			HfPart *part = g_ptr_array_index(archive->archive->parts, j);

			g_hash_table_insert(wanted, part->key, part);
		}
	}
	return wanted;
}

/* *missing_out is the key of a part that is not there as it was stored, borrowed from the record; or NULL. */
static bool
find_missing(HfStore *store, const HfImagesRecord *record, const char **missing_out, GError **error)
{
	g_autoptr(GHashTable) wanted = wanted_parts(record);
	g_autoptr(HfListing) listing = NULL;
	const HfObject *object;
	GHashTableIter iter;
	gpointer key;

	*missing_out = NULL;
	listing = hf_store_list(store, HF_IMAGES_PREFIX "_", NULL, error);
	if (!listing)
		return false;
	do {
		const HfPart *part;

		if (!hf_listing_next(listing, &object, error))
			return false;
		part = object ? g_hash_table_lookup(wanted, object->key) : NULL;
		if (part && part->bytes == object->bytes)
			g_hash_table_remove(wanted, part->key);
	} while (object);
	g_hash_table_iter_init(&iter, wanted);
	if (g_hash_table_iter_next(&iter, &key, NULL))
		*missing_out = key;
	return true;
}

/* Whether the set can be gone on from; *reason_out says why not. */
static bool
check_base(HfStore *store, const HfManifest *manifest, const char *source, char **reason_out, GError **error)
{
	const char *missing;

	if (manifest->sealed) {
		*reason_out = g_strdup_printf("the index of the last set, %s, cannot be read: %s, and this "
					      "host keeps no copy of its own",
					      manifest->id, manifest->sealed);
		return true;
	}
	if (strcmp(manifest->images->source, source) != 0) {
		*reason_out = g_strdup_printf("the last set, %s, is of another source: \"%s\"", manifest->id,
					      manifest->images->source);
		return true;
	}
	if (!find_missing(store, manifest->images, &missing, error))
		return false;
	if (missing)
		*reason_out = g_strdup_printf("\"%s\", which the last set, %s, refers to, is missing or cut",
					      missing, manifest->id);
	return true;
}

/*
 * Damaged manifests are passed over: whatever they were, the set before is as good a base; and so are sealed ones, of another
 * host perhaps, unless there is no other.
 */
static bool
newest_of_images(HfStore *store, const GPtrArray *ids, HfManifest **manifest_out, GError **error)
{
	guint oldest = ids->len > LOOK_BACK_MAX ? ids->len - LOOK_BACK_MAX : 0;
	g_autoptr(HfManifest) sealed = NULL;

	*manifest_out = NULL;
	for (guint i = ids->len; i > oldest; i--) {
		g_autoptr(GError) trouble = NULL;
		g_autoptr(HfManifest)
			manifest = hf_catalog_read_known(store, g_ptr_array_index(ids, i - 1), &trouble);

		if (manifest && manifest->images && manifest->sealed) {
			if (!sealed)
				sealed = g_steal_pointer(&manifest);
		} else if (manifest && manifest->images) {
			*manifest_out = g_steal_pointer(&manifest);
			return true;
		}
		if (trouble && !hf_error_is(trouble, HF_ERROR_CORRUPT) &&
		    !hf_error_is(trouble, HF_ERROR_NOT_FOUND) && !hf_error_is(trouble, HF_ERROR_USAGE)) {
			g_propagate_error(error, g_steal_pointer(&trouble));
			return false;
		}
	}
	*manifest_out = g_steal_pointer(&sealed);
	return true;
}

bool
hf_images_base_find(HfStore *store, const char *source, HfManifest **base_out, char **reason_out,
		    GError **error)
{
	g_autoptr(GPtrArray) ids = hf_catalog_list_ids(store, error);
	g_autoptr(HfManifest) manifest = NULL;

	*base_out = NULL;
	*reason_out = NULL;
	if (!ids || !newest_of_images(store, ids, &manifest, error))
		return false;
	if (manifest && !check_base(store, manifest, source, reason_out, error))
		return false;
	if (manifest && !*reason_out)
		*base_out = g_steal_pointer(&manifest);
	return true;
}
