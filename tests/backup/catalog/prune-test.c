/* Prune on a folder, with a store in front of it that locks objects and fails on demand. */
#include "config.h"

#include "backup/catalog/names.h"
#include "backup/catalog/prune.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/backup/catalog/prune-world.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <utime.h>

/* ---- what goes, and what does not ---- */

static void
test_old_set_goes_with_all_that_is_its(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *young = add_set(world, 1);
	unsigned files_of_a_set = fixture_files(world->fixture);
	g_autofree char *old = add_set(world, 40);
	g_autofree char *proof = hf_name_proof(old, 2);
	g_autofree char *newer_proof = hf_name_proof(young, 2);
	g_autofree char *accepted = hf_name_accepted(old);
	g_autoptr(HfPrune) done = NULL;

	put(world, proof, "{}");
	put(world, newer_proof, "{}");
	put(world, accepted, "{}");
	files_of_a_set++;
	done = prune(world);
	g_assert_cmpint(row_of(done, old)->fate, ==, HF_FATE_DELETED);
	g_assert_cmpint(row_of(done, young)->fate, ==, HF_FATE_KEPT);
	g_assert_cmpuint(fixture_files(world->fixture), ==, files_of_a_set);
	g_assert_true(has_set(world, young));
}

static void
test_dry_run_says_the_same_and_removes_nothing(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	unsigned files = fixture_files(world->fixture);
	g_autoptr(HfPrune) dry = NULL;
	g_autoptr(HfPrune) wet = NULL;

	world->options.is_dry = true;
	dry = prune(world);
	g_assert_cmpint(row_of(dry, old)->fate, ==, HF_FATE_DOOMED);
	g_assert_cmpuint(fixture_files(world->fixture), ==, files);
	world->options.is_dry = false;
	wet = prune(world);
	/* The dry run counts the manifest, too, which went before the other one looked. */
	g_assert_cmpuint(dry->sweep->keys->len, ==, wet->sweep->keys->len + 1);
	g_assert_cmpuint(wet->sweep->keys->len, >, 1);
}

/* Names that are almost ours, beside a set that goes and beside one that does not. */
static void
test_names_of_others_stay(void)
{
	static const char *const forms[] = {
		"database_backup_%s.sql.gz.bak",
		"database_backup_%s.notes.txt",
		"database_backup_%s.sql.gz~",
		"database_backup_%s.part1.sql.gz",
		"database_backup_%s.tar.gz",
		"images_backup_%s.sql.gz",
		"images_backup_%s.part0001.tar.gz",
		"images_backup_%s.tar.gz.tmp",
		"backup_%s.json.orig",
		"backup_%s.level5.json",
		"backup_%s",
		"backup_%s.hold",
		"x/database_backup_%s.sql.gz",
		"old_database_backup_%s.sql.gz",
		"backup_%s.RESTORE.txt.asc",
	};
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(HfPrune) done = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
		g_auto(GStrv) halves = g_strsplit(forms[i], "%s", 2);

		g_ptr_array_add(keys, g_strjoin(old, halves[0], halves[1], NULL));
		g_ptr_array_add(keys, g_strjoin(young, halves[0], halves[1], NULL));
	}
	for (guint i = 0; i < keys->len; i++)
		put(world, keys->pdata[i], "of another program");
	put(world, "notes.txt", "of another program");
	done = prune(world);
	g_assert_cmpint(row_of(done, old)->fate, ==, HF_FATE_DELETED);
	for (guint i = 0; i < keys->len; i++)
		g_assert_true(has_file(world, keys->pdata[i]));
	g_assert_true(has_file(world, "notes.txt"));
}

static void
test_files_of_the_earlier_implementation_expire(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *young = add_set(world, 1);
	g_autoptr(HfPrune) done = NULL;

	put(world, "database_backup_2020-01-01T02-00-00-000Z.sql.gz", "x");
	put(world, "database_backup_2020-01-02_02-00-00.sql.gz", "x");
	put(world, "images_backup_2020-01-01T02-00-00-000Z.tar.gz", "x");
	put(world, "images_backup_2020-01-02_02-00-00.tar.gz", "x");
	world->options.is_forced = true;
	done = prune(world);
	g_assert_cmpuint(done->counts[HF_FATE_DELETED], ==, 3);
	/* The only images there are. */
	g_assert_true(has_file(world, "images_backup_2020-01-02_02-00-00.tar.gz"));
	g_assert_false(has_file(world, "images_backup_2020-01-01T02-00-00-000Z.tar.gz"));
	g_assert_false(has_file(world, "database_backup_2020-01-02_02-00-00.sql.gz"));
	g_assert_false(has_file(world, "backup_2020-01-02_02-00-00.claim"));
}

