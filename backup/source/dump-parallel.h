/*
 * backup/source/dump-parallel.h -- one plain dump, made by three runs of pg_dump and several connections of our own.
 *
 *   pg_dump --section=pre-data   the definitions
 *   our connections              the rows of the tables that the plan takes, side by side, written in order
 *   pg_dump --section=data       all other rows, sequences, large objects
 *   pg_dump --section=post-data  indexes, constraints, triggers
 *
 * All of them are inside the snapshot that the caller's connection holds.  What comes out is what pg_dump alone would have
 * written, but for the order of the tables and two SET statements.
 */
#pragma once

#include "backup/source/postgres-connection.h"

/* All borrowed. */
typedef struct {
	PGconn *connection; /* holds the snapshot */
	const HfPgLogin *login;
	const char *snapshot;
	const char *dump_program;
	const HfPgInfo *info;
	const char *user;
	HfPgDumpOptions options;
} HfDumpParallel;

/*
 * Writes the dump into the chain, as hf_postgres_dump() does.  *is_written_out is false where there is nothing to be won, and
 * nothing was written: then it is pg_dump's alone.
 */
bool hf_dump_parallel(const HfDumpParallel *dump, HfStage *into, bool *is_written_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;
