/* A folder that is brought level with another one. */
#include "config.h"

#include "backup/catalog/hold.h"
#include "backup/catalog/marks.h"
#include "backup/catalog/names.h"
#include "common/error.h"
#include "tests/backup/catalog/replica-world.h"

#include <string.h>

static void
assert_equal(const Pair *pair)
{
	g_autofree char *ours = pair_contents(pair->store);
	g_autofree char *its = pair_contents(pair->replica);

	g_assert_cmpstr(ours, ==, its);
}

static void
assert_level(const Pair *pair)
{
	g_assert_true(pair->result.is_level);
	g_assert_cmpuint(pair->result.missing, ==, 0);
	g_assert_cmpuint(pair->result.troubles->len, ==, 0);
}

/* ---- bringing ---- */

static void
test_an_empty_replica_is_filled(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *old = pair_set(pair, pair->store, 2);
	g_autofree char *new = pair_set(pair, pair->store, 1);
	g_autofree char *text_key = hf_name_restore(new);
	g_autoptr(GBytes) text = NULL;

	pair_run(pair);
	assert_level(pair);
	assert_equal(pair);
	g_assert_cmpuint(pair->result.copied->len, ==, 2);
	g_assert_cmpstr(pair->result.copied->pdata[0], ==, new); /* the newest first */
	g_assert_cmpstr(pair->result.copied->pdata[1], ==, old);
	text = fixture_get(pair->replica, text_key);
	g_assert_nonnull(
		g_strstr_len(g_bytes_get_data(text, NULL), (gssize)g_bytes_get_size(text), "#!/bin/sh"));
}

static void
test_an_unchanged_one_costs_listings_alone(void)
{
	g_autoptr(Pair) pair = pair_new();

	g_free(pair_set(pair, pair->store, 1));
	pair_run(pair);
	pair->options.prunes = true;
	pair->options.policy.days = 30;
	pair_run(pair);
	assert_level(pair);
	g_assert_cmpuint(pair->ours.reads + pair->its.reads, ==, 0);
	g_assert_cmpuint(pair->its.writes + pair->its.removals, ==, 0);
	g_assert_cmpuint(pair->ours.lists, ==, 3);
	g_assert_cmpuint(pair->its.lists, ==, 3);
}

static void
test_a_dry_run_writes_nothing(void)
{
	g_autoptr(Pair) pair = pair_new();

	g_free(pair_set(pair, pair->store, 1));
	pair->options.is_dry = true;
	pair_run(pair);
	g_assert_false(pair->result.is_level);
	g_assert_cmpuint(pair->result.copied->len, ==, 1);
	g_assert_cmpuint(pair->its.writes + pair->its.removals, ==, 0);
	g_assert_cmpuint(fixture_files(pair->replica), ==, 0);
}

/* Cut off after any write: what is there is no set, not even an adopted file, and the next run brings the rest alone. */
static void
test_an_interrupted_run_is_gone_on_with(void)
{
	for (int after = 0;; after++) {
		g_autoptr(Pair) pair = pair_new();
		g_autoptr(GPtrArray) sets = NULL;
		uint64_t first, brought = 0;

		g_free(pair_set(pair, pair->store, 1));
		pair->its.writes_left = after;
		pair->its.code = HF_ERROR_FAILED;
		if (after == 5) { /* claim, dump, index, RESTORE.txt, manifest */
			pair_run(pair);
			return;
		}
		pair_fail(pair, HF_ERROR_FAILED);
		g_assert_cmpuint(pair->result.missing, ==, 1);
		sets = hf_catalog_list(pair->replica->store, NULL);
		g_assert_cmpuint(sets->len, ==, 0);
		first = pair->result.objects;
		pair->its.writes_left = -1;
		pair_run(pair);
		brought = pair->result.objects;
		g_assert_cmpuint(first + brought, ==, 2);
		assert_level(pair);
		assert_equal(pair);
	}
}

static void
test_a_run_in_progress_is_not_copied(void)
{
	g_autoptr(Pair) pair = pair_new();

	g_free(pair_set(pair, pair->store, 1));
	pair_put(pair->store, "backup_2031-01-01_00-00-00.claim", "db1 77\n");
	pair_put(pair->store, "database_backup_2031-01-01_00-00-00.sql.gz", "half");
	pair_run(pair);
	assert_level(pair);
	g_assert_cmpuint(pair->result.copied->len, ==, 1);
	g_assert_false(pair_has(pair->replica, "backup_2031-01-01_00-00-00.claim"));
	g_assert_false(pair_has(pair->replica, "database_backup_2031-01-01_00-00-00.sql.gz"));
}

