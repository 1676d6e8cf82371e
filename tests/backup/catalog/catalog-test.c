#include "config.h"

#include "backup/catalog/marks.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <string.h>

#define T0 1705284000 /* 2024-01-15_02-00-00 */
#define T0_ID "2024-01-15_02-00-00"

static HfManifest *
make_set(HfStore *store, int64_t now_s)
{
	const HfArchiveOptions options = {0};
	g_autofree char *dump = fixture_dump(2, 10);
	g_autoptr(GError) error = NULL;
	HfManifest *manifest = fixture_set(store, &options, dump, now_s, &error);

	g_assert_no_error(error);
	return manifest;
}

static HfSet *
find(const Fixture *fixture, const char *id, HfError *code_out)
{
	g_autoptr(GError) error = NULL;
	HfSet *set = hf_catalog_find(fixture->store, id, &error);

	*code_out = error ? (HfError)error->code : HF_ERROR_FAILED;
	return set;
}

static void
test_a_committed_set_is_listed_and_found(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) manifest = make_set(fixture->store, T0);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) sets = hf_catalog_list(fixture->store, &error);
	const HfSet *set = g_ptr_array_index(sets, 0);

	g_assert_cmpuint(sets->len, ==, 1);
	g_assert_cmpstr(set->id, ==, T0_ID);
	g_assert_cmpstr(set->kind, ==, "database");
	g_assert_cmpint(set->level, ==, 1);
	g_assert_false(set->is_adopted || set->is_damaged);
	g_assert_cmpuint(set->manifest->database->rows, ==, 20);
	/* dump, index, RESTORE.txt, manifest; the claim is gone */
	g_assert_cmpuint(fixture_files(fixture), ==, 4);
}

static void
test_the_index_comes_back(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) made = make_set(fixture->store, T0);
	HfError code;
	g_autoptr(HfSet) set = find(fixture, T0_ID, &code);
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) tables = hf_catalog_read_tables(fixture->store, set->manifest, &error);
	const HfTable *table;

	g_assert_no_error(error);
	table = g_ptr_array_index(tables, 1);
	g_assert_cmpuint(tables->len, ==, 2);
	g_assert_cmpstr(table->name, ==, "public.t1");
	g_assert_cmpuint(table->rows, ==, 10);
	g_assert_cmpuint(hf_members_plain_bytes(set->manifest->database->archive->members), ==,
			 made->database->archive->plain_bytes);
}

static void
test_two_sets_of_one_second_get_two_ids(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) first = make_set(fixture->store, T0);
	g_autoptr(HfManifest) second = make_set(fixture->store, T0);

	g_assert_cmpstr(first->id, ==, T0_ID);
	g_assert_cmpstr(second->id, ==, "2024-01-15_02-00-01");
}

static void
test_a_claimed_second_is_left_alone(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSetWriter) running = hf_set_writer_new(fixture->store, T0, &error);
	g_autoptr(HfManifest) second = make_set(fixture->store, T0);

	g_assert_cmpstr(hf_set_writer_id(running), ==, T0_ID);
	g_assert_cmpstr(second->id, ==, "2024-01-15_02-00-01");
}

static void
test_free_without_commit_takes_everything_back(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) earlier = make_set(fixture->store, T0);
	const unsigned files = fixture_files(fixture);
	const HfArchiveOptions options = {.extension = ".sql", .archive_bytes = 1};
	g_autoptr(GError) error = NULL;
	HfSetWriter *writer = hf_set_writer_new(fixture->store, T0 + 60, &error);
	g_autoptr(HfArchive) record = hf_archive_new(HF_COMPRESSION_NONE);
	HfArchiveOptions none = options;
	g_autoptr(HfStage) stage = NULL;

	none.compression.kind = HF_COMPRESSION_NONE;
	stage = hf_set_writer_archive(writer, "database_backup", &none, record, &error);
	g_assert_true(hf_stage_write(stage, "abc", 3, &error));
	g_assert_true(hf_stage_finish(stage, &error));
	g_assert_cmpuint(fixture_files(fixture), ==, files + 4);
	hf_set_writer_free(writer);
	g_assert_cmpuint(fixture_files(fixture), ==, files);
}

