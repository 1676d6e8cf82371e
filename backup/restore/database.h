/*
 * backup/restore/database.h -- a dump back into a database, by psql.
 *
 * The archive is unpacked into `psql -X -v ON_ERROR_STOP=1`; then every table's rows are counted and compared with what
 * the scan saw when the dump was made.
 */
#pragma once

#include "backup/job/progress.h"
#include "backup/restore/facts.h"
#include "backup/restore/pool.h"

typedef struct {
	const HfPgTarget *target;
	const char *bin_dir; /* NULL: found as hf_pg_program() does */
	const char *
		dump_version; /* pg_dump's that made it; psql must not be of an older major.  NULL: not known */
	const char *encoding, *collate,
		*ctype;         /* of the original, for create; NULL, or a locale that the server
	                                           does not know: the server's default */
	const char *tablespace; /* quoted, for create; NULL: the server's default */
	const GPtrArray
		*tables; /* of HfTable, what must be there afterwards; NULL: not known, nothing is compared */
	const char *
		globals_hint; /* NULL, or the command that brings the roles, for the error about a missing one */
	bool create;          /* make the database; it must not exist.  A failed restore drops it again */
	bool allow_non_empty; /* else a database that holds any table, view, function or large object is CONFLICT */
	uint64_t *bytes; /* progress: plain bytes so far, added atomically; NULL: not wanted */
	/*
	 * Over how many connections; 0 or 1: psql alone.  More wants all of the rest, and tables; psql still restores alone
	 * what cannot be taken apart, and the result says why.
	 */
	unsigned jobs;
	HfStoreOpener open_store;
	gpointer open_data;
	const HfDumpFacts *facts; /* NULL: read where they are wanted */
	HfProgress *progress; /* NULL: no phases are wanted; its bytes are not touched where bytes is NULL */
	bool keep_failed;     /* with create: leaves what was made where the restore fails */
} HfRestoreDatabase;

typedef struct {
	uint64_t tables, rows;     /* counted in the restored database and found equal */
	unsigned connections;      /* that worked on it; 1: psql */
	const char *serial_reason; /* static, or NULL: why psql restored it alone though more was asked for */
} HfRestoreResult;

/*
 * Restores.  A failure says psql's own first error with the line; without create, what was restored before it stays,
 * and the message says so.  CORRUPT where the archive is damaged or the counts differ (the first differing table is
 * named).
 */
bool hf_restore_database(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options,
			 HfRestoreResult *result_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
