#include "config.h"

#include "backup/catalog/fence.h"
#include "backup/catalog/names.h"
#include "backup/catalog/sweep.h"
#include "backup/job/backup-images.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/lib/fixture.h"
#include "tests/lib/memstore.h"

#include <string.h>

#define TAG "0123456789abcdef0123456789abcdef"
#define OTHER_TAG "ffffffffffffffffffffffffffffffff"
#define DAY_S INT64_C(86400)

typedef struct {
	Fixture *fixture;
	HfStore *source;
	bool has_lost; /* what the guard says */
	unsigned asked, looked;
} World;

static World *
world_new(void)
{
	World *world = g_new0(World, 1);

	world->fixture = fixture_new();
	world->source = memstore_new();
	memstore_put(world->source, "a", "first", 5, NULL);
	return world;
}

static void
world_free(World *world)
{
	hf_fence_set_guard(NULL, NULL, NULL);
	hf_store_free(world->source);
	fixture_free(world->fixture);
	g_free(world);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

static HfManifest *
backup(World *world, GError **error)
{
	const HfBackupImages options = {.source = world->source, .full = true};

	return hf_backup_images(world->fixture->store, &options, error);
}

static void
fence(World *world, const char *tag)
{
	const HfFence by = {
		.host = "web2", .owner_host = "web1", .owner_job = "a job", .at_s = hf_clock_now_s()};
	g_autoptr(GError) error = NULL;
	bool is_done = hf_fence_runs(world->fixture->store, tag, &by, &error);

	g_assert_no_error(error);
	g_assert_true(is_done);
}

static bool
guard(void *data, HfFenceCare care, GError **error)
{
	World *world = data;

	world->asked += care == HF_FENCE_ASK ? 1 : 0;
	world->looked += care == HF_FENCE_LOOK ? 1 : 0;
	/* The last moment: whoever takes over does so right behind the answer. */
	if (care == HF_FENCE_ASK && !world->has_lost)
		fence(world, TAG);
	return !world->has_lost || hf_error_set(error, HF_ERROR_CONFLICT, "the lease was taken over");
}

static unsigned
count_sets(World *world)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) sets = hf_catalog_list(world->fixture->store, &error);

	g_assert_no_error(error);
	return sets->len;
}

static bool
exists(World *world, const char *key)
{
	g_autofree char *path = fixture_path(world->fixture, key);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* The store decides, after our own look said that all is well. */
static void
test_a_run_that_is_fenced_cannot_commit(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfListing) listing = NULL;
	g_autoptr(HfManifest) manifest = NULL;
	const HfObject *object;

	hf_fence_set_guard(guard, world, TAG);
	manifest = backup(world, &error);
	g_assert_null(manifest);
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_assert_nonnull(strstr(error->message, "host \"web2\""));
	g_assert_nonnull(strstr(error->message, "asleep"));
	g_assert_cmpuint(world->asked, ==, 1);
	g_assert_cmpuint(count_sets(world), ==, 0);
	/* All that it stored is taken back, but not what keeps it out. */
	listing = hf_store_list(world->fixture->store, NULL, NULL, NULL);
	g_assert_true(hf_listing_next(listing, &object, NULL) && object);
	g_assert_cmpint(hf_name_read(object->key).kind, ==, HF_NAME_MANIFEST);
	g_assert_true(hf_listing_next(listing, &object, NULL) && !object);
}

static void
test_a_lease_that_is_lost_ends_it_before(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) manifest = NULL;

	world->has_lost = true;
	hf_fence_set_guard(guard, world, TAG);
	manifest = backup(world, &error);
	g_assert_null(manifest);
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_assert_cmpuint(count_sets(world), ==, 0);
}

/* What has committed stays, and what is somebody else's goes on. */
static void
test_only_what_carries_the_tag_is_fenced(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) manifest = NULL;

	hf_fence_set_guard(guard, world, OTHER_TAG);
	manifest = backup(world, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(count_sets(world), ==, 1);
	hf_fence_set_guard(NULL, NULL, NULL);
	fence(world, OTHER_TAG);
	g_assert_cmpuint(count_sets(world), ==, 1);
	fixture_put(world->fixture, "backup_2020-01-01_00-00-00.claim", "web1 1 " TAG "\n", 40);
	fixture_put(world->fixture, "backup_2020-01-02_00-00-00.claim", "web1 1\n", 7);
	fence(world, TAG);
	fence(world, TAG);
	g_assert_true(exists(world, "backup_2020-01-01_00-00-00.json"));
	g_assert_false(exists(world, "backup_2020-01-02_00-00-00.json"));
	g_assert_cmpuint(count_sets(world), ==, 1);
}

