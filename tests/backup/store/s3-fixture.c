#include "config.h"

#include "tests/backup/store/s3-fixture.h"
#include "backup/stage/sink.h"
#include "common/error.h"
#include "common/json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static GPid proxy;
static char *proxy_url;

const char *
fixture_env(const char *name)
{
	const char *value = getenv(name);

	if (!value || !value[0]) {
		printf("Bail out! %s is not set: tests/run.sh sets it\n", name);
		exit(1);
	}
	return value;
}

static HfCredentials *
credentials(const char *key_name, const char *secret_name)
{
	const char *text = fixture_env(secret_name);
	g_autoptr(HfSecret) secret = hf_secret_new(text, strlen(text), secret_name, NULL);

	return hf_credentials_fixed(fixture_env(key_name), secret, NULL);
}

HfCredentials *
fixture_credentials(void)
{
	return credentials("HF_TEST_S3_ACCESS_KEY", "HF_TEST_S3_SECRET_KEY");
}

HfCredentials *
fixture_other_credentials(void)
{
	return credentials("HF_TEST_S3_OTHER_ACCESS_KEY", "HF_TEST_S3_OTHER_SECRET_KEY");
}

const char *
fixture_bucket(void)
{
	static char name[64];

	if (!name[0]) {
		HfS3Options options = {.bucket = name, .endpoint_url = fixture_env("HF_TEST_S3_ENDPOINT")};
		g_autoptr(HfS3Client) client = NULL;
		g_auto(HfS3Reply) reply = {0};
		HfS3Request request = {.method = "PUT"};
		g_autoptr(GError) error = NULL;

		g_snprintf(name, sizeof name, "test-%d-%08x", (int)getpid(), g_random_int());
		client = hf_s3_client_new(&options, fixture_credentials(), &error);
		g_assert_no_error(error);
		g_assert_true(hf_s3_perform(client, &request, &reply, &error));
	}
	return name;
}

HfStore *
fixture_store(const char *endpoint, const char *prefix)
{
	return fixture_store_stalling(endpoint, prefix, 30);
}

HfStore *
fixture_store_stalling(const char *endpoint, const char *prefix, unsigned stall_s)
{
	HfS3Options options = {.bucket = fixture_bucket(),
			       .prefix = prefix,
			       .endpoint_url = endpoint ? endpoint : fixture_env("HF_TEST_S3_ENDPOINT"),
			       .part_bytes = 5 << 20,
			       .connections = 3,
			       .tries = 4,
			       .stall_s = stall_s};
	g_autoptr(GError) error = NULL;
	HfStore *store = hf_s3_open(&options, fixture_credentials(), &error);

	g_assert_no_error(error);
	return store;
}

static char *
run(GPtrArray *arguments, char **environment)
{
	g_autofree char *errors = NULL;
	char *output = NULL;
	int status;

	g_ptr_array_add(arguments, NULL);
	g_assert_true(g_spawn_sync(NULL, (char **)arguments->pdata, environment, G_SPAWN_SEARCH_PATH, NULL,
				   NULL, &output, &errors, &status, NULL));
	if (status != 0)
		g_test_message("%s", errors);
	g_assert_cmpint(status, ==, 0);
	return output;
}

char *
fixture_aws(const char *first, ...)
{
	g_autoptr(GPtrArray) arguments = g_ptr_array_new();
	g_auto(GStrv) environment = g_get_environ();
	va_list rest;

	environment = g_environ_setenv(environment, "AWS_ACCESS_KEY_ID", fixture_env("HF_TEST_S3_ACCESS_KEY"),
				       1);
	environment = g_environ_setenv(environment, "AWS_SECRET_ACCESS_KEY",
				       fixture_env("HF_TEST_S3_SECRET_KEY"), 1);
	environment = g_environ_setenv(environment, "AWS_DEFAULT_REGION", "us-east-1", 1);
	environment = g_environ_setenv(environment, "AWS_EC2_METADATA_DISABLED", "true", 1);
	/* A sanitizer's run-time library is for us, not for Python. */
	environment = g_environ_unsetenv(environment, "LD_PRELOAD");
	g_ptr_array_add(arguments, (gpointer)(uintptr_t) "aws");
	g_ptr_array_add(arguments, (gpointer)(uintptr_t) "--endpoint-url");
	g_ptr_array_add(arguments, (gpointer)(uintptr_t)fixture_env("HF_TEST_S3_ENDPOINT"));
	va_start(rest, first);
	for (const char *argument = first; argument; argument = va_arg(rest, const char *))
		g_ptr_array_add(arguments, (gpointer)(uintptr_t)argument);
	va_end(rest);
	return run(arguments, environment);
}

