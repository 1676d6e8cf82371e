/* What keeps a set from being deleted although its time has come: holds and locks. */
#include "config.h"

#include "backup/catalog/hold.h"
#include "backup/catalog/names.h"
#include "tests/backup/catalog/prune-world.h"
#include "common/error.h"

#include <string.h>

/* ---- holds ---- */

static void
test_held_set_stays_until_it_is_released(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	g_autoptr(HfSet) set = NULL;
	g_autoptr(HfSweep) sweep = NULL;
	g_autoptr(HfPrune) held = NULL;
	g_autoptr(HfPrune) released = NULL;
	g_autoptr(GError) error = NULL;

	hold(world, old, "the \"audit\"\nof 2026");
	set = find_set(world, old);
	g_assert_true(set->is_held);
	g_assert_cmpstr(set->hold_reason, ==, "the \"audit\"\nof 2026");
	held = prune(world);
	g_assert_cmpint(row_of(held, old)->fate, ==, HF_FATE_KEPT);
	g_assert_false(hf_set_delete(world->fixture->store, old, true, &sweep, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
	g_assert_true(has_set(world, old));
	g_assert_true(hf_hold_release(world->fixture->store, set, NULL));
	released = prune(world);
	g_assert_cmpint(row_of(released, old)->fate, ==, HF_FATE_DELETED);
}

static void
test_hold_of_a_set_that_is_not_held_cannot_be_released(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *id = add_set(world, 1);
	g_autoptr(HfSet) set = find_set(world, id);
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_hold_release(world->fixture->store, set, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
}

/* Whatever lies under the name of a hold holds: who damaged it did not release it. */
static void
test_damaged_hold_holds(void)
{
	static const char *const damages[] = {"", "{", "[]", "null", "{\"reason\":7}"};

	for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
		g_autoptr(World) world = world_new();
		g_autofree char *old = add_set(world, 40);
		g_autofree char *young = add_set(world, 1);
		g_autofree char *key = hf_name_hold(old);
		g_autoptr(HfPrune) done = NULL;

		put(world, key, damages[i]);
		done = prune(world);
		g_assert_cmpint(row_of(done, old)->fate, ==, HF_FATE_KEPT);
		g_assert_null(row_of(done, old)->decision->set->hold_reason);
	}
}

static void
test_adopted_file_is_held_by_its_time(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *young = add_set(world, 1);
	g_autoptr(HfPrune) done = NULL;

	put(world, "database_backup_2020-01-01T02-00-00-000Z.sql.gz", "x");
	put(world, "database_backup_old.sql.gz", "x");
	hold(world, "2020-01-01_02-00-00", NULL);
	done = prune(world);
	g_assert_true(has_file(world, "database_backup_2020-01-01T02-00-00-000Z.sql.gz"));
	g_autoptr(HfSet) nameless = find_set(world, "database_backup_old.sql.gz");
	g_assert_false(hf_hold_set(world->fixture->store, nameless, NULL, world->now_s, NULL));
}

/* Held, or deleted by another prune, after it was listed. */
static void
test_set_is_looked_at_again_before_it_goes(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	g_autofree char *claim = hf_name_claim(old);
	g_autoptr(HfSet) set = find_set(world, old);
	g_autoptr(GPtrArray) retained = g_ptr_array_new();
	g_autoptr(HfPrune) done = NULL;
	bool is_deleted = true;

	hold(world, old, NULL);
	g_assert_true(hf_set_unmake(world->fixture->store, set, world->now_s, retained, &is_deleted, NULL));
	g_assert_false(is_deleted);
	g_assert_true(has_set(world, old));
	g_autoptr(HfSet) held = find_set(world, old);
	g_assert_true(hf_hold_release(world->fixture->store, held, NULL));
	done = prune(world);
	g_assert_true(hf_set_unmake(world->fixture->store, set, world->now_s, retained, &is_deleted, NULL));
	g_assert_false(is_deleted);
	g_assert_false(has_file(world, claim));
}

/* ---- locks ---- */

static void
lock(World *world, char *key)
{
	g_hash_table_add(world->guard.locked, key);
}

static void
test_locked_set_stays_in_sight(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	unsigned files = fixture_files(world->fixture);
	g_autoptr(HfPrune) locked = NULL;
	g_autoptr(HfPrune) later = NULL;

	world->guard.has_lock = true;
	lock(world, hf_name_manifest(old));
	locked = prune(world);
	g_assert_cmpint(row_of(locked, old)->fate, ==, HF_FATE_RETAINED);
	g_assert_nonnull(strstr(row_of(locked, old)->lock, "(compliance)"));
	g_assert_cmpuint(fixture_files(world->fixture), ==, files);
	/* Its time is over. */
	g_hash_table_remove_all(world->guard.locked);
	later = prune(world);
	g_assert_cmpint(row_of(later, old)->fate, ==, HF_FATE_DELETED);
	g_assert_false(has_set(world, old));
}

/* The lock was not to be seen beforehand: the refusal itself says it, and nothing is left half done. */
static void
test_refused_manifest_is_retained(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	unsigned files = fixture_files(world->fixture);
	g_autoptr(HfPrune) done = NULL;

	lock(world, hf_name_manifest(old));
	done = prune(world);
	g_assert_cmpint(row_of(done, old)->fate, ==, HF_FATE_RETAINED);
	g_assert_cmpuint(fixture_files(world->fixture), ==, files);
}

static void
test_locked_archive_goes_when_its_time_is_over(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *young = add_set(world, 1);
	unsigned files_of_a_set = fixture_files(world->fixture);
	g_autofree char *old = add_set(world, 40);
	g_autofree char *dump = dump_key(old);
	g_autofree char *claim = hf_name_claim(old);
	g_autoptr(HfPrune) done = NULL;
	g_autoptr(HfPrune) later = NULL;

	lock(world, g_strdup(dump));
	done = prune(world);
	g_assert_cmpint(row_of(done, old)->fate, ==, HF_FATE_DELETED);
	g_assert_cmpuint(done->sweep->retained->len, ==, 1);
	g_assert_true(has_file(world, dump));
	g_assert_true(has_file(world, claim)); /* or the next sweep would not know it */
	g_assert_cmpuint(fixture_files(world->fixture), ==, files_of_a_set + 2);
	g_hash_table_remove_all(world->guard.locked);
	later = prune(world);
	g_assert_cmpuint(fixture_files(world->fixture), ==, files_of_a_set);
}

static void
test_refusal_without_a_lock_is_an_error(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	g_autoptr(GError) error = NULL;

	world->guard.denies_unlocked = true;
	g_assert_null(hf_prune(&world->guard.base, &world->options, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_DENIED);
	g_assert_true(has_set(world, old));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/hold/held-set-stays-until-it-is-released",
			test_held_set_stays_until_it_is_released);
	g_test_add_func("/hold/set-that-is-not-held-cannot-be-released",
			test_hold_of_a_set_that_is_not_held_cannot_be_released);
	g_test_add_func("/hold/damaged-hold-holds", test_damaged_hold_holds);
	g_test_add_func("/hold/adopted-file-is-held-by-its-time", test_adopted_file_is_held_by_its_time);
	g_test_add_func("/prune/set-is-looked-at-again-before-it-goes",
			test_set_is_looked_at_again_before_it_goes);
	g_test_add_func("/prune/locked-set-stays-in-sight", test_locked_set_stays_in_sight);
	g_test_add_func("/prune/refused-manifest-is-retained", test_refused_manifest_is_retained);
	g_test_add_func("/prune/locked-archive-goes-when-its-time-is-over",
			test_locked_archive_goes_when_its_time_is_over);
	g_test_add_func("/prune/refusal-without-a-lock-is-an-error", test_refusal_without_a_lock_is_an_error);
	return g_test_run();
}
