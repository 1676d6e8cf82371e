/*
 * backup/restore/parallel.h -- the rows and what follows them, over several connections.
 *
 * The statements are read in the dump's order.  Rows of different tables, and pieces of one table, are copied side by
 * side; what is set of sequences and large objects meanwhile goes through one connection in its order.  Then indexes and
 * keys are made side by side, the larger tables' first, then foreign keys of tables that have nothing to do with each
 * other.  Whatever is none of these waits for all before it, and all after it waits for it: so the result is psql's, but
 * for the order of rows inside of a table.
 */
#pragma once

#include "backup/job/progress.h"
#include "backup/restore/facts.h"
#include "backup/restore/pool.h"

typedef struct {
	HfStore *store;
	const HfArchive *archive; /* with its members */
	const GPtrArray *tables;  /* of HfTable, at least one: the restore begins at the first one's COPY */
	const HfDumpFacts *facts;
	const HfPgTarget *target;
	HfStoreOpener open_store;
	gpointer open_data;
	unsigned jobs;
	HfProgress *progress; /* NULL: not wanted */
} HfParallelOptions;

/*
 * All in front of the first table's COPY was restored already.  Errors name the statement's line.  Success means that the
 * server took as many rows of each table as tables says.
 */
bool hf_restore_parallel(const HfParallelOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;
