#include "config.h"

#include "backup/restore/parallel.h"
#include "backup/restore/session.h"
#include "backup/restore/statement.h"
#include "backup/source/scan-statement.h"
#include "common/error.h"

#include <string.h>

/* A table below this is read with the statements around it and goes into one COPY; a larger one goes in pieces. */
#define SMALL_TABLE_BYTES ((uint64_t)256 << 10)
/* Large enough that a COPY of its own costs nothing, small enough that all connections end at about the same time. */
#define PIECE_BYTES ((uint64_t)16 << 20)
/* Statements that wait to be run side by side: 5,000 tables' keys and indexes take about 2 MiB. */
#define BATCH_BYTES_MAX ((size_t)64 << 20)

typedef struct {
	const HfParallelOptions *options;
	HfWalk *walk;
	PGconn *main;
	HfPool *pool;
	HfDumpSets sets;     /* what was SET since the first rows */
	GHashTable *weights; /* name to HfTable */
	GHashTable *copied;  /* name to the rows that the server took, uint64_t */
	GHashTable *ordered; /* tables whose rows may need those before them */
	bool all_are_ordered;
	GHashTable *partitioned; /* and partitions: locks go from one to the other */
	GPtrArray *batch;        /* of HfPoolTask, all of one kind */
	bool batch_is_foreign_keys;
	size_t batch_bytes;
	GPtrArray *details; /* of HfPoolTask: run behind the batch, in order, by main */
} Run;

static void
set_phase(const Run *run, const char *phase)
{
	if (run->options->progress)
		__atomic_store_n(&run->options->progress->phase, phase, __ATOMIC_RELEASE);
}

/* ---- what the restored definitions say ---- */

/*
 * Functions of the database's own that run while rows are copied (in checks and generated columns) may look at other
 * tables, whatever they were declared to be: such a table gets its rows alone, in the dump's order.
 */
static const char ordered_sql[] =
	"WITH own AS (SELECT d.classid, d.objid FROM pg_catalog.pg_depend d"
	" LEFT JOIN pg_catalog.pg_proc p ON d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND "
	"p.oid = d.refobjid"
	" LEFT JOIN pg_catalog.pg_language l ON l.oid = p.prolang"
	" WHERE d.refobjid >= 16384 AND (l.lanname NOT IN ('c', 'internal')"
	" OR d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass))"
	" SELECT CASE WHEN c.conrelid <> 0 THEN c.conrelid::pg_catalog.regclass::text ELSE '' END"
	" FROM pg_catalog.pg_constraint c JOIN own ON own.classid = "
	"'pg_catalog.pg_constraint'::pg_catalog.regclass"
	" AND own.objid = c.oid WHERE c.contype = 'c'"
	" UNION SELECT a.attrelid::pg_catalog.regclass::text FROM pg_catalog.pg_attribute a"
	" JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum"
	" JOIN own ON own.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND own.objid = f.oid"
	" WHERE a.attgenerated <> ''";

static const char partitioned_sql[] = "SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c"
				      " WHERE c.relkind = 'p' OR c.relispartition";

static GHashTable *
read_names(PGconn *connection, const char *sql, GError **error)
{
	g_autoptr(PGresult) result = hf_pg_query(connection, sql, NULL, error);
	GHashTable *names;

	if (!result)
		return NULL;
	names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (int i = 0; i < PQntuples(result); i++)
		g_hash_table_add(names, g_strdup(PQgetvalue(result, i, 0)));
	return names;
}

/* ---- the batch ---- */

static bool
run_details(Run *run, GError **error)
{
	for (guint i = 0; i < run->details->len; i++) {
		const HfPoolTask *task = run->details->pdata[i];

		if (!hf_session_run(run->main, task->sql, (HfPlace){.line = task->line}, error))
			return false;
	}
	g_ptr_array_set_size(run->details, 0);
	return true;
}

/* All that was begun is done afterwards. */
static bool
settle(Run *run, GError **error)
{
	g_autoptr(GPtrArray) batch = g_steal_pointer(&run->batch);

	run->batch = g_ptr_array_new_with_free_func(hf_pool_task_free);
	run->batch_bytes = 0;
	if (!hf_pool_wait(run->pool, error))
		return false;
	if (batch->len > 0)
		set_phase(run, run->batch_is_foreign_keys ? "foreign keys" : "indexes");
	g_ptr_array_sort(batch, hf_pool_task_compare);
	for (guint i = 0; i < batch->len; i++)
		if (!hf_pool_add(run->pool, g_steal_pointer(&batch->pdata[i]), error))
			return false;
	return hf_pool_wait(run->pool, error) && run_details(run, error);
}

static uint64_t
weight_of(const Run *run, const char *name)
{
	const HfTable *table = name ? g_hash_table_lookup(run->weights, name) : NULL;

	return table ? table->bytes : 0;
}

