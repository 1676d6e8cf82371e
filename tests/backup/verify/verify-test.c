#include "config.h"

#include "backup/verify/verify.h"
#include "backup/catalog/names.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#define T0 1705284000
#define ID "2024-01-15_02-00-00"
#define OTHER_ID "2024-01-15_02-01-00"
#define DUMP "database_backup_" ID ".sql.gz"
#define PART "database_backup_" ID ".part0002.sql.gz"
#define INDEX "database_backup_" ID ".index.jsonl.gz"
#define MANIFEST "backup_" ID ".json"

/* Two sets of the same shape and other rows. */
static Fixture *
two_sets(void)
{
	const HfArchiveOptions options = {.archive_bytes = 400000};
	Fixture *fixture = fixture_new();
	g_autofree char *one = fixture_dump(3, 60000);
	g_autofree char *two = fixture_dump(3, 60000);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) first = NULL, second = NULL;

	strstr(two, "row 00000000")[4] = '1';
	first = fixture_set(fixture->store, &options, one, T0, &error);
	second = fixture_set(fixture->store, &options, two, T0 + 60, &error);
	g_assert_no_error(error);
	return fixture;
}

static bool
verify(const Fixture *fixture, const char *id, int level, GError **error)
{
	g_autoptr(HfSet) set = hf_catalog_find(fixture->store, id, error);

	return set && hf_verify(fixture->store, set, level, NULL, error);
}

static void
test_a_good_set_reaches_both_levels(void)
{
	g_autoptr(Fixture) fixture = two_sets();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSet) set = NULL;

	g_assert_true(verify(fixture, ID, 1, &error));
	g_assert_true(verify(fixture, ID, 2, &error));
	set = hf_catalog_find(fixture->store, ID, &error);
	g_assert_cmpint(set->level, ==, 2);
}

static void
edit(const Fixture *fixture, const char *key, void (*damage)(GByteArray *))
{
	g_autoptr(GBytes) bytes = fixture_get(fixture, key);
	g_autoptr(GByteArray) array = g_byte_array_new();

	g_byte_array_append(array, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
	damage(array);
	fixture_put(fixture, key, array->data ? (char *)array->data : "", array->len);
}

static void
cut(GByteArray *bytes)
{
	g_byte_array_set_size(bytes, bytes->len - 1);
}

static void
lengthen(GByteArray *bytes)
{
	g_byte_array_append(bytes, (const guint8 *)"x", 1);
}

static void
empty(GByteArray *bytes)
{
	g_byte_array_set_size(bytes, 0);
}

static void
flip_first(GByteArray *bytes)
{
	bytes->data[0] ^= 1;
}

static void
flip_middle(GByteArray *bytes)
{
	bytes->data[bytes->len / 2] ^= 1;
}

static void
flip_last(GByteArray *bytes)
{
	bytes->data[bytes->len - 1] ^= 1;
}

static void
swap_sets(GByteArray *bytes)
{
	(void)bytes;
}

/* In a manifest: "version": 1 becomes 9; the first key gets a path. */
static void
make_newer(GByteArray *bytes)
{
	char *at = g_strstr_len((char *)bytes->data, (gssize)bytes->len, "\"version\": 1");

	at[strlen("\"version\": ")] = '9';
}

static void
add_a_path(GByteArray *bytes)
{
	char *at = g_strstr_len((char *)bytes->data, (gssize)bytes->len, "database_backup_");

	at[0] = at[1] = '.';
	at[2] = '/';
}

static const struct {
	const char *name;
	const char *key;
	void (*damage)(GByteArray *); /* NULL: removed */
	HfError expected;
	int level; /* the lowest one that finds it */
	const char *word;
} cases[] = {
	{"cut by one byte", DUMP, cut, HF_ERROR_CORRUPT, 1, DUMP "\" was cut"},
	{"one byte more", PART, lengthen, HF_ERROR_CORRUPT, 1, PART "\" is too long"},
	{"empty", PART, empty, HF_ERROR_CORRUPT, 1, PART},
	{"missing part", PART, NULL, HF_ERROR_NOT_FOUND, 1, PART},
	{"missing index", INDEX, NULL, HF_ERROR_NOT_FOUND, 1, INDEX},
	{"cut index", INDEX, cut, HF_ERROR_CORRUPT, 1, INDEX},
	{"first bit", DUMP, flip_first, HF_ERROR_CORRUPT, 2, DUMP},
	{"middle bit", DUMP, flip_middle, HF_ERROR_CORRUPT, 2, DUMP},
	{"last bit", PART, flip_last, HF_ERROR_CORRUPT, 2, PART},
	{"bit of the index", INDEX, flip_middle, HF_ERROR_CORRUPT, 2, INDEX},
	{"swapped with another set's", DUMP, swap_sets, HF_ERROR_CORRUPT, 2, DUMP},
	{"damaged manifest", MANIFEST, flip_first, HF_ERROR_CORRUPT, 1, ID},
	{"empty manifest", MANIFEST, empty, HF_ERROR_CORRUPT, 1, ID},
	{"newer manifest", MANIFEST, make_newer, HF_ERROR_CORRUPT, 1, "install a newer holdfast"},
	{"manifest with a path", MANIFEST, add_a_path, HF_ERROR_CORRUPT, 1, "not an object of this set"},
};

static void
swap_files(const Fixture *fixture, const char *key)
{
	g_autofree char *other = g_strconcat("database_backup_" OTHER_ID, key + strlen("database_backup_" ID),
					     NULL);
	g_autoptr(GBytes) ours = fixture_get(fixture, key);
	g_autoptr(GBytes) theirs = fixture_get(fixture, other);

	fixture_put(fixture, key, g_bytes_get_data(theirs, NULL), g_bytes_get_size(theirs));
	fixture_put(fixture, other, g_bytes_get_data(ours, NULL), g_bytes_get_size(ours));
}

static void
mutilate(const Fixture *fixture, size_t number)
{
	g_autofree char *path = fixture_path(fixture, cases[number].key);

	if (!cases[number].damage)
		g_assert_cmpint(g_remove(path), ==, 0);
	else if (cases[number].damage == swap_sets)
		swap_files(fixture, cases[number].key);
	else
		edit(fixture, cases[number].key, cases[number].damage);
}

static void
test_damage_is_found_and_named(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Fixture) fixture = two_sets();
		g_autoptr(GError) error = NULL;

		mutilate(fixture, i);
		/* Archives that were swapped may even have the same size. */
		if (cases[i].level == 2 && cases[i].damage != swap_sets)
			g_assert_true(verify(fixture, ID, 1, &error));
		g_assert_false(verify(fixture, ID, cases[i].level, &error));
		g_test_message("%s: %s", cases[i].name, error->message);
		g_assert_cmpint(error->code, ==, (int)cases[i].expected);
		g_assert_nonnull(strstr(error->message, cases[i].word));
		g_clear_error(&error);
		g_assert_true(cases[i].damage == swap_sets || verify(fixture, OTHER_ID, 2, &error));
	}
}

