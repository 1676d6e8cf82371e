/* Prune on a folder, with a store in front of it that locks objects and fails on demand. */
#include "config.h"

#include "backup/catalog/hold.h"
#include "backup/catalog/names.h"
#include "backup/catalog/prune.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <utime.h>

#define DAY INT64_C(86400)

/* ---- a store that locks and fails ---- */

typedef struct {
	HfStore base;
	HfStore *behind;
	GHashTable *locked; /* keys that may not be removed */
	int64_t locked_until_s;
	bool has_lock;        /* what the bucket says of itself */
	bool denies_unlocked; /* refuses what is not locked, too */
	int removals_left;    /* then it fails; -1: never */
} Guard;

static HfListing *
guard_list(HfStore *self, const char *prefix, const char *start_after, GError **error)
{
	return hf_store_list(((Guard *)self)->behind, prefix, start_after, error);
}

static bool
guard_read(HfStore *self, const char *key, HfRange range, HfStage *into, GError **error)
{
	return hf_store_read(((Guard *)self)->behind, key, range, into, error);
}

static HfStage *
guard_write(HfStore *self, const char *key, const HfObjectMeta *meta, GError **error)
{
	return hf_store_write(((Guard *)self)->behind, key, meta, error);
}

static bool
guard_create(HfStore *self, const char *key, GBytes *bytes, GError **error)
{
	return hf_store_create(((Guard *)self)->behind, key, bytes, error);
}

static bool
guard_remove_one(Guard *guard, const char *key, GError **error)
{
	const char *const keys[] = {key, NULL};

	if (guard->removals_left == 0)
		return hf_error_set(error, HF_ERROR_FAILED, "the power went");
	if (guard->removals_left > 0)
		guard->removals_left--;
	if (guard->denies_unlocked || g_hash_table_contains(guard->locked, key))
		return hf_error_set(error, HF_ERROR_DENIED, "\"%s\" was not deleted: AccessDenied", key);
	return hf_store_remove(guard->behind, keys, error);
}

/* As S3 does: a refusal of one key does not keep the others. */
static bool
guard_remove(HfStore *self, const char *const *keys, GError **error)
{
	GError *first = NULL;

	for (; *keys; keys++)
		(void)!guard_remove_one((Guard *)self, *keys, first ? NULL : &first);
	if (first)
		g_propagate_error(error, first);
	return !first;
}

static bool
guard_upkeep(HfStore *self, HfUpkeep *upkeep_out, GError **error)
{
	(void)error;
	upkeep_out->has_lock = ((Guard *)self)->has_lock;
	return true;
}

static bool
guard_lock(HfStore *self, const char *key, HfLock *lock_out, GError **error)
{
	const Guard *guard = (Guard *)self;

	(void)error;
	if (g_hash_table_contains(guard->locked, key))
		*lock_out = (HfLock){guard->locked_until_s, true, false};
	return true;
}

static GPtrArray *
guard_unfinished(HfStore *self, const char *prefix, int64_t before_s, GError **error)
{
	return hf_store_unfinished(((Guard *)self)->behind, prefix, before_s, error);
}

static bool
guard_abandon(HfStore *self, const HfUnfinished *unfinished, GError **error)
{
	return hf_store_abandon(((Guard *)self)->behind, unfinished, error);
}

static const HfStoreOps guard_ops = {
	.list = guard_list,
	.read = guard_read,
	.write = guard_write,
	.create = guard_create,
	.remove = guard_remove,
	.unfinished = guard_unfinished,
	.abandon = guard_abandon,
	.upkeep = guard_upkeep,
	.lock = guard_lock,
};

/* ---- the world ---- */

typedef struct {
	Fixture *fixture;
	Guard guard;
	int64_t now_s;
	HfPruneOptions options; /* 30 days */
} World;

static World *
world_new(void)
{
	World *world = g_new0(World, 1);

	world->fixture = fixture_new();
	hf_store_init(&world->guard.base, &guard_ops, g_strdup("guard"));
	world->guard.behind = world->fixture->store;
	world->guard.locked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	world->guard.removals_left = -1;
	world->now_s = hf_clock_now_s();
	world->guard.locked_until_s = world->now_s + DAY;
	world->options = (HfPruneOptions){.policy = {.days = 30}, .now_s = world->now_s};
	return world;
}

static void
world_free(World *world)
{
	g_hash_table_unref(world->guard.locked);
	g_free(world->guard.base.location);
	fixture_free(world->fixture);
	g_free(world);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

/* A set of so many days ago; its id. */
static char *
add_set(World *world, int days)
{
	const HfArchiveOptions options = {.extension = HF_EXT_DUMP,
					  .compression = {.kind = HF_COMPRESSION_GZIP}};
	g_autofree char *dump = fixture_dump(1, 3);
	GError *error = NULL;
	g_autoptr(HfManifest) manifest = fixture_set(world->fixture->store, &options, dump,
						     world->now_s - days * DAY, &error);

	g_assert_no_error(error);
	return g_strdup(manifest->id);
}

static HfPrune *
prune(World *world)
{
	GError *error = NULL;
	HfPrune *done = hf_prune(&world->guard.base, &world->options, &error);

	g_assert_no_error(error);
	return done;
}

static bool
has_file(World *world, const char *key)
{
	g_autofree char *path = fixture_path(world->fixture, key);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static bool
has_set(World *world, const char *id)
{
	g_autofree char *manifest = hf_name_manifest(id);

	return has_file(world, manifest);
}

static char *
dump_key(const char *id)
{
	return g_strdup_printf(HF_DATABASE_PREFIX "_%s.sql.gz", id);
}

static void
put(World *world, const char *key, const char *text)
{
	fixture_put(world->fixture, key, text, strlen(text));
}

static const HfPruneRow *
row_of(const HfPrune *done, const char *id)
{
	for (guint i = 0; i < done->rows->len; i++) {
		const HfPruneRow *row = done->rows->pdata[i];

		if (strcmp(row->decision->set->id, id) == 0)
			return row;
	}
	g_assert_not_reached();
}

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

/* ---- holds ---- */

static HfSet *
find(World *world, const char *id)
{
	GError *error = NULL;
	HfSet *set = hf_catalog_find(world->fixture->store, id, &error);

	g_assert_no_error(error);
	return set;
}

static void
hold(World *world, const char *id, const char *reason)
{
	g_autoptr(HfSet) set = find(world, id);
	GError *error = NULL;

	g_assert_true(hf_hold_set(world->fixture->store, set, reason, world->now_s, &error));
	g_assert_no_error(error);
}

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
	set = find(world, old);
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
	g_autoptr(HfSet) set = find(world, id);
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
	g_autoptr(HfSet) nameless = find(world, "database_backup_old.sql.gz");
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
	g_autoptr(HfSet) set = find(world, old);
	g_autoptr(GPtrArray) retained = g_ptr_array_new();
	g_autoptr(HfPrune) done = NULL;
	bool is_deleted = true;

	hold(world, old, NULL);
	g_assert_true(hf_set_unmake(world->fixture->store, set, world->now_s, retained, &is_deleted, NULL));
	g_assert_false(is_deleted);
	g_assert_true(has_set(world, old));
	g_autoptr(HfSet) held = find(world, old);
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
