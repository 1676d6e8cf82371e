/* Sets that were taken away, put back, changed, and deleted by who may; with signatures and without. */
#include "config.h"

#include "tests/backup/catalog/chain-world.h"
#include "backup/catalog/manifest-impl.h"
#include "backup/catalog/names.h"
#include "backup/catalog/prune.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* ---- the chain ---- */

static void
test_each_names_the_one_before(gconstpointer is_signed)
{
	g_autoptr(World) world = world_new(is_signed != NULL);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autofree char *third = add(world, 1);
	g_autoptr(HfManifest) one = read_set(world, first, NULL);
	g_autoptr(HfManifest) two = read_set(world, second, NULL);
	g_autoptr(HfManifest) three = read_set(world, third, NULL);

	g_assert_cmpuint(one->previous->len, ==, 0);
	g_assert_cmpuint(two->previous->len, ==, 1);
	g_assert_cmpstr(hf_links_find(two->previous, first)->sha256, ==, one->sha256);
	g_assert_cmpuint(three->previous->len, ==, 1);
	g_assert_cmpstr(hf_links_find(three->previous, second)->sha256, ==, two->sha256);
	assert_fine(world);
}

static void
test_a_set_taken_away(gconstpointer is_signed)
{
	g_autoptr(World) world = world_new(is_signed != NULL);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autofree char *third = add(world, 1);

	take_away(world, second, ".json");
	assert_trouble(world, second, "was taken away");
	g_assert_nonnull(third);
	g_assert_nonnull(first);
}

static void
test_deletions_are_no_alarm(gconstpointer is_signed)
{
	g_autoptr(World) world = world_new(is_signed != NULL);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 7);
	g_autofree char *third = add(world, 5);
	g_autofree char *fourth = add(world, 3);
	g_autofree char *last = NULL;

	delete_set(world, second);
	assert_fine(world);
	delete_set(world, third);
	assert_fine(world);
	delete_set(world, fourth);
	assert_fine(world);
	last = add(world, 0);
	assert_fine(world);
	delete_set(world, first);
	assert_fine(world);
	delete_set(world, last);
	assert_fine(world);
}

static void
test_prune_is_no_alarm(gconstpointer is_signed)
{
	g_autoptr(World) world = world_new(is_signed != NULL);
	HfPruneOptions options = {
		.policy = {.days = 4}, .now_s = world->now_s, .is_forced = true, .has_no_runs = true};

	/* Twelve nights, a prune after each. */
	for (int days = 24; days >= 0; days -= 2) {
		g_autofree char *id = add(world, days);
		g_autoptr(HfPrune) done = NULL;
		g_autoptr(HfChain) chain = NULL;
		GError *error = NULL;

		options.now_s = world->now_s - days * DAY;
		done = hf_prune(world->fixture->store, &options, &error);
		g_assert_no_error(error);
		assert_fine(world);
		chain = hf_chain_read(world->fixture->store, &error);
		/* What was deleted long ago takes no place: one record leads past all of it. */
		g_assert_cmpuint(hf_chain_counts(chain).deletions, <=, 1);
		g_assert_nonnull(id);
	}
}

static void
test_a_held_set_stays_in_the_chain(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *held = add(world, 30);
	g_autofree char *gap = add(world, 20);
	g_autofree char *again = add(world, 10);
	g_autofree char *young = add(world, 1);
	g_autofree char *next = NULL;

	delete_set(world, gap);
	delete_set(world, again);
	assert_fine(world);
	next = add(world, 0);
	assert_fine(world);
	/* Only the record of the gap leads to it. */
	{
		g_autoptr(HfManifest) manifest = read_set(world, next, NULL);

		g_assert_cmpuint(manifest->previous->len, ==, 1);
	}
	take_away(world, held, ".json");
	assert_trouble(world, held, "was taken away");
	g_assert_nonnull(young);
}

static void
test_a_set_put_back(gconstpointer is_signed)
{
	g_autoptr(World) world = world_new(is_signed != NULL);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autofree char *third = add(world, 1);
	g_autoptr(GBytes) manifest = copy_of(world, second, ".json");
	g_autoptr(GBytes) signature = is_signed ? copy_of(world, second, ".json.minisig") : NULL;
	g_autofree char *fourth = NULL;

	delete_set(world, second);
	put(world, second, ".json", manifest);
	if (signature)
		put(world, second, ".json.minisig", signature);
	assert_trouble(world, second, "although it was deleted");
	/* The next run does not take it for one of the chain. */
	fourth = add(world, 0);
	assert_trouble(world, second, "although it was deleted");
	g_assert_nonnull(first);
	g_assert_nonnull(third);
}

