/* Sets that were taken away, put back, changed, and deleted by who may; with signatures and without. */
#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/chain.h"
#include "backup/catalog/manifest-impl.h"
#include "backup/catalog/names.h"
#include "backup/catalog/prune.h"
#include "backup/sign/minisign.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#define DAY INT64_C(86400)

typedef struct {
	Fixture *fixture;
	HfSignKey *key; /* NULL: nothing is signed */
	int64_t now_s;
} World;

static void
trust(World *world, const HfSignKey *signs, const HfSignKey *trusted)
{
	HfKeyring *keyring = hf_keyring_new(NULL, NULL);
	GArray *keys = trusted ? g_array_new(FALSE, FALSE, sizeof(HfVerifyKey)) : NULL;

	if (trusted)
		g_array_append_val(keys, trusted->public_key);
	hf_keyring_set_signing(keyring, hf_sign_key_copy(signs), keys);
	hf_store_set_keyring(world->fixture->store, keyring);
}

static World *
world_new(bool is_signed)
{
	World *world = g_new0(World, 1);

	world->fixture = fixture_new();
	world->now_s = hf_clock_now_s();
	if (is_signed) {
		g_assert_true(hf_sign_key_new(&world->key, NULL));
		trust(world, world->key, NULL);
	}
	return world;
}

