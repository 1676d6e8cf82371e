#include "config.h"

#include "backup/restore/session.h"
#include "backup/restore/swap-impl.h"

#include <string.h>

char *
hf_swap_literal(PGconn *connection, const char *text)
{
	char *literal = PQescapeLiteral(connection, text, strlen(text));
	char *copy = g_strdup(literal ? literal : "''");

	PQfreemem(literal);
	return copy;
}

char *
hf_swap_identifier(PGconn *connection, const char *name)
{
	char *identifier = PQescapeIdentifier(connection, name, strlen(name));
	char *copy = g_strdup(identifier ? identifier : "\"\"");

	PQfreemem(identifier);
	return copy;
}

/*
 * Each gives statements, one a row, in the order in which they are to be run; @from and @to are the names as literals.
 * pg_database and pg_db_role_setting: PostgreSQL's manual, sections 53.15 and 53.16.
 */
static const char *const questions[] = {
	"SELECT format('ALTER DATABASE %I OWNER TO %I', @to, pg_catalog.pg_get_userbyid(datdba))"
	" FROM pg_catalog.pg_database WHERE datname = @from",

	"SELECT format('REVOKE ALL ON DATABASE %I FROM %s', @to, who) FROM pg_catalog.pg_database d,"
	" LATERAL (VALUES ('PUBLIC'), (quote_ident(pg_catalog.pg_get_userbyid(d.datdba)))) AS all_of (who)"
	" WHERE d.datname = @from AND d.datacl IS NOT NULL",

	"SELECT format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, @to, CASE a.grantee WHEN 0 THEN "
	"'PUBLIC'"
	" ELSE quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END,"
	" CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)"
	" FROM pg_catalog.pg_database d, LATERAL pg_catalog.aclexplode(d.datacl) a WHERE d.datname = @from",

	"SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s', @to, datconnlimit)"
	" FROM pg_catalog.pg_database WHERE datname = @from AND datconnlimit >= 0",

	"SELECT format('ALTER DATABASE %I IS_TEMPLATE true', @to) FROM pg_catalog.pg_database"
	" WHERE datname = @from AND datistemplate",

	/* Lists of names are stored with their quotes: only FROM CURRENT takes such a value as it is. */
	"SELECT CASE WHEN name IN ('search_path', 'temp_tablespaces', 'session_preload_libraries',"
	" 'local_preload_libraries')"
	" THEN format('SELECT pg_catalog.set_config(%L, %L, true); %s SET %s FROM CURRENT', name, value, "
	"whose, name)"
	" ELSE format('%s SET %s TO %L', whose, name, value) END"
	" FROM (SELECT split_part(c, '=', 1) AS name, substr(c, strpos(c, '=') + 1) AS value,"
	" CASE s.setrole WHEN 0 THEN format('ALTER DATABASE %I', @to)"
	" ELSE format('ALTER ROLE %I IN DATABASE %I', pg_catalog.pg_get_userbyid(s.setrole), @to) END AS "
	"whose"
	" FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase,"
	" LATERAL unnest(s.setconfig) c WHERE d.datname = @from) settings",

	"SELECT format('COMMENT ON DATABASE %I IS %L', @to, pg_catalog.shobj_description(oid, 'pg_database'))"
	" FROM pg_catalog.pg_database WHERE datname = @from",
};

static char *
replace(const char *text, const char *what, const char *with)
{
	g_auto(GStrv) parts = g_strsplit(text, what, -1);

	return g_strjoinv(with, parts);
}

static bool
run_answers(PGconn *connection, const char *sql, GError **error)
{
	g_autoptr(PGresult) result = hf_pg_query(connection, sql, NULL, error);

	if (!result)
		return false;
	for (int i = 0; i < PQntuples(result); i++)
		if (!hf_session_run(connection, PQgetvalue(result, i, 0), (HfPlace){0}, error))
			return false;
	return true;
}

bool
hf_swap_carry_over(PGconn *connection, const char *from, const char *to, GError **error)
{
	g_autofree char *from_literal = hf_swap_literal(connection, from);
	g_autofree char *to_literal = hf_swap_literal(connection, to);

	for (size_t i = 0; i < G_N_ELEMENTS(questions); i++) {
		/* The names last and once: one may hold the other's mark. */
		g_auto(GStrv) parts = g_strsplit(questions[i], "@from", -1);

		for (char **part = parts; *part; part++) {
			char *named = replace(*part, "@to", to_literal);

			g_free(*part);
			*part = named;
		}
		{
			g_autofree char *sql = g_strjoinv(from_literal, parts);

			if (!run_answers(connection, sql, error))
				return false;
		}
	}
	return true;
}
