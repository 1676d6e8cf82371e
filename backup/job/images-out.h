/*
 * backup/job/images-out.h -- what a run of images stores: the tarball, the index, and the list of dead paths, written at
 * the same time.
 *
 * All keys of the new view pass through here in byte order.  The index needs to know where an entry lies in the packed
 * tarball, which is known only after it was compressed; so keys wait in a queue, which is bounded, until those in front
 * of them can leave.  What is asked for but not read yet waits there, too.
 */
#pragma once

#include "backup/catalog/image-index.h"
#include "backup/job/backup-images.h"
#include "backup/store/fetch.h"

typedef struct HfImagesOut HfImagesOut;

/* A key's place in the order; the out's own. */
typedef struct HfOutItem HfOutItem;

/*
 * Borrows all four; store is the writer's place, to read the index back from.  record->archives holds the earlier archives that the index may refer to; the out adds the new
 * one, counts what is live in each, and at finish drops those in which nothing is.
 */
HfImagesOut *hf_images_out_new(HfSetWriter *writer, HfStore *store, const HfBackupImages *options,
			       HfImagesRecord *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The next key is as it was; dead are the paths of it that are to be removed, of HfDeadPaths. */
bool hf_images_out_carry(HfImagesOut *out, const HfImage *image, unsigned dead,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The next key is in no bucket any more, but in archives. */
bool hf_images_out_bury(HfImagesOut *out, const char *key, unsigned dead,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The next key will be read.  path as hf_tarball_path() gives it; stale: what earlier archives hold under this key.
 * Each reserved place must be settled, in order, by one of the three below.
 */
HfOutItem *hf_images_out_reserve(HfImagesOut *out, const HfObject *object, const char *path, unsigned stale);

/* Where the object cannot be read, the line of last is carried over instead of a trouble: its content is in the store. */
void hf_images_out_fall_back(HfOutItem *item, const HfImage *last);

/* The object as it was read, with its digest; its place in the archives is filled in here. */
bool hf_images_out_store(HfImagesOut *out, HfOutItem *item, const HfImage *image, GBytes *content,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a large object, which is read now: what hf_fetch_next() has handed out. */
bool hf_images_out_stream(HfImagesOut *out, HfOutItem *item, const HfImage *image, HfFetch *fetch,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* It could not be read. */
bool hf_images_out_trouble(HfImagesOut *out, HfOutItem *item, const char *reason,
			   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True where no more keys should be handed over before the oldest reserved ones are settled. */
bool hf_images_out_is_crowded(const HfImagesOut *out);

/* Waits for the compressor, so that all keys leave that are settled and have no unsettled one in front of them. */
bool hf_images_out_drain(HfImagesOut *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True once a part of the tarball has come to its end: what is complete is worth keeping where the run must stop. */
bool hf_images_out_has_part(const HfImagesOut *out);

/* Closes and stores everything; fills the record. */
bool hf_images_out_finish(HfImagesOut *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_images_out_free(HfImagesOut *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImagesOut, hf_images_out_free)