static bool
add_to_batch(Run *run, const HfWalkItem *item, HfStatement *statement, GError **error)
{
	bool is_foreign_key = statement->kind == HF_STATEMENT_FOREIGN_KEY;
	HfPoolTask *task;

	if ((run->batch_is_foreign_keys != is_foreign_key || run->batch_bytes > BATCH_BYTES_MAX) &&
	    run->batch->len > 0 && !settle(run, error))
		return false;
	task = hf_pool_task_new(item->text, item->line);
	task->settings = hf_dump_sets_text(&run->sets);
	task->weight = weight_of(run, statement->table);
	task->table = g_steal_pointer(&statement->table);
	task->other = g_steal_pointer(&statement->other);
	task->is_exclusive = statement->kind != HF_STATEMENT_INDEX;
	run->batch_is_foreign_keys = is_foreign_key;
	run->batch_bytes += item->len + strlen(task->settings);
	g_ptr_array_add(run->batch, task);
	return true;
}

/* ---- rows ---- */

/* Where the rows of a table are counted; name may be NULL. */
static uint64_t *
counter_of(const Run *run, const char *name)
{
	return name ? g_hash_table_lookup(run->copied, name) : NULL;
}

static HfPoolTask *
copy_task_new(const Run *run, const HfWalkItem *item)
{
	HfPoolTask *task = hf_pool_task_new(item->text, item->line);

	task->table = g_strdup(item->table->name);
	task->copied = counter_of(run, item->table->name);
	task->is_copy = true;
	return task;
}

static bool
add_small(Run *run, const HfWalkItem *item, GError **error)
{
	HfPoolTask *task = copy_task_new(run, item);

	task->rows = g_byte_array_new();
	if (hf_walk_read(run->walk, item->data_offset, item->table->bytes, task->rows, error))
		return hf_pool_add(run->pool, task, error);
	hf_pool_task_free(task);
	return false;
}

static bool
add_pieces(Run *run, const HfWalkItem *item, uint64_t piece_bytes, GError **error)
{
	uint64_t begin = item->data_offset, end = begin + item->table->bytes;

	for (uint64_t offset = begin; offset < end; offset += piece_bytes) {
		HfPoolTask *task = copy_task_new(run, item);

		task->is_first = offset == begin;
		task->range = (HfRange){offset, MIN(piece_bytes, end - offset)};
		task->table_end = end;
		if (!hf_pool_add(run->pool, task, error))
			return false;
	}
	return true;
}

/* Rows that the index does not describe, by hand and alone. */
static bool
copy_by_hand(Run *run, const HfWalkItem *item, GError **error)
{
	const HfPlace place = {.line = item->line};
	g_autofree char *name = hf_scan_parse_copy(item->text);
	const char *bytes;
	size_t len;

	if (!settle(run, error) || !hf_session_copy_begin(run->main, item->text, place, error))
		return false;
	do {
		if (!hf_walk_rows(run->walk, &bytes, &len, error) ||
		    (bytes && !hf_session_copy_send(run->main, bytes, len, error))) {
			hf_session_copy_abort(run->main);
			return false;
		}
	} while (bytes);
	return hf_session_copy_end(run->main, place, counter_of(run, name), error);
}

static bool
copy_rows(Run *run, const HfWalkItem *item, GError **error)
{
	bool is_ordered;

	if (!item->table)
		return copy_by_hand(run, item, error);
	is_ordered = run->all_are_ordered || g_hash_table_contains(run->ordered, item->table->name);
	if (is_ordered)
		return settle(run, error) && add_pieces(run, item, MAX(item->table->bytes, 1), error) &&
		       settle(run, error);
	if (item->table->bytes <= SMALL_TABLE_BYTES)
		return add_small(run, item, error);
	return add_pieces(run, item, PIECE_BYTES, error);
}

/* ---- statements ---- */

static bool
run_by_main(Run *run, const HfWalkItem *item, GError **error)
{
	return hf_session_run(run->main, item->text, (HfPlace){.line = item->line}, error);
}

static bool
run_alone(Run *run, const HfWalkItem *item, GError **error)
{
	if (!settle(run, error))
		return false;
	set_phase(run, "finishing");
	return run_by_main(run, item, error);
}

static bool
add_detail(Run *run, const HfWalkItem *item, GError **error)
{
	if (run->batch->len == 0)
		return run_alone(run, item, error);
	g_ptr_array_add(run->details, hf_pool_task_new(item->text, item->line));
	return true;
}

static bool
locks_spread(const Run *run, const HfStatement *statement)
{
	return g_hash_table_contains(run->partitioned, statement->table) ||
	       g_hash_table_contains(run->partitioned, statement->other);
}

static bool
run_statement(Run *run, const HfWalkItem *item, GError **error)
{
	g_auto(HfStatement) statement = {0};

	if (PQtransactionStatus(run->main) != PQTRANS_IDLE)
		return run_by_main(run, item, error);
	hf_statement_parse(item->text, &statement);
	switch (statement.kind) {
	case HF_STATEMENT_SETTING:
		hf_dump_sets_note(&run->sets, statement.setting, item->text);
		return run_by_main(run, item, error);
	case HF_STATEMENT_DATA:
		return run_by_main(run, item, error);
	case HF_STATEMENT_INDEX:
	case HF_STATEMENT_KEY:
		return add_to_batch(run, item, &statement, error);
	case HF_STATEMENT_FOREIGN_KEY:
		return locks_spread(run, &statement) ? run_alone(run, item, error)
						     : add_to_batch(run, item, &statement, error);
	case HF_STATEMENT_DETAIL:
		return add_detail(run, item, error);
	case HF_STATEMENT_OTHER:
		return run_alone(run, item, error);
	}
	g_assert_not_reached();
}

