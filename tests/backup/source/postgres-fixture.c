#include "config.h"

#include "tests/backup/source/postgres-fixture.h"

#include <string.h>

const char fixture_awkward_sql[] =
	"CREATE TABLE plain (id integer PRIMARY KEY, word text);"
	"INSERT INTO plain SELECT i, 'word ' || i FROM generate_series(1, 1000) i;"
	"CREATE TABLE \"it's \"\"odd\"\"; (COPY x FROM stdin;\" (\"a) FROM stdin;\" text, \"b\"\"\" text);"
	"INSERT INTO \"it's \"\"odd\"\"; (COPY x FROM stdin;\" VALUES ('\\.', E'\\\\.'), (E'a\\n\\\\.\\nb', "
	"NULL);"
	"CREATE TABLE \"line\nend\" (\"c\nd\" text); INSERT INTO \"line\nend\" VALUES ('x');"
	"CREATE SCHEMA \"sch\303\266n\";"
	"CREATE TABLE \"sch\303\266n\".\"\345\233\276\347\211\207\" (\"\303\244\" text);"
	"INSERT INTO \"sch\303\266n\".\"\345\233\276\347\211\207\" VALUES ('\360\237\220\230');"
	"CREATE TABLE empty_one (x integer);"
	"CREATE TABLE no_columns (); INSERT INTO no_columns DEFAULT VALUES;"
	"CREATE TABLE bytes (b bytea); INSERT INTO bytes SELECT decode(repeat(md5(i::text), 50), 'hex') FROM "
	"generate_series(1, 100) i;"
	"CREATE TABLE parts (k integer, v text) PARTITION BY LIST (k);"
	"CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);"
	"CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);"
	"INSERT INTO parts VALUES (1, 'a'), (2, 'b'), (2, 'c');"
	"CREATE TABLE parent (p integer); CREATE TABLE child (c integer) INHERITS (parent);"
	"INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3);"
	"CREATE TABLE generated (a integer, b integer GENERATED ALWAYS AS (a * 2) STORED, c integer "
	"GENERATED ALWAYS AS "
	"IDENTITY); INSERT INTO generated (a) VALUES (1), (2);"
	"CREATE MATERIALIZED VIEW mat AS SELECT count(*) AS n FROM plain;"
	"CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN\n"
	"COPY plain FROM stdin;\n-- PostgreSQL database dump complete\nRETURN 'it''s'; END $f$;"
	"CREATE FUNCTION g() RETURNS integer LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;"
	"COMMENT ON TABLE plain IS E'it''s\\n-- PostgreSQL database dump complete\\n\\\\.\\nCOPY plain FROM "
	"stdin;';"
	"SELECT lo_from_bytea(0, decode(repeat('00ff27', 5000), 'hex'));"
	"SELECT lo_from_bytea(0, '');";

HfPgTarget *
fixture_target(const char *database)
{
	const char *url = g_getenv("HF_TEST_PG_URL");
	g_autoptr(HfPgTarget) server = NULL;
	g_autoptr(GError) error = NULL;

	if (!url)
		g_error("HF_TEST_PG_URL is not set: tests/lib/postgres.sh start FOLDER prints it");
	server = hf_pg_target_parse(url, &error);
	g_assert_no_error(error);
	return hf_pg_target_with_database(server, database);
}

HfPgTarget *
fixture_target_as(const char *database, const char *user, const char *password)
{
	HfPgTarget *target = fixture_target(database);
	g_autoptr(GString) conninfo = g_string_new(target->conninfo);

	hf_pg_conninfo_add(conninfo, "user", user);
	g_free(target->conninfo);
	target->conninfo = g_string_free(g_steal_pointer(&conninfo), FALSE);
	hf_secret_free(target->password);
	target->password = password ? hf_secret_new(password, strlen(password), "test", NULL) : NULL;
	return target;
}

char *
fixture_sql(const char *database, const char *sql)
{
	g_autoptr(HfPgTarget) target = fixture_target(database);
	g_autoptr(GError) error = NULL;
	g_autoptr(PGconn) connection = hf_pg_connect(target, &error);
	g_autoptr(PGresult) result = NULL;

	g_assert_no_error(error);
	result = hf_pg_query(connection, sql, NULL, &error);
	g_assert_no_error(error);
	return PQntuples(result) > 0 ? g_strdup(PQgetvalue(result, 0, 0)) : NULL;
}

/* verb, then the database's quoted name, then tail */
static void
order(const char *verb, const char *database, const char *tail)
{
	g_autoptr(HfPgTarget) target = fixture_target("postgres");
	g_autoptr(GError) error = NULL;
	g_autoptr(PGconn) connection = hf_pg_connect(target, &error);
	char *identifier = PQescapeIdentifier(connection, database, strlen(database));
	g_autofree char *sql = g_strconcat(verb, identifier, tail, NULL);
	g_autoptr(PGresult) result = hf_pg_query(connection, sql, NULL, &error);

	g_assert_no_error(error);
	PQfreemem(identifier);
}

void
fixture_drop(const char *database)
{
	order("DROP DATABASE IF EXISTS ", database, " WITH (FORCE)");
}

void
fixture_create(const char *database)
{
	fixture_drop(database);
	order("CREATE DATABASE ", database, "");
}