static void
sweep_after(World *world, int64_t later_s)
{
	g_autoptr(GError) error = NULL;
	int64_t now_s = hf_clock_now_s() + later_s;
	g_autoptr(HfSweep) sweep = hf_sweep_plan(world->fixture->store, NULL, now_s, &error);

	g_assert_no_error(error);
	g_assert_true(hf_sweep_run(world->fixture->store, sweep, now_s, &error));
	g_assert_no_error(error);
}

/* Its objects after two days, it and the claim after thirty: what the sleeper stores late is known for what it is. */
static void
test_a_fence_is_swept_late(void)
{
	static const char claim[] = "backup_2020-01-01_00-00-00.claim";
	static const char dump[] = "database_backup_2020-01-01_00-00-00.sql.gz";
	static const char manifest[] = "backup_2020-01-01_00-00-00.json";
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) newer = backup(world, NULL);

	fixture_put(world->fixture, claim, "web1 1 " TAG "\n", 40);
	fixture_put(world->fixture, dump, "half", 4);
	fence(world, TAG);
	sweep_after(world, DAY_S);
	g_assert_true(exists(world, claim) && exists(world, dump) && exists(world, manifest));
	sweep_after(world, 3 * DAY_S);
	g_assert_true(exists(world, claim) && !exists(world, dump) && exists(world, manifest));
	fixture_put(world->fixture, dump, "late", 4);
	g_assert_cmpuint(count_sets(world), ==, 1);
	sweep_after(world, 29 * DAY_S);
	g_assert_true(exists(world, claim) && !exists(world, dump) && exists(world, manifest));
	sweep_after(world, 31 * DAY_S);
	g_assert_false(exists(world, claim) || exists(world, manifest));
	g_assert_cmpuint(count_sets(world), ==, 1);
}

/* The sleeper woke up and put everything away, its claim as well. */
static void
test_a_fence_alone_is_swept_too(void)
{
	g_autoptr(World) world = world_new();

	fixture_put(world->fixture, "backup_2020-01-01_00-00-00.claim", "web1 1 " TAG "\n", 40);
	fence(world, TAG);
	g_assert_true(hf_store_remove(world->fixture->store,
				      (const char *const[]){"backup_2020-01-01_00-00-00.claim", NULL}, NULL));
	sweep_after(world, DAY_S);
	g_assert_true(exists(world, "backup_2020-01-01_00-00-00.json"));
	sweep_after(world, 31 * DAY_S);
	g_assert_false(exists(world, "backup_2020-01-01_00-00-00.json"));
}

/* A run that cannot commit is about to refer to nothing; tarballs need not stay for it. */
static void
test_a_fenced_run_holds_up_no_sweep(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSweep) before = NULL;
	g_autoptr(HfSweep) after = NULL;

	fixture_put(world->fixture, "backup_2020-01-01_00-00-00.claim", "web1 1 " TAG "\n", 40);
	before = hf_sweep_plan(world->fixture->store, NULL, hf_clock_now_s(), &error);
	g_assert_cmpstr(before->running, ==, "2020-01-01_00-00-00");
	fence(world, TAG);
	after = hf_sweep_plan(world->fixture->store, NULL, hf_clock_now_s(), &error);
	g_assert_null(after->running);
	/* It failed, though, and until there is a newer set that stops prune. */
	g_assert_cmpstr(after->unfinished, ==, "2020-01-01_00-00-00");
}

static void
test_nothing_is_deleted_without_the_lease(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(HfManifest) first = backup(world, NULL);
	g_autoptr(HfManifest) second = backup(world, NULL);
	g_autoptr(HfSweep) sweep = NULL;
	g_autoptr(GError) error = NULL;

	hf_fence_set_guard(guard, world, TAG);
	world->has_lost = true;
	g_assert_false(hf_set_delete(world->fixture->store, first->id, false, &sweep, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_assert_cmpuint(world->looked, >, 0);
	g_assert_cmpuint(count_sets(world), ==, 2);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(name, function) g_test_add_func("/fence/" name, function)
	TEST("a-run-that-is-fenced-cannot-commit", test_a_run_that_is_fenced_cannot_commit);
	TEST("a-lease-that-is-lost-ends-it-before", test_a_lease_that_is_lost_ends_it_before);
	TEST("only-what-carries-the-tag-is-fenced", test_only_what_carries_the_tag_is_fenced);
	TEST("a-fence-is-swept-late", test_a_fence_is_swept_late);
	TEST("a-fence-alone-is-swept-too", test_a_fence_alone_is_swept_too);
	TEST("a-fenced-run-holds-up-no-sweep", test_a_fenced_run_holds_up_no_sweep);
	TEST("nothing-is-deleted-without-the-lease", test_nothing_is_deleted_without_the_lease);
#undef TEST
	return g_test_run();
}
