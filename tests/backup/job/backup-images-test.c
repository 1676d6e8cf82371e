#include "config.h"

#include "tests/backup/job/images-world.h"
#include "common/error.h"

#include <string.h>

static void
test_full_run(gconstpointer compression)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = NULL;

	g_assert_true(hf_compression_parse(compression, &world->options.compression, NULL));
	world_put_odd_keys(world);
	manifest = world_backup(world);
	g_assert_cmpint(manifest->status, ==, HF_SET_COMPLETE);
	g_assert_cmpstr(hf_manifest_kind(manifest), ==, "images");
	g_assert_null(manifest->images->base);
	g_assert_cmpuint(manifest->images->added, ==, WORLD_ODD_KEYS);
	world_assert_is_source(world, manifest);
}

static void
test_empty_source(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = world_backup(world);

	g_assert_cmpuint(manifest->images->archives->len, ==, 0);
	g_assert_cmpuint(manifest->images->objects, ==, 0);
	world_assert_is_source(world, manifest);
}

static void
test_manifest_survives(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = NULL;
	g_autoptr(HfManifest) again = NULL;
	g_autoptr(GBytes) json = NULL;
	g_autoptr(GBytes) json_again = NULL;

	world_put_odd_keys(world);
	memstore_trouble(world->source, "latin1-\xe9", HF_ERROR_DENIED);
	manifest = world_backup(world);
	again = hf_catalog_read_manifest(world->fixture->store, manifest->id, NULL);
	g_assert_nonnull(again);
	json = hf_manifest_to_json(manifest);
	json_again = hf_manifest_to_json(again);
	g_assert_true(g_bytes_equal(json, json_again));
}

static void
test_metadata_is_in_the_index(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = NULL;
	g_autoptr(HfImage) image = NULL;

	world_put(world, "k", "content");
	manifest = world_backup(world);
	image = hf_image_index_find(world->fixture->store, manifest, "k", NULL);
	g_assert_cmpstr(image->meta.content_type, ==, "image/jpeg");
	g_assert_cmpstr(image->etag, ==, "e1");
	g_assert_cmpint(image->modified_s, ==, 1700000000);
}

static void
test_parts(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = NULL;
	const HfImageArchive *archive;

	world->options.archive_bytes = 1000;
	world_put_odd_keys(world);
	manifest = world_backup(world);
	archive = g_ptr_array_index(manifest->images->archives, 0);
	g_assert_cmpuint(archive->archive->parts->len, >, 2);
	world_assert_is_source(world, manifest);
}

static void
test_identical_content_is_stored_once(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;
	g_autofree char *noise = g_malloc(200000);
	g_autoptr(GRand) rand = g_rand_new_with_seed(1);

	for (size_t i = 0; i < 200000; i++)
		noise[i] = (char)g_rand_int(rand);
	for (int i = 0; i < 10; i++) {
		g_autofree char *key = g_strdup_printf("copy%d", i);

		memstore_put(world->source, key, noise, 200000, NULL);
	}
	first = world_backup(world);
	g_assert_cmpuint(hf_manifest_stored_bytes(first), <, 250000);
	world_assert_is_source(world, first);
	memstore_put(world->source, "z/another", noise, 200000, NULL);
	memstore_remove(world->source, "copy3");
	second = world_backup(world);
	g_assert_cmpuint(hf_manifest_stored_bytes(second), <, 50000);
	g_assert_cmpuint(second->images->archives->len, ==, 2);
	world_assert_is_source(world, second);
}

/* ---- incremental runs ---- */

static void
test_unchanged_reads_nothing(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;
	unsigned reads;

	world_put_odd_keys(world);
	first = world_backup(world);
	reads = memstore_reads(world->source);
	second = world_backup(world);
	g_assert_cmpuint(memstore_reads(world->source), ==, reads);
	g_assert_cmpstr(second->images->base, ==, first->id);
	g_assert_cmpuint(second->images->unchanged, ==, WORLD_ODD_KEYS);
	g_assert_cmpuint(second->images->archives->len, ==, 1);
	world_assert_is_source(world, second);
}

