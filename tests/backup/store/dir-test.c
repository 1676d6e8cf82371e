#include "config.h"

#include "backup/stage/sink.h"
#include "common/error.h"
#include "tests/lib/fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The keys of a listing, each followed by a line end. */
static char *
list_keys(HfStore *store, const char *prefix, const char *start_after)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfListing) listing = hf_store_list(store, prefix, start_after, &error);
	GString *keys = g_string_new(NULL);
	const HfObject *object;

	g_assert_no_error(error);
	while (hf_listing_next(listing, &object, &error) && object)
		g_string_append_printf(keys, "%s\n", object->key);
	g_assert_no_error(error);
	return g_string_free(keys, FALSE);
}

static void
assert_text(GBytes *bytes, const char *expected)
{
	g_autoptr(GBytes) wanted = g_bytes_new_static(expected, strlen(expected));

	g_assert_true(g_bytes_equal(bytes, wanted));
}

static void
test_what_was_written_is_read_and_private(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *path = fixture_path(fixture, "a/b/c");
	g_autoptr(GBytes) bytes = NULL;
	struct stat info;

	fixture_put(fixture, "a/b/c", "hello", 5);
	bytes = fixture_get(fixture, "a/b/c");
	assert_text(bytes, "hello");
	g_assert_cmpint(stat(path, &info), ==, 0);
	g_assert_cmpint(info.st_mode & 0777, ==, 0600);
	g_assert_cmpuint(fixture_files(fixture), ==, 1);
}

static void
test_the_folder_is_made_at_the_first_write(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *folder = fixture_path(fixture, "not/yet");
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStore) store = hf_dir_open(folder, &error);
	g_autofree char *keys = list_keys(store, NULL, NULL);
	g_autoptr(GBytes) bytes = g_bytes_new_static("x", 1);

	g_assert_cmpstr(keys, ==, "");
	g_assert_false(g_file_test(folder, G_FILE_TEST_EXISTS));
	g_assert_true(hf_store_create(store, "k", bytes, &error));
	g_assert_true(g_file_test(folder, G_FILE_TEST_IS_DIR));
}

static void
test_free_without_finish_leaves_nothing(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	HfStage *stage = hf_store_write(fixture->store, "k", NULL, &error);

	g_assert_true(hf_stage_write(stage, "half", 4, &error));
	hf_stage_free(stage);
	g_assert_cmpuint(fixture_files(fixture), ==, 0);
}

static void
test_nothing_is_visible_before_finish(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStage) stage = NULL;
	g_autofree char *keys = NULL;
	g_autoptr(GBytes) bytes = NULL;

	fixture_put(fixture, "k", "old", 3);
	stage = hf_store_write(fixture->store, "k", NULL, &error);
	g_assert_true(hf_stage_write(stage, "new!", 4, &error));
	keys = list_keys(fixture->store, NULL, NULL);
	bytes = fixture_get(fixture, "k");
	g_assert_cmpstr(keys, ==, "k\n");
	g_assert_cmpuint(g_bytes_get_size(bytes), ==, 3);
}

