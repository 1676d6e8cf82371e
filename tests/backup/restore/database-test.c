#include "config.h"

#include "backup/restore/database-target.h"
#include "backup/source/scan.h"
#include "backup/store/dir.h"
#include "common/cancel.h"
#include "common/error.h"
#include "tests/backup/source/postgres-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* A store in a folder of its own, an original database, the name of a restored one, and what the scan saw. */
typedef struct {
	char *folder, *original, *copy;
	HfStore *store;
	HfArchive *archive;
	HfStage *scan; /* of the backup: owns the tables */
	HfPgTarget *target;
	char *role;
} Fixture;

static HfStage *
backup(Fixture *fixture)
{
	HfArchiveOptions options = {.stem = "dump", .extension = ".sql"};
	g_autoptr(HfPgTarget) target = fixture_target(fixture->original);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfPostgres) source = hf_postgres_open(target, NULL, &error);
	HfStage *archive, *scan;

	g_assert_no_error(error);
	fixture->archive = hf_archive_new(HF_COMPRESSION_GZIP);
	archive = hf_archive_write(fixture->store, &options, fixture->archive, &error);
	g_assert_no_error(error);
	scan = hf_scan_new(archive, HF_SCAN_DATABASE);
	g_assert_true(hf_postgres_dump(source, scan, &error));
	g_assert_true(hf_stage_finish(scan, &error));
	return scan;
}

static void
set_up(Fixture *fixture, gconstpointer sql)
{
	g_autoptr(GError) error = NULL;

	fixture->folder = g_dir_make_tmp("holdfast-XXXXXX", NULL);
	fixture->original = g_strdup_printf("hf_original_%d", (int)getpid());
	fixture->copy = g_strdup_printf("hf copy \"%d\"", (int)getpid());
	fixture->role = g_strdup_printf("hf_role_%d", (int)getpid());
	fixture->store = hf_dir_open(fixture->folder, &error);
	g_assert_no_error(error);
	fixture->target = fixture_target(fixture->copy);
	fixture_create(fixture->original);
	fixture_drop(fixture->copy);
	g_free(fixture_sql(fixture->original, sql ? sql : fixture_awkward_sql));
	fixture->scan = backup(fixture);
}

