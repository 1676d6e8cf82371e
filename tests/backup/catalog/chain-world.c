#include "config.h"

#include "tests/backup/catalog/chain-world.h"
#include "backup/catalog/sweep.h"
#include "common/clock.h"

#include <glib/gstdio.h>
#include <string.h>

void
trust(World *world, const HfSignKey *signs, const HfSignKey *trusted)
{
	HfKeyring *keyring = hf_keyring_new(NULL, NULL);
	GArray *keys = trusted ? g_array_new(FALSE, FALSE, sizeof(HfVerifyKey)) : NULL;

	if (trusted)
		g_array_append_val(keys, trusted->public_key);
	hf_keyring_set_signing(keyring, hf_sign_key_copy(signs), keys);
	hf_store_set_keyring(world->fixture->store, keyring);
}

World *
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

void
world_free(World *world)
{
	hf_sign_key_free(world->key);
	fixture_free(world->fixture);
	g_free(world);
}
/* A set of so many days ago; its id. */
char *
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
char *
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

void
assert_fine(World *world)
{
	g_autofree char *text = troubles_of(world);

	g_assert_cmpstr(text, ==, "");
}

/* Exactly one trouble, which names the set and says so. */
void
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

void
take_away(World *world, const char *id, const char *rest)
{
	g_autofree char *key = key_of(id, rest);
	g_autofree char *path = fixture_path(world->fixture, key);

	g_assert_cmpint(g_remove(path), ==, 0);
}

GBytes *
copy_of(World *world, const char *id, const char *rest)
{
	g_autofree char *key = key_of(id, rest);

	return fixture_get(world->fixture, key);
}

void
put(World *world, const char *id, const char *rest, GBytes *bytes)
{
	g_autofree char *key = key_of(id, rest);

	fixture_put(world->fixture, key, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

void
delete_set(World *world, const char *id)
{
	g_autoptr(HfSweep) sweep = NULL;
	GError *error = NULL;

	g_assert_true(hf_set_delete(world->fixture->store, id, true, &sweep, &error));
	g_assert_no_error(error);
}

HfManifest *
read_set(World *world, const char *id, GError **error)
{
	return hf_catalog_read_manifest(world->fixture->store, id, error);
}

void
change_a_byte(World *world, const char *id, const char *unused)
{
	g_autoptr(GBytes) manifest = copy_of(world, id, ".json");
	g_autoptr(GString)
		text = g_string_new_len(g_bytes_get_data(manifest, NULL), (gssize)g_bytes_get_size(manifest));
	g_autoptr(GBytes) changed = NULL;

	(void)unused;
	g_string_replace(text, "shop", "shoq", 1);
	changed = g_bytes_new(text->str, text->len);
	put(world, id, ".json", changed);
}
