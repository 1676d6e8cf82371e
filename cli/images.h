/*
 * cli/images.h -- what the commands about images share.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/catalog/image-index.h"
#include "common/json.h"

/*
 * A set that holds images: by its whole id, which costs one request, by a unique beginning of it, or "latest": the newest
 * complete one that holds images, or the newest partial one where there is none.  NOT_FOUND where the set holds none.
 */
HfManifest *hf_cli_find_images(HfStore *store, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "key", "bytes", "modified", "type", "sha256", "set" (whose archive holds it) or "trouble".  The caller owns it. */
HfJson *hf_cli_image_json(const HfManifest *manifest, const HfImage *image);

/* Prints an object as a line of its own, and takes it. */
void hf_cli_print_line(HfJson *object);
