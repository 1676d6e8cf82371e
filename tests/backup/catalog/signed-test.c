/* What becomes of a set whose signature is wrong, moved, missing, or of the time before. */
#include "config.h"

#include "tests/backup/catalog/chain-world.h"
#include "backup/catalog/sweep.h"
#include "backup/sign/minisign.h"
#include "common/error.h"

#include <string.h>

/* ---- damage ---- */

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

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (guint i = 0; i < G_N_ELEMENTS(damages); i++) {
		g_autofree char *path = g_strdup_printf("/signed/damage/%s", damages[i].name);

		g_test_add_data_func(path, GUINT_TO_POINTER(i), test_damage);
	}
	g_test_add_func("/signed/a-signature-taken-off", test_a_signature_taken_off);
	g_test_add_func("/signed/sets-of-the-time-before", test_sets_of_the_time_before_signing);
	g_test_add_func("/signed/unchecked-without-keys", test_without_keys_a_signature_is_unchecked);
	g_test_add_func("/signed/before-the-manifest", test_the_signature_comes_before_the_manifest);
	return g_test_run();
}
