#include "config.h"

#include "tests/backup/job/images-world.h"
#include "backup/job/lock.h"
#include "backup/stage/sink.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

/* ---- trouble ---- */

static void
test_trouble_makes_a_partial_set(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;
	const HfImageTrouble *trouble;

	world_put_odd_keys(world);
	memstore_trouble(world->source, "Case", HF_ERROR_DENIED);
	first = world_backup(world);
	g_assert_cmpint(first->status, ==, HF_SET_PARTIAL);
	g_assert_cmpuint(first->images->troubled, ==, 1);
	trouble = g_ptr_array_index(first->images->troubles, 0);
	g_assert_cmpstr(trouble->key, ==, "Case");
	world_assert_is_source(world, first);
	memstore_trouble(world->source, "Case", 0);
	second = world_backup(world);
	g_assert_cmpint(second->status, ==, HF_SET_COMPLETE);
	g_assert_cmpuint(second->images->changed, ==, 1);
	g_assert_cmpuint(second->images->unchanged, ==, WORLD_ODD_KEYS - 1);
	world_assert_is_source(world, second);
}

static void
put_large(World *world, const char *key)
{
	g_autofree char *content = g_malloc((size_t)9 << 20);

	for (size_t i = 0; i < (size_t)9 << 20; i++)
		content[i] = (char)(i * i >> 7);
	memstore_put(world->source, key, content, (size_t)9 << 20, NULL);
}

static void
test_large_object_is_streamed(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = NULL;

	world_put(world, "a", "before");
	put_large(world, "large");
	world_put(world, "z", "behind");
	manifest = world_backup(world);
	world_assert_is_source(world, manifest);
}

static void
test_torn_object_is_never_restored(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;

	world_put(world, "a", "before");
	put_large(world, "large");
	world_put(world, "z", "behind");
	memstore_trouble(world->source, "large", HF_ERROR_CONFLICT);
	first = world_backup(world);
	g_assert_cmpint(first->status, ==, HF_SET_PARTIAL);
	g_assert_cmpuint(first->images->dead_paths, ==, 1);
	world_assert_is_source(world, first);
	memstore_trouble(world->source, "large", 0);
	second = world_backup(world);
	g_assert_cmpint(second->status, ==, HF_SET_COMPLETE);
	g_assert_cmpuint(second->images->dead_paths, ==, 0);
	world_assert_is_source(world, second);
}