/* When the record has gone as well: newer sets were not made after it. */
static void
test_a_set_put_back_long_after(gconstpointer is_signed)
{
	g_autoptr(World) world = world_new(is_signed != NULL);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autoptr(GBytes) manifest = copy_of(world, first, ".json");
	g_autoptr(GBytes) signature = is_signed ? copy_of(world, first, ".json.minisig") : NULL;
	const HfSweepOptions options = {.has_no_runs = true};
	g_autofree char *third = NULL;
	g_autofree char *fourth = NULL;
	g_autoptr(HfSweep) sweep = NULL;

	delete_set(world, first);
	third = add(world, 1);
	delete_set(world, second);
	sweep = hf_sweep_plan(world->fixture->store, &options, world->now_s, NULL);
	g_assert_true(hf_sweep_run(world->fixture->store, sweep, world->now_s, NULL));
	put(world, first, ".json", manifest);
	if (signature)
		put(world, first, ".json.minisig", signature);
	assert_trouble(world, first, "was put back");
	fourth = add(world, 0);
	assert_trouble(world, first, "was put back");
	delete_set(world, first);
	assert_fine(world);
	g_assert_nonnull(third);
}

static void
test_an_older_manifest_in_its_place(void)
{
	g_autoptr(World) world = world_new(false);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autoptr(GBytes) manifest = copy_of(world, first, ".json");
	g_autoptr(GString)
		text = g_string_new_len(g_bytes_get_data(manifest, NULL), (gssize)g_bytes_get_size(manifest));
	g_autoptr(GBytes) other = NULL;

	g_string_replace(text, "shop", "spoh", 1);
	other = g_bytes_new(text->str, text->len);
	put(world, first, ".json", other);
	assert_trouble(world, first, "is not the one that set");
	g_assert_nonnull(second);
}

/* What two hosts that began on one day do: both read the chain before either commits. */
static void
test_runs_side_by_side(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 9);
	g_autoptr(HfSetWriter)
		long_run = hf_set_writer_new(world->fixture->store, world->now_s - 5 * DAY, NULL);
	g_autofree char *meanwhile = add(world, 3);
	g_autoptr(HfManifest) like = read_set(world, first, NULL);
	g_autofree char *last = NULL;
	GError *error = NULL;

	/* The one with the older id ends last, and names the newer one. */
	hf_archive_free(like->database->archive);
	hf_archive_free(like->database->index);
	like->database->archive = like->database->index = NULL;
	g_free(like->id);
	like->id = g_strdup(hf_set_writer_id(long_run));
	{
		const HfArchiveOptions options = {.extension = HF_EXT_DUMP,
						  .compression = {.kind = HF_COMPRESSION_NONE}};
		g_autoptr(GPtrArray) tables = g_ptr_array_new();
		g_autoptr(HfStage) stage = NULL;

		like->database->archive = hf_archive_new(HF_COMPRESSION_NONE);
		stage = hf_set_writer_archive(long_run, HF_DATABASE_PREFIX, &options, like->database->archive,
					      &error);
		g_assert_true(hf_stage_finish(stage, &error));
		g_assert_true(hf_set_writer_index(long_run, like->database, tables, &error));
	}
	like->finished_s = world->now_s - 2 * DAY;
	g_assert_true(hf_set_writer_commit(long_run, like, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(like->previous->len, ==, 1);
	g_assert_nonnull(hf_links_find(like->previous, meanwhile));
	assert_fine(world);
	last = add(world, 0);
	assert_fine(world);
	take_away(world, like->id, ".json");
	assert_trouble(world, like->id, "was taken away");
}

/* Two runs that read the chain at one time name one set; its record serves both, and stays while either does. */
static void
test_a_deleted_set_that_two_name(void)
{
	g_autoptr(World) world = world_new(false);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autofree char *third = add(world, 4);
	g_autoptr(HfManifest) one = read_set(world, first, NULL);
	g_autoptr(HfManifest) twin = read_set(world, third, NULL);
	const HfSweepOptions options = {.has_no_runs = true};
	g_autoptr(GBytes) json = NULL;
	g_autoptr(HfSweep) sweep = NULL;
	g_autofree char *last = NULL;

	g_array_set_size(twin->previous, 0);
	hf_links_add(twin->previous, first, one->sha256);
	json = hf_manifest_to_json(twin);
	put(world, third, ".json", json);
	last = add(world, 0);
	assert_fine(world);
	delete_set(world, first);
	delete_set(world, second);
	sweep = hf_sweep_plan(world->fixture->store, &options, world->now_s, NULL);
	g_assert_cmpuint(sweep->keys->len, ==, 0);
	assert_fine(world);
}

/* A host whose clock was years ahead for a night. */
static void
test_a_clock_that_was_set_back(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 9);
	g_autofree char *ahead = add(world, -400);
	g_autofree char *second = add(world, 5);
	g_autofree char *third = add(world, 1);
	g_autoptr(HfManifest) manifest = read_set(world, third, NULL);

	g_assert_cmpuint(manifest->previous->len, ==, 1);
	g_assert_nonnull(hf_links_find(manifest->previous, second));
	assert_fine(world);
	delete_set(world, ahead);
	assert_fine(world);
	take_away(world, first, ".json");
	assert_trouble(world, first, "was taken away");
}

