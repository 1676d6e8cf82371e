/*
 * backup/job/backup-full.h -- one run: a database and its images into one set, which is one point in time.
 *
 * The database's snapshot is taken first and held; the listing of the images starts after it.  Both are stored at the
 * same time, each by a thread with a store handle of its own.
 */
#pragma once

#include "backup/job/backup-database.h"
#include "backup/job/backup-images.h"

typedef struct {
	HfBackupDatabase database;
	HfBackupImages images;
	HfStore *images_store; /* required: a second handle, opened on the same place as store */
	const char *
		references_sql; /* NULL, or a query for the keys that rows name (backup/source/references.h) */
} HfBackupFull;

/*
 * Runs; gives the committed set's manifest.  Where the database fails nothing is stored.  Where the images fail, the
 * database is kept: the set is committed as partial, without images, and its note says why.  Both halves' state_dir and
 * shrink_percent are taken from options->database.
 */
HfManifest *hf_backup_full(HfStore *store, const HfBackupFull *options,
			   GError **error) G_GNUC_WARN_UNUSED_RESULT;
