#include "config.h"

#include "backup/verify/restored.h"
#include "backup/restore/database.h"
#include "backup/source/postgres-connection.h"
#include "backup/stage/sink.h"
#include "backup/verify/compare.h"
#include "backup/verify/globals.h"
#include "backup/verify/lacking.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* As much as is ever stored of them (backup/source/postgres.c). */
#define GLOBALS_BYTES_MAX ((size_t)17 << 20)
#define UNDEFINED_TABLE "42P01"
#define INVALID_SCHEMA "3F000"

typedef char PqString;
static void
pq_string_free(PqString *text)
{
	PQfreemem(text);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PqString, pq_string_free)

static void
say_phase(const HfRestored *restored, const char *phase)
{
	if (restored->progress)
		__atomic_store_n(&restored->progress->phase, phase, __ATOMIC_RELEASE);
}

static int
dump_major(const HfDatabaseRecord *database)
{
	return database->dump_version ? (int)g_ascii_strtoll(database->dump_version, NULL, 10) : 0;
}

/* ---- roles ---- */

static char *
read_globals(const HfRestored *restored, unsigned *tablespaces_out, GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(GLOBALS_BYTES_MAX);
	g_autoptr(GBytes) bytes = NULL;
	g_autofree char *folder = NULL;
	g_autofree char *sql = NULL;

	if (!hf_archive_read(restored->store, restored->manifest->database->globals, sink, error) ||
	    !hf_stage_finish(sink, error))
		return NULL;
	bytes = hf_sink_bytes_get(sink);
	sql = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	folder = g_path_get_dirname(hf_scratch_socket_dir(restored->scratch));
	return hf_scratch_globals(sql, folder, tablespaces_out);
}

static bool
make_tablespace_folders(const HfRestored *restored, unsigned count, GError **error)
{
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *name = g_strdup_printf("ts%u", i);
		g_autofree char *path = hf_scratch_make_folder(restored->scratch, name, error);

		if (!path)
			return false;
	}
	return true;
}

/* psql goes on behind errors here, as RESTORE.txt says; they are told. */
static void
note_errors(HfProof *proof, const char *words)
{
	g_auto(GStrv) lines = g_strsplit(words, "\n", -1);
	const char *first = NULL;
	unsigned count = 0;

	for (char **line = lines; *line; line++) {
		const char *at = strstr(*line, "ERROR:  ");

		if (!at)
			continue;
		if (count++ == 0)
			first = at + strlen("ERROR:  ");
	}
	if (count > 0)
		hf_proof_add_unproved(proof, "not all roles could be made, %u statement(s) failed: %s", count,
				      first);
}

static bool
run_globals(const HfRestored *restored, const char *sql, HfProof *proof, GError **error)
{
	g_autofree char *program = hf_pg_program("psql", dump_major(restored->manifest->database),
						 restored->options->bin_dir, NULL, error);
	g_autoptr(HfPgTarget)
		target = hf_pg_target_with_database(hf_scratch_target(restored->scratch), "template1");
	g_autoptr(PGconn) connection = program ? hf_pg_connect(target, error) : NULL;
	g_autoptr(HfPgLogin) login = connection ? hf_pg_login_of(connection, error) : NULL;
	g_autoptr(HfChild) psql = NULL;
	g_autofree char *dbname = NULL;

	if (!login)
		return false;
	dbname = g_strconcat("--dbname=", login->conninfo, NULL);
	const char *argv[] = {program, "--no-psqlrc", "--quiet", "--file=-", "--no-password", dbname, NULL};
	psql = hf_pg_spawn(login, argv, HF_CHILD_STDIN, error);
	if (!psql || !hf_child_write(psql, sql, strlen(sql), error) || !hf_child_wait(psql, error))
		return false;
	note_errors(proof, hf_child_stderr(psql));
	return true;
}

static bool
restore_globals(const HfRestored *restored, HfProof *proof, GError **error)
{
	const HfDatabaseRecord *database = restored->manifest->database;
	g_autofree char *sql = NULL;
	unsigned tablespaces;

	if (!hf_scratch_is_own(restored->scratch)) {
		hf_proof_add_unproved(proof, "the roles: none are made on the server of VERIFY_DATABASE_URL");
		return true;
	}
	if (!database->globals)
		return true;
	sql = read_globals(restored, &tablespaces, error);
	return sql && make_tablespace_folders(restored, tablespaces, error) &&
	       run_globals(restored, sql, proof, error);
}

/* ---- the dump ---- */

static bool
restore_dump(const HfRestored *restored, GError **error)
{
	/* Without tables there is nothing to take apart, and nothing to count. */
	bool is_parallel = restored->tables && restored->options->jobs > 1;
	const HfDatabaseRecord *database = restored->manifest->database;
	const HfRestoreDatabase options = {
		.target = hf_scratch_target(restored->scratch),
		.bin_dir = restored->options->bin_dir,
		.dump_version = database->dump_version,
		.encoding = database->encoding,
		.collate = database->collate,
		.ctype = database->ctype,
		.tables = is_parallel ? restored->tables : NULL,
		.create = true,
		.bytes = restored->bytes,
		.jobs = is_parallel ? restored->options->jobs : 1,
		.open_store = restored->options->open_store,
		.open_data = restored->options->open_data,
	};
	HfRestoreResult result;

	return hf_restore_database(restored->store, database->archive, &options, &result, error);
}

