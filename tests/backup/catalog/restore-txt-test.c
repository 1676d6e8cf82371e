#include "config.h"

#include "common/error.h"
#include "tests/lib/fixture.h"

#include <libpq-fe.h>
#include <string.h>
#include <sys/stat.h>

#define T0 1705284000
#define ID "2024-01-15_02-00-00"

/* The test server as libpq's variables, on top of our environment. */
static char **
server_environment(void)
{
	static const struct {
		const char *keyword, *variable;
	} wanted[] = {{"host", "PGHOST"}, {"port", "PGPORT"}, {"user", "PGUSER"}, {"password", "PGPASSWORD"}};
	const char *url = g_getenv("HF_TEST_PG_URL");
	char **environment = g_get_environ();
	PQconninfoOption *options;

	g_assert_nonnull(url); /* tests/run.sh starts a server and sets it */
	options = PQconninfoParse(url, NULL);
	g_assert_nonnull(options);
	for (const PQconninfoOption *option = options; option->keyword; option++)
		for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++)
			if (option->val && strcmp(option->keyword, wanted[i].keyword) == 0)
				environment = g_environ_setenv(environment, wanted[i].variable, option->val,
							       TRUE);
	PQconninfoFree(options);
	return environment;
}

/* Runs argv with the server's variables and NAME=VALUE pairs; true where it exits 0.  output_out may be NULL. */
static bool
run(const char *const *argv, const char *database, char **output_out)
{
	g_auto(GStrv) environment = server_environment();
	g_autofree char *output = NULL;
	g_autofree char *errors = NULL;
	g_autoptr(GError) error = NULL;
	int status = 0;
	char **copy = g_strdupv((char **)(uintptr_t)argv);

	if (database)
		environment = g_environ_setenv(environment, "RESTORE_DATABASE", database, TRUE);
	g_spawn_sync(NULL, copy, environment, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &errors, &status,
		     &error);
	g_strfreev(copy);
	g_assert_no_error(error);
	g_test_message("%s%s", output, errors);
	if (output_out)
		*output_out = g_strconcat(output, errors, NULL);
	return g_spawn_check_wait_status(status, NULL);
}

static PGconn *
connect_to(const char *database)
{
	/* Of two dbnames the first is expanded (expand_dbname), and the last one counts. */
	const char *const keywords[] = {"dbname", database ? "dbname" : NULL, NULL};
	const char *const values[] = {g_getenv("HF_TEST_PG_URL"), database, NULL};

	return PQconnectdbParams(keywords, values, 1);
}

static char *
query(const char *database, const char *sql)
{
	PGconn *connection = connect_to(database);
	PGresult *result = PQexec(connection, sql);
	char *text = g_strdup(PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0
				      ? PQgetvalue(result, 0, 0)
				      : PQerrorMessage(connection));

	PQclear(result);
	PQfinish(connection);
	return text;
}

static void
drop(const char *database)
{
	PGconn *connection = connect_to(NULL);
	char *quoted = PQescapeIdentifier(connection, database, strlen(database));
	g_autofree char *sql = g_strdup_printf("DROP DATABASE IF EXISTS %s", quoted);

	PQclear(PQexec(connection, sql));
	PQfreemem(quoted);
	PQfinish(connection);
}

static void
make_set(const Fixture *fixture, HfCompressionKind kind, uint64_t archive_bytes)
{
	const HfArchiveOptions options = {.compression = {kind, 0}, .archive_bytes = archive_bytes};
	g_autofree char *dump = fixture_dump(3, 60000);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) manifest = fixture_set(fixture->store, &options, dump, T0, &error);

	g_assert_no_error(error);
}

static bool
run_text(const Fixture *fixture, const char *database, char **output_out)
{
	g_autofree char *path = fixture_path(fixture, "backup_" ID ".RESTORE.txt");
	const char *const argv[] = {"/bin/sh", path, NULL};

	return run(argv, database, output_out);
}

