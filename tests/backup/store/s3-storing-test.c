/* What a bucket is asked for: word by word by a scripted server, and by what the real server makes of it. */
#include "config.h"

#include "backup/catalog/names.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/backup/store/s3-fixture.h"
#include "tests/backup/store/scripted.h"

#include <string.h>

#define ID "2024-01-15_02-00-00"
#define DUMP "database_backup_" ID ".sql.gz"
#define MANIFEST "backup_" ID ".json"
#define CLAIM "backup_" ID ".claim"

static const HfS3StoringOptions everything = {
	.encryption = "aws:kms",
	.kms_key_id = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd",
	.storage_class = "STANDARD_IA",
	.tags = "app=shop, owner = Team A+B ,empty=,sum=1=1",
	.lock_days = 30,
	.lock_mode = "COMPLIANCE",
	.keeping = hf_name_keeping,
};

/* ---- which object gets what ---- */

static const struct {
	const char *key;
	HfKeeping expected;
} keys[] = {
	{DUMP, HF_KEEPING_BULK},
	{"database_backup_" ID ".part0002.sql.zst.age", HF_KEEPING_BULK},
	{"database_backup_" ID ".globals.sql.gz", HF_KEEPING_BULK},
	{"database_backup_" ID ".index.jsonl.gz", HF_KEEPING_SET},
	{"images_backup_" ID ".tar.gz", HF_KEEPING_BULK},
	{"images_backup_" ID ".part0002.tar.gz", HF_KEEPING_BULK},
	{"images_backup_" ID ".index.jsonl.gz", HF_KEEPING_SET},
	{"images_backup_" ID ".index.top.jsonl.gz", HF_KEEPING_SET},
	{"images_backup_" ID ".index.parity", HF_KEEPING_SET},
	{"images_backup_" ID ".references.jsonl.gz", HF_KEEPING_SET},
	{"images_backup_" ID ".dead.gz", HF_KEEPING_SET},
	{MANIFEST, HF_KEEPING_SET},
	{"backup_" ID ".RESTORE.txt", HF_KEEPING_SET},
	{"backup_" ID ".suspect.json", HF_KEEPING_SET},
	{CLAIM, HF_KEEPING_LOOSE},
	{"backup_" ID ".hold.json", HF_KEEPING_LOOSE},
	{"backup_" ID ".level3.json", HF_KEEPING_LOOSE},
	{"backup_" ID ".failed2.json", HF_KEEPING_LOOSE},
	{"backup_" ID ".accepted.json", HF_KEEPING_LOOSE},
	{".holdfast-doctor-1", HF_KEEPING_LOOSE},
	{"", HF_KEEPING_LOOSE},
};

static void
test_what_a_set_needs_is_kept_and_what_comes_and_goes_is_not(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
		g_test_message("%s", keys[i].key);
		g_assert_cmpint(hf_name_keeping(keys[i].key), ==, keys[i].expected);
	}
}

/* ---- settings ---- */

static const struct {
	const char *name;
	HfS3StoringOptions options;
	const char *words; /* NULL: it is taken */
} settings[] = {
	{"nothing", {0}, NULL},
	{"aes256", {.encryption = "AES256"}, NULL},
	{"unknown-encryption", {.encryption = "aes256"}, "one of AES256, aws:kms"},
	{"key-without-kms", {.encryption = "AES256", .kms_key_id = "k"}, "S3_SSE is not aws:kms"},
	{"key-with-a-line-end", {.encryption = "aws:kms", .kms_key_id = "k\r\nX: y"}, "S3_SSE_KMS_KEY_ID"},
	{"unknown-class", {.storage_class = "COLD"}, "one of STANDARD, STANDARD_IA"},
	{"unknown-mode", {.lock_mode = "FOREVER"}, "one of GOVERNANCE, COMPLIANCE"},
	{"ten-tags", {.tags = "a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=10"}, NULL},
	{"eleven-tags", {.tags = "a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=10,k=11"}, "takes 10 at most"},
	{"no-value", {.tags = "a"}, "name=value"},
	{"no-name", {.tags = "=a"}, "1 to 128"},
	{"a-comma-too-many", {.tags = "a=1,"}, "name=value"},
	{"twice", {.tags = "a=1,a=2"}, "twice"},
	{"amazons", {.tags = "AWS:x=1"}, "aws:"},
	{"line-end", {.tags = "a=1\r\nX-Evil: y"}, "are allowed"},
	{"ampersand", {.tags = "a=1&b"}, "are allowed"},
	{"not-utf-8", {.tags = "a=\xff"}, "UTF-8"},
	{"other-letters", {.tags = "Größe=żółć"}, NULL},
};

