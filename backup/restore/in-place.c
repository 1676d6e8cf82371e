#include "config.h"

#include "backup/restore/in-place.h"
#include "backup/restore/database-target.h"
#include "backup/restore/psql.h"
#include "backup/restore/unwrap.h"
#include "backup/source/postgres-connection.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

/* How long whoever uses the database may keep us waiting for its locks. */
#define LOCK_SECONDS 60

#define OWN_SCHEMA(oid_column) \
	oid_column " NOT IN (SELECT objid FROM pg_catalog.pg_depend WHERE deptype = 'e') AND " oid_column \
		   " >= 16384"

static const char loss_sql[] =
	"SELECT (SELECT count(*) FROM pg_catalog.pg_class WHERE relkind = 'r' AND oid >= 16384),"
	" pg_catalog.pg_database_size(pg_catalog.current_database())";

/*
 * Statements, one a row, that take away all that a dump brings.  Event triggers first, since they would fire; schemas last,
 * since extensions lie in them.
 */
static const char *const empty_questions[] = {
	"SELECT format('DROP EVENT TRIGGER %I', evtname) FROM pg_catalog.pg_event_trigger WHERE " OWN_SCHEMA(
		"oid"),
	"SELECT format('DROP PUBLICATION %I', pubname) FROM pg_catalog.pg_publication",
	"SELECT format('DROP EXTENSION IF EXISTS %I CASCADE', extname) FROM pg_catalog.pg_extension WHERE "
	"extname <> 'plpgsql'",
	"SELECT format('DROP FOREIGN DATA WRAPPER %I CASCADE', fdwname) FROM "
	"pg_catalog.pg_foreign_data_wrapper"
	" WHERE " OWN_SCHEMA("oid"),
	"SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_catalog.pg_namespace WHERE "
	"nspname !~ '^pg_'"
	" AND nspname <> 'information_schema' AND oid NOT IN (SELECT objid FROM pg_catalog.pg_depend WHERE "
	"deptype = 'e')",
	"SELECT format('SELECT pg_catalog.lo_unlink(%s)', oid) FROM pg_catalog.pg_largeobject_metadata",
};

/* The schema "public" as template0 has it (initdb.c and src/include/catalog/pg_namespace.dat). */
static const char public_sql[] =
	"CREATE SCHEMA public; COMMENT ON SCHEMA public IS 'standard public schema'; "
	"GRANT USAGE ON SCHEMA public TO PUBLIC; ";
static const char public_15_sql[] = "ALTER SCHEMA public OWNER TO pg_database_owner; ";
static const char public_14_sql[] = "GRANT CREATE ON SCHEMA public TO PUBLIC; ";

bool
hf_in_place_loss(const HfPgTarget *target, HfInPlaceLoss *loss_out, GError **error)
{
	g_autoptr(PGconn) connection = hf_pg_connect(target, error);
	g_autoptr(PGresult) result = connection ? hf_pg_query(connection, loss_sql, NULL, error) : NULL;

	if (!result)
		return false;
	loss_out->tables = g_ascii_strtoull(PQgetvalue(result, 0, 0), NULL, 10);
	loss_out->bytes = g_ascii_strtoull(PQgetvalue(result, 0, 1), NULL, 10);
	return true;
}

/* One line, so that psql's line numbers are the dump's and one more. */
static bool
emptying(const HfPgTarget *target, GString *sql, GError **error)
{
	g_autoptr(PGconn) connection = hf_pg_connect(target, error);

	if (!connection)
		return false;
	g_string_append_printf(sql, "BEGIN; SET lock_timeout = '%ds'; SET client_min_messages = warning; ",
			       LOCK_SECONDS);
	for (size_t i = 0; i < G_N_ELEMENTS(empty_questions); i++) {
		g_autoptr(PGresult) result = hf_pg_query(connection, empty_questions[i], NULL, error);

		if (!result)
			return false;
		for (int row = 0; row < PQntuples(result); row++)
			g_string_append_printf(sql, "%s; ", PQgetvalue(result, row, 0));
	}
	g_string_append(sql, public_sql);
	g_string_append(sql, PQserverVersion(connection) >= 150000 ? public_15_sql : public_14_sql);
	g_string_append(sql, "SET lock_timeout = 0;\n");
	return true;
}