static void
test_the_text_restores_every_kind_of_set(void)
{
	static const struct {
		HfCompressionKind kind;
		uint64_t archive_bytes;
		const char *database;
	} cases[] = {
		{HF_COMPRESSION_GZIP, 0, "hf_restore_one"},
		{HF_COMPRESSION_GZIP, 400000, "hf restore 'odd' \"name\" $(false) a=b"},
		{HF_COMPRESSION_ZSTD, 400000, "-hf\nrestore"},
		{HF_COMPRESSION_NONE, 3000000, "postgres://hf"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Fixture) fixture = fixture_new();
		g_autofree char *rows = NULL;

		make_set(fixture, cases[i].kind, cases[i].archive_bytes);
		drop(cases[i].database);
		g_assert_true(run_text(fixture, cases[i].database, NULL));
		rows = query(cases[i].database, "SELECT count(*) FROM t2");
		g_assert_cmpstr(rows, ==, "60000");
		drop(cases[i].database);
	}
}

static void
test_an_existing_database_is_left_alone(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *rows = NULL;

	make_set(fixture, HF_COMPRESSION_GZIP, 0);
	g_assert_false(run_text(fixture, "postgres", NULL));
	rows = query(NULL, "SELECT count(*) FROM pg_class WHERE relname = 't2'");
	g_assert_cmpstr(rows, ==, "0");
}

static void
cut(const Fixture *fixture, const char *key)
{
	g_autoptr(GBytes) bytes = fixture_get(fixture, key);

	fixture_put(fixture, key, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes) - 1);
}

static void
test_a_damaged_part_stops_it_before_anything_is_made(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *output = NULL;
	g_autofree char *count = NULL;

	make_set(fixture, HF_COMPRESSION_GZIP, 400000);
	cut(fixture, "database_backup_" ID ".part0002.sql.gz");
	drop("hf_restore_cut");
	g_assert_false(run_text(fixture, "hf_restore_cut", &output));
	g_assert_nonnull(strstr(output, "part0002.sql.gz is missing or damaged"));
	count = query(NULL, "SELECT count(*) FROM pg_database WHERE datname = 'hf_restore_cut'");
	g_assert_cmpstr(count, ==, "0");
}

/* What the digests would have found: a stream that ends early must fail by itself, too. */
static void
test_a_stream_that_breaks_fails_the_restore(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GBytes) text = NULL;
	g_autofree char *script = NULL, *output = NULL;
	g_auto(GStrv) halves = NULL;

	make_set(fixture, HF_COMPRESSION_GZIP, 400000);
	text = fixture_get(fixture, "backup_" ID ".RESTORE.txt");
	script = g_strndup(g_bytes_get_data(text, NULL), g_bytes_get_size(text));
	halves = g_strsplit(script, "check() {\n", 2);
	g_free(script);
	script = g_strconcat(halves[0], "check() {\nreturn 0\n", halves[1], NULL);
	fixture_put(fixture, "backup_" ID ".RESTORE.txt", script, strlen(script));
	cut(fixture, "database_backup_" ID ".part0003.sql.gz");
	drop("hf_restore_break");
	g_assert_false(run_text(fixture, "hf_restore_break", &output));
	g_assert_nonnull(strstr(output, "the restore FAILED"));
	drop("hf_restore_break");
}

static void
test_a_name_with_a_line_end_stays_in_its_comment(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GBytes) text = NULL;
	g_autofree char *script = NULL;
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSetWriter) writer = hf_set_writer_new(fixture->store, T0, &error);
	g_autoptr(HfManifest) manifest = hf_manifest_new(ID);

	manifest->database = hf_database_record_new();
	manifest->database->name = g_strdup("x\ntouch '/tmp/owned'\n");
	manifest->database->globals_absent = g_strdup("y\nfalse");
	manifest->database->archive = hf_archive_new(HF_COMPRESSION_GZIP);
	hf_archive_add_part(manifest->database->archive, "k", 1, "");
	manifest->database->index = hf_archive_new(HF_COMPRESSION_GZIP);
	g_assert_true(hf_set_writer_commit(writer, manifest, &error));
	text = fixture_get(fixture, "backup_" ID ".RESTORE.txt");
	script = g_strndup(g_bytes_get_data(text, NULL), g_bytes_get_size(text));
	/* Once in the comment, its line ends gone; once as a shell word, quoted. */
	g_assert_nonnull(strstr(script, "x?touch '/tmp/owned'?\n"));
	g_assert_nonnull(strstr(script, "original='x\ntouch '\\''/tmp/owned'\\''\n'\n"));
	g_assert_nonnull(strstr(script, "y?false"));
}