static void
test_files_of_the_earlier_implementation_come_along(void)
{
	static const char key[] = "database_backup_2023-01-15T02-00-00-000Z.sql.gz";
	g_autoptr(Pair) pair = pair_new();

	pair_put(pair->store, key, "of the earlier program");
	pair_run(pair);
	assert_level(pair);
	assert_equal(pair);
	g_assert_cmpstr(pair->result.copied->pdata[0], ==, key);
	pair_run(pair);
	g_assert_cmpuint(pair->result.copied->len, ==, 0);
	g_assert_cmpuint(pair->its.writes, ==, 0);
}

static void
test_files_of_others_are_not_touched(void)
{
	g_autoptr(Pair) pair = pair_new();

	g_free(pair_set(pair, pair->store, 1));
	pair_put(pair->store, "notes.txt", "ours");
	pair_put(pair->replica, "holiday.jpg", "its");
	pair_put(pair->replica, "database_backup_x.sql.gz.bak", "its");
	pair->options.prunes = true;
	pair->options.policy.days = 30;
	pair_run(pair);
	assert_level(pair);
	g_assert_true(pair_has(pair->replica, "holiday.jpg"));
	g_assert_true(pair_has(pair->replica, "database_backup_x.sql.gz.bak"));
	g_assert_false(pair_has(pair->replica, "notes.txt"));
}

/* ---- damage ---- */

typedef void (*Damage)(const Pair *pair, const char *id);

static void
cut_dump(const Pair *pair, const char *id)
{
	g_autofree char *key = pair_dump_key(id);

	pair_cut(pair->replica, key, 7);
}

static void
lose_dump(const Pair *pair, const char *id)
{
	g_autofree char *key = pair_dump_key(id);

	pair_remove(pair->replica, key);
}

static void
cut_manifest(const Pair *pair, const char *id)
{
	g_autofree char *key = hf_name_manifest(id);

	pair_cut(pair->replica, key, 20);
}

/* Of the same size, so that a listing does not show it; a proof of the replica did. */
static void
spoil_dump_and_see_it(const Pair *pair, const char *id)
{
	g_autofree char *key = pair_dump_key(id);
	g_autofree char *failed = hf_name_failed_proof(id, 2);

	pair_spoil(pair->replica, key);
	pair_put(pair->replica, failed, "{}");
}

static const struct {
	const char *name;
	Damage damage;
	const char *said;
} damages[] = {
	{"/replicate/damage/a-cut-object-is-mended", cut_dump, "had 7 bytes instead of"},
	{"/replicate/damage/a-lost-object-is-mended", lose_dump, "was missing"},
	{"/replicate/damage/a-cut-manifest-is-mended", cut_manifest, ".json was damaged"},
	{"/replicate/damage/a-turned-bit-that-verify-saw-is-mended", spoil_dump_and_see_it, "was damaged"},
};

static void
test_damage(gconstpointer data)
{
	const Damage damage = damages[GPOINTER_TO_UINT(data)].damage;
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *id = pair_set(pair, pair->store, 1);

	g_free(pair_set(pair, pair->store, 2));
	pair_run(pair);
	damage(pair, id);
	g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*: mended");
	pair_run(pair);
	g_test_assert_expected_messages();
	assert_level(pair);
	assert_equal(pair);
	g_assert_cmpuint(pair->result.mended->len, ==, 1);
	g_assert_nonnull(strstr(pair->result.mended->pdata[0], damages[GPOINTER_TO_UINT(data)].said));
	pair_run(pair);
	g_assert_cmpuint(pair->ours.reads + pair->its.reads + pair->its.writes, ==, 0);
}

/* What is wrong in the store itself becomes visible nowhere else; all other sets come. */
static void
test_damage_of_the_store_does_not_spread(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *bad = pair_set(pair, pair->store, 1);
	g_autofree char *good = pair_set(pair, pair->store, 2);
	g_autofree char *key = pair_dump_key(bad);
	g_autofree char *ids = NULL;

	pair_spoil(pair->store, key);
	g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*is not brought level*");
	pair_run(pair);
	g_test_assert_expected_messages();
	g_assert_false(pair->result.is_level);
	g_assert_cmpuint(pair->result.missing, ==, 1);
	g_assert_nonnull(strstr(pair->result.troubles->pdata[0], key));
	ids = pair_ids(pair->replica);
	g_assert_cmpstr(ids, ==, good);
	g_assert_false(pair_has(pair->replica, key));
}

