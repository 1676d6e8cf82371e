#include "config.h"

#include "backup/job/backup-database.h"
#include "backup/job/lock.h"
#include "backup/verify/verify.h"
#include "common/cancel.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <libpq-fe.h>
#include <string.h>
#include <unistd.h>

/* A database of this process's own on the test server, with two tables. */
static char *
make_database(void)
{
	PGconn *connection = PQconnectdb(g_getenv("HF_TEST_PG_URL"));
	char *name = g_strdup_printf("hf_job_%ld", (long)getpid());
	g_autofree char *sql = g_strdup_printf("CREATE DATABASE %s", name);

	g_assert_cmpint(PQstatus(connection), ==, CONNECTION_OK);
	PQclear(PQexec(connection, sql));
	PQfinish(connection);
	return name;
}

static void
execute(const HfPgTarget *target, const char *sql)
{
	g_autofree char *conninfo = g_strdup_printf("%s password=%s", target->conninfo,
						    hf_secret_bytes(target->password));
	PGconn *connection = PQconnectdb(conninfo);
	PGresult *result = PQexec(connection, sql);

	g_assert_cmpint(PQresultStatus(result), ==, PGRES_COMMAND_OK);
	PQclear(result);
	PQfinish(connection);
}

static HfPgTarget *
target_new(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *name = make_database();
	g_autoptr(HfPgTarget) server = NULL;
	HfPgTarget *target;

	g_assert_nonnull(g_getenv("HF_TEST_PG_URL")); /* tests/run.sh starts a server and sets it */
	server = hf_pg_target_parse(g_getenv("HF_TEST_PG_URL"), &error);
	g_assert_no_error(error);
	target = hf_pg_target_with_database(server, name);
	execute(target, "DROP TABLE IF EXISTS a, \"b \"\"c\"; CREATE TABLE a AS SELECT i, md5(i::text) FROM "
			"generate_series(1, 30000) i; CREATE TABLE \"b \"\"c\" (x int)");
	return target;
}

static void
target_drop(HfPgTarget *target)
{
	g_autofree char *sql = g_strdup_printf("DROP DATABASE %s WITH (FORCE)", target->database);
	PGconn *connection = PQconnectdb(g_getenv("HF_TEST_PG_URL"));

	PQclear(PQexec(connection, sql));
	PQfinish(connection);
	hf_pg_target_free(target);
}

static void
test_a_database_becomes_a_set_that_verifies(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	HfPgTarget *target = target_new();
	HfProgress progress = {0};
	const HfBackupDatabase options = {.target = target, .progress = &progress};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) manifest = hf_backup_database(fixture->store, &options, &error);
	g_autoptr(HfSet) set = NULL;

	g_assert_no_error(error);
	g_assert_cmpuint(manifest->database->tables, ==, 2);
	g_assert_cmpuint(manifest->database->rows, ==, 30000);
	g_assert_nonnull(manifest->database->globals);
	g_assert_cmpuint(progress.bytes, ==, manifest->database->archive->plain_bytes);
	g_assert_cmpstr(progress.phase, ==, "committing");
	set = hf_catalog_find(fixture->store, "latest", &error);
	g_assert_cmpstr(set->id, ==, manifest->id);
	g_assert_true(hf_verify(fixture->store, set, 2, NULL, &error));
	target_drop(target);
}

static void
test_a_store_that_fails_leaves_nothing(void)
{
	HfPgTarget *target = target_new();

	for (uint64_t after = 0; after < 600000; after = after * 3 + 100) {
		g_autoptr(Fixture) fixture = fixture_new();
		g_autoptr(HfStore) failing = failing_store_new(fixture->store, after);
		const HfBackupDatabase options = {.target = target, .compression = {HF_COMPRESSION_NONE, 0}};
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_backup_database(failing, &options, &error));
		g_assert_nonnull(strstr(error->message, "on purpose"));
		g_assert_cmpuint(fixture_files(fixture), ==, 0);
	}
	target_drop(target);
}

static void
test_a_cancelled_run_leaves_nothing(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	HfPgTarget *target = target_new();
	const HfBackupDatabase options = {.target = target};
	g_autoptr(GError) error = NULL;

	hf_cancel_request();
	g_assert_null(hf_backup_database(fixture->store, &options, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CANCELLED));
	g_assert_cmpuint(fixture_files(fixture), ==, 0);
	hf_cancel_reset();
	target_drop(target);
}

static void
test_one_at_a_time(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	HfPgTarget *target = target_new();
	const HfBackupDatabase options = {.target = target, .state_dir = fixture->folder};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfLock) lock = hf_lock_take(fixture->folder, "database", &error);

	g_assert_null(hf_backup_database(fixture->store, &options, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	target_drop(target);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/backup-database/a-database-becomes-a-set-that-verifies",
			test_a_database_becomes_a_set_that_verifies);
	g_test_add_func("/backup-database/a-store-that-fails-leaves-nothing",
			test_a_store_that_fails_leaves_nothing);
	g_test_add_func("/backup-database/a-cancelled-run-leaves-nothing",
			test_a_cancelled_run_leaves_nothing);
	g_test_add_func("/backup-database/one-at-a-time", test_one_at_a_time);
	return g_test_run();
}
