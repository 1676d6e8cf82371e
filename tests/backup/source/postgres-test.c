#include "config.h"

#include "backup/source/scan.h"
#include "backup/stage/sink.h"
#include "backup/stage/stage-impl.h"
#include "common/cancel.h"
#include "common/error.h"
#include "tests/backup/source/postgres-fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Databases of this run's own: two runs may share a server. */
static char *
own_name(const char *stem)
{
	return g_strdup_printf("hf_%s_%d", stem, (int)getpid());
}

static HfPostgres *
open_source(const char *database)
{
	g_autoptr(HfPgTarget) target = fixture_target(database);
	g_autoptr(GError) error = NULL;
	HfPostgres *source = hf_postgres_open(target, NULL, &error);

	g_assert_no_error(error);
	return source;
}

static HfStage *
dump_through_scan(const char *database)
{
	g_autoptr(HfPostgres) source = open_source(database);
	HfStage *scan = hf_scan_new(NULL, HF_SCAN_DATABASE);
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_postgres_dump(source, scan, &error));
	g_assert_no_error(error);
	g_assert_true(hf_stage_finish(scan, &error));
	return scan;
}

static const HfTable *
find(const HfStage *scan, const char *name)
{
	for (guint i = 0; i < hf_scan_tables(scan)->len; i++) {
		const HfTable *table = g_ptr_array_index(hf_scan_tables(scan), i);

		if (strcmp(table->name, name) == 0)
			return table;
	}
	g_error("no table %s", name);
}

static void
test_awkward_database_is_scanned(void)
{
	static const struct {
		const char *name;
		uint64_t rows;
	} expected[] = {
		{"public.plain", 1000},      {"public.\"it's \"\"odd\"\"; (COPY x FROM stdin;\"", 2},
		{"public.\"line\nend\"", 1}, {"\"sch\303\266n\".\"\345\233\276\347\211\207\"", 1},
		{"public.empty_one", 0},     {"public.no_columns", 1},
		{"public.bytes", 100},       {"public.parts_1", 1},
		{"public.parts_2", 2},       {"public.parent", 1},
		{"public.child", 1},         {"public.generated", 2},
	};
	g_autofree char *name = own_name("awkward");
	g_autoptr(HfStage) scan = NULL;

	fixture_create(name);
	g_free(fixture_sql(name, fixture_awkward_sql));
	scan = dump_through_scan(name);
	g_assert_cmpuint(hf_scan_tables(scan)->len, ==, G_N_ELEMENTS(expected));
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
		g_assert_cmpuint(find(scan, expected[i].name)->rows, ==, expected[i].rows);
	fixture_drop(name);
}

static void
test_empty_database_is_a_dump(void)
{
	g_autofree char *name = own_name("it's \"empty\" \303\244");
	g_autoptr(HfStage) scan = NULL;

	fixture_create(name);
	scan = dump_through_scan(name);
	g_assert_cmpuint(hf_scan_tables(scan)->len, ==, 0);
	fixture_drop(name);
}

static void
test_five_thousand_tables(void)
{
	g_autofree char *name = own_name("many");
	g_autoptr(HfStage) scan = NULL;

	fixture_create(name);
	for (int i = 0; i < 5; i++) { /* each DDL takes a lock until the end of its transaction */
		g_autofree char *sql = g_strdup_printf(
			"DO $$ BEGIN FOR i IN %d..%d LOOP EXECUTE format('CREATE TABLE "
			"t%%s AS SELECT 1 AS x', i); END LOOP; END $$",
			i * 1000 + 1, i * 1000 + 1000);

		g_free(fixture_sql(name, sql));
	}
	scan = dump_through_scan(name);
	g_assert_cmpuint(hf_scan_tables(scan)->len, ==, 5000);
	g_assert_cmpuint(hf_scan_rows(scan), ==, 5000);
	fixture_drop(name);
}

static void
test_info_is_the_servers(void)
{
	g_autoptr(HfPostgres) source = open_source("postgres");
	const HfPgInfo *info = hf_postgres_info(source);

	g_assert_cmpstr(info->database, ==, "postgres");
	g_assert_cmpstr(info->encoding, ==, "UTF8");
	g_assert_cmpstr(info->collate, ==, "C.UTF-8");
	g_assert_cmpint(info->server_major, >=, 15);
	g_assert_cmpint((int)g_ascii_strtoll(info->dump_version, NULL, 10), >=, info->server_major);
	g_assert_null(strchr(info->server_version, ' '));
}