static void
test_more_than_half_is_refused(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *first = add_set(world, 50);
	g_autofree char *second = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	unsigned files = fixture_files(world->fixture);
	g_autoptr(HfPrune) refused = prune(world);
	g_autoptr(HfPrune) forced = NULL;

	g_assert_true(refused->is_refused);
	g_assert_cmpuint(refused->counts[HF_FATE_DOOMED], ==, 2);
	g_assert_cmpuint(fixture_files(world->fixture), ==, files);
	world->options.is_forced = true;
	forced = prune(world);
	g_assert_cmpuint(forced->counts[HF_FATE_DELETED], ==, 2);
	g_assert_true(has_set(world, young));
}

static void
test_damaged_manifest_is_named_and_nothing_goes(void)
{
	static const char *const damages[] = {"", "{", "null",
					      "{\"format\":\"holdfast-set\",\"version\":99}"};

	for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
		g_autoptr(World) world = world_new();
		g_autofree char *old = add_set(world, 40);
		g_autofree char *hurt = add_set(world, 35);
		g_autofree char *young = add_set(world, 1);
		g_autofree char *manifest = hf_name_manifest(hurt);
		g_autoptr(HfPrune) done = NULL;
		unsigned files;

		put(world, manifest, damages[i]);
		put(world, "backup_2020-01-01_00-00-00.claim", "deleted by test\n");
		put(world, "database_backup_2020-01-01_00-00-00.sql.gz", "x");
		files = fixture_files(world->fixture);
		done = prune(world);
		g_assert_nonnull(strstr(done->plan->stop, hurt));
		g_assert_null(done->sweep);
		g_assert_cmpuint(done->counts[HF_FATE_KEPT], ==, 3);
		g_assert_cmpuint(fixture_files(world->fixture), ==, files);
	}
}

/* ---- runs that did not end ---- */

static char *
add_claim(World *world, int64_t begun_s)
{
	g_autofree char *id = hf_clock_set_id(begun_s);
	char *claim = hf_name_claim(id);

	put(world, claim, "host 1\n");
	return claim;
}

static void
test_run_that_is_newer_than_all_sets_stops_it(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	g_autofree char *claim = add_claim(world, world->now_s - 60);
	g_autoptr(HfPrune) done = prune(world);

	g_assert_nonnull(strstr(done->plan->stop, "goes on, or was killed"));
	g_assert_true(has_set(world, old));
	g_assert_true(has_file(world, claim));
}

static void
test_run_that_is_older_than_a_set_does_not(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	g_autofree char *claim = add_claim(world, world->now_s - 2 * DAY);
	g_autoptr(HfPrune) done = prune(world);

	g_assert_null(done->plan->stop);
	g_assert_false(has_set(world, old));
}

/* What it stored goes after two days, its claim not before there is a newer set: until then it is what says "failed". */
static void
test_claim_of_a_killed_run_stays_until_there_is_a_newer_set(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 80);
	g_autofree char *newest = add_set(world, 40);
	g_autofree char *claim = add_claim(world, world->now_s);
	g_autofree char *id = hf_clock_set_id(world->now_s);
	g_autofree char *dump = dump_key(id);
	g_autoptr(HfPrune) done = NULL;
	g_autoptr(HfPrune) later = NULL;
	g_autofree char *next = NULL;

	put(world, dump, "x");
	world->options.now_s = world->now_s += 3 * DAY;
	done = prune(world);
	g_assert_nonnull(done->plan->stop);
	g_assert_true(has_set(world, old));
	g_assert_false(has_file(world, dump));
	g_assert_true(has_file(world, claim));
	next = add_set(world, 0);
	world->options.is_forced = true;
	later = prune(world);
	g_assert_null(later->plan->stop);
	g_assert_false(has_set(world, old));
	g_assert_false(has_file(world, claim));
}

/* A claim under an id of the year 2100, of a host whose clock was wrong, does not stop pruning until then. */
static void
test_claim_of_the_future_counts_from_when_it_was_stored(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *old = add_set(world, 40);
	g_autofree char *young = add_set(world, 1);
	g_autofree char *claim = add_claim(world, INT64_C(4102444800));
	g_autofree char *path = fixture_path(world->fixture, claim);
	struct utimbuf an_hour_ago = {world->now_s - 3600, world->now_s - 3600};
	g_autoptr(HfPrune) stopped = NULL;
	g_autofree char *newest = NULL;
	g_autoptr(HfPrune) done = NULL;

	g_assert_cmpint(g_utime(path, &an_hour_ago), ==, 0);
	stopped = prune(world);
	g_assert_nonnull(stopped->plan->stop);
	newest = add_set(world, 0);
	world->options.has_no_runs = true;
	done = prune(world);
	g_assert_null(done->plan->stop);
	g_assert_false(has_set(world, old));
	g_assert_false(has_file(world, claim));
}

