#include "config.h"

#include "backup/source/dump-parallel.h"
#include "backup/source/dump-plan.h"
#include "backup/source/dump-readers.h"
#include "backup/source/dump-section.h"
#include "backup/source/reorder.h"
#include "common/error.h"

#include <string.h>

#define READ_BYTES (256 << 10)
#define VERSION_WITH_TID_RANGES \
	14 /* its release notes: "Allow a TID range scan"; before, each piece reads the whole table */

/*
 * What pg_dump sets for its own session (setup_connection, pg_dump.c) where it has a bearing on rows, and what keeps to the
 * pages that are asked for: none of the role's or the database's settings may turn a piece into a scan of the table.
 */
static const char session_sql[] =
	"SET statement_timeout = 0; SELECT pg_catalog.set_config('search_path', '', false);"
	"SET DateStyle = ISO; SET IntervalStyle = postgres; SET extra_float_digits = 3;"
	"SET synchronize_seqscans = off; SET row_security = off; SET quote_all_identifiers = off;"
	"SET enable_tidscan = on; SET enable_seqscan = on; SET enable_indexscan = off;"
	"SET enable_indexonlyscan = off; SET enable_bitmapscan = off;"
	"SET max_parallel_workers_per_gather = 0; SET jit = off;" HF_PG_PATIENCE_SQL;

typedef enum {
	PRE_DATA,
	DATA,
	POST_DATA,
	SECTIONS
} Section;

static const char *const section_words[SECTIONS] = {"--section=pre-data", "--section=data",
						    "--section=post-data"};

typedef struct {
	const HfDumpParallel *dump;
	HfDumpPlan *plan;
	GPtrArray *connections; /* of PGconn; the first one made the plan */
	HfChild *children[SECTIONS];
	HfDumpSection *sections[SECTIONS];
	HfDumpReaders *readers;
} Run;

static void
run_clear(Run *run)
{
	hf_dump_readers_free(run->readers);
	for (int i = SECTIONS; i-- > 0;) {
		hf_child_free(run->children[i]);
		hf_dump_section_free(run->sections[i]);
	}
	g_clear_pointer(&run->connections, g_ptr_array_unref);
	hf_dump_plan_free(run->plan);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static void
finish_connection(gpointer connection)
{
	PQfinish(connection);
}

/* ---- connections ---- */

static PGconn *
connect_reader(const Run *run, GError **error)
{
	g_autoptr(PGconn) connection = hf_pg_connect_again(run->dump->connection, run->dump->login,
							   run->dump->info->encoding, error);
	g_autoptr(PGresult) result = connection ? hf_pg_query(connection, session_sql, NULL, error) : NULL;

	return result ? g_steal_pointer(&connection) : NULL;
}

static bool
enter_snapshot(const Run *run, PGconn *connection, GError **error)
{
	g_autofree char *sql = g_strdup_printf(
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '%s'",
		run->dump->snapshot);
	g_autoptr(PGresult) result = hf_pg_query(connection, sql, NULL, error);

	return result != NULL;
}

/* The first connection makes the plan. */
static bool
make_plan(Run *run, GError **error)
{
	const HfPgDumpOptions *options = &run->dump->options;
	const HfDumpPlanOptions plan_options = {.table_bytes = options->table_bytes,
						.lock_seconds = options->lock_seconds};
	PGconn *connection = connect_reader(run, error);

	if (!connection)
		return false;
	g_ptr_array_add(run->connections, connection);
	if (!enter_snapshot(run, connection, error))
		return false;
	run->plan = hf_dump_plan_make(connection, &plan_options, error);
	return run->plan != NULL;
}

/* The second one looks, before it enters the snapshot, whether the tables are still what the plan says. */
static bool
connect_others(Run *run, GError **error)
{
	unsigned wanted = (unsigned)MIN(run->dump->options.jobs, HF_REORDER_LANES_MAX);

	while (run->connections->len < wanted) {
		PGconn *connection = connect_reader(run, error);

		if (!connection)
			return false;
		g_ptr_array_add(run->connections, connection);
		if (run->connections->len == 2 && !hf_dump_plan_check(run->plan, connection, error))
			return false;
		if (!enter_snapshot(run, connection, error) ||
		    !hf_dump_plan_lock(run->plan, connection, error))
			return false;
	}
	return true;
}

/* ---- pg_dump ---- */

static HfChild *
spawn_section(const Run *run, Section section, GError **error)
{
	const HfDumpParallel *dump = run->dump;
	g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);

	g_ptr_array_add(argv, g_strdup(dump->dump_program));
	g_ptr_array_add(argv, g_strdup("--format=plain"));
	g_ptr_array_add(argv, g_strdup("--no-password"));
	g_ptr_array_add(argv, g_strdup(section_words[section]));
	g_ptr_array_add(argv, g_strconcat("--encoding=", dump->info->encoding, NULL));
	g_ptr_array_add(argv, g_strconcat("--snapshot=", dump->snapshot, NULL));
	g_ptr_array_add(argv, g_strconcat("--dbname=", dump->login->conninfo, NULL));
	if (dump->options.lock_seconds > 0)
		g_ptr_array_add(argv, g_strdup_printf("--lock-wait-timeout=%us", dump->options.lock_seconds));
	for (guint i = 0; section == DATA && i < run->plan->tables->len; i++)
		g_ptr_array_add(argv, hf_dump_plan_exclusion(g_ptr_array_index(run->plan->tables, i)));
	g_ptr_array_add(argv, NULL);
	return hf_pg_spawn(dump->login, (const char *const *)argv->pdata, HF_CHILD_STDOUT, error);
}