/* An index that is whole and says other rows than the dump: only comparing finds it. */
static void
test_an_index_of_other_rows_is_found(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	const HfArchiveOptions options = {0};
	g_autofree char *dump = fixture_dump(2, 10);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) manifest = fixture_set(fixture->store, &options, dump, T0, &error);
	g_autoptr(HfSet) set = hf_catalog_find(fixture->store, ID, &error);
	g_autoptr(GPtrArray) tables = hf_catalog_read_tables(fixture->store, set->manifest, &error);
	g_autoptr(HfSetWriter) writer = hf_set_writer_new(fixture->store, T0 + 60, &error);
	HfDatabaseRecord *database = set->manifest->database;

	/* A second set whose archive is the same and whose index lies about one digest. */
	((HfTable *)g_ptr_array_index(tables, 1))->digest[0] ^= 1;
	g_free(set->manifest->id);
	set->manifest->id = g_strdup(OTHER_ID);
	g_clear_pointer(&database->index, hf_archive_free);
	g_clear_pointer(&database->archive, hf_archive_free);
	database->archive = hf_archive_new(HF_COMPRESSION_GZIP);
	{
		HfArchiveOptions own = {.extension = HF_EXT_DUMP};
		g_autoptr(HfStage) stage = hf_set_writer_archive(writer, HF_DATABASE_PREFIX, &own,
								 database->archive, &error);

		g_assert_true(hf_stage_write(stage, dump, strlen(dump), &error));
		g_assert_true(hf_stage_finish(stage, &error));
	}
	g_assert_true(hf_set_writer_index(writer, database, tables, &error));
	g_assert_true(hf_set_writer_commit(writer, set->manifest, &error));
	g_assert_false(verify(fixture, OTHER_ID, 2, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	g_assert_nonnull(strstr(error->message, "public.t1"));
}

static void
test_a_dump_without_its_closing_line_is_found(void)
{
	g_autoptr(Fixture) fixture = two_sets();
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) first_part = NULL;

	/* An adopted file has no digests: the first part of a set is a valid gzip file, and no whole dump. */
	first_part = fixture_get(fixture, DUMP);
	fixture_put(fixture, "database_backup_2020-01-01_00-00-00.sql.gz", g_bytes_get_data(first_part, NULL),
		    g_bytes_get_size(first_part));
	g_assert_true(verify(fixture, "2020", 1, &error));
	g_assert_false(verify(fixture, "2020", 2, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	g_assert_nonnull(strstr(error->message, "database_backup_2020-01-01_00-00-00.sql.gz"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/verify/a-good-set-reaches-both-levels", test_a_good_set_reaches_both_levels);
	g_test_add_func("/verify/damage-is-found-and-named", test_damage_is_found_and_named);
	g_test_add_func("/verify/an-index-of-other-rows-is-found", test_an_index_of_other_rows_is_found);
	g_test_add_func("/verify/a-dump-without-its-closing-line-is-found",
			test_a_dump_without_its_closing_line_is_found);
	return g_test_run();
}