/* A restore into a server of another system may know other locales. */
static bool
note_locale(const HfRestored *restored, HfProof *proof, GError **error)
{
	const char *wanted = restored->manifest->database->collate;
	g_autoptr(PGconn) connection = hf_pg_connect(hf_scratch_target(restored->scratch), error);
	g_autoptr(PGresult) result = NULL;

	if (!connection)
		return false;
	result = hf_pg_query(connection,
			     "SELECT datcollate FROM pg_catalog.pg_database WHERE datname = "
			     "pg_catalog.current_database()",
			     NULL, error);
	if (!result)
		return false;
	if (wanted && PQntuples(result) > 0 && strcmp(PQgetvalue(result, 0, 0), wanted) != 0)
		hf_proof_add_unproved(
			proof,
			"the order of text: the locale \"%s\" is not known to the scratch server, "
			"which used \"%s\"",
			wanted, PQgetvalue(result, 0, 0));
	return true;
}

bool
hf_restored_fill(const HfRestored *restored, HfProof *proof, bool *is_unproved_out, GError **error)
{
	double started_s = hf_clock_monotonic_s();
	g_autoptr(GError) failure = NULL;

	*is_unproved_out = false;
	say_phase(restored, "restoring");
	if (restore_globals(restored, proof, &failure) && restore_dump(restored, &failure)) {
		proof->recover_s = hf_clock_monotonic_s() - started_s;
		return note_locale(restored, proof, error);
	}
	*is_unproved_out = hf_lacking_note(restored, failure, proof);
	g_propagate_error(error, g_steal_pointer(&failure));
	return false;
}

/* ---- looking ---- */

/* Of one table; *table_out NULL: it is not there. */
static bool
count_table(PGconn *connection, const HfTable *stored, HfProof *proof, HfTable **table_out, GError **error)
{
	g_autoptr(PqString) literal = PQescapeLiteral(connection, stored->name, strlen(stored->name));
	g_autofree char *sql = g_strdup_printf("SELECT pg_catalog.count(*), (SELECT pg_catalog.count(*) FROM "
					       "pg_catalog.pg_depend WHERE deptype = 'e'"
					       " AND classid = 'pg_catalog.pg_class'::pg_catalog.regclass "
					       "AND objid = %s::pg_catalog.regclass)"
					       " FROM ONLY %s",
					       literal, stored->name);
	g_autoptr(PGresult) result = NULL;
	g_autoptr(GError) failure = NULL;
	char sqlstate[6];

	*table_out = NULL;
	result = hf_pg_query(connection, sql, sqlstate, &failure);
	if (!result) {
		if (strcmp(sqlstate, UNDEFINED_TABLE) == 0 || strcmp(sqlstate, INVALID_SCHEMA) == 0)
			return true;
		g_propagate_error(error, g_steal_pointer(&failure));
		return false;
	}
	*table_out = g_new0(HfTable, 1);
	(*table_out)->name = g_strdup(stored->name);
	(*table_out)->rows = g_ascii_strtoull(PQgetvalue(result, 0, 0), NULL, 10);
	/* pg_dump stores of an extension's table what the extension did not bring itself. */
	if (strcmp(PQgetvalue(result, 0, 1), "0") == 0 || (*table_out)->rows == stored->rows)
		return true;
	(*table_out)->rows = stored->rows;
	hf_proof_add_unproved(proof, "the number of rows of table %s, which is an extension's", stored->name);
	return true;
}

static GPtrArray *
count_tables(const HfRestored *restored, HfProof *proof, GError **error)
{
	g_autoptr(GPtrArray) counted = g_ptr_array_new_with_free_func((GDestroyNotify)hf_table_free);
	g_autoptr(PGconn) connection = hf_pg_connect(hf_scratch_target(restored->scratch), error);
	g_autoptr(PGresult) result = NULL;

	if (!connection)
		return NULL;
	/* Rows that a policy hides would be taken for missing: rather an error that says so. */
	result = hf_pg_query(connection, "SET row_security = off; SET statement_timeout = 0", NULL, error);
	for (guint i = 0; result && i < restored->tables->len; i++) {
		HfTable *table;

		if (!count_table(connection, restored->tables->pdata[i], proof, &table, error))
			return NULL;
		if (table)
			g_ptr_array_add(counted, table);
	}
	return result ? g_steal_pointer(&counted) : NULL;
}

bool
hf_restored_count(const HfRestored *restored, HfProof *proof, GError **error)
{
	g_autoptr(GPtrArray) counted = NULL;

	say_phase(restored, "counting");
	counted = count_tables(restored, proof, error);
	if (counted)
		hf_compare_tables(restored->tables, counted, HF_COMPARE_ROWS, proof);
	return counted != NULL;
}

bool
hf_restored_dump(const HfRestored *restored, HfProof *proof, GError **error)
{
	g_autoptr(HfPostgres) postgres = NULL;
	HfStage *scan = hf_scan_new(NULL, HF_SCAN_DATABASE);
	g_autoptr(HfStage) chain = hf_meter_new(scan, restored->bytes);

	say_phase(restored, "comparing");
	postgres = hf_postgres_open(hf_scratch_target(restored->scratch), restored->options->bin_dir, error);
	if (postgres)
		hf_postgres_set_dump(postgres, &restored->options->dump);
	if (!postgres || !hf_postgres_dump(postgres, chain, error) || !hf_stage_finish(chain, error))
		return false;
	hf_compare_tables(restored->tables, hf_scan_tables(scan), HF_COMPARE_ALL, proof);
	return true;
}