static void
test_no_runs_sweeps_what_is_young(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *claim = add_claim(world, world->now_s - 2 * DAY);
	g_autofree char *id = hf_clock_set_id(world->now_s - 2 * DAY);
	g_autofree char *dump = dump_key(id);
	g_autofree char *young = add_set(world, 1);
	g_autoptr(HfPrune) careful = NULL;
	g_autoptr(HfPrune) done = NULL;

	put(world, dump, "x");
	careful = prune(world);
	g_assert_true(has_file(world, dump));
	world->options.has_no_runs = true;
	done = prune(world);
	g_assert_false(has_file(world, dump));
	g_assert_false(has_file(world, claim));
}

static void
test_temporary_files_that_nobody_holds_go(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *young = add_set(world, 1);
	g_autofree char *stale = fixture_path(world->fixture, ".holdfast-tmp-0123456789abcdef");
	g_autofree char *held = fixture_path(world->fixture, ".holdfast-tmp-fedcba9876543210");
	g_autoptr(HfPrune) dry = NULL;
	g_autoptr(HfPrune) done = NULL;
	int fd;

	g_assert_true(g_file_set_contents(stale, "x", 1, NULL));
	g_assert_true(g_file_set_contents(held, "x", 1, NULL));
	fd = open(held, O_RDONLY | O_CLOEXEC);
	g_assert_cmpint(flock(fd, LOCK_EX | LOCK_NB), ==, 0);
	world->options.is_dry = true;
	dry = prune(world);
	g_assert_cmpuint(dry->unfinished->len, ==, 1);
	g_assert_true(g_file_test(stale, G_FILE_TEST_EXISTS));
	world->options.is_dry = false;
	done = prune(world);
	g_assert_false(g_file_test(stale, G_FILE_TEST_EXISTS));
	g_assert_true(g_file_test(held, G_FILE_TEST_EXISTS));
	close(fd);
}

/* ---- interrupted ---- */

/* Fails after each number of removals there is; what is listed is whole, and the next prune ends where this one would. */
static void
test_interrupted_anywhere_the_next_goes_on(void)
{
	bool is_done = false;

	for (int removals = 0; !is_done; removals++) {
		g_autoptr(World) world = world_new();
		g_autofree char *young = add_set(world, 1);
		unsigned files_of_a_set = fixture_files(world->fixture);
		g_autofree char *first = add_set(world, 50);
		g_autofree char *second = add_set(world, 40);
		g_autoptr(HfPrune) done = NULL;
		g_autoptr(HfPrune) again = NULL;
		g_autoptr(GPtrArray) sets = NULL;

		world->options.is_forced = true;
		world->guard.removals_left = removals;
		done = hf_prune(&world->guard.base, &world->options, NULL);
		is_done = done != NULL;
		world->guard.removals_left = -1;
		sets = hf_catalog_list(world->fixture->store, NULL);
		for (guint i = 0; i < sets->len; i++) {
			const HfSet *set = sets->pdata[i];
			g_autofree char *dump = dump_key(set->id);

			g_assert_false(set->is_adopted || set->is_damaged);
			g_assert_true(has_file(world, dump));
		}
		again = prune(world);
		g_assert_cmpuint(fixture_files(world->fixture), ==, files_of_a_set);
		g_assert_true(has_set(world, young));
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/prune/old-set-goes-with-all-that-is-its", test_old_set_goes_with_all_that_is_its);
	g_test_add_func("/prune/dry-run-says-the-same-and-removes-nothing",
			test_dry_run_says_the_same_and_removes_nothing);
	g_test_add_func("/prune/names-of-others-stay", test_names_of_others_stay);
	g_test_add_func("/prune/files-of-the-earlier-implementation-expire",
			test_files_of_the_earlier_implementation_expire);
	g_test_add_func("/prune/more-than-half-is-refused", test_more_than_half_is_refused);
	g_test_add_func("/prune/damaged-manifest-is-named-and-nothing-goes",
			test_damaged_manifest_is_named_and_nothing_goes);
	g_test_add_func("/prune/run-that-is-newer-than-all-sets-stops-it",
			test_run_that_is_newer_than_all_sets_stops_it);
	g_test_add_func("/prune/run-that-is-older-than-a-set-does-not",
			test_run_that_is_older_than_a_set_does_not);
	g_test_add_func("/prune/claim-of-a-killed-run-stays-until-there-is-a-newer-set",
			test_claim_of_a_killed_run_stays_until_there_is_a_newer_set);
	g_test_add_func("/prune/claim-of-the-future-counts-from-when-it-was-stored",
			test_claim_of_the_future_counts_from_when_it_was_stored);
	g_test_add_func("/prune/no-runs-sweeps-what-is-young", test_no_runs_sweeps_what_is_young);
	g_test_add_func("/prune/temporary-files-that-nobody-holds-go",
			test_temporary_files_that_nobody_holds_go);
	g_test_add_func("/prune/interrupted-anywhere-the-next-goes-on",
			test_interrupted_anywhere_the_next_goes_on);
	return g_test_run();
}
