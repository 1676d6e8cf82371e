/*
 * backup/restore/run.h -- a set's database restored in one of several ways, as the command line and a job do it.
 *
 * Preflight, restore, check, and where it was asked for the swap.  What came of it is written into a JSON object, which is
 * the reply of `holdfast restore database --json` and a job's result.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/job/progress.h"
#include "backup/restore/preflight.h"
#include "common/json.h"
#include "common/settings.h"

typedef enum {
	HF_RESTORE_INTO,     /* a database that is there, and empty */
	HF_RESTORE_CREATE,   /* one that is not there */
	HF_RESTORE_SWAP,     /* beside a live one, whose place it takes; wants confirm */
	HF_RESTORE_IN_PLACE, /* instead of what a live one holds; wants confirm */
	HF_RESTORE_TABLES,   /* some tables alone */
} HfRestoreWay;

typedef struct {
	const HfSettings *settings; /* the store, DB_BIN_DIR */
	const char *from;           /* NULL, or the replica that store is (backup/store/replica.h) */
	const HfPgTarget *target;
	HfRestoreWay way;
	const char *confirm;       /* for SWAP and IN_PLACE: the target database's name, or it is USAGE */
	const char *const *tables; /* for TABLES: NULL-terminated */
	bool data_only;            /* for TABLES */
	bool allow_non_empty;      /* for INTO and TABLES */
	bool preflight_only;       /* say what would stand in the way, and stop */
	bool skip_preflight;       /* go on whatever stands in the way */
	unsigned jobs;        /* 0: the number of cores, at most HF_RESTORE_JOBS_DEFAULT_MAX; 1: psql alone */
	HfProgress *progress; /* NULL: not wanted */
} HfRestoreRun;

#define HF_RESTORE_JOBS_DEFAULT_MAX 8
#define HF_RESTORE_JOBS_MAX 64

/*
 * Restores set, of store.  reply gets, also on failure as far as it came: set, target, way, jobs, preflight (an array of
 * {"error": bool, "what", "remedy"?}), and on success compared, tables, rows, duration; old_database after a swap,
 * brought and left_out of single tables, serial_reason where psql alone did what was to be done by several.
 * With preflight_only it fails where something stands in the way.
 */
bool hf_restore_run(const HfRestoreRun *run, HfStore *store, const HfSet *set, HfJson *reply,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What --jobs 0 means on this host. */
unsigned hf_restore_default_jobs(void);