static void
test_setting(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfS3Storing) storing = hf_s3_storing_new(&settings[i].options, &error);

	g_assert_cmpint(storing != NULL, ==, settings[i].words == NULL);
	if (storing)
		return;
	g_test_message("%s", error->message);
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, settings[i].words));
}

/* Characters count, not bytes. */
static void
test_tags_have_bounds(void)
{
	static const struct {
		int name, value;
		bool is_good;
	} sizes[] = {{128, 256, true}, {129, 1, false}, {1, 257, false}};

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		GString *tags = g_string_new(NULL);
		g_autoptr(HfS3Storing) storing = NULL;

		for (int j = 0; j < sizes[i].name; j++)
			g_string_append(tags, "ż");
		g_string_append_c(tags, '=');
		for (int j = 0; j < sizes[i].value; j++)
			g_string_append(tags, "ż");
		storing = hf_s3_storing_new(&(HfS3StoringOptions){.tags = tags->str}, NULL);
		g_assert_cmpint(storing != NULL, ==, sizes[i].is_good);
		g_string_free(tags, TRUE);
	}
}

/* ---- on the wire ---- */

static char *
answer(const char *request, void *data)
{
	(void)data;
	if (g_str_has_prefix(request, "POST ") && strstr(request, "?uploads= "))
		return g_strdup("200 OK\r\n\r\n<InitiateMultipartUploadResult><UploadId>u1</UploadId>"
				"</InitiateMultipartUploadResult>");
	if (g_str_has_prefix(request, "POST "))
		return g_strdup("200 OK\r\n\r\n<CompleteMultipartUploadResult/>");
	if (g_str_has_prefix(request, "HEAD "))
		return g_strdup("404 No");
	return g_strdup("200 OK\r\nETag: \"e\"");
}

static HfStore *
open_store(const char *endpoint, const char *bucket, const HfS3StoringOptions *options)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfS3Storing) storing = hf_s3_storing_new(options, &error);
	const HfS3Options s3 = {.bucket = bucket,
				.endpoint_url = endpoint,
				.part_bytes = 5 << 20,
				.connections = 1,
				.force_path_style = true,
				.tries = 2,
				.stall_s = 30,
				.storing = storing};
	HfStore *store = hf_s3_open(&s3, fixture_credentials(), &error);

	g_assert_no_error(error);
	return store;
}

static void
assert_header(const char *request, const char *name, const char *expected)
{
	g_autofree char *value = scripted_header(request, name);
	g_autofree char *authorization = scripted_header(request, "authorization");

	g_test_message("%s: %s", name, value);
	g_assert_cmpstr(value, ==, expected);
	/* What is sent is signed: nobody on the way can take a lock off. */
	g_assert_cmpint(strstr(authorization, name) != NULL, ==, expected != NULL);
}

/* The date is so many days away, give or take the test's own time. */
static void
assert_until(const char *request, int64_t days)
{
	g_autofree char *value = scripted_header(request, "x-amz-object-lock-retain-until-date");
	int64_t until_s = 0, expected_s = hf_clock_now_s() + days * 86400;

	g_assert_nonnull(value);
	g_assert_true(hf_clock_parse_rfc3339(value, &until_s));
	g_assert_cmpint(until_s, <=, expected_s);
	g_assert_cmpint(until_s, >=, expected_s - 600);
}

