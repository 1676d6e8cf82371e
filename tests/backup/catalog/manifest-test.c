#include "config.h"

#include "backup/catalog/manifest.h"
#include "common/error.h"

#include <string.h>

#define ID "2024-01-15_02-00-00"
#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static HfManifest *
sample(void)
{
	HfManifest *manifest = hf_manifest_new(ID);
	HfDatabaseRecord *database = hf_database_record_new();

	manifest->started_s = 1705284000;
	manifest->finished_s = 1705284045;
	manifest->host = g_strdup("db1");
	manifest->program = g_strdup("holdfast 0.1.0");
	manifest->database = database;
	database->name = g_strdup("shop \"x\"\n");
	database->encoding = g_strdup("UTF8");
	database->tables = 3;
	database->rows = 12;
	database->archive = hf_archive_new(HF_COMPRESSION_GZIP);
	database->archive->plain_bytes = 4321;
	hf_archive_add_part(database->archive, "database_backup_" ID ".sql.gz", 1000, SHA);
	hf_archive_add_part(database->archive, "database_backup_" ID ".part0002.sql.gz", 234, SHA);
	database->globals_absent = g_strdup("no rights");
	database->index = hf_archive_new(HF_COMPRESSION_GZIP);
	hf_archive_add_part(database->index, "database_backup_" ID ".index.jsonl.gz", 99, SHA);
	manifest->metrics = hf_run_metrics_begin();
	hf_run_metrics_phase(manifest->metrics, "dumping");
	hf_run_metrics_end(manifest->metrics, 4321);
	return manifest;
}

static void
test_what_is_written_is_parsed(void)
{
	g_autoptr(HfManifest) manifest = sample();
	g_autoptr(GBytes) json = hf_manifest_to_json(manifest);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) parsed = hf_manifest_parse(json, ID, &error);
	g_autoptr(GBytes) again = NULL;

	g_assert_no_error(error);
	again = hf_manifest_to_json(parsed);
	g_assert_true(g_bytes_equal(json, again));
	g_assert_cmpuint(hf_manifest_stored_bytes(parsed), ==, 1333);
}

static void
test_a_name_that_is_not_utf8_survives(void)
{
	g_autoptr(HfManifest) manifest = sample();
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) json = NULL;
	g_autoptr(HfManifest) parsed = NULL;

	g_free(manifest->database->name);
	manifest->database->name = g_strdup("caf\xe9");
	json = hf_manifest_to_json(manifest);
	parsed = hf_manifest_parse(json, ID, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(parsed->database->name, ==, "caf\xe9");
}

/* The first occurrence of from becomes to. */
static const struct {
	const char *from, *to;
	HfError expected;
	const char *word; /* stands in the message */
} cases[] = {
	{"\"version\": 1", "\"version\": 2", HF_ERROR_USAGE, "install a newer holdfast"},
	{"\"version\": 1", "\"version\": 0", HF_ERROR_CORRUPT, "never was"},
	{"\"version\": 1", "\"version\": -1", HF_ERROR_CORRUPT, "version"},
	{"\"version\": 1", "\"version\": \"1\"", HF_ERROR_CORRUPT, "version"},
	{"holdfast-set", "other", HF_ERROR_CORRUPT, "format"},
	{"\"id\": \"2024", "\"id\": \"2025", HF_ERROR_CORRUPT, "manifest of set"},
	{"complete", "splendid", HF_ERROR_CORRUPT, "status"},
	{"2024-01-15T02:00:00Z", "yesterday", HF_ERROR_CORRUPT, "started"},
	{"database_backup_" ID ".sql", "../../etc/passwd", HF_ERROR_CORRUPT, "not an object of this set"},
	{"database_backup_" ID ".sql", "/etc/passwd", HF_ERROR_CORRUPT, "not an object of this set"},
	{"database_backup_" ID ".sql", "database_backup_2024-01-14_02-00-00.sql", HF_ERROR_CORRUPT,
	 "not an object"},
	{".part0002.", ".part0003.", HF_ERROR_CORRUPT, "part0002"},
	{"e3b0", "E3B0", HF_ERROR_CORRUPT, "sha256"},
	{"e3b0", "", HF_ERROR_CORRUPT, "sha256"},
	{"\"bytes\": 1000", "\"bytes\": 1001", HF_ERROR_CORRUPT, "add up"},
	{"\"bytes\": 1000", "\"bytes\": 9223372036854775807", HF_ERROR_CORRUPT, "out of bounds"},
	{"\"bytes\": 1000", "\"bytes\": 99999999999999999999", HF_ERROR_CORRUPT, "bytes"},
	{"\"bytes\": 1000", "\"bytes\": 1e3", HF_ERROR_CORRUPT, "bytes"},
	{"\"gzip\"", "\"lzma\"", HF_ERROR_CORRUPT, "lzma"},
	{"\"globals_absent\"", "\"other\"", HF_ERROR_CORRUPT, "globals_absent"},
	{"\"database\":", "\"nothing\":", HF_ERROR_CORRUPT, "neither"},
	{"\"rows\"", "\"sows\"", HF_ERROR_CORRUPT, "rows"},
	{"db1", "db\\u0000", HF_ERROR_CORRUPT, "NUL"},
	{"\"metrics\": {", "\"metrics\": 7, \"x\": {", HF_ERROR_CORRUPT, "metrics"},
	{"\"cpu_ms\"", "\"other\"", HF_ERROR_CORRUPT, "metrics: member \"cpu_ms\""},
	{"\"phases\": [", "\"phases\": 7, \"x\": [", HF_ERROR_CORRUPT, "phases"},
	{"\"phases\": [", "\"phases\": [ 7,", HF_ERROR_CORRUPT, "name"},
	{"\"dumping\"", "\"0123456789012345678901234567890123456789012345678901234567890123456789\"",
	 HF_ERROR_CORRUPT, "longer"},
	{"}\n", "}\n{}", HF_ERROR_CORRUPT, "json"},
};

