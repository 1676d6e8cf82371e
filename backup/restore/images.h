/*
 * backup/restore/images.h -- the images of a set back into a bucket or a folder.
 *
 * Each image's SHA-256 is compared before it is stored.  A damaged image is named and left out, and all others are
 * restored; the restore then fails at its end, with the count.  Memory does not depend on the number of images.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/job/progress.h"

/*
 * What is done about objects that the target holds.  One of the size and the etag that the image had when it was backed
 * up is the same object (the target is then where the images came from) and is never written again; every other one
 * differs, since a store's etag is no digest.
 */
typedef enum {
	/*
	 * Before anything is written: CONFLICT where the target holds an object that would be overwritten, or one that
	 * the set does not have.  So what is there afterwards is the set, and nothing was lost.
	 */
	HF_RESTORE_CAREFULLY,
	HF_RESTORE_MISSING,   /* only keys that the target does not have */
	HF_RESTORE_OVERWRITE, /* also what differs */
	HF_RESTORE_MIRROR, /* and removes what the set does not have, once all of it was restored without trouble */
} HfRestoreMode;

typedef struct {
	HfStore *target; /* borrowed: written to */
	HfStore *
		listed; /* borrowed: the same place, opened another time, since a store does one thing at a time */
	const char *skip_prefix; /* NULL, or what keys of the target begin with that are the backups' own */
	const char
		*only; /* NULL, or a glob (images-merge.h): all else is neither read, written nor removed */
	HfRestoreMode mode;
	HfProgress *progress; /* NULL: not wanted */
} HfRestoreImages;

/* So many troubles are kept in the result; all of them are logged. */
#define HF_RESTORE_TROUBLES_MAX 100

typedef struct {
	uint64_t restored, restored_bytes;
	uint64_t kept;    /* the target had them, and they were left alone */
	uint64_t removed; /* by HF_RESTORE_MIRROR */
	uint64_t failed;  /* damaged images, stretches of the index, and keys that the target cannot take */
	uint64_t absent;  /* the set names them, but could not read them when it was made */
	GPtrArray *troubles; /* of char: the first ones */
} HfRestoredImages;

/* result_out is filled also on failure; clear it.  CORRUPT where anything failed that is counted. */
bool hf_images_restore(HfStore *store, const HfManifest *manifest, const HfRestoreImages *options,
		       HfRestoredImages *result_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_restored_images_clear(HfRestoredImages *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfRestoredImages, hf_restored_images_clear)