#define SSE "x-amz-server-side-encryption"
#define LOCK "x-amz-object-lock-mode"

static void
assert_encrypted_and_tagged(const char *request)
{
	assert_header(request, SSE, "aws:kms");
	assert_header(request, SSE "-aws-kms-key-id", everything.kms_key_id);
	assert_header(request, "x-amz-tagging", "app=shop&owner=Team%20A%2BB&empty=&sum=1%3D1");
}

static void
test_an_archive_is_sent_with_all_of_it(void)
{
	g_autoptr(Scripted) server = scripted_start(answer, NULL);
	g_autoptr(HfStore) store = open_store(scripted_url(server), "b", &everything);
	g_autoptr(GBytes) bytes = g_bytes_new_static("dump", 4);
	const char *request;

	g_assert_true(fixture_put(store, DUMP, bytes, NULL));
	request = scripted_request(server, 0);
	g_assert_true(g_str_has_prefix(request, "PUT /b/" DUMP " "));
	assert_encrypted_and_tagged(request);
	assert_header(request, "x-amz-storage-class", "STANDARD_IA");
	assert_header(request, LOCK, "COMPLIANCE");
	assert_until(request, 30);
	/* printf dump | openssl md5 -binary | base64 */
	assert_header(request, "content-md5", "ue8WWyVWc93ke/8H9DkPsQ==");
}

static void
test_a_manifest_is_locked_where_it_is_created(void)
{
	g_autoptr(Scripted) server = scripted_start(answer, NULL);
	g_autoptr(HfStore) store = open_store(scripted_url(server), "b", &everything);
	g_autoptr(GBytes) bytes = g_bytes_new_static("dump", 4);
	const char *request;

	g_assert_true(hf_store_create(store, MANIFEST, bytes, NULL));
	request = scripted_request(server, 1);
	g_assert_true(g_str_has_prefix(request, "PUT /b/" MANIFEST " "));
	assert_encrypted_and_tagged(request);
	assert_header(request, "if-none-match", "*");
	assert_header(request, "x-amz-storage-class", NULL);
	assert_header(request, LOCK, "COMPLIANCE");
	assert_until(request, 30);
	assert_header(request, "content-md5", "ue8WWyVWc93ke/8H9DkPsQ==");
}

static void
test_a_claim_is_not_locked(void)
{
	g_autoptr(Scripted) server = scripted_start(answer, NULL);
	g_autoptr(HfStore) store = open_store(scripted_url(server), "b", &everything);
	g_autoptr(GBytes) bytes = g_bytes_new_static("dump", 4);

	g_assert_true(hf_store_create(store, CLAIM, bytes, NULL));
	g_assert_true(hf_store_replace(store, CLAIM, bytes, "e", NULL));
	g_assert_true(fixture_put(store, CLAIM, bytes, NULL));
	for (guint i = 1; i < scripted_count(server); i++) {
		assert_encrypted_and_tagged(scripted_request(server, i));
		assert_header(scripted_request(server, i), LOCK, NULL);
		assert_header(scripted_request(server, i), "x-amz-storage-class", NULL);
		assert_header(scripted_request(server, i), "content-md5", NULL);
	}
	g_assert_cmpuint(scripted_count(server), ==, 4);
}

