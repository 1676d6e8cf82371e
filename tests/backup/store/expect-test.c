/* Small objects that are expected: taken together, and read as if they were not. */
#include "config.h"

#include "tests/backup/store/s3-fixture.h"
#include "backup/store/dir.h"
#include "backup/store/expect.h"
#include "backup/store/store-impl.h"
#include "common/error.h"

#include <glib/gstdio.h>
#include <string.h>

#define FEW 40
#define MANY 600 /* more than are taken at once */
#define LARGE_BYTES ((size_t)300 << 10)

static const char *
key_of(int i)
{
	static char key[16];

	g_snprintf(key, sizeof key, "k%04d", i);
	return key;
}

static void
put_text(HfStore *store, const char *key, const char *text)
{
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
	g_autoptr(GError) error = NULL;

	(void)!fixture_put(store, key, bytes, &error);
	g_assert_no_error(error);
}

/* Each holds its own key. */
static void
put_all(HfStore *store, int count)
{
	g_autoptr(HfPut) put = hf_put_new(store, NULL);
	g_autoptr(GError) error = NULL;

	for (int i = 0; i < count; i++) {
		g_autoptr(GBytes) bytes = g_bytes_new(key_of(i), strlen(key_of(i)));

		(void)!hf_put_object(put, key_of(i), NULL, bytes, &error);
		g_assert_no_error(error);
	}
	(void)!hf_put_finish(put, &error);
	g_assert_no_error(error);
}

static void
expect_all(HfStore *store)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfListing) listing = hf_store_list(store, NULL, NULL, &error);
	const HfObject *object = NULL;

	g_assert_no_error(error);
	while (hf_listing_next(listing, &object, &error) && object)
		hf_store_expect(store, object);
	g_assert_no_error(error);
}

static void
want_range(HfStore *store, const char *key, HfRange range, const char *text)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = fixture_get(store, key, range, &error);
	g_autofree char *came = NULL;

	g_assert_no_error(error);
	came = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
	g_assert_cmpstr(came, ==, text);
}

static void
want_text(HfStore *store, const char *key, const char *text)
{
	want_range(store, key, HF_WHOLE, text);
}

static void
want_error(HfStore *store, const char *key, HfError code)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = fixture_get(store, key, HF_WHOLE, &error);

	g_assert_null(bytes);
	g_assert_error(error, HF_ERROR, (int)code);
}

/* A store behind the proxy, whose counts are at zero, with all of its few objects expected. */
static HfStore *
open_few(const char *prefix)
{
	g_autoptr(HfStore) direct = fixture_store(NULL, prefix);
	HfStore *store = fixture_store(fixture_proxy(), prefix);

	put_all(direct, FEW);
	expect_all(store);
	fixture_faults("[]");
	return store;
}

static void
test_the_first_read_takes_all(void)
{
	g_autoptr(HfStore) store = open_few("all");

	want_text(store, key_of(0), key_of(0));
	g_assert_cmpuint(fixture_count("GET"), ==, FEW);
	for (int i = 1; i < FEW; i++)
		want_text(store, key_of(i), key_of(i));
	g_assert_cmpuint(fixture_count("GET"), ==, FEW);
}

static void
test_more_than_a_batch_is_asked_once_each(void)
{
	g_autoptr(HfStore) direct = fixture_store(NULL, "many");
	g_autoptr(HfStore) store = fixture_store(fixture_proxy(), "many");

	put_all(direct, MANY);
	expect_all(store);
	fixture_faults("[]");
	want_text(store, key_of(0), key_of(0));
	g_assert_cmpuint(fixture_count("GET"), <, MANY);
	for (int i = 1; i < MANY; i++)
		want_text(store, key_of(i), key_of(i));
	g_assert_cmpuint(fixture_count("GET"), ==, MANY);
}

static void
test_a_second_read_is_of_the_store(void)
{
	g_autoptr(HfStore) direct = fixture_store(NULL, "second");
	g_autoptr(HfStore) store = open_few("second");

	want_text(store, key_of(0), key_of(0));
	put_text(direct, key_of(0), "replaced");
	want_text(store, key_of(0), "replaced");
	g_assert_cmpuint(fixture_count("GET"), ==, FEW + 1);
}

static void
test_nothing_is_expected_any_more(void)
{
	g_autoptr(HfStore) direct = fixture_store(NULL, "nothing");
	g_autoptr(HfStore) store = open_few("nothing");

	want_text(store, key_of(0), key_of(0));
	put_text(direct, key_of(1), "replaced");
	hf_store_expect_nothing(store);
	want_text(store, key_of(1), "replaced");
	hf_store_expect_nothing(store);
}

