#include "config.h"

#include "backup/source/postgres-connection.h"
#include "backup/stage/sink.h"
#include "cli/database.h"
#include "cli/doctor.h"
#include "common/error.h"

#include <string.h>

/*
 * What pg_dump would stumble over: tables and sequences that may not be read, and row-level security that is in force for
 * this login.  Extensions' own tables are not dumped unless they are configuration tables.
 */
static const char rights_query[] =
	"SELECT c.oid::regclass::text,"
	" CASE WHEN NOT has_schema_privilege(n.oid, 'USAGE') THEN 'schema'"
	" WHEN row_security_active(c.oid) THEN 'rls' ELSE 'table' END, n.nspname, count(*) OVER ()"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	" WHERE c.relkind IN ('r', 'p', 'S', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> "
	"'information_schema'"
	" AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass"
	" AND d.objid = c.oid AND d.deptype = 'e')"
	" AND (NOT has_schema_privilege(n.oid, 'USAGE') OR row_security_active(c.oid)"
	" OR NOT CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT')"
	" ELSE has_table_privilege(c.oid, 'SELECT') END)"
	" ORDER BY 1 LIMIT 1";

static void
report_rights(HfDoctor *doctor, const PGresult *rows)
{
	const char *table, *kind, *schema, *count;

	if (PQntuples(rows) == 0) {
		hf_doctor_report(doctor, HF_MARK_OK, "rights", "every table and sequence can be read");
		return;
	}
	table = PQgetvalue(rows, 0, 0);
	kind = PQgetvalue(rows, 0, 1);
	schema = PQgetvalue(rows, 0, 2);
	count = PQgetvalue(rows, 0, 3);
	if (strcmp(kind, "rls") == 0)
		hf_doctor_report(
			doctor, HF_MARK_FAIL, "rights",
			"row-level security hides rows of %s (of %s in all): let the login BYPASSRLS", table,
			count);
	else if (strcmp(kind, "schema") == 0)
		hf_doctor_report(doctor, HF_MARK_FAIL, "rights",
				 "%s (of %s in all) cannot be read: GRANT USAGE ON SCHEMA %s, or GRANT "
				 "pg_read_all_data",
				 table, count, schema);
	else
		hf_doctor_report(
			doctor, HF_MARK_FAIL, "rights",
			"%s (of %s in all) cannot be read: GRANT SELECT ON it, or GRANT pg_read_all_data",
			table, count);
}

static void
check_rights(HfDoctor *doctor, const HfPgTarget *target)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(PGconn) connection = hf_pg_connect(target, &error);
	g_autoptr(PGresult) rows = connection ? hf_pg_query(connection, rights_query, NULL, &error) : NULL;

	if (rows)
		report_rights(doctor, rows);
	else
		hf_doctor_report(doctor, HF_MARK_FAIL, "rights", "%s", error->message);
}

static void
check_roles(HfDoctor *doctor, HfPostgres *postgres)
{
	g_autoptr(HfStage) nowhere = hf_sink_null_new();
	g_autoptr(GError) error = NULL;

	if (hf_postgres_globals(postgres, nowhere, &error))
		hf_doctor_report(doctor, HF_MARK_OK, "roles", "roles and memberships can be read");
	else if (hf_error_is(error, HF_ERROR_DENIED))
		hf_doctor_report(doctor, HF_MARK_WARN, "roles", "the set will hold no roles: %s",
				 error->message);
	else
		hf_doctor_report(doctor, HF_MARK_FAIL, "roles", "%s", error->message);
}

void
hf_doctor_check_database(HfDoctor *doctor)
{
	const HfSettings *settings = doctor->cli->settings;
	g_autoptr(GError) error = NULL;
	g_autoptr(HfPgTarget) target = hf_database_from_settings(settings, &error);
	g_autoptr(HfPostgres)
		postgres = target ? hf_postgres_open(target, hf_settings_text(settings, HF_SET_DB_BIN_DIR),
						     &error)
				  : NULL;
	const HfPgInfo *info;

	if (!postgres) {
		hf_doctor_report(doctor, HF_MARK_FAIL, "database", "%s", error->message);
		doctor->has_wrong_settings |= target == NULL;
		return;
	}
	info = hf_postgres_info(postgres);
	hf_doctor_report(doctor, HF_MARK_OK, "database", "\"%s\" on PostgreSQL %s, encoding %s",
			 info->database, info->server_version, info->encoding);
	hf_doctor_report(doctor, HF_MARK_OK, "pg_dump", "version %s can dump a server of version %s",
			 info->dump_version, info->server_version);
	check_rights(doctor, target);
	check_roles(doctor, postgres);
}