static void
test_dump_is_of_the_moment_it_was_opened(void)
{
	g_autofree char *name = own_name("moment");
	g_autoptr(HfPostgres) source = NULL;
	g_autoptr(HfStage) scan = hf_scan_new(NULL, HF_SCAN_DATABASE);

	fixture_create(name);
	g_free(fixture_sql(name, "CREATE TABLE a (x integer); INSERT INTO a VALUES (1)"));
	source = open_source(name);
	g_free(fixture_sql(name, "INSERT INTO a VALUES (2)"));
	g_assert_true(hf_postgres_dump(source, scan, NULL));
	g_assert_cmpuint(hf_scan_rows(scan), ==, 1);
	fixture_drop(name);
}

static void
test_careful_timeouts_do_not_kill_it(void)
{
	g_autofree char *name = own_name("timeouts");
	g_autofree char *sql = g_strdup_printf(
		"ALTER DATABASE %s SET idle_in_transaction_session_timeout = 1000;"
		"ALTER DATABASE %s SET statement_timeout = 3000",
		name, name);
	g_autoptr(HfPostgres) source = NULL;
	g_autoptr(HfStage) scan = hf_scan_new(NULL, HF_SCAN_DATABASE);

	fixture_create(name);
	g_free(fixture_sql(name, sql));
	source = open_source(name);
	g_usleep(1500000);
	g_assert_true(hf_postgres_dump(source, scan, NULL));
	fixture_drop(name);
}

static void
test_odd_passwords_work(void)
{
	static const char *const passwords[] = {"a:b\\c'd\"e f", "\303\244\360\237\220\230",
						" lead and trail ", "#%@/?&=", "\\\\::''"};
	g_autofree char *user = own_name("it's \"odd\"");

	for (size_t i = 0; i < G_N_ELEMENTS(passwords); i++) {
		g_autoptr(HfPgTarget) target = fixture_target_as("postgres", user, passwords[i]);
		g_autoptr(HfPgTarget) admin = fixture_target("postgres");
		g_autoptr(PGconn) connection = hf_pg_connect(admin, NULL);
		char *name = PQescapeIdentifier(connection, user, strlen(user));
		char *word = PQescapeLiteral(connection, passwords[i], strlen(passwords[i]));
		g_autofree char *make = g_strdup_printf("CREATE ROLE %s LOGIN PASSWORD %s", name, word);
		g_autofree char *drop = g_strdup_printf("DROP ROLE %s", name);
		g_autoptr(HfPostgres) source = NULL;
		g_autoptr(HfStage) scan = hf_scan_new(NULL, HF_SCAN_DATABASE);
		g_autoptr(GError) error = NULL;

		g_free(fixture_sql("postgres", make));
		source = hf_postgres_open(target, NULL, &error);
		g_assert_no_error(error);
		g_assert_true(hf_postgres_dump(source, scan, &error));
		g_assert_no_error(error);
		g_clear_pointer(&source, hf_postgres_free);
		g_free(fixture_sql("postgres", drop));
		PQfreemem(name);
		PQfreemem(word);
	}
}

/* ---- what bad input gets ---- */

static const struct {
	const char *name, *keyword, *value, *password;
	HfError code;
	const char *words; /* that the message must hold, the last of them the setting */
} logins[] = {
	{"unknown-host", "host", "no-such-host.invalid", "x", HF_ERROR_USAGE,
	 "no-such-host.invalid*check DB_HOST"},
	{"nobody-listens", "port", "1", "x", HF_ERROR_USAGE, "refused*DB_PORT"},
	{"host-that-is-silent", "host", "192.0.2.1", "x", HF_ERROR_USAGE, "DB_HOST"},
	{"wrong-password", NULL, NULL, "wrong", HF_ERROR_USAGE, "password authentication failed*DB_PASSWORD"},
	{"no-password", NULL, NULL, NULL, HF_ERROR_USAGE, "no password supplied*DB_PASSWORD"},
	{"unknown-user", "user", "nobody_at_all", "x", HF_ERROR_USAGE, "nobody_at_all*DB_USER"},
	{"unknown-database", "dbname", "no such one", "right", HF_ERROR_USAGE,
	 "\"no such one\" does not exist*DB_NAME"},
};

