/* The credentials' chain against a small fake of the metadata services: the real ones exist in AWS only. */
#include "config.h"

#include "backup/store/s3-credentials.h"
#include "common/clock.h"
#include "common/error.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	int fd;
	unsigned port;
	GMutex lock;
	int status;         /* 0: the connection is closed without an answer */
	int64_t lifetime_s; /* of the keys that are given */
	unsigned keys_given;
	GString *asked; /* the requests' first lines, each followed by a token that it carried */
} fake = {.fd = -1};

static const char *
header_value(const char *request, const char *name)
{
	const char *at = strstr(request, name);

	return at ? at + strlen(name) : "";
}

static char *
keys_json(void)
{
	g_autofree char *expiration = hf_clock_rfc3339(hf_clock_now_s() + fake.lifetime_s);

	return g_strdup_printf(
		"{\"Code\":\"Success\",\"AccessKeyId\":\"AKID%u\",\"SecretAccessKey\":\"secret%u\","
		"\"Token\":\"token%u\",\"Expiration\":\"%s\"}",
		fake.keys_given, fake.keys_given, fake.keys_given, expiration);
}

static char *
answer_to(const char *request)
{
	static const char roles[] = "GET /latest/meta-data/iam/security-credentials/ ";

	if (g_str_has_prefix(request, "PUT /latest/api/token ") &&
	    strstr(request, "x-aws-ec2-metadata-token-ttl-seconds: 21600"))
		return g_strdup("session-token");
	if (g_str_has_prefix(request, roles))
		return g_strdup("role-of-backup\n");
	fake.keys_given++;
	return keys_json();
}

static void
serve_one(int fd)
{
	char request[4096];
	ssize_t len = read(fd, request, sizeof request - 1);
	g_autofree char *body = NULL, *reply = NULL;

	if (len <= 0)
		return;
	request[len] = '\0';
	g_mutex_lock(&fake.lock);
	g_string_append_len(fake.asked, request, (gssize)strcspn(request, "\r"));
	g_string_append_printf(fake.asked, " [%.13s%.6s]\n",
			       header_value(request, "x-aws-ec2-metadata-token: "),
			       header_value(request, "Authorization: "));
	if (fake.status != 0) {
		body = fake.status == 200 ? answer_to(request) : g_strdup("no");
		reply = g_strdup_printf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
					fake.status, strlen(body), body);
		(void)!write(fd, reply, strlen(reply));
	}
	g_mutex_unlock(&fake.lock);
}

static gpointer
serve(gpointer data)
{
	int fd;

	while ((fd = accept(fake.fd, NULL, NULL)) >= 0) {
		serve_one(fd);
		close(fd);
	}
	return data;
}

static GThread *
start_fake(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;

	fake.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fake.asked = g_string_new(NULL);
	g_assert_cmpint(bind(fake.fd, (struct sockaddr *)&address, len), ==, 0);
	g_assert_cmpint(listen(fake.fd, 8), ==, 0);
	g_assert_cmpint(getsockname(fake.fd, (struct sockaddr *)&address, &len), ==, 0);
	fake.port = ntohs(address.sin_port);
	return g_thread_new("fake", serve, NULL);
}

static void
stop_fake(GThread *thread)
{
	shutdown(fake.fd, SHUT_RDWR);
	g_thread_join(thread);
	close(fake.fd);
	g_string_free(fake.asked, TRUE);
}

