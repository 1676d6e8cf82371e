#include "config.h"

#include "backup/catalog/manifest-private.h"
#include "backup/catalog/own-copy.h"
#include "backup/catalog/private.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <string.h>

#define T0 1705284000
#define ID "2024-01-15_02-00-00"
#define DOC \
	"{\"format\":\"a\",\"id\":\"1\",\"open\":{\"deep\":\"secret\"},\"half\":{\"count\":3,\"name\":" \
	"\"okapi\"}," \
	"\"half_too\":\"x\",\"later\":[\"okapi\"]}"

static const char *const public_members[] = {"format", "id", "open", "half.count", NULL};

/* A keyring with a new pair of keys, of which it may lack the secret one. */
static HfKeyring *
keyring_new(HfAgeIdentities **identities_out)
{
	g_auto(HfAgeKey) key = {0};
	g_autofree char *recipient = NULL;
	g_autoptr(GError) error = NULL;
	HfKeyring *keyring;

	g_assert_true(hf_age_key_new(&key, &recipient, &error));
	if (identities_out) {
		g_autofree char *text = hf_age_identity_to_text(&key);
		g_autoptr(HfSecret) secret = hf_secret_new(text, strlen(text), "a test", &error);

		*identities_out = hf_age_identities_parse(secret, "a test", &error);
		g_assert_no_error(error);
	}
	keyring = hf_keyring_new(hf_age_recipients_parse(recipient, &error), NULL);
	g_assert_no_error(error);
	hf_keyring_hide_names(keyring);
	return keyring;
}

typedef struct {
	HfKeyring *host, *owner;
	HfJson *object;
} World;

static World
hidden(const char *json)
{
	HfAgeIdentities *identities;
	World world = {.host = keyring_new(&identities)};
	g_autoptr(GError) error = NULL;

	world.owner = hf_keyring_new(NULL, identities);
	world.object = hf_json_parse(json, strlen(json), &error);
	g_assert_true(hf_private_hide(world.object, public_members, "id", world.host, &error));
	g_assert_no_error(error);
	return world;
}

static void
world_clear(World *world)
{
	hf_keyring_free(world->host);
	hf_keyring_free(world->owner);
	json_object_put(world->object);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

static const char *
text_of(HfJson *object)
{
	return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
}

static void
test_all_but_the_listed_is_hidden_and_comes_back(void)
{
	g_auto(World) world = hidden(DOC);
	g_autoptr(GError) error = NULL;
	g_autofree char *sealed = NULL;

	g_assert_nonnull(
		strstr(text_of(world.object), "\"open\":{\"deep\":\"secret\"},\"half\":{\"count\":3}"));
	g_assert_null(strstr(text_of(world.object), "okapi"));
	g_assert_null(strstr(text_of(world.object), "half_too"));
	g_assert_true(hf_private_reveal(world.object, "id", world.owner, &sealed, &error));
	g_assert_null(sealed);
	g_assert_nonnull(strstr(text_of(world.object), "\"half\":{\"count\":3,\"name\":\"okapi\"}"));
	g_assert_nonnull(strstr(text_of(world.object), "\"later\":[\"okapi\"]"));
	g_assert_null(strstr(text_of(world.object), "private"));
}

static void
test_without_the_key_it_is_sealed_and_no_error(void)
{
	g_auto(World) world = hidden(DOC);
	g_autoptr(HfKeyring) stranger = keyring_new(NULL);
	HfKeyring *const keyrings[] = {NULL, stranger, world.host};

	for (size_t i = 0; i < G_N_ELEMENTS(keyrings); i++) {
		g_autoptr(HfJson)
			copy = hf_json_parse(text_of(world.object), strlen(text_of(world.object)), NULL);
		g_autoptr(GError) error = NULL;
		g_autofree char *sealed = NULL;

		g_assert_true(hf_private_reveal(copy, "id", keyrings[i], &sealed, &error));
		g_assert_nonnull(strstr(sealed, "BACKUP_IDENTITY_FILE"));
	}
}

static void
test_nothing_to_hide_adds_nothing(void)
{
	g_auto(World) world = hidden("{\"format\":\"a\",\"id\":\"1\",\"half\":{\"count\":3}}");

	g_assert_cmpstr(text_of(world.object), ==, "{\"format\":\"a\",\"id\":\"1\",\"half\":{\"count\":3}}");
}

/* ---- damage ---- */

static char *
private_of(HfJson *object)
{
	return g_strdup(json_object_get_string(json_object_object_get(object, "private")));
}

static void
cut_to(HfJson *object, size_t len)
{
	g_autofree char *text = private_of(object);

	text[MIN(len, strlen(text))] = '\0';
	hf_json_add_text(object, "private", text);
}

static void
cut_head(HfJson *object)
{
	cut_to(object, 100);
}

static void
cut_end(HfJson *object)
{
	g_autofree char *text = private_of(object);

	cut_to(object, strlen(text) - 8);
}

static void
empty(HfJson *object)
{
	cut_to(object, 0);
}

static void
flip(HfJson *object)
{
	g_autofree char *text = private_of(object);
	char *middle = text + strlen(text) - 30;

	*middle = *middle == 'A' ? 'B' : 'A';
	hf_json_add_text(object, "private", text);
}

static void
rename_it(HfJson *object)
{
	hf_json_add_text(object, "id", "2");
}

static void
reformat(HfJson *object)
{
	hf_json_add_text(object, "format", "b");
}

static void
forge(HfJson *object)
{
	hf_json_add_text(json_object_object_get(object, "half"), "name", "forged");
}

static void
replace_half(HfJson *object)
{
	hf_json_add_text(object, "half", "forged");
}

static void
not_a_text(HfJson *object)
{
	hf_json_add_number(object, "private", 7);
}

static void
no_base64(HfJson *object)
{
	hf_json_add_text(object, "private", "\u00e9!? *");
}

static const struct {
	const char *name;
	void (*damage)(HfJson *object);
} damages[] = {
	{"cut in its head", cut_head},
	{"cut at its end", cut_end},
	{"empty", empty},
	{"a bit flipped", flip},
	{"another object's, by id", rename_it},
	{"another object's, by format", reformat},
	{"a member that is there twice", forge},
	{"a member of another type", replace_half},
	{"no text", not_a_text},
	{"no Base64", no_base64},
};

static void
test_damage_is_noticed(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
		g_auto(World) world = hidden(DOC);
		g_autoptr(GError) error = NULL;
		g_autofree char *sealed = NULL;

		damages[i].damage(world.object);
		if (hf_private_reveal(world.object, "id", world.owner, &sealed, &error))
			g_error("not noticed: %s", damages[i].name);
		g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
	}
}

