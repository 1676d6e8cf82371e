#include "config.h"

#include "backup/catalog/image-index.h"
#include "backup/catalog/image-line.h"
#include "backup/stage/sink.h"
#include "common/error.h"
#include "common/json.h"
#include "tests/lib/fixture.h"

#include <string.h>

#define ID "2024-01-15_02-00-00"

/* A manifest of one archive of a million bytes, number 7, and an index that is filled by write_index(). */
static HfManifest *
new_manifest(void)
{
	HfManifest *manifest = hf_manifest_new(ID);
	HfImageArchive *archive;

	manifest->images = hf_images_record_new();
	manifest->images->source = g_strdup("/images");
	archive = hf_images_record_add_archive(manifest->images, 7, ID);
	archive->archive = hf_archive_new(HF_COMPRESSION_GZIP);
	hf_archive_add_part(archive->archive, "images_backup_" ID ".tar.gz", 1000000, "");
	manifest->images->index = hf_archive_new(HF_COMPRESSION_GZIP);
	return manifest;
}

static void
fill_image(HfImage *image, const char *key, uint64_t number)
{
	*image = (HfImage){
		.key = key,
		.bytes = number * 3,
		.etag = "0123456789abcdef0123456789abcdef",
		.modified_s = 1700000000,
		.meta = {.content_type = "image/jpeg"},
		.archive = 7,
		.named_in = 7,
		.packed_offset = number,
		.packed_bytes = 20,
		.data_offset = 512,
	};
	memcpy(image->sha256, &number, sizeof number);
}

static HfStage *
begin_index(const Fixture *fixture, HfManifest *manifest)
{
	const HfArchiveOptions options = {
		.stem = "images_backup_" ID, .extension = ".index.jsonl", .cuts_at_marks = true};
	GError *error = NULL;
	HfStage *chain = hf_archive_write(fixture->store, &options, manifest->images->index, &error);

	g_assert_no_error(error);
	return chain;
}

static void
end_index(HfStage *chain, HfImageIndexWriter *writer, HfManifest *manifest)
{
	GError *error = NULL;

	g_assert_true(hf_image_index_end(writer, &error));
	g_assert_true(hf_stage_finish(chain, &error));
	g_ptr_array_unref(manifest->images->pieces);
	manifest->images->pieces = hf_image_index_pieces(writer, manifest->images->index);
}

/* An index of keys "k00000000" and on. */
static HfManifest *
write_index(const Fixture *fixture, unsigned count)
{
	HfManifest *manifest = new_manifest();
	g_autoptr(HfStage) chain = begin_index(fixture, manifest);
	g_autoptr(HfImageIndexWriter) writer = hf_image_index_writer_new(chain, ID);

	for (unsigned i = 0; i < count; i++) {
		char key[40];
		HfImage image;

		g_snprintf(key, sizeof key, "some/folder/k%08u.jpg", i);
		fill_image(&image, key, i);
		g_assert_true(hf_image_index_add(writer, &image, NULL));
	}
	end_index(chain, writer, manifest);
	return manifest;
}

/* Reads all; the number of images, or -1 with the error. */
static int
read_index(const Fixture *fixture, const HfManifest *manifest, GError **error)
{
	g_autoptr(HfImageIndexReader) reader = hf_image_index_open(fixture->store, manifest);
	const HfImage *image;
	int count = 0;

	for (;; count++) {
		if (!hf_image_index_next(reader, &image, error))
			return -1;
		if (!image)
			return count;
	}
}

/* ---- lines ---- */

static void
assert_same_image(const HfImage *a, const HfImage *b)
{
	g_assert_cmpstr(a->key, ==, b->key);
	g_assert_cmpuint(a->bytes, ==, b->bytes);
	g_assert_cmpstr(a->etag, ==, b->etag);
	g_assert_cmpint(a->modified_s, ==, b->modified_s);
	g_assert_cmpstr(a->meta.content_type, ==, b->meta.content_type);
	g_assert_cmpstr(a->meta.cache_control, ==, b->meta.cache_control);
	g_assert_cmpstr(a->meta.content_disposition, ==, b->meta.content_disposition);
	g_assert_cmpstr(a->meta.content_encoding, ==, b->meta.content_encoding);
	g_assert_cmpstr(a->trouble, ==, b->trouble);
	g_assert_cmpstr(a->path, ==, b->path);
	g_assert_cmpuint(a->archive, ==, b->archive);
	g_assert_cmpuint(a->named_in, ==, b->named_in);
	g_assert_cmpuint(a->packed_offset, ==, b->packed_offset);
	g_assert_cmpuint(a->packed_bytes, ==, b->packed_bytes);
	g_assert_cmpuint(a->data_offset, ==, b->data_offset);
	g_assert_true(memcmp(a->sha256, b->sha256, HF_SHA256_BYTES) == 0);
}

