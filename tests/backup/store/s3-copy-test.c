/* A server that copies by itself: whole and in parts, and what becomes of it where it fails on the way. */
#include "config.h"

#include "common/error.h"
#include "tests/backup/store/s3-fixture.h"

#include <string.h>

#define MIB ((size_t)1 << 20)

/* Copies in parts of 5 MiB. */
static HfStore *
open_store(const char *endpoint, const char *prefix, HfCredentials *keys)
{
	const HfS3Options options = {.bucket = fixture_bucket(),
				     .prefix = prefix,
				     .endpoint_url = endpoint ? endpoint : fixture_env("HF_TEST_S3_ENDPOINT"),
				     .part_bytes = 5 * MIB,
				     .copy_part_bytes = 5 * MIB,
				     .tries = 2,
				     .stall_s = 30};
	g_autoptr(GError) error = NULL;
	HfStore *store = hf_s3_open(&options, keys, &error);

	g_assert_no_error(error);
	return store;
}

static GBytes *
put(HfStore *store, const char *key, size_t len)
{
	g_autoptr(GError) error = NULL;
	GBytes *bytes = fixture_bytes(len);

	g_assert_true(fixture_put(store, key, bytes, &error));
	g_assert_no_error(error);
	return bytes;
}

static void
test_sizes(gconstpointer data)
{
	size_t len = GPOINTER_TO_SIZE(data);
	g_autoptr(HfStore) from = open_store(NULL, "from here/a+b", fixture_credentials());
	g_autoptr(HfStore) to = open_store(NULL, "to", fixture_credentials());
	g_autofree char *key = g_strdup_printf("object %zu ü", len);
	g_autoptr(GBytes) bytes = put(from, key, len);
	g_autoptr(GBytes) copy = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_store_can_copy(to, from));
	g_assert_true(hf_store_copy(to, from, key, len, &error));
	g_assert_no_error(error);
	copy = fixture_get(to, key, HF_WHOLE, &error);
	g_assert_no_error(error);
	g_assert_true(g_bytes_equal(bytes, copy));
	g_assert_cmpuint(fixture_uploads(), ==, 0);
}

static void
test_another_key_or_another_server_copies_nothing(void)
{
	g_autoptr(HfStore) store = open_store(NULL, "x", fixture_credentials());
	g_autoptr(HfStore) other = open_store(NULL, "y", fixture_other_credentials());
	g_autoptr(HfStore) elsewhere = open_store("http://127.0.0.1:1", "y", fixture_credentials());

	g_assert_false(hf_store_can_copy(store, other));
	g_assert_false(hf_store_can_copy(store, elsewhere));
}

static void
test_a_size_that_is_not_the_objects_is_seen(void)
{
	g_autoptr(HfStore) from = open_store(NULL, "short", fixture_credentials());
	g_autoptr(HfStore) to = open_store(NULL, "short-copy", fixture_credentials());
	g_autoptr(GError) error = NULL;

	g_bytes_unref(put(from, "k", 1000));
	g_assert_false(hf_store_copy(to, from, "k", 999, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
}

static void
test_a_missing_object_is_not_found(void)
{
	g_autoptr(HfStore) from = open_store(NULL, "none", fixture_credentials());
	g_autoptr(HfStore) to = open_store(NULL, "none-copy", fixture_credentials());
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_store_copy(to, from, "k", 5, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_NOT_FOUND);
}

/* The second of three parts is refused for good: nothing is visible, and no upload stays. */
static void
test_a_part_that_fails_leaves_nothing(void)
{
	const char *proxy = fixture_proxy();
	g_autoptr(HfStore) from = open_store(proxy, "cut", fixture_credentials());
	g_autoptr(HfStore) to = open_store(proxy, "cut-copy", fixture_credentials());
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *keys = NULL;

	fixture_faults("[]");
	bytes = put(from, "k", 11 * MIB);
	fixture_faults("[{\"kind\": \"quota\", \"method\": \"PUT\", \"match\": \"partNumber=2\"}]");
	g_assert_false(hf_store_copy(to, from, "k", 11 * MIB, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_FAILED);
	fixture_faults("[]");
	keys = fixture_keys(to, NULL, NULL, NULL);
	g_assert_cmpstr(keys, ==, "");
	g_assert_cmpuint(fixture_uploads(), ==, 0);
}

/* CopyObject and UploadPartCopy may answer 200 and hold an error (S3 API Reference, "CopyObject"). */
static void
test_an_error_in_a_200_is_tried_again(void)
{
	const char *proxy = fixture_proxy();
	g_autoptr(HfStore) from = open_store(proxy, "again", fixture_credentials());
	g_autoptr(HfStore) to = open_store(proxy, "again-copy", fixture_credentials());
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GBytes) copy = NULL;
	g_autoptr(GError) error = NULL;

	fixture_faults("[]");
	bytes = put(from, "k", 1000);
	fixture_faults("[{\"kind\": \"error-in-200\", \"method\": \"PUT\", \"times\": 1}]");
	g_assert_true(hf_store_copy(to, from, "k", 1000, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(fixture_count("faults"), ==, 1);
	copy = fixture_get(to, "k", HF_WHOLE, &error);
	g_assert_true(g_bytes_equal(bytes, copy));
}

int
main(int argc, char **argv)
{
	static const size_t sizes[] = {0, 1, 5 * MIB, 5 * MIB + 1, 11 * MIB};
	int failed;

	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autofree char *path = g_strdup_printf("/s3/copy/%zu-bytes", sizes[i]);

		g_test_add_data_func(path, GSIZE_TO_POINTER(sizes[i]), test_sizes);
	}
	g_test_add_func("/s3/copy/another-key-or-another-server-copies-nothing",
			test_another_key_or_another_server_copies_nothing);
	g_test_add_func("/s3/copy/a-size-that-is-not-the-objects-is-seen",
			test_a_size_that_is_not_the_objects_is_seen);
	g_test_add_func("/s3/copy/a-missing-object-is-not-found", test_a_missing_object_is_not_found);
	g_test_add_func("/s3/copy/a-part-that-fails-leaves-nothing", test_a_part_that_fails_leaves_nothing);
	g_test_add_func("/s3/copy/an-error-in-a-200-is-tried-again", test_an_error_in_a_200_is_tried_again);
	failed = g_test_run();
	fixture_end();
	return failed;
}