/* ---- a set on a host without an identity ---- */

static HfManifest *
make_set(const Fixture *fixture, int64_t now_s)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *dump = fixture_dump(2, 10);
	const HfArchiveOptions options = {0};
	HfManifest *manifest = fixture_set(fixture->store, &options, dump, now_s, &error);

	g_assert_no_error(error);
	return manifest;
}

typedef struct {
	Fixture *store, *state;
} Host;

static Host
host_new(void)
{
	Host host = {fixture_new(), fixture_new()};
	g_autoptr(GError) error = NULL;

	hf_store_set_keyring(host.store->store, keyring_new(NULL));
	hf_store_set_copies(host.store->store, hf_dir_open(host.state->folder, &error));
	g_assert_no_error(error);
	return host;
}

static void
host_clear(Host *host)
{
	fixture_free(host->store);
	fixture_free(host->state);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Host, host_clear)

static void
test_the_own_copy_has_what_the_store_hides(void)
{
	g_auto(Host) host = host_new();
	g_autoptr(HfManifest) manifest = make_set(host.store, T0);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfManifest) stored = hf_catalog_read_manifest(host.store->store, ID, &error);
	g_autoptr(HfManifest) known = hf_catalog_read_known(host.store->store, ID, &error);
	g_autoptr(GPtrArray) tables = NULL;

	g_assert_no_error(error);
	g_assert_nonnull(stored->sealed);
	g_assert_null(stored->database->name);
	g_assert_cmpuint(stored->database->rows, ==, manifest->database->rows);
	g_assert_null(hf_catalog_read_tables(host.store->store, stored, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_DENIED);
	g_clear_error(&error);
	g_assert_null(known->sealed);
	g_assert_cmpstr(known->database->name, ==, manifest->database->name);
	tables = hf_catalog_read_tables(host.store->store, known, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(tables->len, ==, 2);
}

static void
test_a_newer_set_takes_its_place(void)
{
	g_auto(Host) host = host_new();
	g_autoptr(HfManifest) first = make_set(host.store, T0);
	unsigned files = fixture_files(host.state);
	g_autoptr(HfManifest) second = make_set(host.store, T0 + 60);
	g_autoptr(HfManifest) old = hf_catalog_read_known(host.store->store, first->id, NULL);
	g_autoptr(HfManifest) now = hf_catalog_read_known(host.store->store, second->id, NULL);

	g_assert_cmpuint(files, ==, 2);
	g_assert_cmpuint(fixture_files(host.state), ==, 2);
	g_assert_nonnull(old->sealed);
	g_assert_null(now->sealed);
}

static void
test_a_set_that_did_not_come_to_be_leaves_no_copy(void)
{
	g_auto(Host) host = host_new();
	g_autoptr(GError) error = NULL;
	g_autofree char *dump = fixture_dump(2, 10);
	const HfArchiveOptions options = {0};
	g_autoptr(HfStore) failing = failing_store_new(host.store->store, 3000);

	hf_store_set_keyring(failing, keyring_new(NULL));
	hf_store_set_copies(failing, hf_dir_open(host.state->folder, NULL));
	g_assert_null(fixture_set(failing, &options, dump, T0, &error));
	g_assert_nonnull(error);
	g_assert_cmpuint(fixture_files(host.state), ==, 0);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/private/all-but-the-listed-is-hidden-and-comes-back",
			test_all_but_the_listed_is_hidden_and_comes_back);
	g_test_add_func("/private/without-the-key-it-is-sealed-and-no-error",
			test_without_the_key_it_is_sealed_and_no_error);
	g_test_add_func("/private/nothing-to-hide-adds-nothing", test_nothing_to_hide_adds_nothing);
	g_test_add_func("/private/damage-is-noticed", test_damage_is_noticed);
	g_test_add_func("/own-copy/it-has-what-the-store-hides", test_the_own_copy_has_what_the_store_hides);
	g_test_add_func("/own-copy/a-newer-set-takes-its-place", test_a_newer_set_takes_its_place);
	g_test_add_func("/own-copy/a-set-that-did-not-come-to-be-leaves-none",
			test_a_set_that_did_not_come_to_be_leaves_no_copy);
	return g_test_run();
}