static void
test_a_store_that_fails_anywhere_keeps_earlier_sets_only(void)
{
	const HfArchiveOptions options = {.archive_bytes = 4000};
	g_autofree char *dump = fixture_dump(2, 1000);
	unsigned failures = 0;

	for (uint64_t after = 0; after < 60000; after += after < 40 ? 7 : 997) {
		g_autoptr(Fixture) fixture = fixture_new();
		g_autoptr(HfManifest) earlier = make_set(fixture->store, T0);
		g_autoptr(HfStore) failing = failing_store_new(fixture->store, after);
		g_autoptr(GError) error = NULL;
		g_autoptr(HfManifest) set = fixture_set(failing, &options, dump, T0 + 60, &error);

		if (set)
			continue;
		failures++;
		g_assert_nonnull(strstr(error->message, "on purpose"));
		g_assert_cmpuint(fixture_files(fixture), ==, 4);
	}
	g_assert_cmpuint(failures, >, 10);
}

/* ---- adoption ---- */

static void
test_files_of_the_earlier_implementation_are_adopted(void)
{
	static const struct {
		const char *key;
		const char *id; /* NULL: not a set */
		const char *kind;
	} cases[] = {
		{"database_backup_2024-01-15_02-00-00.sql.gz", T0_ID, "database"},
		{"database_backup_2024-01-15T02-00-00-000Z.sql.gz", T0_ID, "database"},
		{"database_backup_2024-01-15T02:00:00.000Z.sql.gz", T0_ID, "database"},
		{"images_backup_2024-01-15_02-00-00.tar.gz", T0_ID, "images"},
		{"database_backup_monday.sql.gz", "database_backup_monday.sql.gz", "database"},
		{"database_backup_2024-13-45_02-00-00.sql.gz", "database_backup_2024-13-45_02-00-00.sql.gz",
		 "database"},
		{"database_backup_2024-01-15_02-00-00.part0002.sql.gz", NULL, NULL},
		{"database_backup_2024-01-15_02-00-00.globals.sql.gz", NULL, NULL},
		{"database_backup_2024-01-15_02-00-00.index.jsonl.gz", NULL, NULL},
		{"database_backup_.txt", NULL, NULL},
		{"backup_2024-01-15_02-00-00.RESTORE.txt", NULL, NULL},
		{"backup_2024-01-15_02-00-00.claim", NULL, NULL},
		{"something-else.sql.gz", NULL, NULL},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Fixture) fixture = fixture_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) sets = NULL;
		const HfSet *set;

		g_test_message("%s", cases[i].key);
		fixture_put(fixture, cases[i].key, "x", 1);
		sets = hf_catalog_list(fixture->store, &error);
		g_assert_cmpuint(sets->len, ==, cases[i].id ? 1 : 0);
		if (!cases[i].id)
			continue;
		set = g_ptr_array_index(sets, 0);
		g_assert_cmpstr(set->id, ==, cases[i].id);
		g_assert_cmpstr(set->kind, ==, cases[i].kind);
		g_assert_true(set->is_adopted && set->level == 0 && set->bytes == 1 && set->started_s > 0);
	}
}

static void
test_objects_of_a_run_that_never_committed_are_no_set(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) sets = NULL;

	fixture_put(fixture, "database_backup_" T0_ID ".sql.gz", "x", 1);
	fixture_put(fixture, "backup_" T0_ID ".claim", "x", 1);
	sets = hf_catalog_list(fixture->store, &error);
	g_assert_cmpuint(sets->len, ==, 0);
}

/* ---- damaged manifests ---- */

static void
test_a_damaged_manifest_is_a_row(void)
{
	static const char *const contents[] = {
		"", "{", "[]", "{\"format\":\"holdfast-set\",\"version\":2}", "\xff\xfe", "{\"version\":1}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(contents); i++) {
		g_autoptr(Fixture) fixture = fixture_new();
		g_autoptr(HfManifest) good = make_set(fixture->store, T0);
		g_autoptr(HfManifest) other = make_set(fixture->store, T0 + 60);
		g_autoptr(GError) error = NULL;
		g_autoptr(GPtrArray) sets = NULL;
		HfError code;
		g_autoptr(HfSet) latest = NULL;

		fixture_put(fixture, "backup_2024-01-15_02-01-00.json", contents[i], strlen(contents[i]));
		sets = hf_catalog_list(fixture->store, &error);
		g_assert_no_error(error);
		g_assert_cmpuint(sets->len, ==, 2);
		g_assert_true(((HfSet *)g_ptr_array_index(sets, 1))->is_damaged);
		g_assert_nonnull(((HfSet *)g_ptr_array_index(sets, 1))->trouble);
		latest = find(fixture, "latest", &code);
		g_assert_cmpstr(latest->id, ==, T0_ID);
	}
}

/* ---- finding ---- */

