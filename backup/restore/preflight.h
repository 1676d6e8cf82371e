/*
 * backup/restore/preflight.h -- whether a restore can go well, asked of the server before the first byte is written.
 *
 * All that stands in the way is named at once, each with its remedy: a restore that stops at its first missing role, and
 * then at its first missing extension, is run five times.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/restore/facts.h"
#include "backup/source/postgres.h"
#include "common/error.h"

typedef struct {
	bool is_error; /* the restore would fail; else it is only to be known */
	HfError code;  /* of an error */
	char *what;    /* "role \"shop\" does not exist on the server" */
	char *remedy;  /* NULL, or what to do */
} HfFinding;

typedef struct {
	const HfPgTarget *target;
	const HfDatabaseRecord *database;
	const HfDumpFacts *facts; /* NULL: not known, as with files of the earlier implementation */
	const char *bin_dir;      /* NULL: as hf_pg_program() finds it */
	const char *globals_hint; /* NULL, or the command that brings the roles */
	bool create;              /* target is to be made */
	bool allow_non_empty;     /* target may hold something */
	const char *replaces;     /* NULL, or the database that target is to take the place of */
	unsigned jobs;
} HfPreflightOptions;

/* Of HfFinding, errors first.  NULL where the server cannot be asked. */
GPtrArray *hf_preflight(const HfPreflightOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All errors among the findings as one; true where there is none. */
bool hf_preflight_check(const GPtrArray *findings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
