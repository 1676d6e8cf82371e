#include "config.h"

#include "backup/catalog/image-index.h"
#include "backup/job/backup-images.h"
#include "backup/store/put.h"
#include "backup/stage/sink.h"
#include "common/error.h"
#include "tests/backup/store/s3-fixture.h"

#include <string.h>

/* Bucket to bucket, on the real server: source and backups lie under two prefixes of one bucket. */

#define SMALL_COUNT 300

static const char *const odd_keys[] = {"a",        "a/b",        "a.jpg",        "with space",
				       "p+q%2F&=", "x//y",       "zażółć/ź.png", "Case",
				       "case",     "_escaped/x", "-rf",          "manifest.json"};

static void
put_one(HfPut *put, const char *key, const char *text)
{
	const HfObjectMeta meta = {.content_type = "image/png", .cache_control = "max-age=60"};
	g_autoptr(GBytes) content = g_bytes_new(text, strlen(text));
	GError *error = NULL;

	g_assert_true(hf_put_object(put, key, &meta, content, &error));
	g_assert_no_error(error);
}

static void
fill(HfStore *source)
{
	g_autoptr(HfPut) put = hf_put_new(source, NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(odd_keys); i++)
		put_one(put, odd_keys[i], odd_keys[i]);
	for (int i = 0; i < SMALL_COUNT; i++) {
		g_autofree char *key = g_strdup_printf("many/%04d.jpg", i);

		put_one(put, key, key);
	}
	g_assert_true(hf_put_finish(put, NULL));
}

static HfManifest *
backup(HfStore *source, HfStore *store, const char *skip_prefix)
{
	const HfBackupImages options = {.source = source, .skip_prefix = skip_prefix};
	GError *error = NULL;
	HfManifest *manifest = hf_backup_images(store, &options, &error);

	g_assert_no_error(error);
	return manifest;
}

static void
assert_image(HfStore *store, const HfManifest *manifest, const char *key, const char *text)
{
	GError *error = NULL;
	g_autoptr(HfImage) image = hf_image_index_find(store, manifest, key, &error);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(1 << 20);
	g_autoptr(GBytes) bytes = NULL;

	g_assert_no_error(error);
	g_assert_cmpstr(image->meta.content_type, ==, "image/png");
	g_assert_cmpstr(image->meta.cache_control, ==, "max-age=60");
	g_assert_true(hf_image_read(store, manifest, image, sink, &error));
	g_assert_no_error(error);
	g_assert_true(hf_stage_finish(sink, NULL));
	bytes = hf_sink_bytes_get(sink);
	g_assert_cmpuint(g_bytes_get_size(bytes), ==, strlen(text));
	g_assert_true(memcmp(g_bytes_get_data(bytes, NULL), text, strlen(text)) == 0);
}

static void
assert_all(HfStore *store, const HfManifest *manifest)
{
	g_assert_cmpint(manifest->status, ==, HF_SET_COMPLETE);
	g_assert_cmpuint(manifest->images->objects, ==, SMALL_COUNT + G_N_ELEMENTS(odd_keys));
	for (size_t i = 0; i < G_N_ELEMENTS(odd_keys); i++)
		assert_image(store, manifest, odd_keys[i], odd_keys[i]);
	assert_image(store, manifest, "many/0123.jpg", "many/0123.jpg");
}

static void
test_bucket_to_bucket(void)
{
	HfStore *source = fixture_store(NULL, "images");
	HfStore *store = fixture_store(NULL, "images/backups");
	g_autoptr(HfManifest) first = NULL;
	g_autoptr(HfManifest) second = NULL;
	g_autoptr(HfManifest) third = NULL;

	fill(source);
	first = backup(source, store, "backups/");
	g_assert_cmpuint(first->images->added, ==, SMALL_COUNT + G_N_ELEMENTS(odd_keys));
	assert_all(store, first);
	second = backup(source, store, "backups/");
	g_assert_cmpuint(second->images->unchanged, ==, SMALL_COUNT + G_N_ELEMENTS(odd_keys));
	g_assert_cmpuint(second->images->archives->len, ==, 1);
	g_assert_true(hf_store_remove(source, (const char *const[]){"many/0007.jpg", NULL}, NULL));
	third = backup(source, store, "backups/");
	g_assert_cmpuint(third->images->deleted, ==, 1);
	assert_image(store, third, "Case", "Case");
	hf_store_free(source);
	hf_store_free(store);
}