static void
test_another_set_of_the_same_id_stays(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *id = pair_set(pair, pair->store, 1);
	g_autofree char *before = NULL;
	g_autofree char *after = NULL;
	const HfArchiveOptions options = {.compression = {.kind = HF_COMPRESSION_GZIP}};
	g_autofree char *dump = fixture_dump(3, 9);
	g_autoptr(HfManifest)
		other = fixture_set(pair->replica->store, &options, dump, pair->options.now_s - DAY, NULL);

	g_assert_cmpstr(other->id, ==, id);
	before = pair_contents(pair->replica);
	g_test_expect_message(G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "*another set of this id*");
	pair_run(pair);
	g_test_assert_expected_messages();
	g_assert_false(pair->result.is_level);
	after = pair_contents(pair->replica);
	g_assert_cmpstr(before, ==, after);
}

/* Full, forbidden, down: the run ends there, and says which. */
static void
test_a_replica_that_refuses_ends_the_run(void)
{
	static const int codes[] = {HF_ERROR_FAILED, HF_ERROR_DENIED, HF_ERROR_TRANSIENT};

	for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
		g_autoptr(Pair) pair = pair_new();

		g_free(pair_set(pair, pair->store, 2));
		g_free(pair_set(pair, pair->store, 1));
		pair->its.writes_left = 1;
		pair->its.code = codes[i];
		pair_fail(pair, codes[i]);
		g_assert_cmpuint(pair->result.missing, ==, 2);
		g_assert_cmpuint(pair->its.writes, ==, 1);
	}
}

/* Keys that may write there and not delete are the safer ones. */
static void
test_a_host_that_may_not_delete_there_brings_it_level(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *id = pair_set(pair, pair->store, 1);
	g_autofree char *ids = NULL;

	pair->its.denies_removal = true;
	pair->options.is_first = true;
	pair_run(pair);
	assert_level(pair);
	ids = pair_ids(pair->replica);
	g_assert_cmpstr(ids, ==, id);
	pair_run(pair);
	assert_level(pair);
	g_assert_cmpuint(pair->result.objects, ==, 0);
}

/* ---- marks ---- */

static void
test_marks_follow_the_store(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *id = pair_set(pair, pair->store, 1);
	g_autofree char *level = hf_name_proof(id, 2);
	g_autofree char *held = hf_name_hold(id);
	g_autofree char *own = hf_name_proof(id, 4);

	pair_run(pair);
	pair_put(pair->store, level, "{\"seen\":1}");
	pair_put(pair->store, held, "{}");
	pair_put(pair->replica, own, "{}"); /* of "verify --from": it stays */
	pair_run(pair);
	g_assert_true(pair_has(pair->replica, level));
	g_assert_true(pair_has(pair->replica, held));
	g_assert_true(pair_has(pair->replica, own));
	pair_remove(pair->store, held);
	pair_run(pair);
	assert_level(pair);
	g_assert_false(pair_has(pair->replica, held));
	g_assert_true(pair_has(pair->replica, own));
}

static void
test_a_failed_proof_of_the_stores_bytes_is_no_mark_of_the_copy(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *id = pair_set(pair, pair->store, 1);
	g_autofree char *bytes = hf_name_failed_proof(id, 2);
	g_autofree char *content = hf_name_failed_proof(id, 3);

	pair_run(pair);
	pair_put(pair->store, bytes, "{}");
	pair_put(pair->store, content, "{}");
	pair_run(pair);
	g_assert_false(pair_has(pair->replica, bytes));
	g_assert_true(pair_has(pair->replica, content));
}

/* ---- retention ---- */

static void
test_what_the_store_pruned_stays(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *old = pair_set(pair, pair->store, 40);
	g_autofree char *manifest = hf_name_manifest(old);
	g_autofree char *ids = NULL;

	g_free(pair_set(pair, pair->store, 1));
	pair_run(pair);
	pair_remove(pair->store, manifest);
	pair->options.prunes = true;
	pair->options.policy.days = 90;
	pair_run(pair);
	assert_level(pair);
	ids = pair_ids(pair->replica);
	g_assert_cmpint(strncmp(ids, old, strlen(old)), ==, 0);
}

