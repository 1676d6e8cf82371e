/*
 * backup/restore/images-merge.h -- the images of a set beside what a target holds: both in byte order of key, a key at a
 * time, in constant memory.
 */
#pragma once

#include "backup/catalog/image-view.h"

typedef struct HfImagesMerge HfImagesMerge;

typedef struct {
	HfStore *store; /* of the set */
	const HfManifest *manifest;
	HfStore *target;         /* NULL: nothing to compare with */
	const char *skip_prefix; /* NULL, or keys of the target that are none of the images' */
	const char *only;        /* NULL, or a glob: see hf_images_glob_matches() */
} HfImagesMergeOptions;

/* What is known of one key: image, object, or both; or damage alone, of the index.  Borrowed until the next step. */
typedef struct {
	const HfImage *image;
	const HfObject *object;
	const char *damage;
} HfImagesStep;

/* Borrows all that options point to. */
HfImagesMerge *hf_images_merge_new(const HfImagesMergeOptions *options,
				   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All NULL at the end. */
bool hf_images_merge_next(HfImagesMerge *merge, HfImagesStep *step_out,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether no object of the target is left to come. */
bool hf_images_merge_is_past_objects(const HfImagesMerge *merge);
void hf_images_merge_free(HfImagesMerge *merge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImagesMerge, hf_images_merge_free)

/*
 * "*", "?" and "[...]" as the shell knows them (fnmatch(3)), but over the whole key: "*" matches slashes, too, as those of
 * awscli's --include do.  A backslash takes the meaning from what follows.
 */
bool hf_images_glob_matches(const char *glob, const char *key);