static void
test_lost_bucket_is_an_error(void)
{
	const HfS3Options options = {.bucket = "no-such-bucket-of-images",
				     .endpoint_url = fixture_env("HF_TEST_S3_ENDPOINT"),
				     .force_path_style = true,
				     .tries = 1};
	HfStore *source = hf_s3_open(&options, fixture_credentials(), NULL);
	HfStore *store = fixture_store(NULL, "lost");
	const HfBackupImages run = {.source = source};
	g_autoptr(GError) error = NULL;
	g_autofree char *keys = NULL;

	g_assert_null(hf_backup_images(store, &run, &error));
	g_assert_nonnull(error);
	keys = fixture_keys(store, NULL, NULL, NULL);
	g_assert_cmpstr(keys, ==, "");
	hf_store_free(source);
	hf_store_free(store);
}

static char *
run_restore(HfStore *store, const HfManifest *manifest, const char *folder)
{
	g_autofree char *name = g_strdup_printf("backup_%s.RESTORE.txt", manifest->id);
	g_autoptr(GBytes) script = fixture_get(store, name, HF_WHOLE, NULL);
	g_autofree char *text = g_strndup(g_bytes_get_data(script, NULL), g_bytes_get_size(script));
	g_autofree char *images = g_build_filename(folder, "images", NULL);
	char *argv[] = {g_strdup("sh"), g_strdup("-c"), g_steal_pointer(&text), NULL};
	g_auto(GStrv) environment = g_get_environ();
	char *output = NULL;
	int status = 0;

	environment = g_environ_setenv(environment, "RESTORE_IMAGES", images, TRUE);
	environment = g_environ_setenv(environment, "AWS_ACCESS_KEY_ID", fixture_env("HF_TEST_S3_ACCESS_KEY"),
				       TRUE);
	environment = g_environ_setenv(environment, "AWS_SECRET_ACCESS_KEY",
				       fixture_env("HF_TEST_S3_SECRET_KEY"), TRUE);
	environment = g_environ_setenv(environment, "AWS_DEFAULT_REGION", "us-east-1", TRUE);
	g_assert_true(g_spawn_sync(NULL, argv, environment, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL,
				   &status, NULL));
	for (size_t i = 0; i < 3; i++)
		g_free(argv[i]);
	g_assert_cmpint(status, ==, 0);
	return output;
}

static void
test_restore_txt_reads_the_bucket(void)
{
	HfStore *source = fixture_store(NULL, "images");
	HfStore *store = fixture_store(NULL, "restored");
	g_autoptr(HfManifest) manifest = backup(source, store, "backups/");
	g_autofree char *folder = g_dir_make_tmp("holdfast-restored-XXXXXX", NULL);
	g_autofree char *output = run_restore(store, manifest, folder);
	g_autofree char *file = g_build_filename(folder, "images", "zażółć", "ź.png", NULL);
	g_autofree char *content = NULL;
	char *argv[] = {g_strdup("rm"), g_strdup("-rf"), g_strdup(folder), NULL};

	g_assert_nonnull(strstr(output, "restored"));
	g_assert_true(g_file_get_contents(file, &content, NULL, NULL));
	g_assert_cmpstr(content, ==, "zażółć/ź.png");
	g_assert_true(
		g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
	for (size_t i = 0; i < 3; i++)
		g_free(argv[i]);
	hf_store_free(source);
	hf_store_free(store);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/images-s3/bucket-to-bucket", test_bucket_to_bucket);
	g_test_add_func("/images-s3/lost-bucket-is-an-error", test_lost_bucket_is_an_error);
	g_test_add_func("/images-s3/restore-txt-reads-the-bucket", test_restore_txt_reads_the_bucket);
	return g_test_run();
}
