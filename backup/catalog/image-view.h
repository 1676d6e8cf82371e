/*
 * backup/catalog/image-view.h -- the images of a set for whoever restores, shows or proves them: what can be read of the
 * index is read, and what is damaged of it is told and passed over.
 *
 * Unlike image-index.h, which ends at the first damage, since a backup must not go on from a half-known view.  The index
 * is read piece by piece; an image is handed out only after the whole piece agreed with its checksums, so that a turned
 * bit never gives an image another name.
 */
#pragma once

#include "backup/catalog/image-index.h"

typedef struct HfImageView HfImageView;

/* Images whose keys begin with prefix; NULL: all, and then the index's own digest is compared, too.  Borrows both. */
HfImageView *hf_image_view_new(HfStore *store, const HfManifest *manifest, const char *prefix);

/* Begins behind this key, which need not be one of the set's; before the first call of next.  What lies before is not read. */
void hf_image_view_start_after(HfImageView *view, const char *key);

/*
 * The next image in byte order of key, or what is damaged and between which keys; both NULL at the end.  Borrowed
 * until the next call.  False only where the store fails.
 */
bool hf_image_view_next(HfImageView *view, const HfImage **image_out, const char **damage_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Whether a piece was damaged, and read by way of the index's parity (index-parity.h): then no image was lost, and a
 * warning was logged, but another damage might not be mended.
 */
bool hf_image_view_was_rebuilt(const HfImageView *view);

void hf_image_view_free(HfImageView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImageView, hf_image_view_free)