/* A statement that fails where the table has other rows than were backed up: before anything is committed. */
static char *
check_of(PGconn *connection, const HfTable *table)
{
	g_autofree char *count = hf_restore_count_sql(connection, table->name);
	g_autofree char *message = g_strdup_printf("table %s: %" G_GUINT64_FORMAT
						   " rows were backed up, %%s are in the restored database",
						   table->name, table->rows);
	char *literal = PQescapeLiteral(connection, message, strlen(message));
	char *sql = g_strdup_printf(
		"DO $holdfast_check$ DECLARE found bigint; BEGIN found := (%s); IF found <> "
		"%" G_GUINT64_FORMAT " THEN RAISE EXCEPTION USING MESSAGE = "
		"pg_catalog.replace(%s, '%%s', found::text); END IF; END $holdfast_check$;\n",
		count, table->rows, literal ? literal : "''");

	PQfreemem(literal);
	return sql;
}

static bool
feed_checks(HfPsql *psql, const HfRestoreDatabase *options, GError **error)
{
	const GPtrArray *tables = options->tables;
	g_autoptr(PGconn) connection = tables ? hf_pg_connect(options->target, error)
					      : NULL; /* to quote by */

	if (tables && !connection)
		return false;
	for (guint i = 0; tables && i < tables->len; i++) {
		g_autofree char *sql = check_of(connection, tables->pdata[i]);

		if (!hf_psql_write(psql, sql, strlen(sql), error))
			return false;
	}
	return true;
}

/* Whoever asks to stop now asks too late: an answer that is not waited for would leave open what became of it. */
static bool
commit(HfPsql *psql, GError **error)
{
	bool ok;

	if (!hf_cancel_check(error))
		return false;
	hf_cancel_defer();
	ok = hf_psql_write(psql, "COMMIT;\n", strlen("COMMIT;\n"), error) && hf_psql_end(psql, error);
	hf_cancel_undefer(ok);
	return ok;
}

/* Where the archive breaks off psql is killed without the COMMIT, and the server rolls back. */
static bool
feed(HfStore *store, const HfArchive *archive, HfPsql *psql, const GString *head,
     const HfRestoreDatabase *options, GError **error)
{
	g_autoptr(HfStage) chain = hf_scan_new(hf_unwrap_new(hf_psql_stage_new(psql)), HF_SCAN_DATABASE);

	return hf_psql_write(psql, head->str, head->len, error) &&
	       hf_archive_read(store, archive, chain, error) && hf_stage_finish(chain, error) &&
	       feed_checks(psql, options, error) && commit(psql, error);
}

bool
hf_restore_in_place(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options,
		    HfRestoreResult *result_out, GError **error)
{
	g_autoptr(GString) head = g_string_new(NULL);
	HfPsqlOptions psql_options = {
		.target = options->target,
		.bin_dir = options->bin_dir,
		.dump_version = options->dump_version,
		.globals_hint = options->globals_hint,
		.stays = "; nothing was changed",
		.lines_before = 1,
		.bytes = options->bytes,
	};
	g_autoptr(HfPsql) psql = NULL;

	*result_out = (HfRestoreResult){.connections = 1};
	if (!emptying(options->target, head, error))
		return false;
	psql = hf_psql_start(&psql_options, error);
	if (!psql)
		return false;
	if (options->progress)
		__atomic_store_n(&options->progress->phase, "restoring", __ATOMIC_RELEASE);
	if (!feed(store, archive, psql, head, options, error))
		return hf_psql_explain(psql, error);
	for (guint i = 0; options->tables && i < options->tables->len; i++) {
		const HfTable *table = options->tables->pdata[i];

		result_out->tables++;
		result_out->rows += table->rows;
	}
	return true;
}