static void
test_any_order_is_right(void)
{
	g_autoptr(HfStore) store = open_few("order");

	for (int i = FEW - 1; i >= 0; i--)
		want_text(store, key_of(i), key_of(i));
	for (int i = 0; i < FEW; i += 3)
		want_text(store, key_of(i), key_of(i));
}

static void
test_a_range_is_of_the_store(void)
{
	g_autoptr(HfStore) direct = fixture_store(NULL, "range");
	g_autoptr(HfStore) store = open_few("range");

	want_text(store, key_of(0), key_of(0));
	put_text(direct, key_of(1), "0123");
	want_range(store, key_of(1), (HfRange){1, 2}, "12");
}

/* Its own read says why, and the others have come. */
static void
test_what_cannot_be_taken_says_so_itself(void)
{
	static const char *const gone[] = {"k0007", NULL};
	g_autoptr(HfStore) direct = fixture_store(NULL, "trouble");
	g_autoptr(HfStore) store = open_few("trouble");
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_store_remove(direct, gone, &error));
	fixture_faults("[{\"kind\":\"denied\",\"match\":\"k0009\"}]");
	for (int i = 0; i < FEW; i++) {
		if (i == 7)
			want_error(store, key_of(i), HF_ERROR_NOT_FOUND);
		else if (i == 9)
			want_error(store, key_of(i), HF_ERROR_DENIED);
		else
			want_text(store, key_of(i), key_of(i));
	}
	g_assert_cmpuint(fixture_count("GET"), ==, FEW + 2);
}

/* The whole batch comes to nothing: the read itself, and the next, say what it is. */
static void
test_a_server_that_refuses_all_is_told_of(void)
{
	g_autoptr(HfStore) store = open_few("refused");

	fixture_faults("[{\"kind\":\"no-bucket\"}]");
	want_error(store, key_of(0), HF_ERROR_USAGE);
	fixture_faults("[]");
	want_text(store, key_of(1), key_of(1));
}

static void
test_a_large_object_is_not_expected(void)
{
	g_autoptr(HfStore) direct = fixture_store(NULL, "large");
	g_autoptr(HfStore) store = NULL;
	g_autoptr(GBytes) large = fixture_bytes(LARGE_BYTES);
	g_autoptr(GBytes) came = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(fixture_put(direct, "k0000.large", large, &error));
	store = open_few("large");
	want_text(store, key_of(0), key_of(0));
	g_assert_cmpuint(fixture_count("GET"), ==, FEW);
	came = fixture_get(store, "k0000.large", HF_WHOLE, &error);
	g_assert_no_error(error);
	g_assert_true(g_bytes_equal(came, large));
	g_assert_cmpuint(fixture_count("GET"), ==, FEW + 1);
}

static void
test_a_folder_expects_nothing(void)
{
	g_autofree char *folder = g_dir_make_tmp("holdfast-expect-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(folder, "k", NULL);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStore) store = hf_dir_open(folder, &error);

	g_assert_no_error(error);
	put_text(store, "k", "text");
	hf_store_expect(store, &(HfObject){.key = "k", .bytes = 4});
	g_assert_null(store->expected);
	want_text(store, "k", "text");
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*test)(void);
	} tests[] = {
		{"the-first-read-takes-all", test_the_first_read_takes_all},
		{"more-than-a-batch-is-asked-once-each", test_more_than_a_batch_is_asked_once_each},
		{"a-second-read-is-of-the-store", test_a_second_read_is_of_the_store},
		{"nothing-is-expected-any-more", test_nothing_is_expected_any_more},
		{"any-order-is-right", test_any_order_is_right},
		{"a-range-is-of-the-store", test_a_range_is_of_the_store},
		{"what-cannot-be-taken-says-so-itself", test_what_cannot_be_taken_says_so_itself},
		{"a-server-that-refuses-all-is-told-of", test_a_server_that_refuses_all_is_told_of},
		{"a-large-object-is-not-expected", test_a_large_object_is_not_expected},
		{"a-folder-expects-nothing", test_a_folder_expects_nothing},
	};
	int status;

	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
		g_autofree char *path = g_strconcat("/expect/", tests[i].name, NULL);

		g_test_add_func(path, tests[i].test);
	}
	status = g_test_run();
	fixture_end();
	return status;
}
