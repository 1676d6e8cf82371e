#include "config.h"

#include "backup/catalog/image-view.h"
#include "backup/job/backup-images.h"
#include "backup/restore/images-merge.h"
#include "backup/restore/images.h"
#include "backup/verify/verify.h"
#include "common/error.h"
#include "tests/lib/fixture.h"
#include "tests/lib/memstore.h"

#include <string.h>

#define OBJECTS 1500 /* some pieces of the index */

/* A source, a store that holds a set of it, and a folder to restore to. */
typedef struct {
	HfStore *source;
	Fixture *store, *target;
	HfStore *listed; /* the target once more */
	HfManifest *manifest;
	HfRestoredImages result;
} World;

static World *
world_new(unsigned objects)
{
	World *world = g_new0(World, 1);
	HfBackupImages options = {0};
	GError *error = NULL;

	world->source = memstore_new();
	for (unsigned i = 0; i < objects; i++) {
		g_autofree char *key = g_strdup_printf("%02u/image %04u.jpg", i % 7, i);
		g_autofree char *text = g_strdup_printf("content of %u, twice of %u", i, i * 7919);

		memstore_put(world->source, key, text, strlen(text), "image/jpeg");
	}
	world->store = fixture_new();
	world->target = fixture_new();
	world->listed = hf_dir_open(world->target->folder, NULL);
	options.source = world->source;
	world->manifest = hf_backup_images(world->store->store, &options, &error);
	g_assert_no_error(error);
	return world;
}