static void
test_changes_are_stored(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;

	world_put_odd_keys(world);
	first = world_backup(world);
	world_put(world, "a.jpg", "changed");
	world_put(world, "added", "new");
	memstore_remove(world->source, "../outside");
	memstore_remove(world->source, "case");
	second = world_backup(world);
	g_assert_cmpuint(second->images->changed, ==, 1);
	g_assert_cmpuint(second->images->added, ==, 1);
	g_assert_cmpuint(second->images->deleted, ==, 2);
	g_assert_cmpuint(second->images->dead_paths, ==, 2);
	world_assert_is_source(world, second);
}

static void
test_revived_path_is_not_dead(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;
	g_autoptr(HfManifest) third = NULL;

	world_put(world, "k", "one");
	world_put(world, "l", "stays");
	first = world_backup(world);
	memstore_remove(world->source, "k");
	second = world_backup(world);
	g_assert_cmpuint(second->images->dead_paths, ==, 1);
	world_assert_is_source(world, second);
	world_put(world, "k", "again");
	third = world_backup(world);
	g_assert_cmpuint(third->images->dead_paths, ==, 0);
	world_assert_is_source(world, third);
}

static void
test_file_that_becomes_a_folder_is_escaped(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;

	world_put(world, "a", "file");
	first = world_backup(world);
	memstore_remove(world->source, "a");
	world_put(world, "a/b", "below");
	second = world_backup(world);
	g_assert_cmpstr(second->images->base, ==, first->id);
	world_assert_is_source(world, second);
}

static void
test_folder_that_becomes_a_file_is_a_full_run(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;

	world_put(world, "a/b", "below");
	world_put(world, "c", "other");
	first = world_backup(world);
	world_put(world, "a", "file");
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*begins again as a full one*\"a/b\"*");
	second = world_backup(world);
	g_test_assert_expected_messages();
	g_assert_null(second->images->base);
	g_assert_nonnull(strstr(second->images->full_reason, "\"a/b\""));
	world_assert_is_source(world, second);
}

static void
test_asked_full_refers_to_nothing(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;

	world_put_odd_keys(world);
	first = world_backup(world);
	world->options.full = true;
	second = world_backup(world);
	g_assert_null(second->images->base);
	g_assert_cmpuint(second->images->archives->len, ==, 1);
	world_assert_is_source(world, second);
}

/* Many runs of random changes to keys of which many are folders of others; every set stays restorable. */
static void
test_random_changes(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GRand) rand = g_rand_new_with_seed(3);
	static const char *const keys[] = {"a",   "a/b", "a/b/c", "a/d", "a!",  "a-b/c",
					   "b//", "b",   "b/x",   "..",  "../y"};

	g_log_set_always_fatal(G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL);
	for (int run = 0; run < 25; run++) {
		g_autoptr(HfManifest) manifest = NULL;

		for (int i = 0; i < 3; i++) {
			const char *key = keys[g_rand_int_range(rand, 0, G_N_ELEMENTS(keys))];
			g_autofree char *text = g_strdup_printf("%d", g_rand_int_range(rand, 0, 6));

			if (g_rand_boolean(rand))
				world_put(world, key, text);
			else
				memstore_remove(world->source, key);
		}
		manifest = world_backup(world);
		world_assert_is_source(world, manifest);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/images/full-run/gzip", "gzip", test_full_run);
	g_test_add_data_func("/images/full-run/zstd", "zstd", test_full_run);
	g_test_add_data_func("/images/full-run/none", "none", test_full_run);
	g_test_add_func("/images/empty-source", test_empty_source);
	g_test_add_func("/images/manifest-survives", test_manifest_survives);
	g_test_add_func("/images/metadata-is-in-the-index", test_metadata_is_in_the_index);
	g_test_add_func("/images/parts", test_parts);
	g_test_add_func("/images/identical-content-is-stored-once", test_identical_content_is_stored_once);
	g_test_add_func("/images/unchanged-reads-nothing", test_unchanged_reads_nothing);
	g_test_add_func("/images/changes-are-stored", test_changes_are_stored);
	g_test_add_func("/images/revived-path-is-not-dead", test_revived_path_is_not_dead);
	g_test_add_func("/images/file-that-becomes-a-folder-is-escaped",
			test_file_that_becomes_a_folder_is_escaped);
	g_test_add_func("/images/folder-that-becomes-a-file-is-a-full-run",
			test_folder_that_becomes_a_file_is_a_full_run);
	g_test_add_func("/images/asked-full-refers-to-nothing", test_asked_full_refers_to_nothing);
	g_test_add_func("/images/random-changes", test_random_changes);
	return g_test_run();
}