static void
tear_down(Fixture *fixture, gconstpointer sql)
{
	g_autoptr(GDir) dir = g_dir_open(fixture->folder, 0, NULL);
	const char *name;

	(void)sql;
	fixture_drop(fixture->original);
	fixture_drop(fixture->copy);
	while ((name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(fixture->folder, name, NULL);

		g_assert_cmpint(unlink(path), ==, 0);
	}
	g_assert_cmpint(rmdir(fixture->folder), ==, 0);
	hf_stage_free(fixture->scan);
	hf_archive_free(fixture->archive);
	hf_store_free(fixture->store);
	hf_pg_target_free(fixture->target);
	g_free(fixture->folder);
	g_free(fixture->original);
	g_free(fixture->copy);
	g_free(fixture->role);
}

static bool
restore(Fixture *fixture, bool create, HfRestoreResult *result, GError **error)
{
	HfRestoreDatabase options = {
		.target = fixture->target,
		.dump_version = "15.1",
		.encoding = "UTF8",
		.collate = "C.UTF-8",
		.ctype = "C.UTF-8",
		.tables = hf_scan_tables(fixture->scan),
		.globals_hint = "gunzip -c globals.sql.gz | psql",
		.create = create,
	};

	return hf_restore_database(fixture->store, fixture->archive, &options, result, error);
}

static bool
copy_exists(Fixture *fixture)
{
	g_autofree char *sql = g_strdup_printf("SELECT count(*) FROM pg_database WHERE datname = '%s'",
					       fixture->copy);
	g_autofree char *count = fixture_sql("postgres", sql);

	return strcmp(count, "1") == 0;
}

/* The other side of the digest: what was restored, dumped again, is the same whatever order its rows lie in. */
static void
test_restored_database_is_equal(Fixture *fixture, gconstpointer data)
{
	HfRestoreResult result = {0};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfPostgres) source = NULL;
	g_autoptr(HfStage) again = hf_scan_new(NULL, HF_SCAN_DATABASE);
	const GPtrArray *tables = hf_scan_tables(fixture->scan), *others = hf_scan_tables(again);

	(void)data;
	g_assert_true(restore(fixture, true, &result, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(result.tables, ==, tables->len);
	g_assert_cmpuint(result.rows, ==, hf_scan_rows(fixture->scan));
	/* Every row of this table is written anew, behind the others. */
	g_free(fixture_sql(fixture->copy, "UPDATE plain SET word = word WHERE id % 7 = 0"));
	source = hf_postgres_open(fixture->target, NULL, &error);
	g_assert_true(hf_postgres_dump(source, again, &error));
	g_assert_cmpuint(others->len, ==, tables->len);
	for (guint i = 0; i < tables->len; i++) {
		const HfTable *one = g_ptr_array_index(tables, i), *other = g_ptr_array_index(others, i);

		g_assert_cmpstr(one->name, ==, other->name);
		g_assert_cmpuint(one->rows, ==, other->rows);
		g_assert_cmpuint(one->bytes, ==, other->bytes);
		g_assert_cmpint(memcmp(one->digest, other->digest, sizeof one->digest), ==, 0);
	}
}

static void
test_large_objects_come_back(Fixture *fixture, gconstpointer data)
{
	const char *sql =
		"SELECT md5(string_agg(md5(lo_get(oid)), ',' ORDER BY oid)) FROM pg_largeobject_metadata";
	HfRestoreResult result = {0};
	g_autofree char *before = fixture_sql(fixture->original, sql);
	g_autofree char *after = NULL;

	(void)data;
	g_assert_true(restore(fixture, true, &result, NULL));
	after = fixture_sql(fixture->copy, sql);
	g_assert_cmpstr(before, ==, after);
}

static void
test_create_keeps_what_exists(Fixture *fixture, gconstpointer data)
{
	HfRestoreResult result = {0};
	g_autoptr(GError) error = NULL;

	(void)data;
	fixture_create(fixture->copy);
	g_assert_false(restore(fixture, true, &result, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_assert_true(copy_exists(fixture));
}

static const struct {
	const char *name, *sql, *words;
} contents[] = {
	{"table", "CREATE TABLE x ()", "relation x"},
	{"view", "CREATE VIEW x AS SELECT 1", "relation x"},
	{"sequence", "CREATE SEQUENCE x", "relation x"},
	{"function", "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function x()"},
	{"domain", "CREATE DOMAIN x AS int", "type x"},
	{"enum", "CREATE TYPE x AS ENUM ()", "type x"},
	{"composite", "CREATE TYPE x AS (a int)", "relation x"},
	{"schema", "CREATE SCHEMA x", "schema x"},
	{"large-object", "SELECT lo_from_bytea(4711, '')", "large object 4711"},
};

static void
test_refuses_what_is_not_empty(Fixture *fixture, gconstpointer data)
{
	(void)data;
	for (size_t i = 0; i < G_N_ELEMENTS(contents); i++) {
		HfRestoreResult result = {0};
		g_autoptr(GError) error = NULL;

		fixture_create(fixture->copy);
		g_free(fixture_sql(fixture->copy, contents[i].sql));
		g_assert_false(restore(fixture, false, &result, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
		g_assert_nonnull(strstr(error->message, contents[i].words));
	}
}

static void
test_an_extension_alone_is_empty(Fixture *fixture, gconstpointer data)
{
	HfRestoreResult result = {0};
	g_autoptr(GError) error = NULL;

	(void)data;
	fixture_create(fixture->copy);
	g_free(fixture_sql(fixture->copy, "CREATE EXTENSION pg_stat_statements"));
	g_assert_true(restore(fixture, false, &result, &error));
	g_assert_no_error(error);
}

static void
test_first_error_has_its_line(Fixture *fixture, gconstpointer data)
{
	HfRestoreDatabase options = {.target = fixture->target, .allow_non_empty = true};
	HfRestoreResult result = {0};
	g_autoptr(GError) error = NULL;

	(void)data;
	fixture_create(fixture->copy);
	g_free(fixture_sql(fixture->copy, "CREATE TABLE plain ()"));
	g_assert_false(hf_restore_database(fixture->store, fixture->archive, &options, &result, &error));
	g_test_message("%s", error->message);
	g_assert_true(hf_error_is(error, HF_ERROR_FAILED));
	g_assert_true(g_pattern_match_simple(
		"*: line *: relation \"plain\" already exists; what was restored*", error->message));
	g_assert_null(strchr(error->message, '\n'));
}

static void
test_missing_role_gets_the_hint(Fixture *fixture, gconstpointer data)
{
	g_autofree char *make = g_strdup_printf("CREATE ROLE %s; ALTER TABLE one OWNER TO %s", fixture->role,
						fixture->role);
	g_autofree char *drop = g_strdup_printf("REASSIGN OWNED BY %s TO holdfast; DROP ROLE %s",
						fixture->role, fixture->role);
	HfRestoreResult result = {0};
	g_autoptr(GError) error = NULL;

	(void)data;
	g_free(fixture_sql(fixture->original, make));
	hf_stage_free(fixture->scan);
	hf_archive_free(fixture->archive);
	fixture->scan = backup(fixture);
	g_free(fixture_sql(fixture->original, drop));
	g_assert_false(restore(fixture, true, &result, &error));
	g_test_message("%s", error->message);
	g_assert_nonnull(strstr(error->message, "gunzip -c globals.sql.gz | psql"));
	g_assert_false(copy_exists(fixture));
}

static void
test_wrong_count_names_the_table(Fixture *fixture, gconstpointer data)
{
	HfTable *table = g_ptr_array_index(hf_scan_tables(fixture->scan), 0);
	HfRestoreResult result = {0};
	g_autoptr(GError) error = NULL;

	(void)data;
	table->rows++;
	g_assert_false(restore(fixture, true, &result, &error));
	g_test_message("%s", error->message);
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	g_assert_nonnull(strstr(error->message, table->name));
	g_assert_false(copy_exists(fixture));
}

/* Cuts one byte off the only part, or turns a bit in its middle; the record may know digests or not. */
static void
assert_damage(Fixture *fixture, bool is_cut, bool knows_digest)
{
	HfPart *part = g_ptr_array_index(fixture->archive->parts, 0);
	g_autofree char *path = g_build_filename(fixture->folder, part->key, NULL);
	g_autofree char *bytes = NULL;
	HfRestoreResult result = {0};
	g_autoptr(GError) error = NULL;
	gsize len;

	g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
	if (!is_cut)
		bytes[len / 2] ^= 4;
	g_assert_true(g_file_set_contents(path, bytes, (gssize)(is_cut ? len - 1 : len), NULL));
	if (!knows_digest) {
		part->sha256[0] = '\0';
		part->bytes -= is_cut ? 1 : 0;
	}
	g_assert_false(restore(fixture, true, &result, &error));
	g_test_message("%s", error->message);
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	g_assert_false(copy_exists(fixture));
}

static void
test_cut_archive_is_refused(Fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_damage(fixture, true, true);
}

static void
test_turned_bit_is_refused(Fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_damage(fixture, false, true);
}

static void
test_cut_archive_without_digest_is_refused(Fixture *fixture, gconstpointer data)
{
	(void)data;
	assert_damage(fixture, true, false);
}

static gpointer
cancel_soon(gpointer data)
{
	(void)data;
	g_usleep(300000);
	hf_cancel_request();
	return NULL;
}

static void
test_cancelled_restore_drops_what_it_made(Fixture *fixture, gconstpointer data)
{
	HfRestoreResult result = {0};
	g_autoptr(GError) error = NULL;
	GThread *thread = g_thread_new("cancel", cancel_soon, NULL);

	(void)data;
	g_assert_false(restore(fixture, true, &result, &error));
	g_thread_join(thread);
	hf_cancel_reset();
	g_assert_true(hf_error_is(error, HF_ERROR_CANCELLED));
	g_assert_false(copy_exists(fixture));
}

/* An order that was given up may have been carried out all the same: it is waited for, and the stop comes behind it. */
static void
test_a_cancelled_create_is_known_to_be_made(Fixture *fixture, gconstpointer data)
{
	const HfRestoreDatabase options = {.target = fixture->target};
	g_autoptr(GError) error = NULL;
	HfRestoreResult result = {0};

	(void)data;
	hf_cancel_request();
	g_assert_true(hf_restore_create(&options, &error));
	g_assert_no_error(error);
	hf_cancel_reset();
	g_assert_true(copy_exists(fixture));
	hf_cancel_request();
	g_assert_true(hf_restore_drop(fixture->target));
	g_assert_false(restore(fixture, true, &result, &error));
	hf_cancel_reset();
	g_assert_true(hf_error_is(error, HF_ERROR_CANCELLED));
	g_assert_false(copy_exists(fixture));
}

#define ADD(name, sql, function) \
	g_test_add("/restore-database/" name, Fixture, sql, set_up, function, tear_down)

int
main(int argc, char **argv)
{
	static const char one[] = "CREATE TABLE one (x integer); INSERT INTO one VALUES (1)";
	static const char slow[] = "CREATE TABLE one (x integer); INSERT INTO one VALUES (1);"
				   "CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE sql AS "
				   "'SELECT 1 FROM pg_sleep(3)'; CREATE INDEX ON one (slow(x))";

	g_test_init(&argc, &argv, NULL);
	ADD("restored-database-is-equal", NULL, test_restored_database_is_equal);
	ADD("large-objects-come-back", NULL, test_large_objects_come_back);
	ADD("create-keeps-what-exists", one, test_create_keeps_what_exists);
	ADD("refuses-what-is-not-empty", one, test_refuses_what_is_not_empty);
	ADD("an-extension-alone-is-empty", one, test_an_extension_alone_is_empty);
	ADD("first-error-has-its-line", NULL, test_first_error_has_its_line);
	ADD("missing-role-gets-the-hint", one, test_missing_role_gets_the_hint);
	ADD("wrong-count-names-the-table", one, test_wrong_count_names_the_table);
	ADD("cut-archive-is-refused", one, test_cut_archive_is_refused);
	ADD("turned-bit-is-refused", one, test_turned_bit_is_refused);
	ADD("cut-archive-without-digest-is-refused", one, test_cut_archive_without_digest_is_refused);
	ADD("cancelled-restore-drops-what-it-made", slow, test_cancelled_restore_drops_what_it_made);
	ADD("a-cancelled-create-is-known-to-be-made", one, test_a_cancelled_create_is_known_to_be_made);
	return g_test_run();
}