static void
test_unique_beginnings_find_and_others_say_what_there_is(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) first = make_set(fixture->store, T0);
	g_autoptr(HfManifest) second = make_set(fixture->store, T0 + 86400);
	g_autoptr(GError) error = NULL;
	HfError code;
	g_autoptr(HfSet) unique = find(fixture, "2024-01-16", &code);
	g_autoptr(HfSet) latest = find(fixture, "latest", &code);

	g_assert_cmpstr(unique->id, ==, second->id);
	g_assert_cmpstr(latest->id, ==, second->id);
	g_assert_null(find(fixture, "2023", &code));
	g_assert_cmpint(code, ==, HF_ERROR_NOT_FOUND);
	g_assert_null(find(fixture, "", &code));
	g_assert_cmpint(code, ==, HF_ERROR_NOT_FOUND);
	g_assert_null(hf_catalog_find(fixture->store, "2024", &error));
	g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
	g_assert_nonnull(strstr(error->message, first->id));
	g_assert_nonnull(strstr(error->message, second->id));
}

static void
test_latest_is_ours_before_a_newer_adopted_one(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	HfError code;
	g_autoptr(HfSet) adopted = NULL, ours = NULL;
	g_autoptr(HfManifest) manifest = NULL;

	g_assert_null(find(fixture, "latest", &code));
	g_assert_cmpint(code, ==, HF_ERROR_NOT_FOUND);
	fixture_put(fixture, "database_backup_2025-01-01_00-00-00.sql.gz", "x", 1);
	adopted = find(fixture, "latest", &code);
	g_assert_cmpstr(adopted->id, ==, "2025-01-01_00-00-00");
	manifest = make_set(fixture->store, T0);
	ours = find(fixture, "latest", &code);
	g_assert_cmpstr(ours->id, ==, T0_ID);
}

static void
test_two_adopted_files_of_one_time_are_told_apart_by_name(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	HfError code;
	g_autoptr(HfSet) set = NULL;

	fixture_put(fixture, "database_backup_2024-01-15_02-00-00.sql.gz", "x", 1);
	fixture_put(fixture, "images_backup_2024-01-15_02-00-00.tar.gz", "x", 1);
	g_assert_null(find(fixture, T0_ID, &code));
	g_assert_cmpint(code, ==, HF_ERROR_USAGE);
	set = find(fixture, "database_backup_2024-01-15", &code);
	g_assert_cmpstr(set->kind, ==, "database");
}

static void
test_a_recorded_level_is_listed(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) manifest = make_set(fixture->store, T0);
	g_autoptr(GError) error = NULL;
	HfError code;
	g_autoptr(HfSet) set = NULL;

	g_assert_true(hf_catalog_record_level(fixture->store, T0_ID, 2, T0 + 5, 1.5, &error));
	g_assert_true(hf_catalog_record_level(fixture->store, T0_ID, 2, T0 + 9, 1.5, &error));
	set = find(fixture, T0_ID, &code);
	g_assert_cmpint(set->level, ==, 2);
	g_assert_false(hf_catalog_record_level(fixture->store, "../x", 2, T0, 0, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/catalog/a-committed-set-is-listed-and-found",
			test_a_committed_set_is_listed_and_found);
	g_test_add_func("/catalog/the-index-comes-back", test_the_index_comes_back);
	g_test_add_func("/catalog/two-sets-of-one-second-get-two-ids",
			test_two_sets_of_one_second_get_two_ids);
	g_test_add_func("/catalog/a-claimed-second-is-left-alone", test_a_claimed_second_is_left_alone);
	g_test_add_func("/catalog/free-without-commit-takes-everything-back",
			test_free_without_commit_takes_everything_back);
	g_test_add_func("/catalog/a-store-that-fails-anywhere-keeps-earlier-sets-only",
			test_a_store_that_fails_anywhere_keeps_earlier_sets_only);
	g_test_add_func("/catalog/files-of-the-earlier-implementation-are-adopted",
			test_files_of_the_earlier_implementation_are_adopted);
	g_test_add_func("/catalog/objects-of-a-run-that-never-committed-are-no-set",
			test_objects_of_a_run_that_never_committed_are_no_set);
	g_test_add_func("/catalog/a-damaged-manifest-is-a-row", test_a_damaged_manifest_is_a_row);
	g_test_add_func("/catalog/unique-beginnings-find-and-others-say-what-there-is",
			test_unique_beginnings_find_and_others_say_what_there_is);
	g_test_add_func("/catalog/latest-is-ours-before-a-newer-adopted-one",
			test_latest_is_ours_before_a_newer_adopted_one);
	g_test_add_func("/catalog/two-adopted-files-of-one-time-are-told-apart-by-name",
			test_two_adopted_files_of_one_time_are_told_apart_by_name);
	g_test_add_func("/catalog/a-recorded-level-is-listed", test_a_recorded_level_is_listed);
	return g_test_run();
}