/* Two days of a store in which a set is missing: what stands behind it is not called put back, and is not believed either. */
static void
test_behind_a_gap(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autofree char *third = add(world, 2);
	g_autofree char *fourth = NULL;
	g_autoptr(HfManifest) manifest = NULL;

	take_away(world, second, ".json");
	fourth = add(world, 0);
	assert_trouble(world, second, "was taken away");
	manifest = read_set(world, fourth, NULL);
	g_assert_cmpuint(manifest->previous->len, ==, 1);
	g_assert_nonnull(hf_links_find(manifest->previous, third));
	g_test_expect_message("holdfast", G_LOG_LEVEL_MESSAGE, "*is taken to have come before it");
	g_assert_true(hf_chain_acknowledge(world->fixture->store, second, world->now_s, NULL));
	g_test_assert_expected_messages();
	assert_fine(world);
	take_away(world, first, ".json");
	assert_trouble(world, first, "was taken away");
}

/* Sets of versions before the chain: all are named by the first that is of it. */
static void
test_a_store_of_an_earlier_version(void)
{
	g_autoptr(World) world = world_new(false);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	const char *const ids[] = {first, second};
	g_autofree char *third = NULL;
	g_autoptr(HfManifest) manifest = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
		g_autoptr(HfManifest) old = read_set(world, ids[i], NULL);
		g_autoptr(GBytes) json = NULL;

		g_clear_pointer(&old->previous, g_array_unref);
		json = hf_manifest_to_json(old);
		put(world, ids[i], ".json", json);
	}
	assert_fine(world);
	third = add(world, 1);
	manifest = read_set(world, third, NULL);
	g_assert_cmpuint(manifest->previous->len, ==, 2);
	assert_fine(world);
	take_away(world, first, ".json");
	assert_trouble(world, first, "was taken away");
}

static void
test_the_newest_is_missed_by_who_saw_it(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autofree char *text = NULL;
	int64_t lost_s;

	g_assert_true(hf_clock_parse_set_id(second, &lost_s));
	take_away(world, second, ".json");
	assert_fine(world);
	text = troubles_with(world, lost_s);
	g_assert_nonnull(strstr(text, second));
	g_assert_nonnull(strstr(text, "was taken away"));
	g_assert_nonnull(first);
}