/* Writes, reads, compares, writes again, compares the text; json-c must take it for JSON. */
static void
assert_survives(const HfImage *image)
{
	g_autoptr(GString) line = g_string_new(NULL);
	g_autoptr(GString) again = g_string_new(NULL);
	g_autoptr(HfImageLineReader) reader = hf_image_line_reader_new();
	HfImage back;
	GError *error = NULL;
	struct json_object *json;

	hf_image_line_write(line, image);
	g_assert_true(hf_image_line_read(reader, line->str, line->len - 1, &back, &error));
	g_assert_no_error(error);
	assert_same_image(image, &back);
	hf_image_line_write(again, &back);
	g_assert_cmpstr(line->str, ==, again->str);
	json = json_tokener_parse(line->str);
	g_assert_nonnull(json);
	json_object_put(json);
}

static void
test_any_bytes_survive(void)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(5);

	for (int i = 0; i < 3000; i++) {
		char texts[6][40];
		HfImage image;

		for (size_t j = 0; j < G_N_ELEMENTS(texts); j++) {
			size_t len = (size_t)g_rand_int_range(rand, 1, 39);

			for (size_t k = 0; k < len; k++)
				texts[j][k] = (char)g_rand_int_range(rand, 1, i % 2 ? 128 : 256);
			texts[j][len] = 0;
		}
		fill_image(&image, texts[0], (uint64_t)i);
		image.etag = texts[1];
		image.path = texts[2];
		image.meta.content_type = texts[3];
		image.meta.content_disposition = texts[4];
		image.meta.content_encoding = i % 3 ? texts[5] : NULL;
		image.modified_s = i % 5 ? 1700000000 : -5;
		image.named_in = i % 7 ? 7 : 9;
		assert_survives(&image);
	}
}

static void
test_user_metadata_survives(void)
{
	static char names[][8] = {"b", "a", "\xff"}, values[][8] = {"1", "\xfe", "\"\\"};
	g_autoptr(GHashTable) user = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GString) line = g_string_new(NULL);
	g_autoptr(HfImageLineReader) reader = hf_image_line_reader_new();
	HfImage image, back;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		g_hash_table_insert(user, names[i], values[i]);
	fill_image(&image, "k", 1);
	image.meta.user = user;
	assert_survives(&image);
	hf_image_line_write(line, &image);
	g_assert_true(hf_image_line_read(reader, line->str, line->len - 1, &back, NULL));
	g_assert_cmpuint(g_hash_table_size(back.meta.user), ==, G_N_ELEMENTS(names));
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		g_assert_cmpstr(g_hash_table_lookup(back.meta.user, names[i]), ==, values[i]);
}

static void
test_trouble_survives(void)
{
	const HfImage image = {.key = "k", .bytes = 5, .modified_s = 3, .trouble = "\"k\": access denied"};

	assert_survives(&image);
}

static const char *const bad_lines[] = {
	"",
	"{}",
	"{\"key\":\"\",\"bytes\":1,\"modified\":1,\"trouble\":\"x\"}",
	"{\"key\":\"k\",\"bytes\":1,\"modified\":1}",
	"{\"key\":\"k\",\"bytes\":-1,\"modified\":1,\"trouble\":\"x\"}",
	"{\"key\":\"k\",\"bytes\":01,\"modified\":1,\"trouble\":\"x\"}",
	"{\"key\":\"k\",\"bytes\":9223372036854775808,\"modified\":1,\"trouble\":\"x\"}",
	"{\"key\":\"k\",\"bytes\":1,\"modified\":1,\"trouble\":\"x\"} ",
	"{\"key\":\"k\",\"bytes\":1,\"modified\":1,\"trouble\":\"x",
	"{\"key\":\"k\\n\",\"bytes\":1,\"modified\":1,\"trouble\":\"x\"}",
	"{\"key\":\"k\\u0000\",\"bytes\":1,\"modified\":1,\"trouble\":\"x\"}",
	"{\"key\":\"k\\u00",
	"{\"key_base64\":\"\",\"bytes\":1,\"modified\":1,\"trouble\":\"x\"}",
	"{\"key_base64\":\"A\",\"bytes\":1,\"modified\":1,\"trouble\":\"x\"}",
	"{\"key_base64\":\"AGE=\",\"bytes\":1,\"modified\":1,\"trouble\":\"x\"}",
	"{\"key\":\"k\",\"bytes\":1,\"modified\":1,\"sha256\":\"00\",\"archive\":0,\"offset\":0,\"packed\":1,"
	"\"data\":1}",
	"{\"key\":\"k\",\"bytes\":1,\"modified\":1,\"user\":[],\"trouble\":\"x\"}",
	"{\"key\":\"k\",\"bytes\":1,\"modified\":1,\"user\":[{\"name\":\"a\"}],\"trouble\":\"x\"}",
};

