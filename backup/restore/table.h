/*
 * backup/restore/table.h -- single tables out of a stored dump, by ranged reads of what is theirs.
 *
 * A table that is not there is made as it was: its columns, defaults, the sequences that it owns, keys and indexes.  What
 * leads out of it (foreign keys, triggers, policies, views, its place as a partition) is left out and named.  All of it
 * is one transaction.
 */
#pragma once

#include "backup/job/progress.h"
#include "backup/restore/walk.h"
#include "backup/source/postgres.h"

typedef struct {
	HfStore *store;
	const HfArchive *archive; /* with its members, unless it is not compressed */
	const GPtrArray *tables;  /* of HfTable: all of the set */
	const HfPgTarget *target;
	const char *const *names; /* NULL-terminated: "schema.name", or a name that only one table has */
	bool data_only;           /* rows alone, into tables that exist */
	bool allow_non_empty;     /* rows may be added to what is there */
	HfProgress *progress;     /* NULL: not wanted */
} HfRestoreTables;

typedef struct {
	uint64_t tables, rows;
	uint64_t read_bytes; /* plain bytes that were read of the archive */
	GPtrArray *brought;  /* of char: what was restored beside rows */
	GPtrArray *left_out; /* of char: what of the tables was not, and why */
} HfRestoredTables;

/* result_out is filled on success alone; clear it in any case. */
bool hf_restore_tables(const HfRestoreTables *options, HfRestoredTables *result_out,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_restored_tables_clear(HfRestoredTables *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfRestoredTables, hf_restored_tables_clear)

/* The table that a person means: NOT_FOUND or USAGE (more than one) names what there is.  Borrowed from tables. */
const HfTable *hf_restore_find_table(const GPtrArray *tables, const char *name,
				     GError **error) G_GNUC_WARN_UNUSED_RESULT;
