/*
 * backup/job/images-view-out.h -- the view of a set of images as it is stored: the index with its pieces and their parity,
 * and the list of dead paths.  Keys come in byte order; what they say is counted in the record.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/catalog/dead-paths.h"
#include "backup/catalog/image-index.h"

typedef struct HfImagesViewOut HfImagesViewOut;

/* Borrows all; store is the writer's place, to read the index back from. */
HfImagesViewOut *hf_images_view_out_new(HfSetWriter *writer, HfStore *store, HfCompressionKind kind,
					HfImagesRecord *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The next image, or the next object that could not be read; it counts as live in the record's archives. */
bool hf_images_view_out_write(HfImagesViewOut *out, const HfImage *image,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* paths, of HfDeadPaths, lie in archives under this key and are not of the view; 0: none. */
bool hf_images_view_out_bury(HfImagesViewOut *out, const char *key, unsigned paths,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Closes and stores everything; fills the record. */
bool hf_images_view_out_finish(HfImagesViewOut *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_images_view_out_free(HfImagesViewOut *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImagesViewOut, hf_images_view_out_free)