static void
test_create_takes_a_free_key_only(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GBytes) one = g_bytes_new_static("1", 1);
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_store_create(fixture->store, "k", one, &error));
	g_assert_false(hf_store_create(fixture->store, "k", one, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_assert_cmpuint(fixture_files(fixture), ==, 1);
}

/* Eight processes, one key, twenty times: exactly one wins each. */
static void
test_of_many_creators_one_wins(void)
{
	g_autoptr(Fixture) fixture = fixture_new();

	for (int round = 0; round < 20; round++) {
		g_autofree char *key = g_strdup_printf("k%d", round);
		int winners = 0;

		for (int i = 0; i < 8; i++) {
			g_autoptr(GBytes) one = g_bytes_new_static("1", 1);

			if (fork() == 0)
				_exit(hf_store_create(fixture->store, key, one, NULL) ? 1 : 0);
		}
		for (int i = 0, status; i < 8; i++) {
			g_assert_cmpint(wait(&status), >, 0);
			winners += WEXITSTATUS(status);
		}
		g_assert_cmpint(winners, ==, 1);
	}
	g_assert_cmpuint(fixture_files(fixture), ==, 20);
}

static void
test_replace_wants_the_same_version(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GBytes) two = g_bytes_new_static("22", 2);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfListing) listing = NULL;
	g_autofree char *etag = NULL;
	const HfObject *object;

	fixture_put(fixture, "k", "1", 1);
	listing = hf_store_list(fixture->store, NULL, NULL, &error);
	g_assert_true(hf_listing_next(listing, &object, &error));
	etag = g_strdup(object->etag);
	g_assert_true(hf_store_replace(fixture->store, "k", two, etag, &error));
	g_assert_false(hf_store_replace(fixture->store, "k", two, etag, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_clear_error(&error);
	g_assert_false(hf_store_replace(fixture->store, "absent", two, etag, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_assert_cmpuint(fixture_files(fixture), ==, 1);
}

/* However fast they follow each other, and whichever inode is used again. */
static void
test_no_etag_comes_back(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GHashTable) etags = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GBytes) bytes = g_bytes_new_static("1", 1);
	g_autoptr(GError) error = NULL;
	HfConditions found;

	g_assert_true(hf_store_probe(fixture->store, "probe", &found, &error));
	g_assert_true(found.has_create && found.has_replace);
	g_assert_true(hf_store_create(fixture->store, "k", bytes, &error));
	for (int i = 0; i < 200; i++) {
		g_autoptr(GBytes) read = NULL;
		char *etag = NULL;

		g_assert_true(hf_store_get(fixture->store, "k", 1, &read, &etag, &error));
		g_assert_true(g_bytes_equal(read, bytes));
		g_assert_true(hf_store_replace(fixture->store, "k", bytes, etag, &error));
		g_assert_true(g_hash_table_add(etags, etag));
	}
	g_assert_cmpuint(fixture_files(fixture), ==, 1);
}

static void
test_get_gives_what_is_there(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(GBytes) read = NULL;
	g_autofree char *etag = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_store_get(fixture->store, "k", 100, &read, &etag, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
	g_clear_error(&error);
	fixture_put(fixture, "k", "12345", 5);
	g_assert_false(hf_store_get(fixture->store, "k", 4, &read, &etag, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	g_clear_error(&error);
	fixture_put(fixture, "folder/k", "1", 1);
	g_assert_false(hf_store_get(fixture->store, "folder", 4, &read, &etag, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
}

static void
test_lists_in_byte_order_of_key(void)
{
	static const char *const keys[] = {"b", "a/c/d", "a.jpg", "a/b.jpg", "a0", "\xc3\xa9", "a/c.x", "Z"};
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *all = NULL, *below = NULL, *after = NULL, *inside = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
		fixture_put(fixture, keys[i], "x", 1);
	all = list_keys(fixture->store, NULL, NULL);
	below = list_keys(fixture->store, "a/", NULL);
	after = list_keys(fixture->store, NULL, "a/c.x");
	inside = list_keys(fixture->store, "a/c", "a/b.jpg");
	g_assert_cmpstr(all, ==, "Z\na.jpg\na/b.jpg\na/c.x\na/c/d\na0\nb\n\xc3\xa9\n");
	g_assert_cmpstr(below, ==, "a/b.jpg\na/c.x\na/c/d\n");
	g_assert_cmpstr(after, ==, "a/c/d\na0\nb\n\xc3\xa9\n");
	g_assert_cmpstr(inside, ==, "a/c.x\na/c/d\n");
}

static void
test_symbolic_links_are_not_followed(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *file = fixture_path(fixture, "link");
	g_autofree char *folder = fixture_path(fixture, "way-out");
	g_autoptr(HfStage) sink = hf_sink_null_new();
	g_autoptr(GError) error = NULL;
	g_autofree char *keys = NULL;

	g_assert_cmpint(symlink("/etc/hostname", file), ==, 0);
	g_assert_cmpint(symlink("/etc", folder), ==, 0);
	keys = list_keys(fixture->store, NULL, NULL);
	g_assert_cmpstr(keys, ==, "");
	g_assert_false(hf_store_read(fixture->store, "link", HF_WHOLE, sink, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
	g_clear_error(&error);
	g_assert_false(hf_store_read(fixture->store, "way-out/hostname", HF_WHOLE, sink, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
	g_clear_error(&error);
	g_assert_null(hf_store_write(fixture->store, "way-out/x", NULL, &error));
	g_assert_nonnull(strstr(error->message, "symbolic links"));
}

static void
test_keys_that_leave_the_folder_are_refused(void)
{
	static const char *const keys[] = {"/x", "../x", "a/../x", "a//b",           "a/",
					   ".",  "..",   "a/./b",  ".holdfast-tmp-1"};
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *long_name = g_strnfill(256, 'n');

	for (size_t i = 0; i <= G_N_ELEMENTS(keys); i++) {
		const char *key = i < G_N_ELEMENTS(keys) ? keys[i] : long_name;
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_store_write(fixture->store, key, NULL, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
	}
	g_assert_cmpuint(fixture_files(fixture), ==, 0);
}

static void
test_ranges(void)
{
	static const struct {
		HfRange range;
		const char *expected; /* NULL: USAGE */
	} cases[] = {
		{{0, HF_TO_END}, "0123456789"}, {{3, 4}, "3456"}, {{10, 0}, ""},
		{{10, HF_TO_END}, ""},          {{11, 0}, NULL},  {{5, 6}, NULL},
		{{11, HF_TO_END}, NULL},
	};
	g_autoptr(Fixture) fixture = fixture_new();

	fixture_put(fixture, "k", "0123456789", 10);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(HfStage) sink = hf_sink_bytes_new(100);
		g_autoptr(GError) error = NULL;
		g_autoptr(GBytes) bytes = NULL;

		if (!hf_store_read(fixture->store, "k", cases[i].range, sink, &error)) {
			g_assert_null(cases[i].expected);
			g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
			continue;
		}
		g_assert_true(hf_stage_finish(sink, &error));
		bytes = hf_sink_bytes_get(sink);
		assert_text(bytes, cases[i].expected);
	}
}

static void
test_a_stale_temporary_is_swept_and_a_held_one_stays(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *stale = fixture_path(fixture, ".holdfast-tmp-stale");
	g_autofree char *held = fixture_path(fixture, ".holdfast-tmp-held");
	g_autofree char *keys = NULL;
	int fd = open(held, O_CREAT | O_WRONLY, 0600);

	g_assert_cmpint(flock(fd, LOCK_EX), ==, 0);
	g_assert_true(g_file_set_contents(stale, "x", 1, NULL));
	keys = list_keys(fixture->store, NULL, NULL);
	g_assert_cmpstr(keys, ==, "");
	fixture_put(fixture, "k", "x", 1);
	g_assert_false(g_file_test(stale, G_FILE_TEST_EXISTS));
	g_assert_true(g_file_test(held, G_FILE_TEST_EXISTS));
	close(fd);
}

static void
test_remove_takes_absent_keys_for_done(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	const char *const keys[] = {"absent", "no/folder", "k", NULL};
	g_autoptr(GError) error = NULL;

	fixture_put(fixture, "k", "x", 1);
	g_assert_true(hf_store_remove(fixture->store, keys, &error));
	g_assert_cmpuint(fixture_files(fixture), ==, 0);
}

/*
 * A file-size limit is the one full disk that a test can make without rights: write() fails in the same place.  What is
 * short is written when it is finished, what is long by a thread meanwhile.
 */
static void
check_failing_write(size_t len, rlim_t limit)
{
	const struct rlimit small = {limit, RLIM_INFINITY};
	const struct rlimit large = {RLIM_INFINITY, RLIM_INFINITY};
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *much = g_malloc0(len);
	g_autoptr(GError) error = NULL;
	HfStage *stage = hf_store_write(fixture->store, "k", NULL, &error);

	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &small), ==, 0);
	g_assert_false(hf_stage_write(stage, much, len, &error) && hf_stage_finish(stage, &error));
	g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &large), ==, 0);
	g_assert_nonnull(strstr(error->message, "/k\": "));
	hf_stage_free(stage);
	g_assert_cmpuint(fixture_files(fixture), ==, 0);
}

static void
test_a_write_that_fails_leaves_nothing(void)
{
	signal(SIGXFSZ, SIG_IGN);
	check_failing_write((size_t)1 << 20, 4096);
	check_failing_write((size_t)32 << 20, 4096);
	check_failing_write((size_t)32 << 20, (17 << 20) + 1);
}

static HfStage *
open_long(const Fixture *fixture, HfStore **store_out)
{
	g_autoptr(GError) error = NULL;
	HfStage *stage;

	*store_out = hf_dir_open(fixture->folder, &error);
	g_assert_no_error(error);
	stage = hf_store_write(*store_out, "long", NULL, &error);
	g_assert_no_error(error);
	return stage;
}

/* Some of it goes past the page cache, the rest does not: nothing is lost between the two. */
static void
check_long_write(size_t len)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree uint32_t *numbers = g_new(uint32_t, len / 4 + 1);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfStage) stage = open_long(fixture, &store);
	g_autofree char *path = fixture_path(fixture, "long");
	g_autofree char *read = NULL;
	gsize got;

	for (uint32_t i = 0; i <= len / 4; i++)
		numbers[i] = i * 2654435761U;
	for (size_t at = 0; at < len; at += 100003)
		g_assert_true(hf_stage_write(stage, (char *)numbers + at, MIN(100003, len - at), &error));
	g_assert_true(hf_stage_finish(stage, &error));
	g_assert_true(g_file_get_contents(path, &read, &got, NULL));
	g_assert_cmpuint(got, ==, len);
	g_assert_true(memcmp(read, numbers, len) == 0);
}

static void
test_long_files_are_whole(void)
{
	static const size_t lengths[] = {(size_t)2 << 20, ((size_t)2 << 20) + 1, ((size_t)13 << 20) + 4097};

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++)
		check_long_write(lengths[i]);
}

static void
test_a_long_write_is_given_up(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autofree char *much = g_malloc0((size_t)9 << 20);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStore) store = NULL;
	HfStage *stage = open_long(fixture, &store);

	g_assert_true(hf_stage_write(stage, much, (size_t)9 << 20, &error));
	hf_stage_free(stage);
	g_assert_cmpuint(fixture_files(fixture), ==, 0);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dir/what-was-written-is-read-and-private",
			test_what_was_written_is_read_and_private);
	g_test_add_func("/dir/the-folder-is-made-at-the-first-write",
			test_the_folder_is_made_at_the_first_write);
	g_test_add_func("/dir/free-without-finish-leaves-nothing", test_free_without_finish_leaves_nothing);
	g_test_add_func("/dir/nothing-is-visible-before-finish", test_nothing_is_visible_before_finish);
	g_test_add_func("/dir/create-takes-a-free-key-only", test_create_takes_a_free_key_only);
	g_test_add_func("/dir/of-many-creators-one-wins", test_of_many_creators_one_wins);
	g_test_add_func("/dir/replace-wants-the-same-version", test_replace_wants_the_same_version);
	g_test_add_func("/dir/no-etag-comes-back", test_no_etag_comes_back);
	g_test_add_func("/dir/get-gives-what-is-there", test_get_gives_what_is_there);
	g_test_add_func("/dir/lists-in-byte-order-of-key", test_lists_in_byte_order_of_key);
	g_test_add_func("/dir/symbolic-links-are-not-followed", test_symbolic_links_are_not_followed);
	g_test_add_func("/dir/keys-that-leave-the-folder-are-refused",
			test_keys_that_leave_the_folder_are_refused);
	g_test_add_func("/dir/ranges", test_ranges);
	g_test_add_func("/dir/a-stale-temporary-is-swept-and-a-held-one-stays",
			test_a_stale_temporary_is_swept_and_a_held_one_stays);
	g_test_add_func("/dir/remove-takes-absent-keys-for-done", test_remove_takes_absent_keys_for_done);
	g_test_add_func("/dir/long-files-are-whole", test_long_files_are_whole);
	g_test_add_func("/dir/a-long-write-is-given-up", test_a_long_write_is_given_up);
	g_test_add_func("/dir/a-write-that-fails-leaves-nothing", test_a_write_that_fails_leaves_nothing);
	return g_test_run();
}