GBytes *
fixture_bytes(size_t len)
{
	uint32_t *words = g_malloc(len + sizeof *words);

	for (size_t i = 0; i <= len / sizeof *words; i++)
		words[i] = (uint32_t)i * 2654435761u; /* Knuth's multiplier: no word comes twice */
	return g_bytes_new_take(words, len);
}

bool
fixture_put(HfStore *store, const char *key, GBytes *bytes, GError **error)
{
	g_autoptr(HfStage) stage = hf_store_write(store, key, NULL, error);
	size_t len;
	const char *data = g_bytes_get_data(bytes, &len);

	if (!stage)
		return false;
	for (size_t at = 0; at < len; at += 100000)
		if (!hf_stage_write(stage, data + at, MIN(len - at, 100000), error))
			return false;
	return hf_stage_finish(stage, error);
}

GBytes *
fixture_get(HfStore *store, const char *key, HfRange range, GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(64 << 20);

	if (!hf_store_read(store, key, range, sink, error) || !hf_stage_finish(sink, error))
		return NULL;
	return hf_sink_bytes_get(sink);
}

char *
fixture_keys(HfStore *store, const char *prefix, const char *start_after, GError **error)
{
	g_autoptr(HfListing) listing = hf_store_list(store, prefix, start_after, error);
	g_autoptr(GString) keys = g_string_new(NULL);
	const HfObject *object = NULL;

	while (listing) {
		if (!hf_listing_next(listing, &object, error))
			return NULL;
		if (!object)
			return g_strdup(keys->str);
		g_string_append_printf(keys, "%s%s", keys->len ? "\n" : "", object->key);
	}
	return NULL;
}

unsigned
fixture_uploads(void)
{
	g_autofree char *listed = fixture_aws("s3api", "list-multipart-uploads", "--bucket", fixture_bucket(),
					      "--query", "length(Uploads || `[]`)", "--output", "text", NULL);

	return (unsigned)g_ascii_strtoull(listed, NULL, 10);
}

const char *
fixture_proxy(void)
{
	char *argv[] = {(char[]){HF_SRCDIR "/tests/lib/faultproxy.py"}, (char[]){"--to"},
			g_strdup(fixture_env("HF_TEST_S3_ENDPOINT")), NULL};
	char line[64] = "";
	FILE *out;
	int fd;

	if (!proxy_url) {
		g_assert_true(g_spawn_async_with_pipes(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
						       NULL, &proxy, NULL, &fd, NULL, NULL));
		out = fdopen(fd, "r");
		g_assert_nonnull(fgets(line, sizeof line, out));
		fclose(out);
		proxy_url = g_strdup(g_strstrip(line));
	}
	g_free(argv[2]);
	return proxy_url;
}

static size_t
gather(char *bytes, size_t size, size_t len, void *data)
{
	(void)size;
	g_string_append_len(data, bytes, (gssize)len);
	return len;
}

static char *
tell_proxy(const char *method, const char *body)
{
	CURL *curl = curl_easy_init();
	GString *answer = g_string_new(NULL);
	long status = 0;

	curl_easy_setopt(curl, CURLOPT_URL, fixture_proxy());
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, gather);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	g_assert_cmpint(curl_easy_perform(curl), ==, CURLE_OK);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	g_assert_cmpint(status, ==, 200);
	curl_easy_cleanup(curl);
	return g_string_free(answer, FALSE);
}

void
fixture_faults(const char *json)
{
	g_free(tell_proxy("FAULTS", json));
}

unsigned
fixture_count(const char *method)
{
	g_autofree char *text = tell_proxy("COUNTS", "");
	g_autoptr(HfJson) counts = hf_json_parse(text, strlen(text), NULL);
	uint64_t count = 0;
	struct json_object *member = NULL;

	g_assert_nonnull(counts);
	if (json_object_object_get_ex(counts, method, &member))
		count = json_object_get_uint64(member);
	return (unsigned)count;
}

void
fixture_wait(const char *method, unsigned count)
{
	while (fixture_count(method) < count)
		g_usleep(5000);
}

void
fixture_end(void)
{
	if (!proxy_url)
		return;
	kill(proxy, SIGTERM);
	waitpid(proxy, NULL, 0);
	g_spawn_close_pid(proxy);
	g_clear_pointer(&proxy_url, g_free);
}
