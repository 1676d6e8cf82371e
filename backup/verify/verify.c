#include "config.h"

#include "backup/verify/verify.h"
#include "backup/verify/verify-images.h"
#include "backup/catalog/marks.h"
#include "backup/catalog/names.h"
#include "backup/source/scan.h"
#include "backup/verify/aside.h"
#include "backup/stage/sink.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* ---- level 1 ---- */

/* The size of exactly this key: a listing that begins with it. */
static bool
find_size(HfStore *store, const char *key, uint64_t *bytes_out, GError **error)
{
	g_autoptr(HfListing) listing = hf_store_list(store, key, NULL, error);
	const HfObject *object;

	/* A key comes before all others that begin with it. */
	if (!listing || !hf_listing_next(listing, &object, error))
		return false;
	if (!object || strcmp(object->key, key) != 0)
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "\"%s\" is missing in \"%s\"", key,
				    hf_store_location(store));
	*bytes_out = object->bytes;
	return true;
}

bool
hf_verify_sizes(HfStore *store, const HfArchive *archive, GError **error)
{
	for (guint i = 0; i < archive->parts->len; i++) {
		const HfPart *part = g_ptr_array_index(archive->parts, i);
		uint64_t bytes = 0;

		if (!find_size(store, part->key, &bytes, error))
			return false;
		if (bytes != part->bytes)
			return hf_error_set(error, HF_ERROR_CORRUPT,
					    "\"%s\" %s: it has %" G_GUINT64_FORMAT
					    " bytes, %" G_GUINT64_FORMAT " were stored",
					    part->key, bytes < part->bytes ? "was cut" : "is too long", bytes,
					    part->bytes);
	}
	return true;
}

static bool
has_images(const HfManifest *manifest)
{
	return manifest->images && manifest->images->index;
}

/* Without it stock tools are not enough; its bytes are nowhere recorded, a drill runs them. */
static bool
verify_text(HfStore *store, const HfManifest *manifest, GError **error)
{
	g_autofree char *readable = hf_name_restore(manifest->id);
	g_autofree char *sealed = manifest->hides_names ? hf_name_restore_sealed(manifest->id) : NULL;
	const char *const keys[] = {readable, sealed, NULL};
	uint64_t bytes;

	for (const char *const *key = keys; *key; key++) {
		if (!find_size(store, *key, &bytes, error))
			return false;
		if (bytes == 0)
			return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" is empty", *key);
	}
	return true;
}

static bool
verify_stored(HfStore *store, const HfManifest *manifest, GError **error)
{
	const HfDatabaseRecord *database = manifest->database;

	if (has_images(manifest) && !hf_verify_images_stored(store, manifest->images, error))
		return false;
	if (!database)
		return true;
	return hf_verify_sizes(store, database->archive, error) &&
	       (!database->globals || hf_verify_sizes(store, database->globals, error)) &&
	       (!database->index || hf_verify_sizes(store, database->index, error));
}

/* ---- level 2 ---- */

static const char *
first_key(const HfArchive *archive)
{
	return ((const HfPart *)g_ptr_array_index(archive->parts, 0))->key;
}

static bool
compare_table(const char *key, const HfTable *stored, const HfTable *read, GError **error)
{
	if (strcmp(stored->name, read->name) == 0 && stored->rows == read->rows &&
	    stored->bytes == read->bytes && stored->offset == read->offset &&
	    stored->data_offset == read->data_offset &&
	    memcmp(stored->digest, read->digest, HF_TABLE_DIGEST_BYTES) == 0)
		return true;
	return hf_error_set(error, HF_ERROR_CORRUPT,
			    "\"%s\": table %s is not as the index says: %" G_GUINT64_FORMAT
			    " rows instead of %" G_GUINT64_FORMAT ", or other ones",
			    key, read->name, read->rows, stored->rows);
}

static bool
compare_tables(const char *key, const GPtrArray *stored, const GPtrArray *read, GError **error)
{
	if (stored->len != read->len)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" holds %u tables, the index says %u", key,
				    read->len, stored->len);
	for (guint i = 0; i < stored->len; i++)
		if (!compare_table(key, g_ptr_array_index(stored, i), g_ptr_array_index(read, i), error))
			return false;
	return true;
}