static void
test_bad_lines_are_corrupt(void)
{
	g_autoptr(HfImageLineReader) reader = hf_image_line_reader_new();

	for (size_t i = 0; i < G_N_ELEMENTS(bad_lines); i++) {
		/* A copy of its very size, so that a read behind it is seen. */
		size_t len = strlen(bad_lines[i]);
		g_autofree char *line = g_memdup2(bad_lines[i], len);
		g_autoptr(GError) error = NULL;
		HfImage image;

		g_assert_false(hf_image_line_read(reader, line, len, &image, &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
	}
}

/* ---- the whole ---- */

static void
test_all_come_back(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) manifest = write_index(fixture, 20000);
	GError *error = NULL;

	g_assert_cmpint(read_index(fixture, manifest, &error), ==, 20000);
	g_assert_no_error(error);
	g_assert_cmpuint(manifest->images->pieces->len, >, 10);
	g_assert_cmpuint(manifest->images->pieces->len, <, 256);
}

static void
test_empty_index(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) manifest = write_index(fixture, 0);
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(read_index(fixture, manifest, NULL), ==, 0);
	g_assert_null(hf_image_index_find(fixture->store, manifest, "k", &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_NOT_FOUND);
}

static void
assert_finds(const Fixture *fixture, const HfManifest *manifest, unsigned count)
{
	static const char *const absent[] = {"a", "some/folder/k", "some/folder/k00000001.jpgx", "zzz"};

	for (unsigned i = 0; i < count; i = i < 1000 ? i + 97 : i + 7919) {
		g_autofree char *key = g_strdup_printf("some/folder/k%08u.jpg", i);
		g_autoptr(HfImage) image = hf_image_index_find(fixture->store, manifest, key, NULL);

		g_assert_nonnull(image);
		g_assert_cmpuint(image->packed_offset, ==, i);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(absent); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_image_index_find(fixture->store, manifest, absent[i], &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_NOT_FOUND);
	}
}

static void
test_find_by_pieces(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) manifest = write_index(fixture, 5000);

	assert_finds(fixture, manifest, 5000);
}

static void
test_find_by_top(void)
{
	const HfArchiveOptions options = {.stem = "images_backup_" ID, .extension = ".index.top.jsonl"};
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) manifest = write_index(fixture, 20000);
	HfImagesRecord *images = manifest->images;
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(HfStage) chain = NULL;

	for (guint i = 0; i < images->pieces->len; i++)
		hf_image_line_write_piece(text, g_ptr_array_index(images->pieces, i));
	g_ptr_array_set_size(images->pieces, 0);
	images->top = hf_archive_new(HF_COMPRESSION_GZIP);
	chain = hf_archive_write(fixture->store, &options, images->top, NULL);
	g_assert_true(hf_stage_write(chain, text->str, text->len, NULL));
	g_assert_true(hf_stage_finish(chain, NULL));
	assert_finds(fixture, manifest, 20000);
}

static void
test_speed(void)
{
	const unsigned count = g_test_perf() ? 300000 : 3000;
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) manifest = NULL;

	g_test_timer_start();
	manifest = write_index(fixture, count);
	g_test_message("writing: %.2f us a line", g_test_timer_elapsed() * 1e6 / count);
	g_test_timer_start();
	g_assert_cmpint(read_index(fixture, manifest, NULL), ==, (int)count);
	g_test_message("reading: %.2f us a line", g_test_timer_elapsed() * 1e6 / count);
}

