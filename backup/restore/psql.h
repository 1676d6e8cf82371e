/*
 * backup/restore/psql.h -- psql as the end of a chain, and what it says where it stops.
 */
#pragma once

#include "backup/source/postgres.h"

typedef struct HfPsql HfPsql;

typedef struct {
	const HfPgTarget *target;
	const char *bin_dir;      /* NULL: found as hf_pg_program() does */
	const char *dump_version; /* NULL, or pg_dump's: psql must not be of an older major */
	const char *globals_hint; /* NULL, or the remedy for a missing role */
	const char *stays;        /* what to say at the end of an error: of what was restored before it */
	unsigned lines_before;    /* of our own, in front of the dump's first */
	uint64_t *bytes;          /* added to, atomically; NULL: not wanted */
} HfPsqlOptions;

/* The program; CANCELLED where a stop was asked for meanwhile.  g_free() it. */
char *hf_psql_find(const char *dump_version, const char *bin_dir, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* `psql -X -v ON_ERROR_STOP=1`, which waits for statements.  Copies nothing of options. */
HfPsql *hf_psql_start(const HfPsqlOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

bool hf_psql_write(HfPsql *psql, const char *bytes, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Closes its input and proves that it ended well. */
bool hf_psql_end(HfPsql *psql, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The end of a chain that writes into psql, which is borrowed and not ended by it. */
HfStage *hf_psql_stage_new(HfPsql *psql);

/* Replaces *error by psql's own first error, with the line, the remedy and options->stays, where psql failed; false. */
bool hf_psql_explain(HfPsql *psql, GError **error);

/* Kills it where it was not ended. */
void hf_psql_free(HfPsql *psql);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPsql, hf_psql_free)