static bool
run_item(Run *run, const HfWalkItem *item, GError **error)
{
	if (item->is_command)
		return g_str_has_prefix(item->text, "\\restrict ") ||
		       g_str_has_prefix(item->text, "\\unrestrict ") ||
		       hf_error_set(error, HF_ERROR_FAILED,
				    "line %" G_GUINT64_FORMAT
				    ": \"%s\" is for psql alone: restore with --jobs 1",
				    item->line, item->text);
	return item->is_copy ? copy_rows(run, item, error) : run_statement(run, item, error);
}

/* ---- the whole ---- */

/* What the other connections committed without waiting for the disk is there when this commit is. */
static bool
wait_for_disk(Run *run, GError **error)
{
	return hf_session_run(run->main,
			      "SELECT pg_catalog.pg_logical_emit_message(true, 'holdfast', 'restored')",
			      (HfPlace){0}, error);
}

/* The server's own count of what it took: every row was copied by us, into a table that was empty. */
static bool
check_counts(const Run *run, GError **error)
{
	const GPtrArray *tables = run->options->tables;

	for (guint i = 0; i < tables->len; i++) {
		const HfTable *table = tables->pdata[i];
		uint64_t copied = *counter_of(run, table->name);

		if (copied != table->rows)
			return hf_error_set(error, HF_ERROR_CORRUPT,
					    "table %s: %" G_GUINT64_FORMAT
					    " rows were backed up, %" G_GUINT64_FORMAT
					    " were restored into the database \"%s\"",
					    table->name, table->rows, copied, run->options->target->database);
	}
	return true;
}

static bool
run_all(Run *run, GError **error)
{
	HfWalkItem item;

	set_phase(run, "rows");
	do {
		if (!hf_walk_next(run->walk, &item, error) || (item.text && !run_item(run, &item, error)))
			return false;
	} while (item.text);
	return settle(run, error) && check_counts(run, error) && wait_for_disk(run, error);
}

static bool
connect_all(Run *run, GError **error)
{
	const HfParallelOptions *options = run->options;
	g_autofree char *preamble = hf_dump_sets_text(&options->facts->sets);
	const HfPoolOptions pool = {
		.target = options->target,
		.preamble = preamble,
		.archive = options->archive,
		.open_store = options->open_store,
		.open_data = options->open_data,
		.connections = options->jobs,
		.bytes = options->progress ? &options->progress->bytes : NULL,
	};

	run->main = hf_pg_connect(options->target, error);
	if (!run->main || !hf_session_run(run->main, preamble, (HfPlace){0}, error))
		return false;
	run->ordered = read_names(run->main, ordered_sql, error);
	run->partitioned = run->ordered ? read_names(run->main, partitioned_sql, error) : NULL;
	if (!run->partitioned)
		return false;
	/* The empty name stands for a domain: any table may have a column of it. */
	run->all_are_ordered = g_hash_table_contains(run->ordered, "");
	run->pool = hf_pool_new(&pool, error);
	return run->pool != NULL;
}

static void
clear(Run *run)
{
	hf_pool_free(run->pool);
	PQfinish(run->main);
	hf_walk_free(run->walk);
	hf_dump_sets_clear(&run->sets);
	g_clear_pointer(&run->weights, g_hash_table_destroy);
	g_clear_pointer(&run->copied, g_hash_table_destroy);
	g_clear_pointer(&run->ordered, g_hash_table_destroy);
	g_clear_pointer(&run->partitioned, g_hash_table_destroy);
	g_ptr_array_unref(run->batch);
	g_ptr_array_unref(run->details);
}

bool
hf_restore_parallel(const HfParallelOptions *options, GError **error)
{
	const HfTable *first = options->tables->pdata[0];
	const HfWalkOptions walk = {.store = options->store,
				    .archive = options->archive,
				    .tables = options->tables,
				    .offset = first->offset,
				    .line = options->facts->first_line};
	Run run = {.options = options, .walk = hf_walk_new(&walk)};
	bool ok;

	hf_dump_sets_init(&run.sets);
	run.weights = g_hash_table_new(g_str_hash, g_str_equal);
	run.copied = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	for (guint i = 0; i < options->tables->len; i++) {
		HfTable *table = options->tables->pdata[i];

		g_hash_table_insert(run.weights, table->name, table);
		g_hash_table_insert(run.copied, table->name, g_new0(uint64_t, 1));
	}
	run.batch = g_ptr_array_new_with_free_func(hf_pool_task_free);
	run.details = g_ptr_array_new_with_free_func(hf_pool_task_free);
	ok = connect_all(&run, error) && run_all(&run, error);
	clear(&run);
	return ok;
}