static void
test_cut_list_leaves_nothing(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;

	world_put_odd_keys(world);
	memstore_cut_list(world->source, 10);
	g_assert_null(hf_backup_images(world->fixture->store, &world->options, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_TRANSIENT);
	g_assert_cmpuint(fixture_files(world->fixture), ==, 0);
}

/* ---- interrupted ---- */

static void
put_many(World *world)
{
	for (int i = 0; i < 3000; i++) {
		g_autofree char *key = g_strdup_printf("many/%05d", i);

		world_put(world, key, key);
	}
}

static void
test_lost_source_is_gone_on_from(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;
	unsigned reads;

	put_many(world);
	world->options.archive_bytes = 10000;
	memstore_cut_list(world->source, 2000);
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*ends early*the list was cut*");
	first = world_backup(world);
	g_test_assert_expected_messages();
	g_assert_cmpint(first->status, ==, HF_SET_PARTIAL);
	g_assert_nonnull(first->images->interrupted);
	g_assert_cmpuint(first->images->objects, >, 1000);
	reads = memstore_reads(world->source);
	memstore_cut_list(world->source, 0);
	second = world_backup(world);
	g_assert_cmpint(second->status, ==, HF_SET_COMPLETE);
	g_assert_cmpuint(second->images->unchanged, ==, first->images->objects);
	g_assert_cmpuint(memstore_reads(world->source) - reads, ==, 3000 - first->images->objects);
	world_assert_is_source(world, second);
}

static void
test_stop_keeps_what_is_complete(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;

	put_many(world);
	world->options.archive_bytes = 10000;
	memstore_stop_after(world->source, 2000);
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*ends early*cancelled*");
	first = world_backup(world);
	g_test_assert_expected_messages();
	g_assert_false(hf_cancel_is_requested());
	g_assert_cmpint(first->status, ==, HF_SET_PARTIAL);
	memstore_stop_after(world->source, 0);
	second = world_backup(world);
	g_assert_cmpuint(second->images->unchanged, ==, first->images->objects);
	world_assert_is_source(world, second);
}

/* What lies behind the cut is as the set before saw it. */
static void
test_interrupted_increment_keeps_the_rest(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;
	g_autoptr(HfManifest) third = NULL;

	put_many(world);
	world_put(world, "zebra", "stays");
	first = world_backup(world);
	for (int i = 0; i < 1500; i++) {
		g_autofree char *key = g_strdup_printf("many/%05d", i);

		world_put(world, key, "changed");
	}
	world->options.archive_bytes = 10000;
	memstore_cut_list(world->source, 1400);
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*ends early*");
	second = world_backup(world);
	g_test_assert_expected_messages();
	g_assert_cmpuint(second->images->objects + second->images->troubled, ==, 3001);
	memstore_cut_list(world->source, 0);
	third = world_backup(world);
	world_assert_is_source(world, third);
}

static void
test_stop_without_a_part_leaves_nothing(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;

	put_many(world);
	memstore_stop_after(world->source, 2000);
	g_assert_null(hf_backup_images(world->fixture->store, &world->options, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CANCELLED);
	hf_cancel_reset();
	g_assert_cmpuint(fixture_files(world->fixture), ==, 0);
}

static void
test_full_store_leaves_nothing(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfStore) failing = failing_store_new(world->fixture->store, 100000);
	g_autoptr(GError) error = NULL;

	put_large(world, "large");
	world_put_odd_keys(world);
	g_assert_null(hf_backup_images(failing, &world->options, &error));
	g_assert_nonnull(error);
	g_assert_cmpuint(fixture_files(world->fixture), ==, 0);
}

static void
test_unordered_list_is_sorted(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = NULL;

	world_put_odd_keys(world);
	memstore_list_backwards(world->source, true);
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*byte order*sorted*");
	manifest = world_backup(world);
	g_test_assert_expected_messages();
	world_assert_is_source(world, manifest);
}

static void
test_backup_prefix_is_left_out(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = NULL;

	world_put(world, "backups/backup_2024-01-15_02-00-00.json", "{}");
	world_put(world, "backups-of-mine", "image");
	world_put(world, "z", "image");
	world->options.skip_prefix = "backups/";
	manifest = world_backup(world);
	g_assert_cmpuint(manifest->images->objects, ==, 2);
}

static void
test_two_runs_at_once_conflict(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *state = g_dir_make_tmp("holdfast-state-XXXXXX", NULL);
	g_autofree char *cleanup = g_strdup_printf("rm -rf %s", state);
	g_autoptr(HfLock) lock = hf_lock_take(state, "images", NULL);
	g_autoptr(HfManifest) manifest = NULL;
	g_autoptr(GError) error = NULL;

	world->options.state_dir = state;
	g_assert_null(hf_backup_images(world->fixture->store, &world->options, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
	g_assert_cmpuint(fixture_files(world->fixture), ==, 0);
	g_clear_pointer(&lock, hf_lock_free);
	manifest = world_backup(world);
	g_free(world_shell(cleanup));
}

/* ---- damage: the next run is full and says so ---- */

static char *
part_path(const World *world, const HfArchive *archive)
{
	const HfPart *part = g_ptr_array_index(archive->parts, 0);

	return fixture_path(world->fixture, part->key);
}

static void
remove_index(const World *world, const HfManifest *manifest)
{
	g_autofree char *path = part_path(world, manifest->images->index);
	g_autofree char *script = g_strdup_printf("rm %s", path);

	g_free(world_shell(script));
}

static void
remove_archive(const World *world, const HfManifest *manifest)
{
	const HfImageArchive *archive = g_ptr_array_index(manifest->images->archives, 0);
	g_autofree char *path = part_path(world, archive->archive);
	g_autofree char *script = g_strdup_printf("rm %s", path);

	g_free(world_shell(script));
}

static void
flip_bit(const char *path, size_t place)
{
	g_autofree char *bytes = NULL;
	gsize len;

	g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
	bytes[len * place / 100] ^= 4;
	g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

static void
flip_index(const World *world, const HfManifest *manifest)
{
	g_autofree char *path = part_path(world, manifest->images->index);

	flip_bit(path, 60);
}

static void
cut_index(const World *world, const HfManifest *manifest)
{
	g_autofree char *path = part_path(world, manifest->images->index);
	g_autofree char *script = g_strdup_printf("truncate -s -100 %s", path);

	g_free(world_shell(script));
}

static const struct {
	const char *name;
	void (*damage)(const World *world, const HfManifest *manifest);
} damages[] = {
	{"/images/next-run-is-full/index-lost", remove_index},
	{"/images/next-run-is-full/archive-lost", remove_archive},
	{"/images/next-run-is-full/index-with-one-bit-turned", flip_index},
	{"/images/next-run-is-full/index-cut", cut_index},
};

static void
test_next_run_is_full(gconstpointer data)
{
	const size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;

	world_put_odd_keys(world);
	first = world_backup(world);
	damages[i].damage(world, first);
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*full*");
	second = world_backup(world);
	g_test_assert_expected_messages();
	g_assert_null(second->images->base);
	g_assert_nonnull(second->images->full_reason);
	world_assert_is_source(world, second);
}

static void
test_damaged_archive_names_the_image(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = NULL;
	g_autofree char *path = NULL;
	unsigned damaged = 0;

	world_put_odd_keys(world);
	manifest = world_backup(world);
	path = part_path(world,
			 ((HfImageArchive *)g_ptr_array_index(manifest->images->archives, 0))->archive);
	flip_bit(path, 50);
	for (size_t i = 0; i < WORLD_ODD_KEYS; i++) {
		g_autoptr(HfImage)
			image = hf_image_index_find(world->fixture->store, manifest, world_odd_keys[i], NULL);
		g_autoptr(HfStage) sink = hf_sink_null_new();
		g_autoptr(GError) error = NULL;

		if (hf_image_read(world->fixture->store, manifest, image, sink, &error))
			continue;
		g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
		g_assert_nonnull(strstr(error->message, world_odd_keys[i]));
		g_assert_nonnull(strstr(error->message, manifest->id));
		damaged++;
	}
	g_assert_cmpuint(damaged, ==, 1);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/images/trouble-makes-a-partial-set", test_trouble_makes_a_partial_set);
	g_test_add_func("/images/large-object-is-streamed", test_large_object_is_streamed);
	g_test_add_func("/images/torn-object-is-never-restored", test_torn_object_is_never_restored);
	g_test_add_func("/images/cut-list-leaves-nothing", test_cut_list_leaves_nothing);
	g_test_add_func("/images/lost-source-is-gone-on-from", test_lost_source_is_gone_on_from);
	g_test_add_func("/images/stop-keeps-what-is-complete", test_stop_keeps_what_is_complete);
	g_test_add_func("/images/interrupted-increment-keeps-the-rest",
			test_interrupted_increment_keeps_the_rest);
	g_test_add_func("/images/stop-without-a-part-leaves-nothing",
			test_stop_without_a_part_leaves_nothing);
	g_test_add_func("/images/full-store-leaves-nothing", test_full_store_leaves_nothing);
	g_test_add_func("/images/unordered-list-is-sorted", test_unordered_list_is_sorted);
	g_test_add_func("/images/backup-prefix-is-left-out", test_backup_prefix_is_left_out);
	g_test_add_func("/images/two-runs-at-once-conflict", test_two_runs_at_once_conflict);
	for (size_t i = 0; i < G_N_ELEMENTS(damages); i++)
		g_test_add_data_func(damages[i].name, GSIZE_TO_POINTER(i), test_next_run_is_full);
	g_test_add_func("/images/damaged-archive-names-the-image", test_damaged_archive_names_the_image);
	return g_test_run();
}
