#include "config.h"

#include "backup/stage/sink.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <glib/gstdio.h>
#include <string.h>

static const HfCompressionKind all_kinds[] = {HF_COMPRESSION_GZIP, HF_COMPRESSION_ZSTD, HF_COMPRESSION_NONE};

/* Stores text in parts of about archive_bytes. */
static HfArchive *
store_text(HfStore *store, const char *text, HfCompressionKind kind, uint64_t archive_bytes, GError **error)
{
	const HfArchiveOptions options = {
		.stem = "s", .extension = ".sql", .compression = {kind, 0}, .archive_bytes = archive_bytes};
	g_autoptr(HfArchive) record = hf_archive_new(kind);
	g_autoptr(HfStage) stage = hf_archive_write(store, &options, record, error);

	if (!stage || !hf_stage_write(stage, text, strlen(text), error) || !hf_stage_finish(stage, error))
		return NULL;
	return g_steal_pointer(&record);
}

static const char *
part_key(const HfArchive *archive, guint number)
{
	return ((const HfPart *)g_ptr_array_index(archive->parts, number))->key;
}

static void
assert_text(HfStage *sink, const char *expected)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) wanted = g_bytes_new_static(expected, strlen(expected));
	g_autoptr(GBytes) bytes = NULL;

	g_assert_true(hf_stage_finish(sink, &error));
	bytes = hf_sink_bytes_get(sink);
	g_assert_true(g_bytes_equal(bytes, wanted));
}

static void
test_parts_of_every_kind_come_back(void)
{
	g_autofree char *text = fixture_dump(3, 60000);

	for (size_t i = 0; i < G_N_ELEMENTS(all_kinds); i++) {
		g_autoptr(Fixture) fixture = fixture_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(HfArchive) archive = store_text(fixture->store, text, all_kinds[i], 600000, &error);
		g_autoptr(HfStage) sink = hf_sink_bytes_new((size_t)64 << 20);

		g_assert_no_error(error);
		g_assert_cmpuint(archive->parts->len, >, 1);
		g_assert_cmpuint(archive->plain_bytes, ==, strlen(text));
		g_assert_cmpuint(fixture_files(fixture), ==, archive->parts->len);
		g_assert_true(g_str_has_prefix(part_key(archive, 1), "s.part0002.sql"));
		g_assert_true(hf_archive_read(fixture->store, archive, sink, &error));
		assert_text(sink, text);
	}
}

static void
test_ranges_go_across_members_and_parts(void)
{
	g_autofree char *text = fixture_dump(3, 60000);
	const uint64_t len = strlen(text);
	const HfRange ranges[] = {{0, 1},   {len - 1, 1},        {(1 << 20) - 5, 10}, {1000, len - 2000},
				  {len, 0}, {2500000, HF_TO_END}};

	for (size_t i = 0; i < G_N_ELEMENTS(all_kinds) * G_N_ELEMENTS(ranges); i++) {
		HfRange range = ranges[i % G_N_ELEMENTS(ranges)];
		g_autoptr(Fixture) fixture = fixture_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(HfArchive) archive = store_text(
			fixture->store, text, all_kinds[i / G_N_ELEMENTS(ranges)], 600000, &error);
		g_autoptr(HfStage) sink = hf_sink_bytes_new((size_t)64 << 20);
		g_autofree char *expected = g_strndup(text + range.offset,
						      MIN(range.length, len - range.offset));

		g_assert_true(hf_archive_read_range(fixture->store, archive, range, sink, &error));
		assert_text(sink, expected);
	}
}

