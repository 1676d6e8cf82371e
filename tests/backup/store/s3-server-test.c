/* The S3 store against a real server. */
#include "config.h"

#include "tests/backup/store/s3-fixture.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <glib/gstdio.h>
#include <string.h>

static void
test_what_is_written_is_read(gconstpointer data)
{
	size_t len = GPOINTER_TO_SIZE(data);
	g_autoptr(HfStore) store = fixture_store(NULL, "sizes");
	g_autofree char *key = g_strdup_printf("object-%zu", len);
	g_autoptr(GBytes) bytes = fixture_bytes(len);
	g_autoptr(GBytes) read = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(fixture_put(store, key, bytes, &error));
	read = fixture_get(store, key, HF_WHOLE, &error);
	g_assert_no_error(error);
	g_assert_true(g_bytes_equal(read, bytes));
	g_assert_cmpuint(fixture_uploads(), ==, 0);
}

static void
test_ranges(void)
{
	static const struct {
		uint64_t offset, length;
		bool is_inside;
	} cases[] = {
		{0, 10, true},           {990, 10, true},   {990, HF_TO_END, true}, {5, 0, true},
		{1000, HF_TO_END, true}, {1000, 0, true},   {990, 11, false},       {1001, HF_TO_END, false},
		{1001, 0, false},        {2000, 10, false},
	};
	g_autoptr(HfStore) store = fixture_store(NULL, NULL);
	g_autoptr(GBytes) bytes = fixture_bytes(1000);

	g_assert_true(fixture_put(store, "ranged", bytes, NULL));
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		HfRange range = {cases[i].offset, cases[i].length};
		g_autoptr(GError) error = NULL;
		g_autoptr(GBytes) read = fixture_get(store, "ranged", range, &error);
		size_t len = MIN(range.length, 1000 - MIN(range.offset, 1000));

		if (!cases[i].is_inside) {
			g_assert_null(read);
			g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
			continue;
		}
		g_assert_no_error(error);
		g_autoptr(GBytes) expected = g_bytes_new_from_bytes(bytes, range.offset, len);
		g_assert_true(g_bytes_equal(read, expected));
	}
}

static const char *const odd_keys[] = {
	"/leading",
	"a b",
	"a%20b",
	"a+b",
	"a//b",
	"a/../b",
	"quote'\"<&>",
	"tab\there",
	"umlaut-\xc3\xa4",
	"\xe6\x97\xa5\xe6\x9c\xac.jpg",
	"~tilde",
	"?query#hash",
	"a/",
	"a.jpg",
	"a/b.jpg",
	"back\\slash",
	"$@!*(),;=:",
	NULL,
};

static void
test_odd_keys_are_listed_and_read_as_written(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "odd");
	g_autofree char *ours = NULL;
	g_autofree char *theirs = NULL;
	g_auto(GStrv) listed = NULL;
	g_autoptr(GError) error = NULL;

	for (const char *const *key = odd_keys; *key; key++) {
		g_autoptr(GBytes) bytes = g_bytes_new(*key, strlen(*key));
		g_autoptr(GBytes) read = NULL;

		g_assert_true(fixture_put(store, *key, bytes, &error));
		read = fixture_get(store, *key, HF_WHOLE, &error);
		g_assert_no_error(error);
		g_assert_true(g_bytes_equal(read, bytes));
	}
	ours = fixture_keys(store, NULL, NULL, &error);
	g_assert_no_error(error);
	listed = g_strsplit(ours, "\n", -1);
	g_assert_cmpuint(g_strv_length(listed), ==, G_N_ELEMENTS(odd_keys) - 1);
	for (size_t i = 1; listed[i]; i++)
		g_assert_cmpint(strcmp(listed[i - 1], listed[i]), <, 0);
	theirs = fixture_aws("s3api", "list-objects-v2", "--bucket", fixture_bucket(), "--prefix", "odd/",
			     "--query", "join('\n', Contents[].Key)", "--output", "text", NULL);
	g_autofree char *prefixed = g_strconcat("odd/", ours, "\n", NULL);
	g_auto(GStrv) pieces = g_strsplit(prefixed, "\n", -1);
	g_autofree char *expected = g_strjoinv("\nodd/", pieces);
	expected[strlen(expected) - strlen("odd/")] = '\0';
	g_assert_cmpstr(theirs, ==, expected);
	g_assert_true(hf_store_remove(store, odd_keys, &error));
	g_autofree char *left = fixture_keys(store, NULL, NULL, &error);
	g_assert_cmpstr(left, ==, "");
}