/*
 * All at once, so that they take their locks now, while nobody can have begun to wait for ours: whoever does makes them
 * wait, too.  A section whose turn has not come waits with its pipe full.
 */
static bool
spawn_sections(Run *run, GError **error)
{
	for (Section section = PRE_DATA; section < SECTIONS; section++) {
		run->children[section] = spawn_section(run, section, error);
		if (!run->children[section])
			return false;
		run->sections[section] = hf_dump_section_new(section == PRE_DATA ? NULL
										 : run->sections[PRE_DATA]);
	}
	return true;
}

static bool
copy_section(HfChild *child, HfDumpSection *section, HfStage *into, GError **error)
{
	g_autofree char *piece = g_malloc(READ_BYTES);
	size_t got;

	do {
		if (!hf_child_read(child, piece, READ_BYTES, &got, error) ||
		    !hf_dump_section_write(section, piece, got, into, error))
			return false;
	} while (got > 0);
	return true;
}

/* How it ended is asked first: why its end is missing is the better error. */
static bool
write_section(Run *run, Section section, HfStage *into, GError **error)
{
	HfChild *child = run->children[section];
	GError *failure = NULL;

	if (!copy_section(child, run->sections[section], into, error))
		return false;
	if (!hf_child_wait(child, &failure))
		return hf_pg_dump_error(hf_child_stderr(child), run->dump->info->database, run->dump->user,
					failure, error);
	return hf_dump_section_end(run->sections[section], into, error);
}

/* ---- the whole ---- */

static bool
write_all(Run *run, HfStage *into, GError **error)
{
	const char *closing;

	if (!write_section(run, PRE_DATA, into, error) || !hf_dump_readers_write(run->readers, into, error) ||
	    !write_section(run, DATA, into, error) || !write_section(run, POST_DATA, into, error))
		return false;
	closing = hf_dump_section_closing(run->sections[PRE_DATA]);
	return hf_stage_write(into, closing, strlen(closing), error);
}

/* libpq hands PGTZ on to the server; pg_dump does not get it, and would write other words for a timestamptz. */
static bool
is_worth_a_plan(const HfDumpParallel *dump)
{
	return dump->options.jobs > 1 && dump->info->server_major >= VERSION_WITH_TID_RANGES &&
	       !g_getenv("PGTZ");
}

bool
hf_dump_parallel(const HfDumpParallel *dump, HfStage *into, bool *is_written_out, GError **error)
{
	g_auto(Run) run = {.dump = dump};

	*is_written_out = false;
	if (!is_worth_a_plan(dump))
		return true;
	run.connections = g_ptr_array_new_with_free_func(finish_connection);
	if (!make_plan(&run, error))
		return false;
	if (run.plan->tables->len == 0)
		return true;
	*is_written_out = true;
	if (!spawn_sections(&run, error) || !connect_others(&run, error))
		return false;
	run.readers = hf_dump_readers_start(run.plan, run.connections, error);
	return run.readers && write_all(&run, into, error);
}
