#include "config.h"

#include "backup/restore/images.h"
#include "backup/archive/borrow.h"
#include "backup/catalog/image-batch.h"
#include "backup/restore/images-merge.h"
#include "backup/store/put.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

/* S3 removes so many with one request (API reference, "DeleteObjects"). */
#define REMOVE_AT_ONCE 1000

typedef struct {
	HfStore *store;
	const HfManifest *manifest;
	const HfRestoreImages *options;
	HfRestoredImages *result;
	HfImageBatch *batch;
	HfPut *put;
	GPtrArray *
		parents; /* keys that are a beginning of the present one: at most as many as a key has bytes */
	bool is_folder;
} Restore;

void
hf_restored_images_clear(HfRestoredImages *result)
{
	g_clear_pointer(&result->troubles, g_ptr_array_unref);
}

/* ---- telling ---- */

static void
fail(Restore *restore, const char *message)
{
	restore->result->failed++;
	if (restore->result->troubles->len < HF_RESTORE_TROUBLES_MAX)
		g_ptr_array_add(restore->result->troubles, g_strdup(message));
	g_warning("not restored: %s", message);
}

static void
count(const Restore *restore, uint64_t bytes)
{
	HfProgress *progress = restore->options->progress;

	if (!progress)
		return;
	__atomic_fetch_add(&progress->objects, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&progress->bytes, bytes, __ATOMIC_RELAXED);
}

static void
begin_phase(const Restore *restore, const char *phase)
{
	if (restore->options->progress)
		__atomic_store_n(&restore->options->progress->phase, phase, __ATOMIC_RELEASE);
}

static void
stored(Restore *restore, const HfImage *image)
{
	restore->result->restored++;
	restore->result->restored_bytes += image->bytes;
	count(restore, image->bytes);
}

/* ---- writing ---- */

static bool
flush(Restore *restore, GError **error)
{
	const GPtrArray *images = hf_image_batch_images(restore->batch);

	if (images->len == 0)
		return true;
	if (!hf_image_batch_read(restore->batch, error))
		return false;
	for (guint i = 0; i < images->len; i++) {
		const HfBatchImage *item = g_ptr_array_index(images, i);

		if (item->trouble) {
			fail(restore, item->trouble->message);
			continue;
		}
		if (!hf_put_object(restore->put, item->image->key, &item->image->meta, item->content, error))
			return false;
		stored(restore, item->image);
	}
	hf_image_batch_clear(restore->batch);
	return true;
}

/* The object becomes visible by the finish alone: after its digest agreed. */
static bool
stream_large(Restore *restore, const HfImage *image, GError **error)
{
	g_autoptr(HfStage) write = hf_put_stream(restore->put, image->key, &image->meta, error);
	g_autoptr(HfStage) watched = NULL;
	g_autoptr(GError) trouble = NULL;
	bool has_failed = false;

	if (!write)
		return false;
	watched = hf_borrow_new(write, &has_failed);
	if (hf_image_read(restore->store, restore->manifest, image, watched, &trouble)) {
		if (!hf_stage_finish(write, error))
			return false;
		stored(restore, image);
		return true;
	}
	if (has_failed ||
	    (!hf_error_is(trouble, HF_ERROR_CORRUPT) && !hf_error_is(trouble, HF_ERROR_NOT_FOUND))) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	fail(restore, trouble->message);
	return true;
}

/* ---- which ---- */

/* A folder cannot hold the files "a" and "a/b"; the former comes first. */
static bool
has_parent(Restore *restore, const char *key)
{
	GPtrArray *parents = restore->parents;
	bool found = false;

	while (parents->len > 0 && !g_str_has_prefix(key, g_ptr_array_index(parents, parents->len - 1)))
		g_ptr_array_remove_index(parents, parents->len - 1);
	for (guint i = 0; i < parents->len && !found; i++)
		found = key[strlen(g_ptr_array_index(parents, i))] == '/';
	if (!found)
		g_ptr_array_add(parents, g_strdup(key));
	return found;
}

static bool
can_take(Restore *restore, const char *key)
{
	const char *skip = restore->options->skip_prefix;
	g_autoptr(GError) trouble = NULL;

	if (!hf_store_takes_key(restore->options->target, key, &trouble))
		;
	else if (skip && g_str_has_prefix(key, skip))
		hf_error_set(&trouble, HF_ERROR_USAGE, "key \"%s\": it lies where the backups are", key);
	else if (restore->is_folder && has_parent(restore, key))
		hf_error_set(&trouble, HF_ERROR_USAGE,
			     "key \"%s\": a folder cannot hold it, since a beginning of it is a file: use a "
			     "bucket, or RESTORE.txt",
			     key);
	if (trouble)
		fail(restore, trouble->message);
	return !trouble;
}

static bool
is_same(const HfImage *image, const HfObject *object)
{
	return image->bytes == object->bytes && object->etag && g_strcmp0(image->etag, object->etag) == 0;
}

static bool
is_kept(const Restore *restore, const HfImagesStep *step)
{
	return step->object &&
	       (restore->options->mode == HF_RESTORE_MISSING || is_same(step->image, step->object));
}