/* Points one variable of the chain at the fake, and clears the others. */
static void
set_fake(const char *variable, const char *path, int status, int64_t lifetime_s)
{
	static const char *const variables[] = {
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN",      "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT",      "AWS_EC2_METADATA_DISABLED"};
	g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u%s", fake.port, path);

	for (size_t i = 0; i < G_N_ELEMENTS(variables); i++)
		g_unsetenv(variables[i]);
	g_setenv(variable, url, TRUE);
	g_mutex_lock(&fake.lock);
	fake.status = status;
	fake.lifetime_s = lifetime_s;
	fake.keys_given = 0;
	g_string_truncate(fake.asked, 0);
	g_mutex_unlock(&fake.lock);
}

static void
set_status(int status)
{
	g_mutex_lock(&fake.lock);
	fake.status = status;
	g_mutex_unlock(&fake.lock);
}

#define INSTANCE "AWS_EC2_METADATA_SERVICE_ENDPOINT"
#define CONTAINER "AWS_CONTAINER_CREDENTIALS_FULL_URI"

static void
test_the_instance_is_asked_in_version_2(void)
{
	g_autoptr(HfCredentials) credentials = hf_credentials_discover();
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	set_fake(INSTANCE, "/", 200, 3600);
	g_assert_true(hf_credentials_get(credentials, &key, &error));
	g_assert_cmpstr(key.access_key, ==, "AKID1");
	g_assert_cmpstr(hf_secret_bytes(key.secret_key), ==, "secret1");
	g_assert_cmpstr(hf_secret_bytes(key.session_token), ==, "token1");
	g_assert_cmpstr(
		fake.asked->str, ==,
		"PUT /latest/api/token HTTP/1.1 []\n"
		"GET /latest/meta-data/iam/security-credentials/ HTTP/1.1 [session-token]\n"
		"GET /latest/meta-data/iam/security-credentials/role-of-backup HTTP/1.1 [session-token]\n");
}

static void
test_keys_are_kept_until_five_minutes_before_their_end(void)
{
	static const struct {
		int64_t lifetime_s;
		unsigned given;
	} cases[] = {{3600, 1}, {310, 1}, {290, 2}, {1, 2}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(HfCredentials) credentials = hf_credentials_discover();
		HfAccessKey key;

		set_fake(INSTANCE, "", 200, cases[i].lifetime_s);
		g_assert_true(hf_credentials_get(credentials, &key, NULL));
		g_assert_true(hf_credentials_get(credentials, &key, NULL));
		g_assert_cmpuint(fake.keys_given, ==, cases[i].given);
	}
}

static void
test_old_keys_outlast_an_outage(void)
{
	g_autoptr(HfCredentials) credentials = hf_credentials_discover();
	g_autoptr(HfCredentials) expired = hf_credentials_discover();
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	set_fake(INSTANCE, "", 200, 200);
	g_assert_true(hf_credentials_get(credentials, &key, NULL));
	set_status(500);
	g_assert_true(hf_credentials_get(credentials, &key, &error));
	g_assert_cmpstr(key.access_key, ==, "AKID1");
	set_fake(INSTANCE, "", 200, -1);
	g_assert_true(hf_credentials_get(expired, &key, NULL));
	set_status(500);
	g_assert_false(hf_credentials_get(expired, &key, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_TRANSIENT);
}

static void
test_a_container_is_asked_with_its_token(void)
{
	g_autoptr(HfCredentials) credentials = hf_credentials_discover();
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	set_fake(CONTAINER, "/v2/keys", 200, 3600);
	g_setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "passme", TRUE);
	g_assert_true(hf_credentials_get(credentials, &key, &error));
	g_assert_cmpstr(key.access_key, ==, "AKID1");
	g_assert_cmpstr(fake.asked->str, ==, "GET /v2/keys HTTP/1.1 [passme]\n");
}

static const struct {
	const char *name, *variable;
	int status;
	HfError expected;
	const char *words;
} failures[] = {
	{"instance-without-role", INSTANCE, 404, HF_ERROR_DENIED, "AWS_ACCESS_KEY_ID"},
	{"instance-fails", INSTANCE, 500, HF_ERROR_TRANSIENT, "no answer"},
	{"nobody-answers", INSTANCE, 0, HF_ERROR_DENIED, "AWS_SECRET_ACCESS_KEY"},
	{"container-refuses", CONTAINER, 403, HF_ERROR_DENIED, "refused"},
	{"container-hangs-up", CONTAINER, 0, HF_ERROR_TRANSIENT, "no answer"},
};

static void
test_failure(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfCredentials) credentials = hf_credentials_discover();
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	set_fake(failures[i].variable, "", failures[i].status, 3600);
	g_assert_false(hf_credentials_get(credentials, &key, &error));
	g_assert_error(error, HF_ERROR, (int)failures[i].expected);
	g_assert_nonnull(strstr(error->message, failures[i].words));
}

static void
test_a_foreign_host_never_gets_the_token(void)
{
	g_autoptr(HfCredentials) credentials = hf_credentials_discover();
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	set_fake(CONTAINER, "", 200, 3600);
	g_setenv(CONTAINER, "http://192.0.2.1/keys", TRUE);
	g_assert_false(hf_credentials_get(credentials, &key, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
}

static void
test_fixed_keys_ask_nobody(void)
{
	g_autoptr(HfSecret) secret = hf_secret_new("s", 1, "secret", NULL);
	g_autoptr(HfCredentials) credentials = hf_credentials_fixed("AKID", secret, NULL);
	HfAccessKey key;

	set_fake(INSTANCE, "", 200, 3600);
	g_assert_true(hf_credentials_get(credentials, &key, NULL));
	g_assert_cmpstr(key.access_key, ==, "AKID");
	g_assert_null(key.session_token);
	g_assert_cmpstr(fake.asked->str, ==, "");
}

int
main(int argc, char **argv)
{
	GThread *thread = start_fake();
	int status;

	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/s3-credentials/the-instance-is-asked-in-version-2",
			test_the_instance_is_asked_in_version_2);
	g_test_add_func("/s3-credentials/keys-are-kept-until-five-minutes-before-their-end",
			test_keys_are_kept_until_five_minutes_before_their_end);
	g_test_add_func("/s3-credentials/old-keys-outlast-an-outage", test_old_keys_outlast_an_outage);
	g_test_add_func("/s3-credentials/a-container-is-asked-with-its-token",
			test_a_container_is_asked_with_its_token);
	for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
		g_autofree char *path = g_strconcat("/s3-credentials/failure/", failures[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_failure);
	}
	g_test_add_func("/s3-credentials/a-foreign-host-never-gets-the-token",
			test_a_foreign_host_never_gets_the_token);
	g_test_add_func("/s3-credentials/fixed-keys-ask-nobody", test_fixed_keys_ask_nobody);
	status = g_test_run();
	stop_fake(thread);
	return status;
}