static void
test_login_error_names_the_setting(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfPgTarget) target = fixture_target("postgres");
	g_autoptr(GString) conninfo = g_string_new(target->conninfo);
	g_autoptr(GError) error = NULL;
	g_autofree char *pattern = g_strdup_printf("*%s*", logins[i].words);

	if (logins[i].keyword)
		hf_pg_conninfo_add(conninfo, logins[i].keyword, logins[i].value);
	hf_pg_conninfo_add(conninfo, "connect_timeout", "2");
	g_free(target->conninfo);
	target->conninfo = g_string_free(g_steal_pointer(&conninfo), FALSE);
	if (!logins[i].password || strcmp(logins[i].password, "right") != 0) {
		hf_secret_free(target->password);
		target->password = logins[i].password ? hf_secret_new(logins[i].password,
								      strlen(logins[i].password), "x", NULL)
						      : NULL;
	}
	g_assert_null(hf_postgres_open(target, NULL, &error));
	g_test_message("%s", error->message);
	g_assert_true(hf_error_is(error, logins[i].code));
	g_assert_true(g_pattern_match_simple(pattern, error->message));
	g_assert_null(strchr(error->message, '\n'));
}

static const struct {
	const char *name, *sql, *words;
	HfError code;
} refusals[] = {
	{"one-table", "CREATE TABLE fine (x int); CREATE TABLE secret (x int); GRANT SELECT ON fine TO %s",
	 "permission denied for table secret*GRANT pg_read_all_data", HF_ERROR_DENIED},
	{"row-level-security",
	 "CREATE TABLE rls (x int); ALTER TABLE rls ENABLE ROW LEVEL SECURITY; GRANT SELECT ON rls TO %s",
	 "row-level security*\"rls\"*BYPASSRLS", HF_ERROR_DENIED},
	{"large-object", "SELECT lo_from_bytea(0, 'x'); COMMENT ON SCHEMA public IS '%s'",
	 "permission denied for large object*GRANT SELECT ON LARGE OBJECT", HF_ERROR_DENIED},
};

static void
test_missing_right_is_named(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autofree char *name = own_name("rights");
	g_autofree char *role = g_strdup_printf("CREATE ROLE %s LOGIN PASSWORD 'x'", name);
	g_autofree char *drop = g_strdup_printf("DROP ROLE %s", name);
	g_autofree char *sql = g_strdup_printf("DO $$ BEGIN END $$; %s", refusals[i].sql);
	g_auto(GStrv) around = g_strsplit(sql, "%s", 2);
	g_autofree char *setup = g_strconcat(around[0], name, around[1], NULL);
	g_autofree char *pattern = g_strdup_printf("*%s*", refusals[i].words);
	g_autoptr(HfPgTarget) target = fixture_target_as(name, name, "x");
	g_autoptr(HfPostgres) source = NULL;
	g_autoptr(HfStage) scan = hf_scan_new(NULL, HF_SCAN_DATABASE);
	g_autoptr(GError) error = NULL;

	fixture_create(name);
	g_free(fixture_sql(name, role));
	g_free(fixture_sql(name, setup));
	source = hf_postgres_open(target, NULL, &error);
	g_assert_no_error(error);
	g_assert_false(hf_postgres_dump(source, scan, &error));
	g_test_message("%s", error->message);
	g_assert_true(hf_error_is(error, refusals[i].code));
	g_assert_true(g_pattern_match_simple(pattern, error->message));
	g_clear_pointer(&source, hf_postgres_free);
	fixture_drop(name);
	g_free(fixture_sql("postgres", drop));
}

/* A folder with a program of that name that says it is of that version. */
static char *
make_program(const char *name, const char *body)
{
	char *dir = g_dir_make_tmp("holdfast-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_autofree char *script = g_strdup_printf("#!/bin/sh\n%s\n", body);

	g_assert_true(g_file_set_contents(path, script, -1, NULL));
	g_assert_cmpint(chmod(path, 0700), ==, 0);
	return dir;
}

static void
remove_program(const char *dir, const char *name)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	g_assert_cmpint(unlink(path), ==, 0);
	g_assert_cmpint(rmdir(dir), ==, 0);
}

static void
test_newer_server_names_the_package(void)
{
	g_autofree char *dir = make_program("pg_dump", "echo 'pg_dump (PostgreSQL) 9.6.24'");
	g_autoptr(HfPgTarget) target = fixture_target("postgres");
	g_autoptr(GError) error = NULL;

	g_assert_null(hf_postgres_open(target, dir, &error));
	g_test_message("%s", error->message);
	g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
	g_assert_nonnull(strstr(error->message, "install postgresql-client-1"));
	remove_program(dir, "pg_dump");
}