/*
 * A store that says it is a bucket, its objects in a folder, and an "aws" in PATH that takes exactly the command line of
 * `aws s3 cp`: what awscli itself does with it is seen where there is a bucket (tests/e2e).
 */
static void
test_a_bucket_is_read_by_aws_s3_cp(void)
{
	static const char aws[] = "#!/bin/sh\n"
				  "[ \"$1 $2 $3\" = \"s3 cp --only-show-errors\" ] || exit 2\n"
				  "[ \"$4 $5\" = \"--endpoint-url http://127.0.0.1:1\" ] || exit 2\n"
				  "case $6 in \"s3://bucket/pre fix/\"*) ;; *) exit 2 ;; esac\n"
				  "[ \"$7\" = - ] || exit 2\n"
				  "exec cat \"${0%/*}/${6##*/}\"\n";
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfStore) bucket = failing_store_new(fixture->store, UINT64_MAX);
	const HfArchiveOptions options = {.archive_bytes = 400000};
	g_autofree char *dump = fixture_dump(3, 60000);
	g_autofree char *program = fixture_path(fixture, "aws");
	g_autofree char *path = g_strdup_printf("PATH=%s:%s", fixture->folder, g_getenv("PATH"));
	g_autofree char *text = fixture_path(fixture, "backup_" ID ".RESTORE.txt");
	const char *const argv[] = {"env", path, "/bin/sh", text, NULL};
	g_autoptr(HfManifest) manifest = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *rows = NULL;

	g_free(bucket->location);
	bucket->location = g_strdup("s3://bucket/pre fix");
	bucket->endpoint = g_strdup("http://127.0.0.1:1");
	manifest = fixture_set(bucket, &options, dump, T0, &error);
	g_assert_no_error(error);
	fixture_put(fixture, "aws", aws, strlen(aws));
	g_assert_cmpint(chmod(program, 0700), ==, 0);
	drop("hf_restore_bucket");
	g_assert_true(run(argv, "hf_restore_bucket", NULL));
	rows = query("hf_restore_bucket", "SELECT count(*) FROM t2");
	g_assert_cmpstr(rows, ==, "60000");
	drop("hf_restore_bucket");
}

static void
test_shellcheck_has_nothing_to_say(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *path = fixture_path(fixture, "backup_" ID ".RESTORE.txt");
	const char *const argv[] = {"shellcheck", "-s", "sh", path, NULL};

	make_set(fixture, HF_COMPRESSION_GZIP, 400000);
	g_assert_true(run(argv, NULL, NULL));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/restore-txt/the-text-restores-every-kind-of-set",
			test_the_text_restores_every_kind_of_set);
	g_test_add_func("/restore-txt/an-existing-database-is-left-alone",
			test_an_existing_database_is_left_alone);
	g_test_add_func("/restore-txt/a-damaged-part-stops-it-before-anything-is-made",
			test_a_damaged_part_stops_it_before_anything_is_made);
	g_test_add_func("/restore-txt/a-stream-that-breaks-fails-the-restore",
			test_a_stream_that_breaks_fails_the_restore);
	g_test_add_func("/restore-txt/a-name-with-a-line-end-stays-in-its-comment",
			test_a_name_with_a_line_end_stays_in_its_comment);
	g_test_add_func("/restore-txt/a-bucket-is-read-by-aws-s3-cp", test_a_bucket_is_read_by_aws_s3_cp);
	g_test_add_func("/restore-txt/shellcheck-has-nothing-to-say", test_shellcheck_has_nothing_to_say);
	return g_test_run();
}