static void
test_a_range_beyond_the_end_is_refused(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfArchive) archive = store_text(fixture->store, "abc", HF_COMPRESSION_GZIP, 0, &error);
	g_autoptr(HfStage) sink = hf_sink_null_new();

	g_assert_false(hf_archive_read_range(fixture->store, archive, (HfRange){1, 3}, sink, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
}

static void
test_discard_removes_the_parts_that_were_complete(void)
{
	g_autofree char *text = fixture_dump(3, 60000);
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	const HfArchiveOptions options = {.stem = "s", .extension = ".sql", .archive_bytes = 100000};
	g_autoptr(HfArchive) record = hf_archive_new(HF_COMPRESSION_GZIP);
	HfStage *stage;

	fixture_put(fixture, "s.other.sql.gz", "x", 1);
	stage = hf_archive_write(fixture->store, &options, record, &error);
	g_assert_true(hf_stage_write(stage, text, strlen(text), &error));
	hf_stage_free(stage);
	g_assert_cmpuint(fixture_files(fixture), ==, 1);
	g_assert_cmpuint(record->parts->len, ==, 0);
}

static void
test_a_store_that_fails_anywhere_keeps_nothing(void)
{
	g_autofree char *text = fixture_dump(3, 60000);

	for (uint64_t after = 0; after < 1500000; after += 300000) {
		g_autoptr(Fixture) fixture = fixture_new();
		g_autoptr(HfStore) failing = failing_store_new(fixture->store, after);
		g_autoptr(GError) error = NULL;

		g_assert_null(store_text(failing, text, HF_COMPRESSION_GZIP, 200000, &error));
		g_assert_nonnull(strstr(error->message, "on purpose"));
		g_assert_cmpuint(fixture_files(fixture), ==, 0);
	}
}

/* ---- damage: what is done to the second of several parts ---- */

static void
cut_one_byte(GByteArray *bytes)
{
	g_byte_array_set_size(bytes, bytes->len - 1);
}

static void
flip_first(GByteArray *bytes)
{
	bytes->data[0] ^= 1;
}

static void
flip_middle(GByteArray *bytes)
{
	bytes->data[bytes->len / 2] ^= 0x10;
}

static void
flip_last(GByteArray *bytes)
{
	bytes->data[bytes->len - 1] ^= 0x80;
}

static void
add_a_byte(GByteArray *bytes)
{
	g_byte_array_append(bytes, (const guint8 *)"x", 1);
}

static void
empty(GByteArray *bytes)
{
	g_byte_array_set_size(bytes, 0);
}

static const struct {
	const char *name;
	void (*damage)(GByteArray *);
} damages[] = {
	{"cut by one byte", cut_one_byte}, {"first bit", flip_first}, {"middle bit", flip_middle},
	{"last bit", flip_last},           {"longer", add_a_byte},    {"empty", empty},
};

static void
damage_file(const char *path, void (*damage)(GByteArray *))
{
	g_autoptr(GByteArray) bytes = NULL;
	char *content;
	gsize len;

	g_assert_true(g_file_get_contents(path, &content, &len, NULL));
	bytes = g_byte_array_new_take((guint8 *)content, len);
	damage(bytes);
	g_assert_true(g_file_set_contents(path, bytes->len ? (char *)bytes->data : "", bytes->len, NULL));
}

static void
test_damage_is_found_and_named(void)
{
	g_autofree char *text = fixture_dump(3, 60000);

	for (size_t i = 0; i < G_N_ELEMENTS(damages) * G_N_ELEMENTS(all_kinds); i++) {
		HfCompressionKind kind = all_kinds[i / G_N_ELEMENTS(damages)];
		g_autoptr(Fixture) fixture = fixture_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(HfArchive) archive = store_text(fixture->store, text, kind, 600000, &error);
		g_autoptr(HfStage) sink = hf_sink_null_new();
		g_autofree char *path = fixture_path(fixture, part_key(archive, 1));

		g_test_message("%s, %s", hf_compression_name(kind), damages[i % G_N_ELEMENTS(damages)].name);
		damage_file(path, damages[i % G_N_ELEMENTS(damages)].damage);
		g_assert_false(hf_archive_read(fixture->store, archive, sink, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
		g_assert_nonnull(strstr(error->message, part_key(archive, 1)));
	}
}

static void
test_cut_longer_and_changed_are_told_apart(void)
{
	static const struct {
		void (*damage)(GByteArray *);
		const char *word;
	} cases[] = {{cut_one_byte, "was cut"}, {add_a_byte, "is too long"}, {flip_middle, "was changed"}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(Fixture) fixture = fixture_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(HfArchive)
			archive = store_text(fixture->store, "some text", HF_COMPRESSION_NONE, 0, &error);
		g_autoptr(HfStage) sink = hf_sink_null_new();
		g_autofree char *path = fixture_path(fixture, "s.sql");

		damage_file(path, cases[i].damage);
		g_assert_false(hf_archive_read(fixture->store, archive, sink, &error));
		g_assert_nonnull(strstr(error->message, cases[i].word));
	}
}

static void
test_a_missing_part_is_named(void)
{
	g_autofree char *text = fixture_dump(3, 60000);
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfArchive) archive = store_text(fixture->store, text, HF_COMPRESSION_GZIP, 600000, &error);
	g_autoptr(HfStage) sink = hf_sink_null_new();
	g_autofree char *path = fixture_path(fixture, part_key(archive, 1));

	g_assert_cmpint(g_remove(path), ==, 0);
	g_assert_false(hf_archive_read(fixture->store, archive, sink, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
	g_assert_nonnull(strstr(error->message, part_key(archive, 1)));
}

static void
test_trouble_behind_the_archive_keeps_its_own_name(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfArchive) archive = store_text(fixture->store, "text", HF_COMPRESSION_GZIP, 0, &error);
	g_autoptr(HfStore) failing = failing_store_new(fixture->store, 1);
	g_autoptr(HfStage) sink = hf_store_write(failing, "copy", NULL, &error);

	g_assert_false(hf_archive_read(fixture->store, archive, sink, &error));
	g_assert_nonnull(strstr(error->message, "on purpose"));
	g_assert_null(strstr(error->message, "s.sql.gz"));
}

static void
test_compression_is_parsed(void)
{
	static const struct {
		const char *text;
		int level; /* -1: refused */
		HfCompressionKind kind;
	} cases[] = {
		{"gzip", 0, HF_COMPRESSION_GZIP},     {"gzip:6", 6, HF_COMPRESSION_GZIP},
		{"zstd:19", 19, HF_COMPRESSION_ZSTD}, {"none", 0, HF_COMPRESSION_NONE},
		{"gzip:0", -1, HF_COMPRESSION_GZIP},  {"gzip:10", -1, HF_COMPRESSION_GZIP},
		{"gzip:", -1, HF_COMPRESSION_GZIP},   {"zstd:x", -1, HF_COMPRESSION_GZIP},
		{"none:1", -1, HF_COMPRESSION_GZIP},  {"", -1, HF_COMPRESSION_GZIP},
		{"lzma", -1, HF_COMPRESSION_GZIP},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		HfCompression compression = {0};
		g_autoptr(GError) error = NULL;
		bool is_known = hf_compression_parse(cases[i].text, &compression, &error);

		g_assert_true(is_known == (cases[i].level >= 0));
		g_assert_true(is_known || hf_error_is(error, HF_ERROR_USAGE));
		if (is_known) {
			g_assert_cmpint(compression.kind, ==, cases[i].kind);
			g_assert_cmpint(compression.level, ==, cases[i].level);
		}
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/archive/parts-of-every-kind-come-back", test_parts_of_every_kind_come_back);
	g_test_add_func("/archive/ranges-go-across-members-and-parts",
			test_ranges_go_across_members_and_parts);
	g_test_add_func("/archive/a-range-beyond-the-end-is-refused", test_a_range_beyond_the_end_is_refused);
	g_test_add_func("/archive/discard-removes-the-parts-that-were-complete",
			test_discard_removes_the_parts_that_were_complete);
	g_test_add_func("/archive/a-store-that-fails-anywhere-keeps-nothing",
			test_a_store_that_fails_anywhere_keeps_nothing);
	g_test_add_func("/archive/damage-is-found-and-named", test_damage_is_found_and_named);
	g_test_add_func("/archive/cut-longer-and-changed-are-told-apart",
			test_cut_longer_and_changed_are_told_apart);
	g_test_add_func("/archive/a-missing-part-is-named", test_a_missing_part_is_named);
	g_test_add_func("/archive/trouble-behind-the-archive-keeps-its-own-name",
			test_trouble_behind_the_archive_keeps_its_own_name);
	g_test_add_func("/archive/compression-is-parsed", test_compression_is_parsed);
	return g_test_run();
}
