#include "config.h"

#include "backup/job/lock.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_a_second_taker_is_told_whose_it_is(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *folder = fixture_path(fixture, "made/for/it");
	g_autofree char *pid = g_strdup_printf("process %ld:", (long)getpid());
	g_autoptr(GError) error = NULL;
	HfLock *first = hf_lock_take(folder, "database", &error);
	g_autoptr(HfLock) again = NULL;

	g_assert_no_error(error);
	g_assert_null(hf_lock_take(folder, "database", &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_assert_nonnull(strstr(error->message, pid));
	g_clear_error(&error);
	hf_lock_free(first);
	again = hf_lock_take(folder, "database", &error);
	g_assert_nonnull(again);
}

static void
test_other_names_do_not_meet(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfLock) database = hf_lock_take(fixture->folder, "database", &error);
	g_autoptr(HfLock) images = hf_lock_take(fixture->folder, "images", &error);

	g_assert_true(database && images);
}

static void
test_a_holder_that_dies_leaves_it_free(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfLock) lock = NULL;
	int status;
	pid_t child = fork();

	if (child == 0)
		_exit(hf_lock_take(fixture->folder, "database", NULL) ? 0 : 1);
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	g_assert_cmpint(status, ==, 0);
	lock = hf_lock_take(fixture->folder, "database", &error);
	g_assert_no_error(error);
}

static void
test_a_folder_that_cannot_be_used_stops_nothing(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *folder = fixture_path(fixture, "file/below");
	g_autoptr(GError) error = NULL;
	g_autoptr(HfLock) lock = NULL;

	fixture_put(fixture, "file", "x", 1);
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*cannot be made*BACKUP_STATE_DIR*");
	lock = hf_lock_take(folder, "database", &error);
	g_test_assert_expected_messages();
	g_assert_no_error(error);
	g_assert_nonnull(lock);
}

/* So a folder of another owner, or a full disk, still keeps two runs apart. */
static void
test_a_file_that_cannot_be_written_is_held_all_the_same(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *path = fixture_path(fixture, "database.lock");
	const struct rlimit nothing = {0, 0};
	int status;
	pid_t child;

	fixture_put(fixture, "database.lock", "", 0);
	g_assert_cmpint(chmod(path, 0444), ==, 0);
	child = fork();
	if (child == 0) {
		g_autoptr(HfLock) lock = NULL;

		(void)signal(SIGXFSZ, SIG_IGN);
		if (setrlimit(RLIMIT_FSIZE, &nothing) != 0)
			_exit(2);
		lock = hf_lock_take(fixture->folder, "database", NULL);
		_exit(lock && !hf_lock_take(fixture->folder, "database", NULL) ? 0 : 1);
	}
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	g_assert_cmpint(status, ==, 0);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lock/a-second-taker-is-told-whose-it-is", test_a_second_taker_is_told_whose_it_is);
	g_test_add_func("/lock/other-names-do-not-meet", test_other_names_do_not_meet);
	g_test_add_func("/lock/a-holder-that-dies-leaves-it-free", test_a_holder_that_dies_leaves_it_free);
	g_test_add_func("/lock/a-folder-that-cannot-be-used-stops-nothing",
			test_a_folder_that_cannot_be_used_stops_nothing);
	g_test_add_func("/lock/a-file-that-cannot-be-written-is-held-all-the-same",
			test_a_file_that_cannot_be_written_is_held_all_the_same);
	return g_test_run();
}