static void
test_what_the_replica_does_not_keep_goes_there_alone_and_does_not_come_back(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *old = pair_set(pair, pair->store, 10);
	g_autofree char *young = pair_set(pair, pair->store, 2);
	g_autofree char *ids = NULL;
	g_autofree char *newest = NULL;

	pair_run(pair);
	newest = pair_set(pair, pair->store, 1);
	pair->options.prunes = true;
	pair->options.policy.days = 7;
	pair_run(pair);
	assert_level(pair);
	g_assert_cmpuint(pair->result.deleted->len, ==, 1);
	g_assert_cmpstr(pair->result.deleted->pdata[0], ==, old);
	pair_run(pair);
	assert_level(pair);
	g_assert_cmpuint(pair->result.copied->len + pair->result.deleted->len, ==, 0);
	g_assert_cmpuint(pair->its.writes, ==, 0);
	ids = pair_ids(pair->replica);
	g_assert_null(strstr(ids, old));
	g_assert_nonnull(strstr(ids, young));
}

static void
test_the_last_good_set_stays_there(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *old = pair_set(pair, pair->store, 40);
	g_autofree char *ids = NULL;

	pair->options.prunes = true;
	pair->options.policy.days = 7;
	pair_run(pair);
	assert_level(pair);
	pair_run(pair);
	ids = pair_ids(pair->replica);
	g_assert_cmpstr(ids, ==, old);
}

/* The settings tell two places, and there is one: all would seem level, with no second copy of anything. */
static void
test_one_place_of_two_names_is_refused(void)
{
	g_autoptr(Pair) pair = pair_new();
	g_autofree char *before = NULL;
	g_autofree char *after = NULL;

	g_free(pair_set(pair, pair->store, 1));
	before = pair_contents(pair->store);
	pair->its.behind = pair->store->store;
	pair->options.is_first = true;
	pair_fail(pair, HF_ERROR_USAGE);
	after = pair_contents(pair->store);
	g_assert_cmpstr(before, ==, after);
	pair->its.behind = pair->replica->store;
	pair_run(pair);
	assert_level(pair);
	assert_equal(pair);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/replicate/an-empty-replica-is-filled", test_an_empty_replica_is_filled);
	g_test_add_func("/replicate/an-unchanged-one-costs-listings-alone",
			test_an_unchanged_one_costs_listings_alone);
	g_test_add_func("/replicate/a-dry-run-writes-nothing", test_a_dry_run_writes_nothing);
	g_test_add_func("/replicate/an-interrupted-run-is-gone-on-with",
			test_an_interrupted_run_is_gone_on_with);
	g_test_add_func("/replicate/a-run-in-progress-is-not-copied", test_a_run_in_progress_is_not_copied);
	g_test_add_func("/replicate/files-of-the-earlier-implementation-come-along",
			test_files_of_the_earlier_implementation_come_along);
	g_test_add_func("/replicate/files-of-others-are-not-touched", test_files_of_others_are_not_touched);
	for (guint i = 0; i < G_N_ELEMENTS(damages); i++)
		g_test_add_data_func(damages[i].name, GUINT_TO_POINTER(i), test_damage);
	g_test_add_func("/replicate/damage/of-the-store-does-not-spread",
			test_damage_of_the_store_does_not_spread);
	g_test_add_func("/replicate/another-set-of-the-same-id-stays", test_another_set_of_the_same_id_stays);
	g_test_add_func("/replicate/a-replica-that-refuses-ends-the-run",
			test_a_replica_that_refuses_ends_the_run);
	g_test_add_func("/replicate/a-host-that-may-not-delete-there-brings-it-level",
			test_a_host_that_may_not_delete_there_brings_it_level);
	g_test_add_func("/replicate/marks-follow-the-store", test_marks_follow_the_store);
	g_test_add_func("/replicate/a-failed-proof-of-the-stores-bytes-is-no-mark-of-the-copy",
			test_a_failed_proof_of_the_stores_bytes_is_no_mark_of_the_copy);
	g_test_add_func("/replicate/what-the-store-pruned-stays", test_what_the_store_pruned_stays);
	g_test_add_func("/replicate/what-the-replica-does-not-keep-goes-there-alone-and-does-not-come-back",
			test_what_the_replica_does_not_keep_goes_there_alone_and_does_not_come_back);
	g_test_add_func("/replicate/the-last-good-set-stays-there", test_the_last_good_set_stays_there);
	g_test_add_func("/replicate/one-place-of-two-names-is-refused",
			test_one_place_of_two_names_is_refused);
	return g_test_run();
}
