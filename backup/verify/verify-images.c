#include "config.h"

#include "backup/verify/verify-images.h"
#include "backup/catalog/dead-paths.h"
#include "backup/catalog/image-batch.h"
#include "backup/catalog/image-view.h"
#include "backup/catalog/reference-list.h"
#include "backup/stage/sink.h"
#include "common/cancel.h"
#include "common/error.h"

/* ---- level 1 ---- */

bool
hf_verify_images_stored(HfStore *store, const HfImagesRecord *record, GError **error)
{
	for (guint i = 0; i < record->archives->len; i++) {
		const HfImageArchive *place = g_ptr_array_index(record->archives, i);

		if (!hf_verify_sizes(store, place->archive, error)) {
			g_prefix_error(error, "archive of set \"%s\": ", place->set_id);
			return false;
		}
	}
	return hf_verify_sizes(store, record->index, error) &&
	       (!record->top || hf_verify_sizes(store, record->top, error)) &&
	       (!record->parity || hf_verify_sizes(store, record->parity, error)) &&
	       (!record->dead || hf_verify_sizes(store, record->dead, error)) &&
	       (!record->references || !record->references->list ||
		hf_verify_sizes(store, record->references->list, error));
}

/* ---- level 2 ---- */

typedef struct {
	HfStore *store;
	const HfManifest *manifest;
	uint64_t *bytes; /* read */
	HfImageBatch *batch;
	uint64_t objects, troubled; /* of the index */
	uint64_t damages;
	char *first; /* damage */
} Reading;

static void
note(Reading *reading, const char *message)
{
	g_warning("damaged: %s", message);
	if (reading->damages++ == 0)
		reading->first = g_strdup(message);
}

/* Damage is noted, and what follows is read all the same; false where the store fails. */
static bool
note_damage(Reading *reading, GError *trouble, GError **error)
{
	if (hf_error_is(trouble, HF_ERROR_CORRUPT) || hf_error_is(trouble, HF_ERROR_NOT_FOUND)) {
		note(reading, trouble->message);
		return true;
	}
	g_propagate_error(error, g_error_copy(trouble));
	return false;
}

static bool
read_archive(Reading *reading, const HfArchive *archive, const char *set_id, GError **error)
{
	g_autoptr(HfStage) chain = hf_meter_new(hf_sink_null_new(), reading->bytes);
	g_autoptr(GError) trouble = NULL;

	if (hf_archive_is_sealed(reading->store, archive)
		    ? hf_archive_check_stored(reading->store, archive, reading->bytes, &trouble)
		    : hf_archive_read(reading->store, archive, chain, &trouble))
		return hf_stage_finish(chain, error);
	g_prefix_error(&trouble, "archive of set \"%s\": ", set_id);
	return note_damage(reading, trouble, error);
}

static bool
read_batch(Reading *reading, GError **error)
{
	const GPtrArray *images = hf_image_batch_images(reading->batch);

	if (!hf_image_batch_read(reading->batch, error))
		return false;
	for (guint i = 0; i < images->len; i++) {
		const HfBatchImage *item = g_ptr_array_index(images, i);

		if (item->trouble)
			note(reading, item->trouble->message);
		__atomic_fetch_add(reading->bytes, item->image->bytes, __ATOMIC_RELAXED);
	}
	hf_image_batch_clear(reading->batch);
	return true;
}

static bool
read_large(Reading *reading, const HfImage *image, GError **error)
{
	g_autoptr(HfStage) chain = hf_meter_new(hf_sink_null_new(), reading->bytes);
	g_autoptr(GError) trouble = NULL;

	if (hf_image_read(reading->store, reading->manifest, image, chain, &trouble))
		return hf_stage_finish(chain, error);
	return note_damage(reading, trouble, error);
}

static bool
read_image(Reading *reading, const HfImage *image, GError **error)
{
	const HfImageArchive *place;

	if (image->trouble) {
		reading->troubled++;
		return true;
	}
	reading->objects++;
	place = hf_images_record_archive(reading->manifest->images, image->archive);
	if (place && hf_archive_is_sealed(reading->store, place->archive))
		return true;
	if (hf_image_batch_is_large(image))
		return read_large(reading, image, error);
	hf_image_batch_add(reading->batch, image);
	return !hf_image_batch_is_full(reading->batch) || read_batch(reading, error);
}

