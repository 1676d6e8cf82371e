#include "config.h"

#include "backup/catalog/image-index.h"
#include "backup/job/backup-images.h"
#include "backup/stage/sink.h"
#include "common/error.h"
#include "tests/lib/fixture.h"
#include "tests/lib/memstore.h"

#include <string.h>

#define IMAGES 10
#define IMAGE_BYTES ((size_t)20000)

/* Incompressible, and different for each. */
static GBytes *
content_of(unsigned number)
{
	g_autoptr(GRand) random = g_rand_new_with_seed(number);
	guint8 *bytes = g_malloc(IMAGE_BYTES);

	for (size_t i = 0; i < IMAGE_BYTES; i++)
		bytes[i] = (guint8)g_rand_int(random);
	return g_bytes_new_take(bytes, IMAGE_BYTES);
}

static char *
key_of(unsigned number)
{
	return g_strdup_printf("image-%u", number);
}

static HfStore *
source_of_images(void)
{
	HfStore *source = memstore_new();

	for (unsigned i = 0; i < IMAGES; i++) {
		g_autoptr(GBytes) content = content_of(i);
		g_autofree char *key = key_of(i);

		memstore_put(source, key, g_bytes_get_data(content, NULL), IMAGE_BYTES, NULL);
	}
	return source;
}

static void
remove_images(HfStore *source, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		g_autofree char *key = key_of(i);

		memstore_remove(source, key);
	}
}

static HfManifest *
backup(const Fixture *fixture, HfStore *source)
{
	const HfBackupImages options = {.source = source};
	GError *error = NULL;
	HfManifest *manifest = hf_backup_images(fixture->store, &options, &error);

	g_assert_no_error(error);
	return manifest;
}

static void
assert_image(const Fixture *fixture, const HfManifest *manifest, unsigned number)
{
	g_autofree char *key = key_of(number);
	g_autoptr(GBytes) expected = content_of(number);
	GError *error = NULL;
	g_autoptr(HfImage) image = hf_image_index_find(fixture->store, manifest, key, &error);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(1 << 20);
	g_autoptr(GBytes) found = NULL;

	g_assert_no_error(error);
	g_assert_true(hf_image_read(fixture->store, manifest, image, sink, &error));
	g_assert_no_error(error);
	g_assert_true(hf_stage_finish(sink, NULL));
	found = hf_sink_bytes_get(sink);
	g_assert_true(g_bytes_equal(found, expected));
}

static void
test_mostly_dead_archive_is_given_up(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfStore) source = source_of_images();
	g_autoptr(HfManifest) first = backup(fixture, source);
	g_autoptr(HfManifest) second = NULL;
	g_autoptr(HfManifest) third = NULL;
	unsigned reads = memstore_reads(source);

	remove_images(source, 3, IMAGES);
	second = backup(fixture, source);
	g_assert_cmpuint(memstore_reads(source), ==, reads);
	third = backup(fixture, source);
	g_assert_cmpuint(memstore_reads(source), ==, reads + 3);
	g_assert_cmpuint(third->images->unchanged, ==, 3);
	g_assert_cmpuint(third->images->archives->len, ==, 1);
	g_assert_cmpstr(((HfImageArchive *)third->images->archives->pdata[0])->set_id, ==, third->id);
	for (unsigned i = 0; i < 3; i++) {
		assert_image(fixture, second, i);
		assert_image(fixture, third, i);
	}
}

static void
test_half_live_archive_is_kept(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfStore) source = source_of_images();
	g_autoptr(HfManifest) first = backup(fixture, source);
	g_autoptr(HfManifest) second = NULL;
	g_autoptr(HfManifest) third = NULL;
	unsigned reads = memstore_reads(source);

	remove_images(source, 6, IMAGES);
	second = backup(fixture, source);
	third = backup(fixture, source);
	g_assert_cmpuint(memstore_reads(source), ==, reads);
	assert_image(fixture, third, 5);
}

/* What cannot be read now has a good copy: it is neither lost nor a trouble. */
static void
test_what_cannot_be_read_again_stays_where_it_is(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfStore) source = source_of_images();
	g_autoptr(HfManifest) first = backup(fixture, source);
	g_autoptr(HfManifest) second = NULL;
	g_autoptr(HfManifest) third = NULL;

	remove_images(source, 3, IMAGES);
	second = backup(fixture, source);
	memstore_trouble(source, "image-1", HF_ERROR_DENIED);
	third = backup(fixture, source);
	g_assert_cmpint(third->status, ==, HF_SET_COMPLETE);
	g_assert_cmpuint(third->images->archives->len, ==, 2);
	g_assert_cmpuint(third->images->objects, ==, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_image(fixture, third, i);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/worn-archives/mostly-dead-is-given-up", test_mostly_dead_archive_is_given_up);
	g_test_add_func("/worn-archives/half-live-is-kept", test_half_live_archive_is_kept);
	g_test_add_func("/worn-archives/what-cannot-be-read-again-stays",
			test_what_cannot_be_read_again_stays_where_it_is);
	return g_test_run();
}
