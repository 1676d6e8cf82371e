#include "config.h"

#include "auth/base64url.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/auth/forge.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER HF_SRCDIR "/tests/lib/jwks_server.py"

/* A provider with two keys, of which one is published at a time. */
typedef struct {
	char *folder;
	char *url_setting, *ca_setting;
	GPid pid;
	int input; /* the server lives as long as this end is open */
	EVP_PKEY *first, *second;
} World;

static void
put(const World *world, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(world->folder, name, NULL);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
publish(const World *world, EVP_PKEY *pkey, const char *kid)
{
	unsigned char point[65];
	size_t len = 0;
	g_autofree char *x = NULL, *y = NULL, *text = NULL;

	g_assert_true(EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point,
						      &len) == 1);
	g_assert_cmpuint(len, ==, sizeof point);
	x = hf_base64url_encode(point + 1, 32);
	y = hf_base64url_encode(point + 33, 32);
	text = g_strdup_printf(
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"},"
		"{\"kty\":\"oct\",\"kid\":\"shared\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]"
		"}",
		kid, x, y);
	put(world, "jwks.json", text);
}

static void
start_server(World *world)
{
	char *command[] = {g_strdup("python3"), g_strdup(SERVER), g_strdup(world->folder), NULL};
	g_autoptr(GError) error = NULL;
	char port[16] = "";
	FILE *ready;
	int output;

	g_spawn_async_with_pipes(NULL, command, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
				 NULL, &world->pid, &world->input, &output, NULL, &error);
	g_assert_no_error(error);
	ready = fdopen(output, "r");
	g_assert_nonnull(fgets(port, sizeof port, ready));
	(void)fclose(ready);
	g_strchomp(port);
	world->url_setting = g_strdup_printf("JWT_JWKS_URL=https://127.0.0.1:%s/keys", port);
	world->ca_setting = g_strdup_printf("JWT_JWKS_CA_BUNDLE=%s/ca.pem", world->folder);
	for (size_t i = 0; command[i]; i++)
		g_free(command[i]);
}

static World
world_new(void)
{
	World world = {.folder = g_dir_make_tmp("holdfast-jwks-XXXXXX", NULL),
		       .first = EVP_EC_gen("P-256"),
		       .second = EVP_EC_gen("P-256")};

	publish(&world, world.first, "first");
	start_server(&world);
	return world;
}

static void
world_clear(World *world)
{
	static const char *const names[] = {"ca.pem", "key.pem", "jwks.json", "mode", "requests"};

	close(world->input);
	while (waitpid(world->pid, NULL, 0) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree char *path = g_build_filename(world->folder, names[i], NULL);

		g_unlink(path);
	}
	g_rmdir(world->folder);
	g_free(world->folder);
	g_free(world->url_setting);
	g_free(world->ca_setting);
	EVP_PKEY_free(world->first);
	EVP_PKEY_free(world->second);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

static HfAuth *
auth_of(const World *world)
{
	return forge_auth((const char *const[]){world->url_setting, world->ca_setting, NULL});
}

static unsigned
requests(const World *world)
{
	g_autofree char *path = g_build_filename(world->folder, "requests", NULL);
	g_autofree char *text = NULL;
	unsigned count = 0;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return 0;
	for (const char *c = text; *c; c++)
		count += *c == '\n';
	return count;
}

static char *
token_of(EVP_PKEY *pkey, const char *kid)
{
	g_autofree char *header = g_strdup_printf("{\"alg\":\"ES256\",\"kid\":\"%s\"}", kid);
	g_autofree char *payload = g_strdup_printf("{\"role\":\"admin\",\"exp\":%" G_GINT64_FORMAT "}",
						   hf_clock_now_s() + 100000);

	return forge_pkey(header, payload, pkey, EVP_sha256());
}

/* Whether it is let in, at so many seconds from now. */
static bool
is_token_admitted(HfAuth *auth, const char *token, int64_t after_s)
{
	g_autofree char *header = g_strconcat("Bearer ", token, NULL);
	g_autoptr(GError) error = NULL;
	HfAuthRefusal refusal;
	g_autoptr(HfPrincipal)
		principal = hf_auth_check(auth, header, hf_clock_now_s() + after_s, &refusal, &error);

	return principal != NULL;
}

static bool
is_admitted(HfAuth *auth, EVP_PKEY *pkey, const char *kid, int64_t after_s)
{
	g_autofree char *token = token_of(pkey, kid);

	return is_token_admitted(auth, token, after_s);
}

static void
expect_warning(const char *pattern)
{
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, pattern);
}

static void
expect_left_out(void)
{
	g_test_expect_message("holdfast", G_LOG_LEVEL_MESSAGE,
			      "*a secret that is published is none: it is left out");
}

static void
test_keys_are_fetched_once_and_kept(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = auth_of(&world);

	for (int64_t i = 0; i < 50; i++)
		g_assert_true(is_admitted(auth, world.first, "first", i * 70));
	g_assert_cmpuint(requests(&world), ==, 1);
}

static void
test_an_unknown_kid_fetches_at_most_once_a_minute(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = auth_of(&world);

	for (int64_t at = 0; at < 50; at += 10)
		g_assert_false(is_admitted(auth, world.second, "second", at));
	g_assert_cmpuint(requests(&world), ==, 1);
	publish(&world, world.second, "second");
	g_assert_true(is_admitted(auth, world.second, "second", 70));
	g_assert_cmpuint(requests(&world), ==, 2);
	for (int64_t at = 71; at < 125; at += 10)
		g_assert_false(is_admitted(auth, world.first, "third", at));
	g_assert_cmpuint(requests(&world), ==, 2);
}

