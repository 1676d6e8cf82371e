#include "config.h"

#include "auth/bearer.h"
#include "auth/internal.h"
#include "common/error.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
	char *folder, *path;
	HfSettings *settings;
} World;

static void
world_clear(World *world)
{
	g_unlink(world->path);
	g_rmdir(world->folder);
	g_free(world->folder);
	g_free(world->path);
	hf_settings_free(world->settings);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(World, world_clear)

static World
world_new(void)
{
	World world = {.folder = g_dir_make_tmp("holdfast-internal-XXXXXX", NULL)};
	g_autofree char *setting = g_strconcat("BACKUP_STATE_DIR=", world.folder, NULL);
	g_autoptr(GError) error = NULL;

	world.path = g_build_filename(world.folder, "internal-token", NULL);
	world.settings = hf_settings_load_from((const char *const[]){setting, NULL}, "/dev/null", &error);
	g_assert_no_error(error);
	return world;
}

static void
assert_refused(const World *world, HfError code)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(hf_internal_token(world->settings, &error));
	g_assert_error(error, HF_ERROR, (int)code);
}

static void
test_the_first_makes_it_and_the_second_finds_it(void)
{
	g_auto(World) world = world_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSecret) first = hf_internal_token(world.settings, &error);
	g_autoptr(HfSecret) second = hf_internal_token(world.settings, &error);
	struct stat st;

	g_assert_no_error(error);
	g_assert_cmpuint(hf_secret_len(first), ==, 64);
	g_assert_true(hf_secret_equal(first, second));
	g_assert_cmpint(g_stat(world.path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
}

static void
test_two_folders_have_two(void)
{
	g_auto(World) a = world_new(), b = world_new();
	g_autoptr(HfSecret) first = hf_internal_token(a.settings, NULL);
	g_autoptr(HfSecret) second = hf_internal_token(b.settings, NULL);

	g_assert_false(hf_secret_equal(first, second));
}

static gpointer
race(gpointer data)
{
	return hf_internal_token(data, NULL);
}

static void
test_of_many_at_once_all_get_the_same(void)
{
	g_auto(World) world = world_new();
	GThread *threads[8];
	HfSecret *tokens[8];

	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("race", race, world.settings);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		tokens[i] = g_thread_join(threads[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
		g_assert_nonnull(tokens[i]);
		g_assert_true(hf_secret_equal(tokens[0], tokens[i]));
	}
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		hf_secret_free(tokens[i]);
}

static void
test_a_damaged_file_is_refused(void)
{
	g_auto(World) world = world_new();

	g_assert_true(g_file_set_contents_full(world.path, "short\n", -1, 0, 0600, NULL));
	assert_refused(&world, HF_ERROR_CORRUPT);
	g_assert_true(g_file_set_contents_full(world.path, "", -1, 0, 0600, NULL));
	assert_refused(&world, HF_ERROR_CORRUPT);
}

static void
test_a_file_that_others_may_read_is_refused(void)
{
	g_auto(World) world = world_new();
	g_autoptr(HfSecret) token = hf_internal_token(world.settings, NULL);

	g_assert_nonnull(token);
	g_assert_cmpint(g_chmod(world.path, 0640), ==, 0);
	assert_refused(&world, HF_ERROR_DENIED);
}

static void
test_a_link_is_refused(void)
{
	g_auto(World) world = world_new();

	g_assert_cmpint(symlink("/dev/null", world.path), ==, 0);
	assert_refused(&world, HF_ERROR_DENIED);
}

static void
test_the_setting_goes_before_the_file(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSettings) settings = hf_settings_load_from(
		(const char *const[]){"INTERNAL_TOKEN=0123456789abcdef0123456789abcdef", NULL}, "/dev/null",
		&error);
	g_autoptr(HfSecret) token = hf_internal_token(settings, &error);

	g_assert_no_error(error);
	g_assert_true(hf_bearer_matches(token, "Bearer 0123456789abcdef0123456789abcdef"));
}

static void
test_a_short_setting_is_refused(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSettings) settings = hf_settings_load_from(
		(const char *const[]){"INTERNAL_TOKEN=secret", NULL}, "/dev/null", NULL);

	g_assert_null(hf_internal_token(settings, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, "INTERNAL_TOKEN"));
	g_assert_null(strstr(error->message, "secret"));
}

static void
test_matching(void)
{
	g_autoptr(HfSecret) token = hf_secret_new("abcd", 4, "t", NULL);

	g_assert_true(hf_bearer_matches(token, "Bearer abcd"));
	g_assert_true(hf_bearer_matches(token, "bearer abcd"));
	g_assert_false(hf_bearer_matches(token, NULL));
	g_assert_false(hf_bearer_matches(token, ""));
	g_assert_false(hf_bearer_matches(token, "abcd"));
	g_assert_false(hf_bearer_matches(token, "Bearer abc"));
	g_assert_false(hf_bearer_matches(token, "Bearer abcde"));
	g_assert_false(hf_bearer_matches(token, "Bearer abce"));
	g_assert_false(hf_bearer_matches(token, "Basic abcd"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/internal/the-first-makes-it-and-the-second-finds-it",
			test_the_first_makes_it_and_the_second_finds_it);
	g_test_add_func("/internal/two-folders-have-two", test_two_folders_have_two);
	g_test_add_func("/internal/of-many-at-once-all-get-the-same", test_of_many_at_once_all_get_the_same);
	g_test_add_func("/internal/a-damaged-file-is-refused", test_a_damaged_file_is_refused);
	g_test_add_func("/internal/a-file-that-others-may-read-is-refused",
			test_a_file_that_others_may_read_is_refused);
	g_test_add_func("/internal/a-link-is-refused", test_a_link_is_refused);
	g_test_add_func("/internal/the-setting-goes-before-the-file", test_the_setting_goes_before_the_file);
	g_test_add_func("/internal/a-short-setting-is-refused", test_a_short_setting_is_refused);
	g_test_add_func("/internal/matching", test_matching);
	return g_test_run();
}