static bool
read_images(Reading *reading, GError **error)
{
	const HfImagesRecord *record = reading->manifest->images;
	g_autoptr(HfImageView) view = hf_image_view_new(reading->store, reading->manifest, NULL);
	uint64_t damages = reading->damages;
	const HfImage *image;
	const char *damage;

	do {
		if (!hf_cancel_check(error) || !hf_image_view_next(view, &image, &damage, error) ||
		    (image && !read_image(reading, image, error)))
			return false;
		if (damage)
			note(reading, damage);
	} while (image || damage);
	if (!read_batch(reading, error))
		return false;
	if (hf_image_view_was_rebuilt(view))
		note(reading, "the index of the images was changed; its parity has what it held, and no "
			      "image is lost");
	if (damages == reading->damages &&
	    (reading->objects != record->objects || reading->troubled != record->troubled))
		note(reading, "the index counts other images than the manifest");
	return true;
}

static bool
read_dead(Reading *reading, GError **error)
{
	g_autoptr(HfDeadReader) reader = hf_dead_open(reading->store, reading->manifest);
	g_autoptr(GError) trouble = NULL;
	const HfDead *dead;
	uint64_t paths = 0;

	do {
		if (!hf_dead_next(reader, &dead, &trouble))
			return note_damage(reading, trouble, error);
		if (dead)
			paths += ((dead->paths & HF_DEAD_PLAIN) ? 1U : 0U) +
				 ((dead->paths & HF_DEAD_ESCAPED) ? 1U : 0U);
	} while (dead);
	if (paths != reading->manifest->images->dead_paths)
		note(reading, "the list of dead paths has another length than the manifest says");
	return true;
}

static bool
pass_reference(void *context, HfReferenceKind kind, const char *key, GError **error)
{
	(void)context, (void)kind, (void)key, (void)error;
	return true;
}

static bool
read_references(Reading *reading, GError **error)
{
	g_autoptr(GError) trouble = NULL;

	return hf_reference_list_read(reading->store, reading->manifest, pass_reference, NULL, &trouble) ||
	       note_damage(reading, trouble, error);
}

/* Where this host has no key to the index, its bytes and those beside it are compared with their digests. */
static bool
read_sealed(Reading *reading, GError **error)
{
	const HfImagesRecord *record = reading->manifest->images;
	const HfArchive *archives[] = {record->index, record->top, record->parity, record->dead,
				       record->references ? record->references->list : NULL};

	for (size_t i = 0; i < G_N_ELEMENTS(archives); i++)
		if (archives[i] && !read_archive(reading, archives[i], reading->manifest->id, error))
			return false;
	return true;
}

static bool
read_all(Reading *reading, GError **error)
{
	const HfImagesRecord *record = reading->manifest->images;

	for (guint i = 0; i < record->archives->len; i++) {
		const HfImageArchive *place = g_ptr_array_index(record->archives, i);

		if (!read_archive(reading, place->archive, place->set_id, error))
			return false;
	}
	if (hf_archive_is_sealed(reading->store, record->index))
		return read_sealed(reading, error);
	return read_images(reading, error) &&
	       (!record->parity || read_archive(reading, record->parity, reading->manifest->id, error)) &&
	       (!record->dead || read_dead(reading, error)) &&
	       (!record->references || read_references(reading, error));
}

bool
hf_verify_images_read(HfStore *store, const HfManifest *manifest, uint64_t *bytes, GError **error)
{
	Reading reading = {
		.store = store,
		.manifest = manifest,
		.bytes = bytes,
		.batch = hf_image_batch_new(store, manifest),
	};
	bool ok = read_all(&reading, error);

	if (ok && reading.damages > 0)
		ok = hf_error_set(error, HF_ERROR_CORRUPT, "%" G_GUINT64_FORMAT " damaged; the first: %s",
				  reading.damages, reading.first);
	hf_image_batch_free(reading.batch);
	g_free(reading.first);
	return ok;
}
