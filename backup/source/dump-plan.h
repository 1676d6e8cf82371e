/*
 * backup/source/dump-plan.h -- which tables we read ourselves, and in what pieces; everything else is pg_dump's.
 *
 * A table is taken only where a COPY of ranges of its rows is known to give what pg_dump would have written: an ordinary
 * heap table or partition, permanent or unlogged, of some size, with a column that is stored, of no extension and of no
 * system's schema, without row-level security, and not one whose rows pg_dump loads through the root of its partitions.
 * Nothing is taken of a database in which the order of tables may matter for a restore, since some CHECK or
 * generated column calls a function of the database's own that may look at other tables: pg_dump's order is by name, and then
 * stays as it is.
 */
#pragma once

#include "backup/source/postgres-connection.h"

typedef struct {
	char *schema, *name; /* as they are */
	char *owner;
	char *target;   /* schema.name, quoted by PostgreSQL */
	char *columns;  /* "a, b", quoted: those that are stored and not generated */
	char *identity; /* whatever a change of the table would change: its oid, file, columns */
	uint64_t pages;
	uint64_t piece_pages;
	uint64_t first_piece, piece_count; /* pieces are numbered through all tables */
} HfPlanTable;

typedef struct {
	GPtrArray *tables; /* of HfPlanTable, in pg_dump's order: schema and name, by their bytes */
	uint64_t piece_count;
} HfDumpPlan;

/* What may be decided about a plan. */
typedef struct {
	uint64_t table_bytes;  /* tables of this size on, with their TOAST */
	unsigned lock_seconds; /* how long to wait for tables that others have locked; 0: for ever */
} HfDumpPlanOptions;

/*
 * Makes the plan inside the connection's transaction and snapshot and locks its tables (ACCESS SHARE) as pg_dump does.
 * Without tables where there is nothing to take.  CONFLICT where a table stays locked by others.
 */
HfDumpPlan *hf_dump_plan_make(PGconn *connection, const HfDumpPlanOptions *options,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Through a connection that sees the present, not the snapshot, once the tables are locked: CONFLICT, with its
 * name, where a table is no longer what it was in the snapshot.  TRUNCATE and ALTER TABLE do not heed snapshots.
 */
bool hf_dump_plan_check(const HfDumpPlan *plan, PGconn *present, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* For a further connection: the same locks, or CONFLICT at once, since who waits for us would make us wait for them. */
bool hf_dump_plan_lock(const HfDumpPlan *plan, PGconn *connection, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* pg_dump's --exclude-table-data=PATTERN that matches this table and no other.  g_free() it. */
char *hf_dump_plan_exclusion(const HfPlanTable *table);

/* The lines in front of a table's rows, as pg_dump writes them; behind its rows comes HF_DUMP_PLAN_ROWS_END. */
char *hf_dump_plan_rows_head(const HfPlanTable *table);
#define HF_DUMP_PLAN_ROWS_END "\\.\n\n\n"

/* The COPY that gives the rows of a piece, and the table that it belongs to. */
char *hf_dump_plan_copy(const HfDumpPlan *plan, uint64_t piece, const HfPlanTable **table_out);

void hf_dump_plan_free(HfDumpPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfDumpPlan, hf_dump_plan_free)