static void
test_what_is_known_to_be_gone(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autofree char *third = add(world, 1);
	GError *error = NULL;

	g_assert_false(hf_chain_acknowledge(world->fixture->store, second, world->now_s, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_NOT_FOUND);
	g_clear_error(&error);
	take_away(world, second, ".json");
	assert_trouble(world, second, "was taken away");
	g_assert_true(hf_chain_acknowledge(world->fixture->store, second, world->now_s, &error));
	g_assert_no_error(error);
	assert_fine(world);
	g_assert_nonnull(first);
	g_assert_nonnull(third);
}

/* Whoever can write to the store, and has no key, cannot make it look as if we had deleted a set. */
static void
test_a_record_without_a_signature(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autofree char *third = add(world, 1);
	g_autoptr(HfSignKey) other = NULL;
	g_autoptr(HfDeletion) record = NULL;

	delete_set(world, second);
	assert_fine(world);
	record = hf_deletion_read(world->fixture->store, second, NULL);
	take_away(world, second, ".deleted.json.minisig");
	assert_trouble(world, second, "not signed as it should be");
	g_assert_true(hf_sign_key_new(&other, NULL));
	trust(world, other, NULL);
	g_assert_true(hf_deletion_write(world->fixture->store, record, NULL));
	trust(world, world->key, NULL);
	assert_trouble(world, second, "not signed as it should be");
	g_assert_nonnull(first);
	g_assert_nonnull(third);
}

static void
test_a_host_without_a_key_does_not_write(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autoptr(HfSweep) sweep = NULL;
	g_autoptr(GError) error = NULL;

	trust(world, NULL, world->key);
	assert_fine(world);
	g_assert_null(hf_set_writer_new(world->fixture->store, world->now_s, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, "SIGNING_KEY_FILE"));
	g_clear_error(&error);
	g_assert_false(hf_set_delete(world->fixture->store, first, false, &sweep, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, "SIGNING_KEY_FILE"));
	assert_fine(world);
	g_assert_nonnull(second);
}

/* ---- records ---- */

static void
test_bad_records(void)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"format\":\"holdfast-deletion\",\"version\":1,\"set\":\"2024-01-16_02-00-00\",\"sha256\":"
		"\"e3b0c4429"
		"8fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"at\":\"2024-01-15T02:00:00Z\"}",
		"{\"format\":\"holdfast-deletion\",\"version\":1,\"set\":\"2024-01-15_02-00-00\",\"sha256\":"
		"\"e3b0c4429"
		"\",\"at\":\"2024-01-15T02:00:00Z\"}",
		"{\"format\":\"holdfast-deletion\",\"version\":1,\"set\":\"2024-01-15_02-00-00\",\"sha256\":"
		"\"e3b0c4429"
		"8fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"at\":\"2024-01-15T02:00:00Z\","
		"\"previous\":"
		"[{\"id\":\"../../etc/passwd\",\"sha256\":\"x\"}]}",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GBytes) json = g_bytes_new_static(bad[i], strlen(bad[i]));
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_deletion_parse(json, "2024-01-15_02-00-00", &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
	}
}

static void
add_both(const char *name, GTestDataFunc function)
{
	g_autofree char *plain = g_strdup_printf("/chain/%s", name);
	g_autofree char *is_signed = g_strdup_printf("/chain/signed/%s", name);

	g_test_add_data_func(plain, NULL, function);
	g_test_add_data_func(is_signed, "signed", function);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add_both("each-names-the-one-before", test_each_names_the_one_before);
	add_both("a-set-taken-away-is-noticed", test_a_set_taken_away);
	add_both("deletions-are-no-alarm", test_deletions_are_no_alarm);
	add_both("prune-is-no-alarm", test_prune_is_no_alarm);
	add_both("a-set-put-back-is-noticed", test_a_set_put_back);
	add_both("a-set-put-back-long-after", test_a_set_put_back_long_after);
	g_test_add_func("/chain/a-held-set-stays-in-it", test_a_held_set_stays_in_the_chain);
	g_test_add_func("/chain/another-manifest-in-its-place", test_an_older_manifest_in_its_place);
	g_test_add_func("/chain/runs-side-by-side", test_runs_side_by_side);
	g_test_add_func("/chain/a-deleted-set-that-two-name", test_a_deleted_set_that_two_name);
	g_test_add_func("/chain/a-clock-that-was-set-back", test_a_clock_that_was_set_back);
	g_test_add_func("/chain/behind-a-gap", test_behind_a_gap);
	g_test_add_func("/chain/a-store-of-an-earlier-version", test_a_store_of_an_earlier_version);
	g_test_add_func("/chain/the-newest-is-missed-by-who-saw-it", test_the_newest_is_missed_by_who_saw_it);
	g_test_add_func("/chain/what-is-known-to-be-gone", test_what_is_known_to_be_gone);
	g_test_add_func("/chain/a-record-without-a-signature", test_a_record_without_a_signature);
	g_test_add_func("/chain/a-host-without-a-key-does-not-write",
			test_a_host_without_a_key_does_not_write);
	g_test_add_func("/deletion/bad-records", test_bad_records);
	return g_test_run();
}
