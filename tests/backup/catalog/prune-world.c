#include "config.h"

#include "tests/backup/catalog/prune-world.h"
#include "backup/catalog/hold.h"
#include "backup/catalog/names.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* ---- a store that locks and fails ---- */

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
guard_lock(HfStore *self, const char *key, HfObjectLock *lock_out, GError **error)
{
	const Guard *guard = (Guard *)self;

	(void)error;
	if (g_hash_table_contains(guard->locked, key))
		*lock_out = (HfObjectLock){guard->locked_until_s, true, false};
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

World *
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

void
world_free(World *world)
{
	g_hash_table_unref(world->guard.locked);
	g_free(world->guard.base.location);
	fixture_free(world->fixture);
	g_free(world);
}
/* A set of so many days ago; its id. */
char *
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

HfPrune *
prune(World *world)
{
	GError *error = NULL;
	HfPrune *done = hf_prune(&world->guard.base, &world->options, &error);

	g_assert_no_error(error);
	return done;
}

bool
has_file(World *world, const char *key)
{
	g_autofree char *path = fixture_path(world->fixture, key);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

bool
has_set(World *world, const char *id)
{
	g_autofree char *manifest = hf_name_manifest(id);

	return has_file(world, manifest);
}

char *
dump_key(const char *id)
{
	return g_strdup_printf(HF_DATABASE_PREFIX "_%s.sql.gz", id);
}

void
put(World *world, const char *key, const char *text)
{
	fixture_put(world->fixture, key, text, strlen(text));
}

const HfPruneRow *
row_of(const HfPrune *done, const char *id)
{
	for (guint i = 0; i < done->rows->len; i++) {
		const HfPruneRow *row = done->rows->pdata[i];

		if (strcmp(row->decision->set->id, id) == 0)
			return row;
	}
	g_assert_not_reached();
}

HfSet *
find_set(World *world, const char *id)
{
	GError *error = NULL;
	HfSet *set = hf_catalog_find(world->fixture->store, id, &error);

	g_assert_no_error(error);
	return set;
}

void
hold(World *world, const char *id, const char *reason)
{
	g_autoptr(HfSet) set = find_set(world, id);
	GError *error = NULL;

	g_assert_true(hf_hold_set(world->fixture->store, set, reason, world->now_s, &error));
	g_assert_no_error(error);
}
