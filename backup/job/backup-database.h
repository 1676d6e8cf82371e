/*
 * backup/job/backup-database.h -- one run: a database into a store.
 *
 * pg_dump -> meter -> scan -> archive; then globals, the index, RESTORE.txt, and the manifest last.  Whatever fails
 * before that removes what was stored: no manifest, no orphan.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/job/progress.h"
#include "backup/source/postgres.h"

typedef struct {
	const HfPgTarget *target;
	const char *bin_dir; /* NULL: found */
	HfPgDumpOptions dump;
	HfCompression compression;
	uint64_t archive_bytes;  /* 0: the default */
	const char *state_dir;   /* BACKUP_STATE_DIR, for the lock; NULL: none is taken */
	HfProgress *progress;    /* NULL: not wanted */
	unsigned shrink_percent; /* SHRINK_ALERT_PERCENT; 0: the default (backup/verify/shrink.h) */
} HfBackupDatabase;

/*
 * Stores the database as a part of the set that writer writes, and fills manifest->database; target, bin_dir and
 * state_dir are not looked at.  The caller commits.
 */
bool hf_backup_database_into(HfSetWriter *writer, HfPostgres *postgres, const HfBackupDatabase *options,
			     HfManifest *manifest, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs as a set of its own; gives the committed set's manifest, whose alarms say whether it is suspect. */
HfManifest *hf_backup_database(HfStore *store, const HfBackupDatabase *options,
			       GError **error) G_GNUC_WARN_UNUSED_RESULT;
