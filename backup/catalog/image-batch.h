/*
 * backup/catalog/image-batch.h -- the contents of many images of a set, read together.
 *
 * What lies close together in an archive is read by one ranged request: where most of an archive is wanted, that is the
 * archive from its beginning to its end, and where little is wanted, little is read.  A damaged image is the trouble of
 * that image alone.
 */
#pragma once

#include "backup/catalog/image-index.h"

typedef struct HfImageBatch HfImageBatch;

typedef struct {
	HfImage *image;
	GBytes *content; /* its SHA-256 is the recorded one; NULL: trouble says why */
	GError *trouble;
} HfBatchImage;

/* Whether an image is to be streamed by hf_image_read() instead: it is too large to be held. */
bool hf_image_batch_is_large(const HfImage *image);

/* Borrows both. */
HfImageBatch *hf_image_batch_new(HfStore *store, const HfManifest *manifest);

/* Adds an image that is not large and has no trouble; copied.  In a batch that is full it must wait. */
void hf_image_batch_add(HfImageBatch *batch, const HfImage *image);
bool hf_image_batch_is_full(const HfImageBatch *batch);

/* Reads what was added.  False only where the store fails; what is damaged is in the images. */
bool hf_image_batch_read(HfImageBatch *batch, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Those that were added, of HfBatchImage, in the order of adding; borrowed until the next clear. */
const GPtrArray *hf_image_batch_images(const HfImageBatch *batch);
void hf_image_batch_clear(HfImageBatch *batch);
void hf_image_batch_free(HfImageBatch *batch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImageBatch, hf_image_batch_free)
