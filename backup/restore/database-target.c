#include "config.h"

#include "backup/restore/database-target.h"
#include "backup/source/postgres-connection.h"
#include "backup/source/scan.h"
#include "common/error.h"

#include <string.h>

/* PostgreSQL's SQLSTATEs (appendix A of its manual). */
#define DUPLICATE_DATABASE "42P04"
#define WRONG_OBJECT_TYPE \
	"42809" /* what createdb() says to a locale that the server's system does not know */
#define UNDEFINED_TABLE "42P01"
#define INVALID_SCHEMA "3F000"
#define INSUFFICIENT_PRIVILEGE "42501"

typedef char PqString;
static void
pq_string_free(PqString *text)
{
	PQfreemem(text);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PqString, pq_string_free)

/* ---- making and dropping ---- */

/* Every server has template1, nearly every one postgres. */
PGconn *
hf_restore_connect_for_orders(const HfPgTarget *target, GError **error)
{
	/* Never the target itself: its own session would stand in the way of what is to be done to it. */
	const char *const names[] = {"postgres", "template1"};
	g_autoptr(GError) first = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(HfPgTarget) other = hf_pg_target_with_database(target, names[i]);
		PGconn *connection = strcmp(target->database, names[i]) == 0
					     ? NULL
					     : hf_pg_connect(other, first ? NULL : &first);

		if (connection)
			return connection;
	}
	if (first)
		g_propagate_error(error, g_steal_pointer(&first));
	else
		hf_error_set(error, HF_ERROR_FAILED, "no database could be reached to give orders from");
	return NULL;
}

static void
add_literal(GString *sql, PGconn *connection, const char *keyword, const char *value)
{
	g_autoptr(PqString) literal = value ? PQescapeLiteral(connection, value, strlen(value)) : NULL;

	if (literal)
		g_string_append_printf(sql, " %s %s", keyword, literal);
}

static bool
create_as(PGconn *connection, const HfRestoreDatabase *options, bool with_locale, char sqlstate_out[6],
	  GError **error)
{
	const char *name = options->target->database;
	g_autoptr(PqString) identifier = PQescapeIdentifier(connection, name, strlen(name));
	g_autoptr(GString) sql = g_string_new(NULL);
	g_autoptr(PGresult) result = NULL;
	const char *primary;

	if (!identifier)
		return hf_error_set(error, HF_ERROR_USAGE, "database \"%s\": its name is not valid text",
				    name);
	/* template0, since template1 may hold what the dump brings, and only template0 takes any locale. */
	g_string_printf(sql, "CREATE DATABASE %s TEMPLATE template0", identifier);
	add_literal(sql, connection, "ENCODING", options->encoding);
	if (with_locale) {
		add_literal(sql, connection, "LC_COLLATE", options->collate);
		add_literal(sql, connection, "LC_CTYPE", options->ctype);
	}
	if (options->tablespace)
		g_string_append_printf(sql, " TABLESPACE %s", options->tablespace);
	/* To its end: of an order that was given up one would not know whether it was carried out. */
	result = PQexec(connection, sql->str);
	if (PQresultStatus(result) == PGRES_COMMAND_OK)
		return true;
	g_strlcpy(sqlstate_out,
		  PQresultErrorField(result, PG_DIAG_SQLSTATE) ? PQresultErrorField(result, PG_DIAG_SQLSTATE)
							       : "",
		  6);
	primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	return hf_error_set(
		error, strcmp(sqlstate_out, INSUFFICIENT_PRIVILEGE) == 0 ? HF_ERROR_DENIED : HF_ERROR_FAILED,
		"database \"%s\": %s", name, primary ? primary : PQerrorMessage(connection));
}

bool
hf_restore_create(const HfRestoreDatabase *options, GError **error)
{
	g_autoptr(PGconn) connection = hf_restore_connect_for_orders(options->target, error);
	const char *name = options->target->database;
	g_autoptr(GError) first = NULL;
	char sqlstate[6];

	if (!connection)
		return false;
	if (create_as(connection, options, true, sqlstate, &first))
		return true;
	if (strcmp(sqlstate, WRONG_OBJECT_TYPE) == 0)
		return create_as(connection, options, false, sqlstate, error);
	if (strcmp(sqlstate, DUPLICATE_DATABASE) == 0)
		return hf_error_set(
			error, HF_ERROR_CONFLICT,
			"database \"%s\" exists already: drop it, choose another name, or restore without "
			"--create",
			name);
	if (hf_error_is(first, HF_ERROR_DENIED) && strstr(first->message, "to create database"))
		return hf_error_set(
			error, HF_ERROR_DENIED,
			"database \"%s\": the login may not create it: ALTER ROLE \"%s\" CREATEDB", name,
			PQuser(connection));
	g_propagate_error(error, g_steal_pointer(&first));
	return false;
}

bool
hf_restore_drop(const HfPgTarget *target)
{
	g_autoptr(PGconn) connection = NULL;
	g_autoptr(PqString) identifier = NULL;
	g_autofree char *sql = NULL;
	g_autoptr(PGresult) result = NULL;

	connection = hf_restore_connect_for_orders(target, NULL);
	if (!connection)
		return false;
	identifier = PQescapeIdentifier(connection, target->database, strlen(target->database));
	sql = g_strdup_printf("DROP DATABASE %s%s", identifier,
			      PQserverVersion(connection) >= 130000 ? " WITH (FORCE)" : "");
	/* Not hf_pg_query(): a restore that is being cancelled still drops what it made. */
	result = PQexec(connection, sql);
	return PQresultStatus(result) == PGRES_COMMAND_OK;
}