static char *
replace_first(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);

	g_assert_nonnull(at);
	return g_strdup_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void
test_damage_is_refused_and_named(void)
{
	g_autoptr(HfManifest) manifest = sample();
	g_autoptr(GBytes) json = hf_manifest_to_json(manifest);
	gsize len;
	const char *text = g_bytes_get_data(json, &len);
	g_autofree char *whole = g_strndup(text, len);

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		char *damaged = replace_first(whole, cases[i].from, cases[i].to);
		g_autoptr(GBytes) bytes = g_bytes_new_take(damaged, strlen(damaged));
		g_autoptr(GError) error = NULL;

		g_test_message("%s -> %s", cases[i].from, cases[i].to);
		g_assert_null(hf_manifest_parse(bytes, ID, &error));
		g_test_message("%s", error->message);
		g_assert_cmpint(error->code, ==, (int)cases[i].expected);
		g_assert_nonnull(strstr(error->message, cases[i].word));
		g_assert_nonnull(strstr(error->message, ID));
	}
}

static void
test_every_cut_is_refused(void)
{
	g_autoptr(HfManifest) manifest = sample();
	g_autoptr(GBytes) json = hf_manifest_to_json(manifest);

	/* Without its last byte, the line end, it still says everything. */
	for (gsize len = 0; len + 1 < g_bytes_get_size(json); len++) {
		g_autoptr(GBytes) cut = g_bytes_new_from_bytes(json, 0, len);
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_manifest_parse(cut, ID, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	}
}

static void
test_unknown_members_are_ignored(void)
{
	g_autoptr(HfManifest) manifest = sample();
	g_autoptr(GBytes) json = hf_manifest_to_json(manifest);
	g_autofree char *whole = g_strndup(g_bytes_get_data(json, NULL), g_bytes_get_size(json));
	char *more = replace_first(whole, "{", "{\"later\": [1, {}],");
	g_autoptr(GBytes) bytes = g_bytes_new_take(more, strlen(more));
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) parsed = hf_manifest_parse(bytes, ID, &error);

	g_assert_no_error(error);
	g_assert_nonnull(parsed);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/manifest/what-is-written-is-parsed", test_what_is_written_is_parsed);
	g_test_add_func("/manifest/a-name-that-is-not-utf8-survives", test_a_name_that_is_not_utf8_survives);
	g_test_add_func("/manifest/damage-is-refused-and-named", test_damage_is_refused_and_named);
	g_test_add_func("/manifest/every-cut-is-refused", test_every_cut_is_refused);
	g_test_add_func("/manifest/unknown-members-are-ignored", test_unknown_members_are_ignored);
	return g_test_run();
}