static void
test_awscli_reads_what_was_written_in_parts(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, NULL);
	g_autoptr(GBytes) bytes = fixture_bytes((11 << 20) - 4);
	g_autofree char *source = g_strdup_printf("s3://%s/for aws+cli", fixture_bucket());
	g_autofree char *path = g_build_filename(g_get_tmp_dir(), "holdfast-s3-XXXXXX", NULL);
	g_autofree char *content = NULL;
	gsize len;
	int fd = g_mkstemp(path);

	g_assert_cmpint(fd, >=, 0);
	g_assert_true(fixture_put(store, "for aws+cli", bytes, NULL));
	g_free(fixture_aws("s3", "cp", "--quiet", source, path, NULL));
	g_assert_true(g_file_get_contents(path, &content, &len, NULL));
	g_close(fd, NULL);
	g_unlink(path);
	g_autoptr(GBytes) copied = g_bytes_new(content, len);
	g_assert_true(g_bytes_equal(copied, bytes));
}

static void
test_listing_pages_and_starts_after(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "many");
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GBytes) bytes = g_bytes_new_static("x", 1);
	g_autoptr(GError) error = NULL;

	for (unsigned i = 0; i < 1005; i++) {
		g_ptr_array_add(keys, g_strdup_printf("key-%04u", i));
		g_assert_true(fixture_put(store, keys->pdata[i], bytes, NULL));
	}
	g_ptr_array_add(keys, NULL);
	g_autofree char *all = fixture_keys(store, "key-", NULL, &error);
	g_autofree char *expected = g_strjoinv("\n", (char **)keys->pdata);
	g_assert_cmpstr(all, ==, expected);
	g_autofree char *after = fixture_keys(store, "key-1", "key-1002", &error);
	g_assert_cmpstr(after, ==, "key-1003\nkey-1004");
	g_assert_true(hf_store_remove(store, (const char *const *)keys->pdata, &error));
	g_autofree char *none = fixture_keys(store, NULL, NULL, &error);
	g_assert_cmpstr(none, ==, "");
}