static bool
restore_image(Restore *restore, const HfImagesStep *step, GError **error)
{
	const HfImage *image = step->image;

	if (image->trouble) {
		restore->result->absent++;
		g_warning("image \"%s\" is not in the set: it could not be read then: %s", image->key,
			  image->trouble);
		return true;
	}
	if (!can_take(restore, image->key))
		return true;
	if (is_kept(restore, step)) {
		restore->result->kept++;
		count(restore, image->bytes);
		return true;
	}
	if (hf_image_batch_is_large(image))
		return flush(restore, error) && stream_large(restore, image, error);
	hf_image_batch_add(restore->batch, image);
	return !hf_image_batch_is_full(restore->batch) || flush(restore, error);
}

/* ---- the passes ---- */

static HfImagesMerge *
merge_new(const Restore *restore, GError **error)
{
	const HfImagesMergeOptions options = {
		.store = restore->store,
		.manifest = restore->manifest,
		.target = restore->options->listed,
		.skip_prefix = restore->options->skip_prefix,
		.only = restore->options->only,
	};

	return hf_images_merge_new(&options, error);
}

static bool
is_at_end(const HfImagesStep *step)
{
	return !step->image && !step->object && !step->damage;
}

static bool
refuse(const Restore *restore, const HfImagesStep *step, GError **error)
{
	const char *where = hf_store_location(restore->options->target);

	if (step->image)
		return hf_error_set(
			error, HF_ERROR_CONFLICT,
			"\"%s\" holds \"%s\", which would be overwritten: add --missing-only to restore "
			"only what is not there, or --overwrite",
			where, step->object->key);
	return hf_error_set(
		error, HF_ERROR_CONFLICT,
		"\"%s\" holds \"%s\", which is not in the set: add --missing-only or --overwrite to let it "
		"be, or --mirror to remove it",
		where, step->object->key);
}

/* An empty target, the usual one, spares reading most of the index. */
static bool
check_is_free(const Restore *restore, GError **error)
{
	g_autoptr(HfImagesMerge) merge = merge_new(restore, error);
	HfImagesStep step;

	if (!merge)
		return false;
	do {
		if (!hf_cancel_check(error) || !hf_images_merge_next(merge, &step, error))
			return false;
		if (step.object && !(step.image && is_same(step.image, step.object)))
			return refuse(restore, &step, error);
	} while (!hf_images_merge_is_past_objects(merge));
	return true;
}

static bool
write_images(Restore *restore, GError **error)
{
	g_autoptr(HfImagesMerge) merge = merge_new(restore, error);
	HfImagesStep step;

	if (!merge)
		return false;
	do {
		if (!hf_cancel_check(error) || !hf_images_merge_next(merge, &step, error))
			return false;
		if (step.damage)
			fail(restore, step.damage);
		else if (step.image && !restore_image(restore, &step, error))
			return false;
	} while (!is_at_end(&step));
	return flush(restore, error) && hf_put_finish(restore->put, error);
}

static bool
remove_some(Restore *restore, GPtrArray *keys, GError **error)
{
	guint some = keys->len;

	g_ptr_array_add(keys, NULL);
	if (!hf_store_remove(restore->options->target, (const char *const *)keys->pdata, error))
		return false;
	restore->result->removed += some;
	g_ptr_array_set_size(keys, 0);
	return true;
}

static bool
remove_others(Restore *restore, GError **error)
{
	g_autoptr(HfImagesMerge) merge = merge_new(restore, error);
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	HfImagesStep step;

	if (!merge)
		return false;
	do {
		if (!hf_cancel_check(error) || !hf_images_merge_next(merge, &step, error))
			return false;
		if (step.damage)
			return hf_error_set(error, HF_ERROR_CORRUPT, "nothing more was removed: %s",
					    step.damage);
		if (step.object && !step.image)
			g_ptr_array_add(keys, g_strdup(step.object->key));
		if (keys->len == REMOVE_AT_ONCE && !remove_some(restore, keys, error))
			return false;
	} while (!is_at_end(&step));
	return keys->len == 0 || remove_some(restore, keys, error);
}

static bool
run(Restore *restore, GError **error)
{
	HfRestoreMode mode = restore->options->mode;
	uint64_t failed;

	begin_phase(restore, "comparing");
	if (mode == HF_RESTORE_CAREFULLY && !check_is_free(restore, error))
		return false;
	begin_phase(restore, "restoring");
	restore->put = hf_put_new(restore->options->target, NULL);
	if (!write_images(restore, error))
		return false;
	g_clear_pointer(&restore->put, hf_put_free);
	failed = restore->result->failed;
	if (failed > 0)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "%" G_GUINT64_FORMAT
				    " of the set \"%s\" could not be restored, all others were%s; "
				    "the first: %s",
				    failed, restore->manifest->id,
				    mode == HF_RESTORE_MIRROR ? ", and nothing was removed" : "",
				    (const char *)g_ptr_array_index(restore->result->troubles, 0));
	begin_phase(restore, "removing");
	return mode != HF_RESTORE_MIRROR || remove_others(restore, error);
}

bool
hf_images_restore(HfStore *store, const HfManifest *manifest, const HfRestoreImages *options,
		  HfRestoredImages *result_out, GError **error)
{
	Restore restore = {
		.store = store,
		.manifest = manifest,
		.options = options,
		.result = result_out,
		.batch = hf_image_batch_new(store, manifest),
		.parents = g_ptr_array_new_with_free_func(g_free),
		.is_folder = *hf_store_location(options->target) == '/',
	};
	bool ok;

	*result_out = (HfRestoredImages){.troubles = g_ptr_array_new_with_free_func(g_free)};
	ok = run(&restore, error);
	hf_put_free(restore.put);
	hf_image_batch_free(restore.batch);
	g_ptr_array_unref(restore.parents);
	return ok;
}
