/*
 * backup/verify/verify-images.h -- the part of verify.h that is about images.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/job/progress.h"

/* Every part of the archive is in the store with its size. */
bool hf_verify_sizes(HfStore *store, const HfArchive *archive, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Level 1: every archive that the set's index refers to, those of earlier sets among them, is in the store. */
bool hf_verify_images_stored(HfStore *store, const HfImagesRecord *record,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Level 2: the parts' digests agree and they unpack, the index and the lists of dead paths and references parse to their ends, and every
 * image's SHA-256 is the index's.  Archives are read twice: as they are stored, and image by image.  All damage is
 * logged; CORRUPT counts it and says the first.  bytes is added to, atomically.
 */
bool hf_verify_images_read(HfStore *store, const HfManifest *manifest, uint64_t *bytes,
			   GError **error) G_GNUC_WARN_UNUSED_RESULT;
