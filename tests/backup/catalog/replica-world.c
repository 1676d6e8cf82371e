#include "config.h"

#include "tests/backup/catalog/replica-world.h"
#include "backup/catalog/names.h"
#include "common/clock.h"
#include "common/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* ---- a store that counts and fails ---- */

static bool
may_write(Watch *watch, GError **error)
{
	if (watch->writes_left == 0)
		return hf_error_set(error, (HfError)watch->code, "refused on purpose");
	watch->writes_left -= watch->writes_left > 0;
	watch->writes++;
	return true;
}

static HfListing *
watch_list(HfStore *self, const char *prefix, const char *start_after, GError **error)
{
	((Watch *)self)->lists++;
	return hf_store_list(((Watch *)self)->behind, prefix, start_after, error);
}

static bool
watch_read(HfStore *self, const char *key, HfRange range, HfStage *into, GError **error)
{
	((Watch *)self)->reads++;
	return hf_store_read(((Watch *)self)->behind, key, range, into, error);
}

static HfStage *
watch_write(HfStore *self, const char *key, const HfObjectMeta *meta, GError **error)
{
	return may_write((Watch *)self, error) ? hf_store_write(((Watch *)self)->behind, key, meta, error)
					       : NULL;
}

static bool
watch_create(HfStore *self, const char *key, GBytes *bytes, GError **error)
{
	return may_write((Watch *)self, error) && hf_store_create(((Watch *)self)->behind, key, bytes, error);
}

static bool
watch_remove(HfStore *self, const char *const *keys, GError **error)
{
	((Watch *)self)->removals++;
	if (((Watch *)self)->denies_removal)
		return hf_error_set(error, HF_ERROR_DENIED, "may not delete");
	return hf_store_remove(((Watch *)self)->behind, keys, error);
}

static const HfStoreOps watch_ops = {.list = watch_list,
				     .read = watch_read,
				     .write = watch_write,
				     .create = watch_create,
				     .remove = watch_remove};

static void
watch(Watch *watch, const Fixture *fixture)
{
	hf_store_init(&watch->base, &watch_ops, g_strdup(hf_store_location(fixture->store)));
	watch->behind = fixture->store;
	watch->writes_left = -1;
}

/* ---- the pair ---- */

Pair *
pair_new(void)
{
	Pair *pair = g_new0(Pair, 1);

	pair->store = fixture_new();
	pair->replica = fixture_new();
	watch(&pair->ours, pair->store);
	watch(&pair->its, pair->replica);
	pair->options.now_s = hf_clock_now_s();
	hf_replication_begin(&pair->result);
	return pair;
}

void
pair_free(Pair *pair)
{
	hf_replication_clear(&pair->result);
	g_free(pair->ours.base.location);
	g_free(pair->its.base.location);
	fixture_free(pair->store);
	fixture_free(pair->replica);
	g_free(pair);
}

char *
pair_set(const Pair *pair, const Fixture *where, int days)
{
	const HfArchiveOptions options = {.compression = {.kind = HF_COMPRESSION_GZIP}};
	g_autofree char *dump = fixture_dump(1, (unsigned)days + 3);
	GError *error = NULL;
	g_autoptr(HfManifest) manifest = fixture_set(where->store, &options, dump,
						     pair->options.now_s - days * DAY, &error);

	g_assert_no_error(error);
	return g_strdup(manifest->id);
}

static bool
run(Pair *pair, GError **error)
{
	hf_replication_clear(&pair->result);
	pair->ours.lists = pair->ours.reads = pair->ours.writes = pair->ours.removals = 0;
	pair->its.lists = pair->its.reads = pair->its.writes = pair->its.removals = 0;
	return hf_replicate(&pair->ours.base, &pair->its.base, &pair->options, &pair->result, error);
}

/* The store itself is never written to. */
static void
check_store(const Pair *pair)
{
	g_assert_cmpuint(pair->ours.writes, ==, 0);
	g_assert_cmpuint(pair->ours.removals, ==, 0);
}

void
pair_run(Pair *pair)
{
	g_autoptr(GError) error = NULL;
	bool is_done = run(pair, &error);

	g_assert_no_error(error);
	g_assert_true(is_done);
	check_store(pair);
}

void
pair_fail(Pair *pair, int code)
{
	g_autoptr(GError) error = NULL;

	g_assert_false(run(pair, &error));
	g_assert_error(error, HF_ERROR, code);
	g_assert_false(pair->result.is_level);
	check_store(pair);
}

/* ---- files ---- */

bool
pair_has(const Fixture *where, const char *key)
{
	g_autofree char *path = fixture_path(where, key);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

void
pair_put(const Fixture *where, const char *key, const char *text)
{
	fixture_put(where, key, text, strlen(text));
}

void
pair_cut(const Fixture *where, const char *key, long bytes)
{
	g_autofree char *path = fixture_path(where, key);

	g_assert_cmpint(truncate(path, bytes), ==, 0);
}

void
pair_spoil(const Fixture *where, const char *key)
{
	g_autofree char *path = fixture_path(where, key);
	FILE *file = fopen(path, "r+b");

	g_assert_nonnull(file);
	g_assert_cmpint(fputs("spoilt", file), >=, 0);
	g_assert_cmpint(fclose(file), ==, 0);
}

void
pair_remove(const Fixture *where, const char *key)
{
	g_autofree char *path = fixture_path(where, key);

	g_assert_cmpint(g_unlink(path), ==, 0);
}

char *
pair_contents(const Fixture *where)
{
	g_autoptr(HfListing) listing = hf_store_list(where->store, NULL, NULL, NULL);
	GString *all = g_string_new(NULL);
	const HfObject *object;

	while (hf_listing_next(listing, &object, NULL) && object) {
		g_autoptr(GBytes) bytes = NULL;
		g_autofree char *sum = NULL;

		if (g_str_has_suffix(object->key, ".RESTORE.txt"))
			continue;
		bytes = fixture_get(where, object->key);
		sum = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);
		g_string_append_printf(all, "%s %s\n", object->key, sum);
	}
	return g_string_free(all, FALSE);
}

char *
pair_ids(const Fixture *where)
{
	g_autoptr(GPtrArray) ids = hf_catalog_list_ids(where->store, NULL);

	g_ptr_array_add(ids, NULL);
	return g_strjoinv(" ", (char **)ids->pdata);
}

char *
pair_dump_key(const char *id)
{
	return g_strdup_printf(HF_DATABASE_PREFIX "_%s.sql.gz", id);
}