/* ---- damage ---- */

/* Stores text as the index, with sizes and digests that agree. */
static HfManifest *
manifest_of_text(const Fixture *fixture, const char *text)
{
	HfManifest *manifest = new_manifest();
	g_autoptr(HfStage) chain = begin_index(fixture, manifest);

	g_assert_true(hf_stage_write(chain, text, strlen(text), NULL));
	g_assert_true(hf_stage_finish(chain, NULL));
	return manifest;
}

#define HEAD "{\"format\":\"holdfast-images\",\"version\":1,\"set\":\"" ID "\"}\n"
#define LINE(key, archive, offset) \
	"{\"key\":\"" key "\",\"bytes\":1,\"modified\":1,\"sha256\":" \
	"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"archive\":" archive \
	",\"offset\":" offset ",\"packed\":1,\"data\":512}\n"

static const struct {
	const char *name;
	const char *text;
	const char *words;
} damages[] = {
	{"/image-index/damage/no-head", LINE("k", "7", "1") "{\"end\":true,\"lines\":1}\n",
	 "not that of set"},
	{"/image-index/damage/empty", "", "cut"},
	{"/image-index/damage/no-end", HEAD LINE("k", "7", "1"), "cut"},
	{"/image-index/damage/half-a-line", HEAD "{\"key\":\"k\"", "no end"},
	{"/image-index/damage/another-count", HEAD LINE("k", "7", "1") "{\"end\":true,\"lines\":2}\n",
	 "counts"},
	{"/image-index/damage/goes-on", HEAD "{\"end\":true,\"lines\":0}\n" LINE("k", "7", "1"), "follows"},
	{"/image-index/damage/out-of-order",
	 HEAD LINE("k", "7", "1") LINE("a", "7", "1") "{\"end\":true,\"lines\":2}\n", "order"},
	{"/image-index/damage/twice",
	 HEAD LINE("k", "7", "1") LINE("k", "7", "1") "{\"end\":true,\"lines\":2}\n", "order"},
	{"/image-index/damage/unknown-archive", HEAD LINE("k", "8", "1") "{\"end\":true,\"lines\":1}\n",
	 "outside"},
	{"/image-index/damage/behind-the-archive",
	 HEAD LINE("k", "7", "1000000") "{\"end\":true,\"lines\":1}\n", "outside"},
};

static void
test_damaged_text(gconstpointer data)
{
	const size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) manifest = manifest_of_text(fixture, damages[i].text);
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(read_index(fixture, manifest, &error), ==, -1);
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
	g_assert_nonnull(strstr(error->message, damages[i].words));
	g_assert_nonnull(strstr(error->message, "images_backup_" ID ".index.jsonl.gz"));
}

/* Wherever the bit is: the index is never read to its end. */
static void
test_any_bit(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfManifest) manifest = write_index(fixture, 50);
	g_autofree char *path = fixture_path(fixture, "images_backup_" ID ".index.jsonl.gz");
	g_autofree char *bytes = NULL;
	gsize len;

	g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
	for (gsize i = 0; i < len; i += 3) {
		g_autoptr(GError) error = NULL;

		bytes[i] ^= 16;
		g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
		bytes[i] ^= 16;
		g_assert_cmpint(read_index(fixture, manifest, &error), ==, -1);
		g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
		g_assert_nonnull(strstr(error->message, "images_backup_" ID ".index.jsonl.gz"));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/image-index/line/any-bytes-survive", test_any_bytes_survive);
	g_test_add_func("/image-index/line/user-metadata-survives", test_user_metadata_survives);
	g_test_add_func("/image-index/line/trouble-survives", test_trouble_survives);
	g_test_add_func("/image-index/line/bad-ones-are-corrupt", test_bad_lines_are_corrupt);
	g_test_add_func("/image-index/all-come-back", test_all_come_back);
	g_test_add_func("/image-index/empty", test_empty_index);
	g_test_add_func("/image-index/find-by-pieces", test_find_by_pieces);
	g_test_add_func("/image-index/find-by-top", test_find_by_top);
	g_test_add_func("/image-index/speed", test_speed);
	for (size_t i = 0; i < G_N_ELEMENTS(damages); i++)
		g_test_add_data_func(damages[i].name, GSIZE_TO_POINTER(i), test_damaged_text);
	g_test_add_func("/image-index/damage/any-bit", test_any_bit);
	return g_test_run();
}