static void
world_free(World *world)
{
	hf_restored_images_clear(&world->result);
	hf_manifest_free(world->manifest);
	hf_store_free(world->listed);
	hf_store_free(world->source);
	fixture_free(world->store);
	fixture_free(world->target);
	g_free(world);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

static bool
restore(World *world, HfRestoreMode mode, GError **error)
{
	const HfRestoreImages options = {
		.target = world->target->store, .listed = world->listed, .mode = mode};

	hf_restored_images_clear(&world->result);
	return hf_images_restore(world->store->store, world->manifest, &options, &world->result, error);
}

/* What is in the target is right: the key and the content of an image. */
static void
count_right(const char *key, GBytes *content, gpointer context)
{
	World **world = context;
	g_autofree char *path = fixture_path((*world)->target, key);
	g_autofree char *text = NULL;
	gsize len;

	if (!g_file_get_contents(path, &text, &len, NULL))
		return;
	g_assert_cmpuint(len, ==, g_bytes_get_size(content));
	g_assert_true(memcmp(text, g_bytes_get_data(content, NULL), len) == 0);
	(*world)->result.kept++;
}

/* Every file of the target is an image of the source, and as it was; how many. */
static uint64_t
count_files(World *world)
{
	world->result.kept = 0;
	memstore_foreach(world->source, count_right, &world);
	return world->result.kept;
}

static void
turn_bit(const World *world, const char *key, double share)
{
	g_autofree char *path = fixture_path(world->store, key);
	g_autofree char *bytes = NULL;
	gsize len;

	g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
	bytes[(gsize)((double)(len - 1) * share)] ^= 0x04;
	g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

static const char *
key_of(const HfArchive *archive)
{
	return ((const HfPart *)g_ptr_array_index(archive->parts, 0))->key;
}

static void
test_all_come_back(void)
{
	g_autoptr(World) world = world_new(OBJECTS);
	g_autoptr(GError) error = NULL;

	g_assert_true(restore(world, HF_RESTORE_CAREFULLY, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(world->result.restored, ==, OBJECTS);
	g_assert_cmpuint(count_files(world), ==, OBJECTS);
}

/* Wherever the bit is: nothing wrong is restored, under no wrong name; what is missing was told. */
static void
test_one_bit(gconstpointer what)
{
	static const double shares[] = {0, 0.01, 0.2, 0.41, 0.6, 0.83, 0.999, 1};
	bool is_index = strcmp(what, "index") == 0;

	g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
	/* A set of many files takes its time: the index gets every third one. */
	for (size_t i = 0; i < G_N_ELEMENTS(shares); i += is_index ? 3 : 1) {
		unsigned objects = is_index ? OBJECTS : 60;
		g_autoptr(World) world = world_new(objects);
		const HfImagesRecord *record = world->manifest->images;
		const HfImageArchive *place = g_ptr_array_index(record->archives, 0);
		const char *key = key_of(is_index ? record->index : place->archive);
		g_autoptr(GError) error = NULL;
		uint64_t lost;
		bool ok;

		turn_bit(world, key, shares[i]);
		ok = restore(world, HF_RESTORE_MISSING, &error);
		lost = objects - world->result.restored;
		g_test_message("bit at %.3f of %s: %" G_GUINT64_FORMAT " lost", shares[i], key, lost);
		g_assert_cmpuint(count_files(world), ==, world->result.restored);
		g_assert_cmpuint(lost, <=, is_index ? 0 : 2);
		if (lost > 0) {
			g_assert_false(ok);
			g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
			g_assert_nonnull(strstr(error->message, world->manifest->id));
		}
		if (!is_index)
			g_assert_cmpuint(world->result.failed, ==, lost);
	}
}

/* The archive as a whole is proved, also those bytes of it that belong to no image. */
static void
test_verify_sees_every_bit(void)
{
	static const double shares[] = {0, 0.3, 0.7, 0.99, 1};

	g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
	for (size_t i = 0; i < G_N_ELEMENTS(shares); i++) {
		g_autoptr(World) world = world_new(20);
		const HfImageArchive *place = g_ptr_array_index(world->manifest->images->archives, 0);
		g_autoptr(HfSet) set = hf_catalog_find(world->store->store, "latest", NULL);
		g_autoptr(GError) error = NULL;

		g_assert_true(hf_verify(world->store->store, set, 2, NULL, &error));
		g_assert_no_error(error);
		turn_bit(world, key_of(place->archive), shares[i]);
		g_assert_false(hf_verify(world->store->store, set, 2, NULL, &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
		g_assert_nonnull(strstr(error->message, key_of(place->archive)));
	}
}

static void
test_view_begins_at_the_prefix(void)
{
	g_autoptr(World) world = world_new(OBJECTS);
	g_autoptr(HfImageView) view = hf_image_view_new(world->store->store, world->manifest, "03/image 1");
	const HfImage *image;
	const char *damage;
	unsigned found = 0, wanted = 0;

	for (unsigned i = 1000; i < OBJECTS; i++)
		wanted += i % 7 == 3;
	for (;; found++) {
		g_assert_true(hf_image_view_next(view, &image, &damage, NULL));
		g_assert_null(damage);
		if (!image)
			break;
		g_assert_true(g_str_has_prefix(image->key, "03/image 1"));
	}
	g_assert_cmpuint(found, ==, wanted);
}

static void
test_glob(void)
{
	static const struct {
		const char *glob, *key;
		bool matches;
	} cases[] = {
		{NULL, "a/b", true},       {"*", "a/b/c", true}, {"a*", "a/b", true},
		{"*.jpg", "x/.jpg", true}, {"a?c", "a/c", true}, {"a", "a/b", false},
		{"[ab]/*", "b/c", true},   {"a\\*", "a*", true}, {"a\\*", "ab", false},
		{"", "a", false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmpint(hf_images_glob_matches(cases[i].glob, cases[i].key), ==, cases[i].matches);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/restore-images/all-come-back", test_all_come_back);
	g_test_add_data_func("/restore-images/one-bit-of-the-index", "index", test_one_bit);
	g_test_add_data_func("/restore-images/one-bit-of-an-archive", "archive", test_one_bit);
	g_test_add_func("/restore-images/verify-sees-every-bit", test_verify_sees_every_bit);
	g_test_add_func("/restore-images/view-begins-at-the-prefix", test_view_begins_at_the_prefix);
	g_test_add_func("/restore-images/glob", test_glob);
	return g_test_run();
}