static void
world_free(World *world)
{
	hf_sign_key_free(world->key);
	fixture_free(world->fixture);
	g_free(world);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

/* A set of so many days ago; its id. */
static char *
add(World *world, int days)
{
	const HfArchiveOptions options = {.compression = {.kind = HF_COMPRESSION_GZIP}};
	g_autofree char *dump = fixture_dump(1, 3);
	GError *error = NULL;
	g_autoptr(HfManifest) manifest = fixture_set(world->fixture->store, &options, dump,
						     world->now_s - days * DAY, &error);

	g_assert_no_error(error);
	return g_strdup(manifest->id);
}

/* All troubles in one text; lost_s as hf_chain_troubles() takes it. */
static char *
troubles_with(World *world, int64_t lost_s)
{
	GError *error = NULL;
	g_autoptr(HfChain) chain = hf_chain_read(world->fixture->store, &error);
	g_autoptr(GPtrArray) troubles = NULL;

	g_assert_no_error(error);
	troubles = hf_chain_troubles(chain, lost_s);
	g_ptr_array_add(troubles, NULL);
	return g_strjoinv("\n", (char **)troubles->pdata);
}

static char *
troubles_of(World *world)
{
	return troubles_with(world, 0);
}

static void
assert_fine(World *world)
{
	g_autofree char *text = troubles_of(world);

	g_assert_cmpstr(text, ==, "");
}

/* Exactly one trouble, which names the set and says so. */
static void
assert_trouble(World *world, const char *id, const char *says)
{
	g_autofree char *text = troubles_of(world);
	g_autofree char *begin = g_strdup_printf("set \"%s\" ", id);

	g_assert_true(g_str_has_prefix(text, begin));
	g_assert_nonnull(strstr(text, says));
	g_assert_null(strchr(text, '\n'));
}

static char *
key_of(const char *id, const char *rest)
{
	return g_strdup_printf("backup_%s%s", id, rest);
}

static void
take_away(World *world, const char *id, const char *rest)
{
	g_autofree char *key = key_of(id, rest);
	g_autofree char *path = fixture_path(world->fixture, key);

	g_assert_cmpint(g_remove(path), ==, 0);
}

static GBytes *
copy_of(World *world, const char *id, const char *rest)
{
	g_autofree char *key = key_of(id, rest);

	return fixture_get(world->fixture, key);
}

static void
put(World *world, const char *id, const char *rest, GBytes *bytes)
{
	g_autofree char *key = key_of(id, rest);

	fixture_put(world->fixture, key, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static void
delete_set(World *world, const char *id)
{
	g_autoptr(HfSweep) sweep = NULL;
	GError *error = NULL;

	g_assert_true(hf_set_delete(world->fixture->store, id, true, &sweep, &error));
	g_assert_no_error(error);
}

static HfManifest *
read_set(World *world, const char *id, GError **error)
{
	return hf_catalog_read_manifest(world->fixture->store, id, error);
}

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

/* ---- signatures of manifests ---- */

static void
change_a_byte(World *world, const char *id, const char *other)
{
	g_autoptr(GBytes) manifest = copy_of(world, id, ".json");
	g_autoptr(GString)
		text = g_string_new_len(g_bytes_get_data(manifest, NULL), (gssize)g_bytes_get_size(manifest));
	g_autoptr(GBytes) changed = NULL;

	(void)other;
	g_string_replace(text, "shop", "shoq", 1);
	changed = g_bytes_new(text->str, text->len);
	put(world, id, ".json", changed);
}

/* The n-th line of the signature becomes this one. */
static void
set_line(World *world, const char *id, int n, const char *line)
{
	g_autoptr(GBytes) signature = copy_of(world, id, ".json.minisig");
	g_autofree char *text = g_strndup(g_bytes_get_data(signature, NULL), g_bytes_get_size(signature));
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *joined = NULL;
	g_autoptr(GBytes) changed = NULL;

	g_free(lines[n]);
	lines[n] = g_strdup(line);
	joined = g_strjoinv("\n", lines);
	changed = g_bytes_new(joined, strlen(joined));
	put(world, id, ".json.minisig", changed);
}

static void
change_the_comment(World *world, const char *id, const char *other)
{
	(void)other;
	set_line(world, id, 2, "trusted comment: timestamp:1\tfile:x\thashed");
}

static void
take_another_signature(World *world, const char *id, const char *other)
{
	g_autoptr(GBytes) signature = copy_of(world, other, ".json.minisig");

	put(world, id, ".json.minisig", signature);
}

/* All of another set, moved here: the signature is right for the bytes. */
static void
take_another_set(World *world, const char *id, const char *other)
{
	g_autoptr(GBytes) manifest = copy_of(world, other, ".json");

	put(world, id, ".json", manifest);
	take_another_signature(world, id, other);
}

static void
cut_the_signature(World *world, const char *id, const char *other)
{
	g_autoptr(GBytes) signature = copy_of(world, id, ".json.minisig");
	g_autoptr(GBytes) cut = g_bytes_new_from_bytes(signature, 0, g_bytes_get_size(signature) - 20);

	(void)other;
	put(world, id, ".json.minisig", cut);
}

static void
make_it_huge(World *world, const char *id, const char *other)
{
	g_autofree char *text = g_strnfill(1 << 20, 'x');
	g_autoptr(GBytes) huge = g_bytes_new(text, strlen(text));

	(void)other;
	put(world, id, ".json.minisig", huge);
}

static void
sign_by_another_key(World *world, const char *id, const char *other)
{
	g_autoptr(HfSignKey) key = NULL;
	g_autoptr(GBytes) manifest = copy_of(world, id, ".json");
	g_autofree char *comment = g_strdup_printf("file:backup_%s.json", id);
	g_autoptr(GBytes) signature = NULL;

	(void)other;
	g_assert_true(hf_sign_key_new(&key, NULL));
	signature = hf_minisign_sign(key, manifest, comment, NULL);
	put(world, id, ".json.minisig", signature);
}

static const struct {
	const char *name;
	void (*damage)(World *world, const char *id, const char *other);
	const char *says;
} damages[] = {
	{"manifest-changed", change_a_byte, "not of these bytes"},
	{"comment-changed", change_the_comment, "trusted comment is not the one"},
	{"signature-of-another-set", take_another_signature, "not of these bytes"},
	{"all-of-another-set", take_another_set, "is of another file"},
	{"cut", cut_the_signature, "no whole file"},
	{"huge", make_it_huge, "more than"},
	{"another-key", sign_by_another_key, "none of SIGNING_PUBLIC_KEYS"},
};

/* Reading it fails, the list says why, nothing is swept, and nothing that is newer is called wrong for it. */
static void
test_damage(gconstpointer data)
{
	guint i = GPOINTER_TO_UINT(data);
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autoptr(HfSet) set = NULL;
	g_autoptr(GError) error = NULL;

	damages[i].damage(world, second, first);
	g_assert_null(read_set(world, second, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
	g_assert_nonnull(strstr(error->message, damages[i].says));
	g_assert_nonnull(strstr(error->message, second));
	g_clear_error(&error);
	set = hf_catalog_find(world->fixture->store, second, &error);
	g_assert_no_error(error);
	g_assert_true(set->is_damaged);
	g_assert_cmpint(set->is_signed, ==, HF_SIGNED_BAD);
	g_assert_nonnull(strstr(set->trouble, damages[i].says));
	g_assert_null(hf_sweep_plan(world->fixture->store, NULL, world->now_s, &error));
	assert_trouble(world, second, "has a wrong signature");
	/* Without the key nobody sees it; who decides to go on can. */
	g_clear_error(&error);
	hf_keyring_bypass_signatures(hf_store_keyring(world->fixture->store));
	if (damages[i].damage != take_another_set) {
		g_autoptr(HfManifest) manifest = NULL;

		g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*is wrong*");
		manifest = read_set(world, second, &error);
		g_test_assert_expected_messages();
		g_assert_no_error(error);
		g_assert_cmpint(manifest->is_signed, ==, HF_SIGNED_BAD);
	}
}

static void
test_a_signature_taken_off(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autoptr(HfSet) set = NULL;

	take_away(world, second, ".json.minisig");
	set = hf_catalog_find(world->fixture->store, second, NULL);
	g_assert_true(set->is_damaged);
	g_assert_nonnull(strstr(set->trouble, "not signed"));
	assert_trouble(world, second, "is not signed");
	g_assert_nonnull(first);
}

/* Those of the time before signing: the first signed set names their digests. */
static void
test_sets_of_the_time_before_signing(void)
{
	g_autoptr(World) world = world_new(false);
	g_autofree char *first = add(world, 9);
	g_autofree char *second = add(world, 5);
	g_autofree char *third = NULL;
	g_autoptr(HfSet) set = NULL;

	g_assert_true(hf_sign_key_new(&world->key, NULL));
	trust(world, world->key, NULL);
	set = hf_catalog_find(world->fixture->store, second, NULL);
	g_assert_false(set->is_damaged);
	g_assert_cmpint(set->is_signed, ==, HF_SIGNED_NO);
	third = add(world, 1);
	assert_fine(world);
	delete_set(world, first);
	assert_fine(world);
	change_a_byte(world, second, NULL);
	assert_trouble(world, second, "is not the one that set");
	g_assert_nonnull(third);
}

static void
test_without_keys_a_signature_is_unchecked(void)
{
	g_autoptr(World) world = world_new(true);
	g_autofree char *first = add(world, 1);
	g_autoptr(HfSet) set = NULL;

	hf_store_set_keyring(world->fixture->store, NULL);
	set = hf_catalog_find(world->fixture->store, first, NULL);
	g_assert_cmpint(set->is_signed, ==, HF_SIGNED_UNCHECKED);
	g_assert_false(set->is_damaged);
}

/* A set that exists is never without its signature. */
static void
test_the_signature_comes_before_the_manifest(void)
{
	bool is_done = false;

	for (uint64_t after = 0; !is_done; after += 97) {
		g_autoptr(World) world = world_new(true);
		const HfArchiveOptions options = {.compression = {.kind = HF_COMPRESSION_GZIP}};
		g_autofree char *dump = fixture_dump(1, 1);
		HfStore *failing = failing_store_new(world->fixture->store, after);
		HfKeyring *keyring = hf_keyring_new(NULL, NULL);
		g_autoptr(HfManifest) manifest = NULL;
		g_autoptr(GPtrArray) sets = NULL;

		hf_keyring_set_signing(keyring, hf_sign_key_copy(world->key), NULL);
		hf_store_set_keyring(failing, keyring);
		manifest = fixture_set(failing, &options, dump, world->now_s, NULL);
		is_done = manifest != NULL;
		sets = hf_catalog_list(world->fixture->store, NULL);
		g_assert_cmpuint(sets->len, ==, is_done ? 1 : 0);
		if (is_done)
			g_assert_cmpint(((const HfSet *)sets->pdata[0])->is_signed, ==, HF_SIGNED_YES);
		else
			g_assert_cmpuint(fixture_files(world->fixture), ==, 0);
		hf_store_free(failing);
	}
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
	g_test_add_func("/chain/a-clock-that-was-set-back", test_a_clock_that_was_set_back);
	g_test_add_func("/chain/behind-a-gap", test_behind_a_gap);
	g_test_add_func("/chain/a-store-of-an-earlier-version", test_a_store_of_an_earlier_version);
	g_test_add_func("/chain/the-newest-is-missed-by-who-saw-it", test_the_newest_is_missed_by_who_saw_it);
	g_test_add_func("/chain/what-is-known-to-be-gone", test_what_is_known_to_be_gone);
	g_test_add_func("/chain/a-record-without-a-signature", test_a_record_without_a_signature);
	g_test_add_func("/chain/a-host-without-a-key-does-not-write",
			test_a_host_without_a_key_does_not_write);
	for (guint i = 0; i < G_N_ELEMENTS(damages); i++) {
		g_autofree char *path = g_strdup_printf("/signed/damage/%s", damages[i].name);

		g_test_add_data_func(path, GUINT_TO_POINTER(i), test_damage);
	}
	g_test_add_func("/signed/a-signature-taken-off", test_a_signature_taken_off);
	g_test_add_func("/signed/sets-of-the-time-before", test_sets_of_the_time_before_signing);
	g_test_add_func("/signed/unchecked-without-keys", test_without_keys_a_signature_is_unchecked);
	g_test_add_func("/signed/before-the-manifest", test_the_signature_comes_before_the_manifest);
	g_test_add_func("/deletion/bad-records", test_bad_records);
	return g_test_run();
}