static void
test_create_and_replace_hold_their_condition(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "lease");
	g_autoptr(GBytes) one = g_bytes_new_static("one", 3), two = g_bytes_new_static("two", 3);
	g_autoptr(HfListing) listing = NULL;
	const HfObject *object;
	g_autofree char *etag = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_store_create(store, "it", one, &error));
	g_assert_false(hf_store_create(store, "it", two, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
	g_clear_error(&error);
	listing = hf_store_list(store, "it", NULL, &error);
	g_assert_true(hf_listing_next(listing, &object, &error));
	etag = g_strdup(object->etag);
	g_assert_null(strchr(etag, '"'));
	g_assert_true(hf_store_replace(store, "it", two, etag, &error));
	g_assert_no_error(error);
	g_assert_false(hf_store_replace(store, "it", one, etag, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
	g_clear_error(&error);
	g_autoptr(GBytes) read = fixture_get(store, "it", HF_WHOLE, &error);
	g_assert_true(g_bytes_equal(read, two));
}

static void
test_get_gives_the_etag_that_replace_wants(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, "got");
	g_autoptr(GBytes) one = g_bytes_new_static("one", 3);
	g_autoptr(GBytes) two = g_bytes_new_static("two", 3);
	g_autoptr(GBytes) read = NULL;
	g_autofree char *etag = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_store_get(store, "it", 100, &read, &etag, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_true(hf_store_create(store, "it", one, &error));
	g_assert_false(hf_store_get(store, "it", 2, &read, &etag, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
	g_clear_error(&error);
	g_assert_true(hf_store_get(store, "it", 3, &read, &etag, &error));
	g_assert_true(g_bytes_equal(read, one));
	g_assert_true(hf_store_replace(store, "it", two, etag, &error));
	g_assert_false(hf_store_replace(store, "it", one, etag, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CONFLICT);
}

static void
test_free_without_finish_leaves_nothing(void)
{
	static const size_t lengths[] = {100, 12 << 20};
	g_autoptr(HfStore) store = fixture_store(NULL, "discarded");

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		g_autoptr(HfStage) stage = hf_store_write(store, "x", NULL, NULL);
		g_autoptr(GBytes) bytes = fixture_bytes(lengths[i]);

		g_assert_true(hf_stage_write(stage, g_bytes_get_data(bytes, NULL), lengths[i], NULL));
	}
	g_autofree char *keys = fixture_keys(store, NULL, NULL, NULL);
	g_assert_cmpstr(keys, ==, "");
	g_assert_cmpuint(fixture_uploads(), ==, 0);
}

static void
test_metadata_is_stored(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, NULL);
	g_autoptr(GHashTable) user = g_hash_table_new(g_str_hash, g_str_equal);
	HfObjectMeta meta = {.content_type = "image/jpeg", .cache_control = "no-store", .user = user};
	g_autoptr(HfStage) stage = NULL;
	g_autoptr(GError) error = NULL;

	g_hash_table_insert(user, (gpointer)(uintptr_t) "Owner", (gpointer)(uintptr_t) "me  and  you");
	stage = hf_store_write(store, "with-meta", &meta, &error);
	g_assert_true(hf_stage_write(stage, "x", 1, &error) && hf_stage_finish(stage, &error));
	g_autofree char *head = fixture_aws(
		"s3api", "head-object", "--bucket", fixture_bucket(), "--key", "with-meta", "--query",
		"[ContentType, CacheControl, Metadata.owner]", "--output", "text", NULL);
	g_assert_cmpstr(head, ==, "image/jpeg\tno-store\tme  and  you\n");
	meta.content_type = "a\r\nx-evil: 1";
	g_assert_null(hf_store_write(store, "with-meta", &meta, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
}

static void
test_a_missing_object_is_not_found(void)
{
	static const char *const keys[] = {"never-was", NULL};
	g_autoptr(HfStore) store = fixture_store(NULL, NULL);
	g_autoptr(GError) error = NULL;

	g_assert_null(fixture_get(store, "never-was", HF_WHOLE, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_NOT_FOUND);
	g_assert_nonnull(strstr(error->message, "never-was"));
	g_clear_error(&error);
	g_assert_true(hf_store_remove(store, keys, &error));
}

static void
test_tls_with_a_private_ca(void)
{
	HfS3Options options = {.bucket = fixture_bucket(),
			       .endpoint_url = fixture_env("HF_TEST_S3_TLS_ENDPOINT"),
			       .ca_file = fixture_env("HF_TEST_S3_CA")};
	g_autoptr(HfStore) trusting = hf_s3_open(&options, fixture_credentials(), NULL);
	g_autoptr(GBytes) bytes = fixture_bytes(100);
	g_autoptr(GError) error = NULL;

	g_assert_true(fixture_put(trusting, "over-tls", bytes, &error));
	options.ca_file = NULL;
	g_autoptr(HfStore) store = hf_s3_open(&options, fixture_credentials(), NULL);
	g_assert_false(fixture_put(store, "over-tls", bytes, &error));
	g_assert_nonnull(strstr(error->message, "AWS_CA_BUNDLE"));
	g_clear_error(&error);
	options.ca_file = "/nonexistent.pem";
	g_autoptr(HfStore) other = hf_s3_open(&options, fixture_credentials(), NULL);
	g_assert_false(fixture_put(other, "over-tls", bytes, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
}

static void
test_virtual_host(void)
{
	const char *port = strrchr(fixture_env("HF_TEST_S3_ENDPOINT"), ':');
	g_autofree char *endpoint = g_strconcat("http://s3.localhost", port, NULL);
	g_autoptr(HfStore) store = fixture_store(endpoint, NULL);
	g_autoptr(GBytes) bytes = g_bytes_new_static("v", 1);
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(strncmp(hf_s3_client_url(((HfS3 *)store)->client), "http://test-", 12), ==, 0);
	g_assert_true(fixture_put(store, "virtual/hosted key", bytes, &error));
	g_autofree char *keys = fixture_keys(store, "virtual/", NULL, &error);
	g_assert_cmpstr(keys, ==, "virtual/hosted key");
}

static void
test_a_wrong_clock_is_learnt(void)
{
	g_autoptr(HfStore) store = fixture_store(NULL, NULL);
	HfS3Client *client = ((HfS3 *)store)->client;
	g_autoptr(GBytes) bytes = fixture_bytes(12 << 20);
	g_autoptr(GError) error = NULL;

	hf_s3_client_set_skew(client, -7200);
	g_assert_true(fixture_put(store, "skewed", bytes, &error));
	g_assert_cmpint(ABS(hf_s3_client_skew(client)), <, 5);
}

typedef struct {
	const char *name;
	const char *bucket; /* NULL: ours */
	bool is_other, is_wrong_secret, is_unknown_key;
	const char *endpoint;
	HfError expected;
	const char *words;
} Refused;

static const Refused refusals[] = {
	{"bucket-missing", "no-such-bucket-here", .expected = HF_ERROR_USAGE, .words = "S3_BACKUP_BUCKET"},
	{"access-denied", .is_other = true, .expected = HF_ERROR_DENIED, .words = "access denied"},
	{"secret-wrong", .is_wrong_secret = true, .expected = HF_ERROR_USAGE,
	 .words = "AWS_SECRET_ACCESS_KEY"},
	{"key-unknown", .is_unknown_key = true, .expected = HF_ERROR_USAGE, .words = "AWS_ACCESS_KEY_ID"},
	{"nobody-listens", .endpoint = "http://127.0.0.1:1", .expected = HF_ERROR_TRANSIENT,
	 .words = "AWS_ENDPOINT_URL"},
	{"host-unknown", .endpoint = "http://no-such-host.invalid", .expected = HF_ERROR_TRANSIENT,
	 .words = "no-such-host.invalid"},
};

static void
test_refusal(gconstpointer data)
{
	const Refused *refused = data;
	HfS3Options options = {.bucket = refused->bucket ? refused->bucket : fixture_bucket(),
			       .endpoint_url = refused->endpoint ? refused->endpoint
								 : fixture_env("HF_TEST_S3_ENDPOINT"),
			       .part_bytes = 5 << 20,
			       .tries = 2};
	g_autoptr(HfSecret) wrong = hf_secret_new("wrong-secret", 12, "secret", NULL);
	HfCredentials *credentials = refused->is_other ? fixture_other_credentials()
				     : refused->is_wrong_secret
					     ? hf_credentials_fixed(fixture_env("HF_TEST_S3_ACCESS_KEY"),
								    wrong, NULL)
				     : refused->is_unknown_key ? hf_credentials_fixed("NOBODY", wrong, NULL)
							       : fixture_credentials();
	g_autoptr(HfStore) store = hf_s3_open(&options, credentials, NULL);
	static const size_t lengths[] = {100, 12 << 20};

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		g_autoptr(GBytes) bytes = fixture_bytes(lengths[i]);
		g_autoptr(GError) error = NULL;

		g_assert_false(fixture_put(store, "x", bytes, &error));
		g_test_message("%s", error->message);
		g_assert_error(error, HF_ERROR, (int)refused->expected);
		g_assert_nonnull(strstr(error->message, refused->words));
		g_assert_null(strstr(error->message, "wrong-secret"));
	}
	g_autoptr(GError) error = NULL;
	g_autofree char *keys = fixture_keys(store, NULL, NULL, &error);
	g_assert_error(error, HF_ERROR, (int)refused->expected);
}

static void
test_options_out_of_bounds_are_refused(void)
{
	static const struct {
		HfS3Options options;
		const char *words;
	} cases[] = {
		{{.bucket = ""}, "S3_BACKUP_BUCKET"},
		{{.bucket = "b", .endpoint_url = "ftp://x"}, "AWS_ENDPOINT_URL"},
		{{.bucket = "b", .prefix = "/p"}, "S3_BACKUP_PREFIX"},
		{{.bucket = "b", .part_bytes = 1 << 20}, "5 MiB"},
		{{.bucket = "b", .connections = 1000}, "connections"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_assert_null(hf_s3_open(&cases[i].options, fixture_credentials(), &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
		g_assert_nonnull(strstr(error->message, cases[i].words));
	}
}

static void
add_sizes(void)
{
	static const size_t lengths[] = {0, 1, 5 << 20, (5 << 20) + 1, 10 << 20, (32 << 20) + 7};

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		g_autofree char *path = g_strdup_printf("/s3/what-is-written-is-read/%zu-bytes", lengths[i]);

		g_test_add_data_func(path, GSIZE_TO_POINTER(lengths[i]), test_what_is_written_is_read);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
		g_autofree char *path = g_strconcat("/s3/refusal-names-the-remedy/", refusals[i].name, NULL);

		g_test_add_data_func(path, &refusals[i], test_refusal);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	add_sizes();
	g_test_add_func("/s3/ranges", test_ranges);
	g_test_add_func("/s3/odd-keys-are-listed-and-read-as-written",
			test_odd_keys_are_listed_and_read_as_written);
	g_test_add_func("/s3/awscli-reads-what-was-written-in-parts",
			test_awscli_reads_what_was_written_in_parts);
	g_test_add_func("/s3/listing-pages-and-starts-after", test_listing_pages_and_starts_after);
	g_test_add_func("/s3/create-and-replace-hold-their-condition",
			test_create_and_replace_hold_their_condition);
	g_test_add_func("/s3/get-gives-the-etag-that-replace-wants",
			test_get_gives_the_etag_that_replace_wants);
	g_test_add_func("/s3/free-without-finish-leaves-nothing", test_free_without_finish_leaves_nothing);
	g_test_add_func("/s3/metadata-is-stored", test_metadata_is_stored);
	g_test_add_func("/s3/a-missing-object-is-not-found", test_a_missing_object_is_not_found);
	g_test_add_func("/s3/tls-with-a-private-ca", test_tls_with_a_private_ca);
	g_test_add_func("/s3/virtual-host", test_virtual_host);
	g_test_add_func("/s3/a-wrong-clock-is-learnt", test_a_wrong_clock_is_learnt);
	g_test_add_func("/s3/options-out-of-bounds-are-refused", test_options_out_of_bounds_are_refused);
	return g_test_run();
}