/* Reads archive through a scan; tables NULL: there is nothing to compare with. */
static bool
read_back(HfStore *store, const HfArchive *archive, HfScanKind kind, const GPtrArray *tables, uint64_t *bytes,
	  GError **error)
{
	HfStage *scan = hf_scan_new(NULL, kind);
	g_autoptr(HfStage) chain = hf_meter_new(hf_aside_new(scan), bytes);
	uint64_t before = __atomic_load_n(bytes, __ATOMIC_RELAXED);
	uint64_t plain_bytes;

	if (hf_archive_is_sealed(store, archive))
		return hf_archive_check_stored(store, archive, bytes, error);
	if (!hf_archive_read(store, archive, chain, error))
		return false;
	if (!hf_stage_finish(chain, error)) {
		g_prefix_error(error, "\"%s\": ", first_key(archive));
		return false;
	}
	plain_bytes = __atomic_load_n(bytes, __ATOMIC_RELAXED) - before;
	/* A file of the earlier implementation has no recorded size. */
	if (archive->plain_bytes && plain_bytes != archive->plain_bytes)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"%s\" unpacks to %" G_GUINT64_FORMAT
				    " bytes, the manifest says %" G_GUINT64_FORMAT,
				    first_key(archive), plain_bytes, archive->plain_bytes);
	return !tables || compare_tables(first_key(archive), tables, hf_scan_tables(scan), error);
}

static bool
verify_database(HfStore *store, HfManifest *manifest, uint64_t *bytes, GError **error)
{
	const HfDatabaseRecord *database = manifest->database;
	g_autoptr(GPtrArray) tables = NULL;

	if (database->index && hf_archive_is_sealed(store, database->index)) {
		if (!hf_archive_check_stored(store, database->index, bytes, error))
			return false;
	} else if (database->index) {
		tables = hf_catalog_read_tables(store, manifest, error);
		if (!tables)
			return false;
	}
	return read_back(store, database->archive, HF_SCAN_DATABASE, tables, bytes, error) &&
	       (!database->globals ||
		read_back(store, database->globals, HF_SCAN_GLOBALS, NULL, bytes, error));
}

static bool
verify_read(HfStore *store, HfManifest *manifest, uint64_t *bytes, GError **error)
{
	return (!manifest->database || verify_database(store, manifest, bytes, error)) &&
	       (!has_images(manifest) || hf_verify_images_read(store, manifest, bytes, error));
}

bool
hf_verify_is_sealed(const HfStore *store, const HfManifest *manifest)
{
	const HfDatabaseRecord *database = manifest->database;

	if (database && (hf_archive_is_sealed(store, database->archive) ||
			 (database->index && hf_archive_is_sealed(store, database->index))))
		return true;
	if (manifest->images && manifest->images->index &&
	    hf_archive_is_sealed(store, manifest->images->index))
		return true;
	for (guint i = 0; manifest->images && i < manifest->images->archives->len; i++)
		if (hf_archive_is_sealed(store,
					 ((HfImageArchive *)manifest->images->archives->pdata[i])->archive))
			return true;
	return false;
}

/* ---- both ---- */

static bool
check_wanted(const HfSet *set, int level, GError **error)
{
	if (set->is_damaged)
		return hf_error_set(error, HF_ERROR_CORRUPT, "%s", set->trouble);
	if (!set->manifest->database && !has_images(set->manifest))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "set \"%s\" was made by another program, which recorded nothing that its "
				    "images could be compared with",
				    set->id);
	return level == 1 || level == 2 ||
	       hf_error_set(error, HF_ERROR_USAGE, "level %d is not known: use 1 or 2", level);
}

bool
hf_verify(HfStore *store, const HfSet *set, int level, HfProgress *progress, GError **error)
{
	double start_s = hf_clock_monotonic_s();
	uint64_t uncounted = 0;

	if (!check_wanted(set, level, error))
		return false;
	if (progress)
		__atomic_store_n(&progress->phase, "verifying", __ATOMIC_RELEASE);
	if (!verify_stored(store, set->manifest, error) ||
	    (!set->is_adopted && !verify_text(store, set->manifest, error)))
		return false;
	if (level == 2 && !verify_read(store, set->manifest, progress ? &progress->bytes : &uncounted, error))
		return false;
	return set->is_adopted || hf_catalog_record_level(store, set->id, level, hf_clock_now_s(),
							  hf_clock_monotonic_s() - start_s, error);
}