/* The upload is begun with all of it; each part has its digest, and none of the rest. */
static void
test_a_multipart_upload_is_begun_with_all_of_it(void)
{
	g_autoptr(Scripted) server = scripted_start(answer, NULL);
	g_autoptr(HfStore) store = open_store(scripted_url(server), "b", &everything);
	g_autofree char *text = g_strnfill(6 << 20, 'x');
	g_autoptr(GBytes) bytes = g_bytes_new_static(text, 6 << 20);
	unsigned parts = 0;

	/* The size cannot be asked for here: that it was looked at is what fails. */
	g_assert_false(fixture_put(store, DUMP, bytes, NULL));
	for (guint i = 0; i < scripted_count(server); i++) {
		const char *request = scripted_request(server, i);
		g_autofree char *md5 = scripted_header(request, "content-md5");
		bool is_begin = strstr(request, "?uploads= ") != NULL;
		bool is_part = g_str_has_prefix(request, "PUT ");

		g_assert_cmpint(md5 != NULL, ==, is_part);
		assert_header(request, LOCK, is_begin ? "COMPLIANCE" : NULL);
		assert_header(request, SSE, is_begin ? "aws:kms" : NULL);
		assert_header(request, "x-amz-storage-class", is_begin ? "STANDARD_IA" : NULL);
		if (is_part)
			g_assert_cmpuint(strlen(md5), ==, 24);
		parts += is_part;
	}
	g_assert_cmpuint(parts, ==, 2);
}

/* What is restored goes into somebody else's bucket: nothing is asked of that. */
static void
test_without_it_nothing_is_asked(void)
{
	g_autoptr(Scripted) server = scripted_start(answer, NULL);
	g_autoptr(HfStore) store = open_store(scripted_url(server), "b", &(HfS3StoringOptions){0});
	g_autoptr(GBytes) bytes = g_bytes_new_static("dump", 4);

	g_assert_true(fixture_put(store, DUMP, bytes, NULL));
	for (size_t i = 0; i < 1; i++) {
		assert_header(scripted_request(server, 0), SSE, NULL);
		assert_header(scripted_request(server, 0), LOCK, NULL);
		assert_header(scripted_request(server, 0), "x-amz-tagging", NULL);
		assert_header(scripted_request(server, 0), "x-amz-storage-class", NULL);
		assert_header(scripted_request(server, 0), "content-md5", NULL);
	}
}

/* ---- acceleration ---- */

static const struct {
	const char *name;
	HfS3Options options;
	const char *url, *words;
} places[] = {
	{"aws",
	 {.bucket = "shop-backups", .region = "eu-central-1", .use_accelerate = true},
	 "https://shop-backups.s3-accelerate.amazonaws.com",
	 NULL},
	{"endpoint",
	 {.bucket = "shop-backups", .endpoint_url = "https://minio.example.com", .use_accelerate = true},
	 NULL,
	 "the endpoint is"},
	{"path-style",
	 {.bucket = "shop-backups", .force_path_style = true, .use_accelerate = true},
	 NULL,
	 "S3_FORCE_PATH_STYLE"},
	{"dots", {.bucket = "shop.backups", .use_accelerate = true}, NULL, "host name"},
	{"off",
	 {.bucket = "shop-backups", .region = "eu-central-1"},
	 "https://shop-backups.s3.eu-central-1.amazonaws.com",
	 NULL},
};

static void
test_acceleration(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfS3Client) client = hf_s3_client_new(&places[i].options, fixture_credentials(), &error);

	g_assert_cmpstr(client ? hf_s3_client_url(client) : NULL, ==, places[i].url);
	if (client)
		return;
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, places[i].words));
}

/* ---- the real server ---- */

static char *
lock_bucket(void)
{
	char *name = g_strdup_printf("storing-%08x", g_random_int());

	g_free(fixture_aws("s3api", "create-bucket", "--bucket", name, "--object-lock-enabled-for-bucket",
			   NULL));
	return name;
}

