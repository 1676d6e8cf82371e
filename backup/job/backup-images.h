/*
 * backup/job/backup-images.h -- one run: a bucket or a folder of images into a store.
 *
 * The live listing is merged with the index of the last set of the same source; what is new or changed is fetched,
 * hashed, and written into this set's tarball, while the new index, a full view, is written beside it.  Memory does
 * not depend on the number of objects.  Objects that cannot be read make the set partial, never absent.
 *
 * A run begins again as a full one, and the record says why, where the last index is lost or damaged, or where a name
 * turned from a file into a folder (docs/format.md, "Names in the tarball").
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/job/progress.h"

/* Zero means the default, which is written behind each. */
typedef struct {
	HfStore *source;         /* required, borrowed */
	const char *skip_prefix; /* NULL, or what keys of the source begin with that are the backups' own */
	bool full;               /* refers to no earlier archive, although there may be some */
	HfCompression compression;
	uint64_t archive_bytes; /* 100 GiB */
	HfProgress *progress;   /* NULL: not wanted */
	const int *unwanted;    /* NULL, or atomic: the run stops with CANCELLED once it is not 0 */
	const char *
		state_dir; /* NULL, or where the lock lies that keeps two runs on this host apart: CONFLICT */
	unsigned shrink_percent; /* SHRINK_ALERT_PERCENT; 0: the default (backup/verify/shrink.h) */
} HfBackupImages;

/*
 * Stores the images as a part of the set that writer writes, and fills manifest->images; sets manifest->status and
 * manifest->note where objects could not be read (HF_SET_PARTIAL: exit 3).  The caller commits.  Cancelled, or cut off
 * from the source, after a part of the tarball was stored whole: what is complete by then becomes a partial set whose
 * note says so, from which the next run goes on.
 */
bool hf_backup_images_into(HfSetWriter *writer, HfStore *store, const HfBackupImages *options,
			   HfManifest *manifest, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs as a set of its own; gives the committed set's manifest. */
HfManifest *hf_backup_images(HfStore *store, const HfBackupImages *options,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;