static void
test_missing_program_names_the_package(void)
{
	g_autofree char *dir = g_dir_make_tmp("holdfast-XXXXXX", NULL);
	g_autoptr(GError) error = NULL;

	g_assert_null(hf_pg_program("pg_dump", 15, dir, NULL, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
	g_assert_nonnull(strstr(error->message, "install postgresql-client-15"));
	g_assert_cmpint(rmdir(dir), ==, 0);
}

static void
test_lowest_program_that_is_new_enough(void)
{
	g_autofree char *version = NULL;
	g_autofree char *path = hf_pg_program("pg_dump", 9, NULL, &version, NULL);

	g_assert_true(g_str_has_prefix(path, "/usr/lib/postgresql/"));
	g_assert_true(g_ascii_isdigit(*version));
	g_assert_null(hf_pg_program("pg_dump", 99, NULL, NULL, NULL));
}

static void
test_killed_pg_dump_is_told(void)
{
	g_autofree char *dir = make_program(
		"pg_dump",
		"[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 99.0' && exit\necho --; kill -9 $$");
	g_autoptr(HfPgTarget) target = fixture_target("postgres");
	g_autoptr(GError) error = NULL;
	g_autoptr(HfPostgres) source = hf_postgres_open(target, dir, &error);
	g_autoptr(HfStage) scan = hf_scan_new(NULL, HF_SCAN_DATABASE);

	g_assert_no_error(error);
	g_assert_false(hf_postgres_dump(source, scan, &error));
	g_assert_cmpstr(error->message, ==, "database \"postgres\": pg_dump: ended by signal 9 (Killed)");
	remove_program(dir, "pg_dump");
}

/* A stage that does something once the first rows have come. */
typedef struct {
	HfStage stage;
	const char *database; /* its connections are ended; NULL: a stop is asked for */
	uint64_t bytes;
	bool is_done;
} Saboteur;

static bool
saboteur_write(HfStage *stage, const void *buf, size_t len, GError **error)
{
	Saboteur *self = (Saboteur *)stage;

	(void)buf;
	(void)error;
	self->bytes += len;
	if (self->is_done || self->bytes < (1 << 20))
		return true;
	self->is_done = true;
	if (self->database) {
		g_autofree char *sql = g_strdup_printf(
			"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '%s'",
			self->database);

		g_free(fixture_sql("postgres", sql));
	} else {
		hf_cancel_request();
	}
	return true;
}

static const HfStageOps saboteur_ops = {.name = "saboteur", .write = saboteur_write};

static void
assert_sabotage(bool is_cancel, HfError code)
{
	g_autofree char *name = own_name("sabotage");
	g_autoptr(HfPostgres) source = NULL;
	Saboteur *saboteur = g_new0(Saboteur, 1);
	g_autoptr(HfStage) chain = &saboteur->stage;
	g_autoptr(GError) error = NULL;

	hf_stage_init(&saboteur->stage, &saboteur_ops, NULL);
	saboteur->database = is_cancel ? NULL : name;
	fixture_create(name);
	g_free(fixture_sql(
		name,
		"CREATE TABLE big AS SELECT repeat(md5(i::text), 20) FROM generate_series(1, 60000) i"));
	source = open_source(name);
	g_assert_false(hf_postgres_dump(source, chain, &error));
	hf_cancel_reset();
	g_test_message("%s", error->message);
	g_assert_true(hf_error_is(error, code));
	g_clear_pointer(&source, hf_postgres_free);
	fixture_drop(name);
}

static void
test_server_stopped_in_the_middle(void)
{
	assert_sabotage(false, HF_ERROR_TRANSIENT);
}

static void
test_cancelled_in_the_middle(void)
{
	assert_sabotage(true, HF_ERROR_CANCELLED);
}

/* ---- targets ---- */

static const struct {
	const char *name, *url, *conninfo, *database, *password;
} urls[] = {
	{"url", "postgres://u:p%40ss@h:5433/db?sslmode=require",
	 "user='u' host='h' port='5433' dbname='db' sslmode='require'", "db", "p@ss"},
	{"conninfo", "host=h dbname='it''s' user=u password='a b'", NULL, NULL, NULL},
	{"conninfo-quotes", "host=h dbname='it\\'s' password='a b'", "dbname='it\\'s' host='h'", "it's",
	 "a b"},
	{"no-database", "postgres://u@h/", NULL, NULL, NULL},
	{"not-a-url", "postgres://u:secret@[::1/db", NULL, NULL, NULL},
	{"sslpassword", "host=h dbname=d sslpassword=secret", NULL, NULL, NULL},
	{"password-with-line-end", "postgres://u:a%0Ab@h/db", NULL, NULL, NULL},
};

static int
compare_words(gconstpointer a, gconstpointer b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The order of libpq's table is its own business. */
static char *
sorted(const char *conninfo)
{
	g_auto(GStrv) words = g_strsplit(conninfo, " ", -1);

	qsort(words, g_strv_length(words), sizeof *words, compare_words);
	return g_strjoinv(" ", words);
}

static void
test_target_is_parsed(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfPgTarget) target = hf_pg_target_parse(urls[i].url, &error);

	if (!urls[i].conninfo) {
		g_assert_null(target);
		g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
		g_assert_null(strstr(error->message, "secret"));
		return;
	}
	g_assert_no_error(error);
	{
		g_autofree char *expected = sorted(urls[i].conninfo);
		g_autofree char *got = sorted(target->conninfo);

		g_assert_cmpstr(got, ==, expected);
	}
	g_assert_cmpstr(target->database, ==, urls[i].database);
	g_assert_cmpstr(hf_secret_bytes(target->password), ==, urls[i].password);
}

/* ---- globals ---- */

static char *
globals_as(const HfPgTarget *target)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfPostgres) source = hf_postgres_open(target, NULL, &error);
	HfStage *sink = hf_sink_bytes_new(1 << 20);
	g_autoptr(HfStage) chain = hf_scan_new(sink, HF_SCAN_GLOBALS);
	g_autoptr(GBytes) bytes = NULL;

	g_assert_no_error(error);
	g_assert_true(hf_postgres_globals(source, chain, &error));
	g_assert_true(hf_stage_finish(chain, &error));
	bytes = hf_sink_bytes_get(sink);
	return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static void
test_globals_hold_roles(void)
{
	g_autofree char *name = own_name("globals");
	g_autofree char *make = g_strdup_printf("CREATE ROLE %s LOGIN PASSWORD 'x'", name);
	g_autofree char *drop = g_strdup_printf("DROP ROLE %s", name);
	g_autofree char *role = g_strdup_printf("CREATE ROLE %s;", name);
	g_autoptr(HfPgTarget) admin = fixture_target("postgres");
	g_autoptr(HfPgTarget) plain = fixture_target_as("postgres", name, "x");
	g_autofree char *with_passwords = NULL;
	g_autofree char *without = NULL;

	g_free(fixture_sql("postgres", make));
	with_passwords = globals_as(admin);
	without = globals_as(plain);
	g_free(fixture_sql("postgres", drop));
	g_assert_nonnull(strstr(with_passwords, role));
	g_assert_nonnull(strstr(with_passwords, "SCRAM-SHA-256"));
	g_assert_nonnull(strstr(without, role));
	g_assert_null(strstr(without, "SCRAM-SHA-256"));
	g_assert_true(g_str_has_prefix(without, "-- Roles without their passwords"));
}

static void
add_tables(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(logins); i++) {
		g_autofree char *path = g_strdup_printf("/postgres/login-error/%s", logins[i].name);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_login_error_names_the_setting);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
		g_autofree char *path = g_strdup_printf("/postgres/missing-right/%s", refusals[i].name);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_missing_right_is_named);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(urls); i++) {
		g_autofree char *path = g_strdup_printf("/postgres/target/%s", urls[i].name);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_target_is_parsed);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add_tables();
	g_test_add_func("/postgres/awkward-database-is-scanned", test_awkward_database_is_scanned);
	g_test_add_func("/postgres/empty-database-is-a-dump", test_empty_database_is_a_dump);
	g_test_add_func("/postgres/five-thousand-tables", test_five_thousand_tables);
	g_test_add_func("/postgres/info-is-the-servers", test_info_is_the_servers);
	g_test_add_func("/postgres/dump-is-of-the-moment-it-was-opened",
			test_dump_is_of_the_moment_it_was_opened);
	g_test_add_func("/postgres/careful-timeouts-do-not-kill-it", test_careful_timeouts_do_not_kill_it);
	g_test_add_func("/postgres/odd-passwords-work", test_odd_passwords_work);
	g_test_add_func("/postgres/newer-server-names-the-package", test_newer_server_names_the_package);
	g_test_add_func("/postgres/missing-program-names-the-package",
			test_missing_program_names_the_package);
	g_test_add_func("/postgres/lowest-program-that-is-new-enough",
			test_lowest_program_that_is_new_enough);
	g_test_add_func("/postgres/killed-pg-dump-is-told", test_killed_pg_dump_is_told);
	g_test_add_func("/postgres/server-stopped-in-the-middle", test_server_stopped_in_the_middle);
	g_test_add_func("/postgres/cancelled-in-the-middle", test_cancelled_in_the_middle);
	g_test_add_func("/postgres/globals-hold-roles", test_globals_hold_roles);
	return g_test_run();
}