/* Small ones and large ones are locked and tagged; the lock is that of the settings, and a claim has none. */
static void
test_a_real_server_locks_and_tags(void)
{
	g_autofree char *bucket = lock_bucket();
	HfS3StoringOptions options = {.tags = "app=shop,owner=Team A",
				      .lock_days = 1,
				      .lock_mode = "GOVERNANCE",
				      .storage_class = "STANDARD",
				      .keeping = hf_name_keeping};
	g_autoptr(HfStore) store = open_store(fixture_env("HF_TEST_S3_ENDPOINT"), bucket, &options);
	g_autoptr(GBytes) small = fixture_bytes(1000), large = fixture_bytes(11 << 20);
	g_autoptr(GError) error = NULL;
	static const char *const locked[] = {DUMP, "images_backup_" ID ".tar.gz", MANIFEST};
	HfObjectLock lock = {0};

	g_assert_true(fixture_put(store, locked[0], large, &error));
	g_assert_true(fixture_put(store, locked[1], small, &error));
	g_assert_true(hf_store_create(store, locked[2], small, &error));
	g_assert_true(hf_store_create(store, CLAIM, small, &error));
	for (size_t i = 0; i < G_N_ELEMENTS(locked); i++) {
		g_autofree char *tags = fixture_aws("s3api", "get-object-tagging", "--bucket", bucket,
						    "--key", locked[i], "--query",
						    "TagSet[?Key=='owner'].Value", "--output", "text", NULL);

		g_assert_true(hf_store_lock(store, locked[i], &lock, &error));
		g_assert_cmpint(lock.until_s, >, hf_clock_now_s() + 80000);
		g_assert_cmpint(lock.until_s, <=, hf_clock_now_s() + 86400 + 60);
		g_assert_false(lock.is_compliance);
		g_assert_cmpstr(g_strstrip(tags), ==, "Team A");
	}
	g_assert_true(hf_store_lock(store, CLAIM, &lock, &error));
	g_assert_cmpint(lock.until_s, ==, 0);
	g_assert_true(hf_store_remove(store, (const char *const[]){CLAIM, NULL}, &error));
	g_assert_no_error(error);
}

/* A bucket without Object Lock refuses; the error says what is to be done. */
static void
test_a_bucket_without_locks_is_told_about(void)
{
	g_autoptr(HfStore)
		store = open_store(fixture_env("HF_TEST_S3_ENDPOINT"), fixture_bucket(),
				   &(HfS3StoringOptions){.lock_days = 1, .keeping = hf_name_keeping});
	g_autoptr(GBytes) bytes = fixture_bytes(10);
	g_autoptr(GError) error = NULL;

	g_assert_false(fixture_put(store, DUMP, bytes, &error));
	g_test_message("%s", error->message);
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, "S3_OBJECT_LOCK_DAYS"));
}

static void
add_table(const char *prefix, size_t count, const char *(*name)(size_t i), GTestDataFunc test)
{
	for (size_t i = 0; i < count; i++) {
		g_autofree char *path = g_strconcat("/s3-storing/", prefix, "/", name(i), NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test);
	}
}

static const char *
setting_name(size_t i)
{
	return settings[i].name;
}

static const char *
place_name(size_t i)
{
	return places[i].name;
}

int
main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/s3-storing/what-a-set-needs-is-kept-and-what-comes-and-goes-is-not",
			test_what_a_set_needs_is_kept_and_what_comes_and_goes_is_not);
	add_table("setting", G_N_ELEMENTS(settings), setting_name, test_setting);
	g_test_add_func("/s3-storing/tags-have-bounds", test_tags_have_bounds);
	g_test_add_func("/s3-storing/an-archive-is-sent-with-all-of-it",
			test_an_archive_is_sent_with_all_of_it);
	g_test_add_func("/s3-storing/a-manifest-is-locked-where-it-is-created",
			test_a_manifest_is_locked_where_it_is_created);
	g_test_add_func("/s3-storing/a-claim-is-not-locked", test_a_claim_is_not_locked);
	g_test_add_func("/s3-storing/a-multipart-upload-is-begun-with-all-of-it",
			test_a_multipart_upload_is_begun_with_all_of_it);
	g_test_add_func("/s3-storing/without-it-nothing-is-asked", test_without_it_nothing_is_asked);
	add_table("acceleration", G_N_ELEMENTS(places), place_name, test_acceleration);
	g_test_add_func("/s3-storing/a-real-server-locks-and-tags", test_a_real_server_locks_and_tags);
	g_test_add_func("/s3-storing/a-bucket-without-locks-is-told-about",
			test_a_bucket_without_locks_is_told_about);
	status = g_test_run();
	fixture_end();
	return status;
}
