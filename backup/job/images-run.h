/*
 * backup/job/images-run.h -- one attempt at a run of images: from the merge of listing and last index to what is stored.
 */
#pragma once

#include "backup/job/backup-images.h"
#include "backup/source/objects.h"

/* An archive with fewer dead bytes is never given up. */
#define HF_WORN_BYTES_MIN ((uint64_t)64 << 10)

typedef struct {
	HfSetWriter *writer;
	HfStore *store;
	const HfBackupImages *options;
	const HfManifest *base; /* the set to go on from; NULL: a full run */
	bool is_unordered;      /* the source lists out of order */
} HfImagesRun;

/*
 * Stores all and fills the record, whose archives are those of base.  Where it fails, *remedy_out says what would make
 * another attempt succeed; everything this one stored is gone then.
 */
bool hf_images_run(const HfImagesRun *given, HfImagesRecord *record, HfRemedy *remedy_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;
