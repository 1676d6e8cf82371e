/*
 * backup/job/images-base.h -- the set that a run of images goes on from.
 */
#pragma once

#include "backup/catalog/catalog.h"

/*
 * Puts the newest set of images of this source into *base_out; NULL where there is none that can be gone on from, and
 * then *reason_out says why if there were sets of images at all.  All archives it refers to were seen to be in the
 * store with their recorded sizes.
 */
bool hf_images_base_find(HfStore *store, const char *source, HfManifest **base_out, char **reason_out,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;
