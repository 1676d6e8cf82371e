#include "config.h"

#include "backup/catalog/image-index.h"
#include "backup/catalog/names.h"
#include "backup/catalog/sweep.h"
#include "backup/job/backup-images.h"
#include "backup/stage/sink.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/lib/fixture.h"
#include "tests/lib/memstore.h"

#include <string.h>

/* Tarball, index, its parity, RESTORE.txt, manifest. */
#define FILES_OF_A_SET 5

typedef struct {
	Fixture *fixture;
	HfStore *source;
} World;

static World *
world_new(void)
{
	World *world = g_new0(World, 1);

	world->fixture = fixture_new();
	world->source = memstore_new();
	memstore_put(world->source, "a", "first", 5, NULL);
	memstore_put(world->source, "b", "second", 6, NULL);
	return world;
}

static void
world_free(World *world)
{
	hf_store_free(world->source);
	fixture_free(world->fixture);
	g_free(world);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

static HfManifest *
backup(World *world, bool is_full)
{
	const HfBackupImages options = {.source = world->source, .full = is_full};
	GError *error = NULL;
	HfManifest *manifest = hf_backup_images(world->fixture->store, &options, &error);

	g_assert_no_error(error);
	return manifest;
}

static HfSweep *
plan(World *world, int64_t later_s)
{
	GError *error = NULL;
	HfSweep *sweep = hf_sweep_plan(world->fixture->store, NULL, hf_clock_now_s() + later_s, &error);

	g_assert_no_error(error);
	return sweep;
}

static void
delete_set(World *world, const char *id)
{
	g_autoptr(HfSweep) sweep = NULL;
	GError *error = NULL;

	g_assert_true(hf_set_delete(world->fixture->store, id, false, &sweep, &error));
	g_assert_no_error(error);
}

static void
prune(World *world)
{
	g_autoptr(HfSweep) sweep = plan(world, 0);
	GError *error = NULL;

	g_assert_true(hf_sweep_run(world->fixture->store, sweep, hf_clock_now_s(), &error));
	g_assert_no_error(error);
}

static bool
exists(World *world, const char *id, const char *prefix, const char *rest)
{
	g_autofree char *key = g_strdup_printf("%s_%s%s", prefix, id, rest);
	g_autofree char *path = fixture_path(world->fixture, key);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void
assert_readable(World *world, const HfManifest *manifest, const char *key)
{
	GError *error = NULL;
	g_autoptr(HfImage) image = hf_image_index_find(world->fixture->store, manifest, key, &error);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(1 << 20);

	g_assert_no_error(error);
	g_assert_true(hf_image_read(world->fixture->store, manifest, image, sink, &error));
	g_assert_no_error(error);
}

static void
test_archive_stays_while_a_set_refers_to_it(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = backup(world, false);
	g_autoptr(HfManifest) second = NULL;
	g_autoptr(HfManifest) full = NULL;
	g_autoptr(GPtrArray) sets = NULL;

	memstore_put(world->source, "c", "third", 5, NULL);
	second = backup(world, false);
	delete_set(world, first->id);
	prune(world);
	g_assert_true(exists(world, first->id, HF_IMAGES_PREFIX, ".tar.gz"));
	g_assert_false(exists(world, first->id, HF_IMAGES_PREFIX, ".index.jsonl.gz"));
	g_assert_false(exists(world, first->id, HF_SET_PREFIX, ".RESTORE.txt"));
	assert_readable(world, second, "a");
	sets = hf_catalog_list(world->fixture->store, NULL);
	g_assert_cmpuint(sets->len, ==, 1);

	full = backup(world, true);
	delete_set(world, second->id);
	prune(world);
	g_assert_false(exists(world, first->id, HF_IMAGES_PREFIX, ".tar.gz"));
	assert_readable(world, full, "a");
	/* Those of the one that is left; no claims. */
	g_assert_cmpuint(fixture_files(world->fixture), ==, FILES_OF_A_SET);
}

static void
test_a_run_in_progress_keeps_tarballs(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = backup(world, false);
	g_autoptr(HfManifest) second = backup(world, true);
	g_autoptr(HfSweep) running = NULL;

	fixture_put(world->fixture, "backup_2030-01-01_00-00-00.claim", "host 1\n", 7);
	delete_set(world, first->id);
	g_assert_true(exists(world, first->id, HF_IMAGES_PREFIX, ".tar.gz"));
	running = plan(world, 0);
	g_assert_cmpstr(running->running, ==, "2030-01-01_00-00-00");
	g_assert_cmpuint(running->keys->len, ==, 0);

	/* Two days later it is no run any more. */
	g_clear_pointer(&running, hf_sweep_free);
	running = plan(world, HF_SWEEP_AGE_S + 60);
	g_assert_null(running->running);
	g_assert_cmpuint(running->keys->len, >, 0);
	assert_readable(world, second, "b");
}

static void
test_a_killed_run_is_swept_after_two_days(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = backup(world, false);
	g_autoptr(HfSweep) young = NULL;
	g_autoptr(HfSweep) old = NULL;

	fixture_put(world->fixture, "backup_2020-01-01_00-00-00.claim", "host 1\n", 7);
	fixture_put(world->fixture, "database_backup_2020-01-01_00-00-00.sql.gz", "x", 1);
	fixture_put(world->fixture, "images_backup_2020-01-01_00-00-00.part0002.tar.gz", "xy", 2);
	young = plan(world, HF_SWEEP_AGE_S - 600);
	g_assert_cmpuint(young->keys->len + young->last->len, ==, 0);
	old = plan(world, HF_SWEEP_AGE_S + 60);
	g_assert_cmpuint(old->keys->len, ==, 2);
	g_assert_cmpuint(old->last->len, ==, 1);
	g_assert_cmpuint(old->bytes, ==, 3);
	g_assert_true(hf_sweep_run(world->fixture->store, old, hf_clock_now_s(), NULL));
	g_assert_cmpuint(fixture_files(world->fixture), ==, FILES_OF_A_SET);
}

/* Without a claim nothing says that it is ours. */
static void
test_files_of_others_stay(void)
{
	static const char *const keys[] = {
		"images_backup_2020-01-01_00-00-00.tar.gz", "database_backup_2020-01-01T00-00-00-000Z.sql.gz",
		"images_backup_2020-01-01_00-00-00.index.jsonl.gz", "notes.txt", "backup_notes.txt"};
	g_autoptr(World) world = world_new();
	g_autoptr(HfSweep) sweep = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		fixture_put(world->fixture, keys[i], "x", 1);
	sweep = plan(world, 100 * HF_SWEEP_AGE_S);
	g_assert_cmpuint(sweep->keys->len + sweep->last->len, ==, 0);
}

static void
test_a_damaged_manifest_stops_it(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = backup(world, false);
	g_autoptr(HfManifest) second = backup(world, true);
	g_autofree char *key = hf_name_manifest(second->id);
	g_autoptr(GError) error = NULL;

	delete_set(world, first->id);
	fixture_put(world->fixture, "backup_2020-01-01_00-00-00.claim", "deleted\n", 8);
	fixture_put(world->fixture, "images_backup_2020-01-01_00-00-00.tar.gz", "x", 1);
	fixture_put(world->fixture, key, "{", 1);
	g_assert_null(hf_sweep_plan(world->fixture->store, NULL, hf_clock_now_s(), &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
	g_assert_nonnull(strstr(error->message, second->id));
}

static void
test_the_only_good_set_is_refused(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) manifest = backup(world, false);
	g_autoptr(HfSweep) sweep = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_set_delete(world->fixture->store, manifest->id, false, &sweep, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
	assert_readable(world, manifest, "a");
	g_clear_error(&error);
	g_assert_true(hf_set_delete(world->fixture->store, manifest->id, true, &sweep, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(fixture_files(world->fixture), ==, 0);
}

static void
test_a_partial_set_is_no_substitute(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) good = backup(world, false);
	g_autoptr(HfManifest) partial = NULL;
	g_autoptr(HfSweep) sweep = NULL;
	g_autoptr(GError) error = NULL;

	memstore_put(world->source, "c", "third", 5, NULL);
	memstore_trouble(world->source, "c", HF_ERROR_DENIED);
	partial = backup(world, false);
	g_assert_cmpint(partial->status, ==, HF_SET_PARTIAL);
	g_assert_false(hf_set_delete(world->fixture->store, good->id, false, &sweep, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
	delete_set(world, partial->id);
	assert_readable(world, good, "a");
}

/* Stopped at any point, the set is either there and whole, or the next sweep removes the rest. */
static void
test_an_interrupted_delete_goes_on(void)
{
	for (unsigned removed = 0; removed < 3; removed++) {
		g_autoptr(World) world = world_new();
		g_autoptr(HfManifest) first = backup(world, false);
		g_autoptr(HfManifest) second = backup(world, true);
		g_autofree char *claim = hf_name_claim(first->id);
		g_autofree char *manifest = hf_name_manifest(first->id);
		g_autoptr(HfSweep) sweep = NULL;

		fixture_put(world->fixture, claim, "deleted by test\n", 16);
		sweep = plan(world, 0);
		g_assert_cmpuint(sweep->keys->len + sweep->last->len, ==, 0);
		assert_readable(world, first, "a");

		g_assert_true(
			hf_store_remove(world->fixture->store, (const char *const[]){manifest, NULL}, NULL));
		g_clear_pointer(&sweep, hf_sweep_free);
		sweep = plan(world, 0);
		g_assert_cmpuint(sweep->keys->len, ==, FILES_OF_A_SET - 1);
		g_ptr_array_set_size(sweep->keys, (int)removed);
		g_array_set_size(sweep->sizes, removed);
		g_ptr_array_set_size(sweep->last, 0);
		g_assert_true(hf_sweep_run(world->fixture->store, sweep, hf_clock_now_s(), NULL));
		prune(world);
		g_assert_cmpuint(fixture_files(world->fixture), ==, FILES_OF_A_SET);
		assert_readable(world, second, "a");
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sweep/archive-stays-while-a-set-refers-to-it",
			test_archive_stays_while_a_set_refers_to_it);
	g_test_add_func("/sweep/a-run-in-progress-keeps-tarballs", test_a_run_in_progress_keeps_tarballs);
	g_test_add_func("/sweep/a-killed-run-is-swept-after-two-days",
			test_a_killed_run_is_swept_after_two_days);
	g_test_add_func("/sweep/files-of-others-stay", test_files_of_others_stay);
	g_test_add_func("/sweep/a-damaged-manifest-stops-it", test_a_damaged_manifest_stops_it);
	g_test_add_func("/delete/the-only-good-set-is-refused", test_the_only_good_set_is_refused);
	g_test_add_func("/delete/a-partial-set-is-no-substitute", test_a_partial_set_is_no_substitute);
	g_test_add_func("/delete/interrupted-goes-on", test_an_interrupted_delete_goes_on);
	return g_test_run();
}