/* ---- is it empty? ---- */

/* What belongs to an extension, or to what belongs to one (a view's type), came by CREATE EXTENSION. */
static const char contents_sql[] =
	"WITH own AS (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname <> 'information_schema'"
	" AND nspname !~ '^pg_'),"
	" ext AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e')"
	" SELECT 'relation ' || c.oid::regclass::text FROM pg_catalog.pg_class c"
	" WHERE c.relnamespace IN (SELECT oid FROM own) AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')"
	" AND ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM ext)"
	" UNION ALL SELECT 'function ' || p.oid::regprocedure::text FROM pg_catalog.pg_proc p"
	" WHERE p.pronamespace IN (SELECT oid FROM own)"
	" AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT classid, objid FROM ext)"
	" UNION ALL SELECT 'type ' || t.oid::regtype::text FROM pg_catalog.pg_type t"
	" WHERE t.typnamespace IN (SELECT oid FROM own) AND t.typtype IN ('d', 'e', 'r')"
	" AND ('pg_type'::regclass, t.oid) NOT IN (SELECT classid, objid FROM ext)"
	" UNION ALL SELECT 'schema ' || n.oid::regnamespace::text FROM pg_catalog.pg_namespace n"
	" WHERE n.oid IN (SELECT oid FROM own) AND n.nspname <> 'public'"
	" AND ('pg_namespace'::regclass, n.oid) NOT IN (SELECT classid, objid FROM ext)"
	" UNION ALL SELECT 'large object ' || oid FROM pg_catalog.pg_largeobject_metadata"
	" LIMIT 1";

bool
hf_restore_check_empty(const HfPgTarget *target, GError **error)
{
	g_autoptr(PGconn) connection = hf_pg_connect(target, error);
	g_autoptr(PGresult) result = NULL;

	if (!connection)
		return false;
	result = hf_pg_query(connection, contents_sql, NULL, error);
	if (!result)
		return false;
	if (PQntuples(result) == 0)
		return true;
	return hf_error_set(error, HF_ERROR_CONFLICT,
			    "database \"%s\" is not empty, it holds %s: restore into an empty one, or with "
			    "--create into a "
			    "new one",
			    target->database, PQgetvalue(result, 0, 0));
}

/* ---- are the rows there? ---- */

/*
 * Of one table: ONLY, as pg_dump copies a table without those that inherit from it.  A partitioned one has no rows of its
 * own: where it is copied at all, it is with those of its partitions (pg_dump --load-via-partition-root).
 */
static const char count_format[] = "SELECT CASE (SELECT relkind FROM pg_catalog.pg_class WHERE oid = "
				   "pg_catalog.to_regclass(%s)) WHEN 'p'"
				   " THEN (SELECT count(*) FROM %s) ELSE (SELECT count(*) FROM ONLY %s) END";

char *
hf_restore_count_sql(PGconn *connection, const char *name)
{
	g_autoptr(PqString) literal = PQescapeLiteral(connection, name, strlen(name));

	return g_strdup_printf(count_format, literal ? literal : "''", name, name);
}

static bool
count_rows(PGconn *connection, const HfTable *table, uint64_t *rows_out, GError **error)
{
	g_autofree char *sql = hf_restore_count_sql(connection, table->name);
	g_autoptr(GError) failure = NULL;
	g_autoptr(PGresult) result = NULL;
	char sqlstate[6];

	result = hf_pg_query(connection, sql, sqlstate, &failure);
	if (result) {
		*rows_out = g_ascii_strtoull(PQgetvalue(result, 0, 0), NULL, 10);
		return true;
	}
	if (strcmp(sqlstate, UNDEFINED_TABLE) == 0 || strcmp(sqlstate, INVALID_SCHEMA) == 0)
		return hf_error_set(error, HF_ERROR_CORRUPT, "table %s is not in the restored database",
				    table->name);
	g_propagate_error(error, g_steal_pointer(&failure));
	return false;
}

bool
hf_restore_compare(const HfPgTarget *target, const GPtrArray *tables, HfRestoreResult *result_out,
		   GError **error)
{
	g_autoptr(PGconn) connection = hf_pg_connect(target, error);
	g_autoptr(PGresult) result = NULL;

	if (!connection)
		return false;
	/* Rows that a policy hides would be taken for missing: rather an error that says so. */
	result = hf_pg_query(connection, "SET row_security = off; SET statement_timeout = 0", NULL, error);
	if (!result)
		return false;
	for (guint i = 0; i < tables->len; i++) {
		const HfTable *table = g_ptr_array_index(tables, i);
		uint64_t rows = 0;

		if (!count_rows(connection, table, &rows, error))
			return false;
		if (rows != table->rows)
			return hf_error_set(error, HF_ERROR_CORRUPT,
					    "table %s: %" G_GUINT64_FORMAT
					    " rows were backed up, %" G_GUINT64_FORMAT
					    " are in the restored database \"%s\"",
					    table->name, table->rows, rows, target->database);
		result_out->tables++;
		result_out->rows += rows;
	}
	return true;
}