static void
test_a_key_that_was_taken_back_is_refused_after_an_hour(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = auth_of(&world);

	publish(&world, world.second, "second");
	g_assert_true(is_admitted(auth, world.first, "first", 3500));
	g_assert_false(is_admitted(auth, world.first, "first", 3700));
	g_assert_true(is_admitted(auth, world.second, "second", 3701));
	g_assert_cmpuint(requests(&world), ==, 2);
}

/* Though its signature was found good before. */
static void
test_a_token_that_was_seen_goes_with_its_key(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = auth_of(&world);
	g_autofree char *token = token_of(world.first, "first");

	g_assert_true(is_token_admitted(auth, token, 1));
	publish(&world, world.second, "second");
	g_assert_true(is_token_admitted(auth, token, 3500));
	g_assert_false(is_token_admitted(auth, token, 3700));
}

static void
test_while_the_provider_is_down_the_old_keys_are_used(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = auth_of(&world);

	put(&world, "mode", "status-500");
	expect_warning("*status 500: the keys that were seen last are used");
	g_assert_true(is_admitted(auth, world.first, "first", 4000));
	g_assert_true(is_admitted(auth, world.first, "first", 4030));
	g_test_assert_expected_messages();
	g_assert_cmpuint(requests(&world), ==, 2);
}

static void
test_a_provider_that_comes_later(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = NULL;

	put(&world, "mode", "status-500");
	expect_warning("*status 500: no token of this provider is accepted until it answers");
	auth = auth_of(&world);
	g_test_assert_expected_messages();
	g_assert_false(is_admitted(auth, world.first, "first", 1));
	put(&world, "mode", "ok");
	g_assert_true(is_admitted(auth, world.first, "first", 70));
}

static const struct {
	const char *name, *mode, *pattern;
} bad_answers[] = {
	{"/jwks-url/refused/huge", "huge", "*more than 262144 bytes*"},
	{"/jwks-url/refused/huge-without-length", "huge-without-length", "*more than 262144 bytes*"},
	{"/jwks-url/refused/redirect", "redirect", "*redirection (302), which is not followed*"},
	{"/jwks-url/refused/hang", "hang", "*"},
};

static void
test_bad_answer(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = NULL;

	put(&world, "mode", bad_answers[i].mode);
	expect_warning(bad_answers[i].pattern);
	auth = auth_of(&world);
	g_test_assert_expected_messages();
	g_assert_false(is_admitted(auth, world.first, "first", 1));
}

static void
test_rubbish_is_refused(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = NULL;

	put(&world, "jwks.json", "<html>not here</html>");
	expect_warning("*no JSON*");
	auth = auth_of(&world);
	g_test_assert_expected_messages();
	g_assert_false(is_admitted(auth, world.first, "first", 1));
}

static void
test_a_certificate_that_nobody_vouches_for_is_refused(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = NULL;

	expect_warning("*certificate*");
	auth = forge_auth((const char *const[]){world.url_setting, NULL});
	g_test_assert_expected_messages();
	g_assert_false(is_admitted(auth, world.first, "first", 1));
	g_assert_cmpuint(requests(&world), ==, 0);
}

static void
test_a_published_secret_is_not_used(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfAuth) auth = NULL;
	g_autofree char *token = forge_hs("{\"alg\":\"HS256\",\"kid\":\"shared\"}", ADMIN, SECRET,
					  strlen(SECRET), EVP_sha256());

	expect_left_out();
	auth = auth_of(&world);
	g_test_assert_expected_messages();
	assert_refused(auth, token, HF_AUTH_INVALID, "not known here");
}

static void
test_the_url_must_be_https(void)
{
	assert_no_auth((const char *const[]){"JWT_JWKS_URL=http://idp.example.com/keys", NULL},
		       "https://host/path");
	assert_no_auth((const char *const[]){"JWT_JWKS_URL=http://127.0.0.1.example.com/keys", NULL},
		       "https://host/path");
	assert_no_auth((const char *const[]){"JWT_JWKS_URL=file:///etc/passwd", NULL}, "https://host/path");
	assert_no_auth((const char *const[]){"JWT_JWKS_URL=keys", NULL}, "https://host/path");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	g_test_add_func("/jwks-url/keys-are-fetched-once-and-kept", test_keys_are_fetched_once_and_kept);
	g_test_add_func("/jwks-url/an-unknown-kid-fetches-at-most-once-a-minute",
			test_an_unknown_kid_fetches_at_most_once_a_minute);
	g_test_add_func("/jwks-url/a-key-that-was-taken-back-is-refused-after-an-hour",
			test_a_key_that_was_taken_back_is_refused_after_an_hour);
	g_test_add_func("/jwks-url/a-token-that-was-seen-goes-with-its-key",
			test_a_token_that_was_seen_goes_with_its_key);
	g_test_add_func("/jwks-url/while-the-provider-is-down-the-old-keys-are-used",
			test_while_the_provider_is_down_the_old_keys_are_used);
	g_test_add_func("/jwks-url/a-provider-that-comes-later", test_a_provider_that_comes_later);
	for (size_t i = 0; i < G_N_ELEMENTS(bad_answers); i++)
		g_test_add_data_func(bad_answers[i].name, GSIZE_TO_POINTER(i), test_bad_answer);
	g_test_add_func("/jwks-url/refused/rubbish", test_rubbish_is_refused);
	g_test_add_func("/jwks-url/a-certificate-that-nobody-vouches-for-is-refused",
			test_a_certificate_that_nobody_vouches_for_is_refused);
	g_test_add_func("/jwks-url/a-published-secret-is-not-used", test_a_published_secret_is_not_used);
	g_test_add_func("/jwks-url/the-url-must-be-https", test_the_url_must_be_https);
	return g_test_run();
}
