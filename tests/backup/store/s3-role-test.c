/* A role by web identity, against a fake STS: the real one exists in AWS only. */
#include "config.h"

#include "backup/store/s3-credentials.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/backup/store/scripted.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define ARN "arn:aws:iam::123456789012:role/backup"
#define TOKEN "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJiYWNrdXAifQ.c2VjcmV0LXNpZ25hdHVyZQ"

typedef struct {
	int status;        /* 0: the connection is closed without an answer */
	const char *error; /* the code that goes with a status that is not 200 */
	const char *body;  /* NULL: keys that live lifetime_s */
	int64_t lifetime_s;
	unsigned given;
} Sts;

static char *
keys_xml(Sts *sts)
{
	g_autofree char *expiration = hf_clock_rfc3339(hf_clock_now_s() + sts->lifetime_s);

	sts->given++;
	return g_strdup_printf(
		"<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">"
		"<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA%u</AccessKeyId>"
		"<SecretAccessKey>secret/+%u</SecretAccessKey><SessionToken>token==%u</SessionToken>"
		"<Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult>"
		"</AssumeRoleWithWebIdentityResponse>",
		sts->given, sts->given, sts->given, expiration);
}

static char *
answer(const char *request, void *data)
{
	Sts *sts = data;
	g_autofree char *keys = NULL;

	(void)request;
	if (sts->status == 0)
		return NULL;
	if (sts->status != 200)
		return g_strdup_printf(
			"%d X\r\n\r\n<ErrorResponse><Error><Code>%s</Code><Message>token " TOKEN
			"</Message></Error></ErrorResponse>",
			sts->status, sts->error ? sts->error : "Other");
	keys = sts->body ? g_strdup(sts->body) : keys_xml(sts);
	return g_strdup_printf("200 OK\r\nContent-Type: text/xml\r\n\r\n%s", keys);
}

/* A token's file, a fake STS, and the credentials that use both. */
typedef struct {
	char *token_file;
	Sts sts;
	Scripted *server;
	HfCredentials *credentials;
} World;

static void
write_token(const World *world, const char *text)
{
	g_assert_true(g_file_set_contents(world->token_file, text, -1, NULL));
}

static World *
world_new(void)
{
	World *world = g_new0(World, 1);
	g_autoptr(GError) error = NULL;
	HfWebIdentity identity = {.role_arn = ARN, .session_name = "nightly@db1"};
	int fd = g_file_open_tmp("holdfast-token-XXXXXX", &world->token_file, NULL);

	close(fd);
	write_token(world, TOKEN "\n");
	world->sts = (Sts){.status = 200, .lifetime_s = 3600};
	world->server = scripted_start(answer, &world->sts);
	identity.token_file = world->token_file;
	identity.endpoint_url = scripted_url(world->server);
	world->credentials = hf_credentials_web_identity(&identity, &error);
	g_assert_no_error(error);
	return world;
}

static void
world_free(World *world)
{
	hf_credentials_free(world->credentials);
	scripted_stop(world->server);
	g_unlink(world->token_file);
	g_free(world->token_file);
	g_free(world);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

static void
test_a_role_is_taken_by_an_unsigned_post(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;
	g_autofree char *type = NULL, *authorization = NULL;
	HfAccessKey key;

	g_assert_cmpuint(scripted_count(world->server), ==, 0);
	g_assert_true(hf_credentials_get(world->credentials, &key, &error));
	g_assert_cmpstr(key.access_key, ==, "ASIA1");
	g_assert_cmpstr(hf_secret_bytes(key.secret_key), ==, "secret/+1");
	g_assert_cmpstr(hf_secret_bytes(key.session_token), ==, "token==1");
	g_assert_true(g_str_has_prefix(scripted_request(world->server, 0), "POST / HTTP/1.1\r\n"));
	type = scripted_header(scripted_request(world->server, 0), "content-type");
	g_assert_cmpstr(type, ==, "application/x-www-form-urlencoded");
	authorization = scripted_header(scripted_request(world->server, 0), "authorization");
	g_assert_null(authorization);
	g_assert_cmpstr(
		scripted_body(scripted_request(world->server, 0)), ==,
		"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&"
		"RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fbackup&RoleSessionName=nightly%40db1&"
		"WebIdentityToken=" TOKEN);
}

/* The token in the file is another one by the time that the keys are renewed. */
static void
test_it_is_taken_again_before_its_end_with_the_token_of_then(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	world->sts.lifetime_s = 310;
	g_assert_true(hf_credentials_get(world->credentials, &key, &error));
	g_assert_true(hf_credentials_get(world->credentials, &key, &error));
	g_assert_cmpuint(scripted_count(world->server), ==, 1);
	world->sts.lifetime_s = 290;
	hf_credentials_free(g_steal_pointer(&world->credentials));
	world->credentials = hf_credentials_web_identity(
		&(HfWebIdentity){.role_arn = ARN,
				 .token_file = world->token_file,
				 .endpoint_url = scripted_url(world->server)},
		&error);
	g_assert_true(hf_credentials_get(world->credentials, &key, &error));
	write_token(world, "eyJuZXciOjF9.e30.eA");
	g_assert_true(hf_credentials_get(world->credentials, &key, &error));
	g_assert_cmpuint(scripted_count(world->server), ==, 3);
	g_assert_true(g_str_has_suffix(scripted_request(world->server, 2),
				       "&WebIdentityToken=eyJuZXciOjF9.e30.eA"));
	g_assert_cmpstr(key.access_key, ==, "ASIA3");
}

static void
test_good_keys_outlast_an_outage(void)
{
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	world->sts.lifetime_s = 200;
	g_assert_true(hf_credentials_get(world->credentials, &key, &error));
	world->sts.status = 500;
	g_assert_true(hf_credentials_get(world->credentials, &key, &error));
	g_assert_cmpstr(key.access_key, ==, "ASIA1");
	g_assert_cmpuint(scripted_count(world->server), ==, 2);
}

/* ---- what may go wrong ---- */

#define XML(inside) \
	"<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>" inside \
	"</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
#define KEY "<AccessKeyId>ASIA1</AccessKeyId>"
#define SECRET "<SecretAccessKey>planted-secret</SecretAccessKey>"
#define SESSION "<SessionToken>planted-token</SessionToken>"
#define END "<Expiration>2099-01-01T00:00:00Z</Expiration>"

static const struct {
	const char *name;
	int status;
	const char *error, *body;
	HfError expected;
	const char *words;
} faults[] = {
	{"hangs-up", 0, NULL, NULL, HF_ERROR_TRANSIENT, "no answer"},
	{"fails", 500, "InternalFailure", NULL, HF_ERROR_TRANSIENT, "status 500"},
	{"is-busy", 429, "Throttling", NULL, HF_ERROR_TRANSIENT, "status 429"},
	{"provider-is-away", 400, "IDPCommunicationError", NULL, HF_ERROR_TRANSIENT, "identity provider"},
	{"forbidden", 403, "AccessDenied", NULL, HF_ERROR_DENIED, "trust policy"},
	{"token-expired", 400, "ExpiredTokenException", NULL, HF_ERROR_DENIED, "expired"},
	{"token-unknown", 400, "InvalidIdentityToken", NULL, HF_ERROR_DENIED,
	 "identity provider of this account"},
	{"region-disabled", 403, "RegionDisabledException", NULL, HF_ERROR_USAGE, "AWS_REGION"},
	{"refused-otherwise", 418, "Teapot", NULL, HF_ERROR_DENIED, "status 418"},
	{"empty", 200, NULL, "", HF_ERROR_TRANSIENT, "XML"},
	{"not-xml", 200, NULL, "{\"AccessKeyId\":\"x\"}", HF_ERROR_TRANSIENT, "XML"},
	{"cut", 200, NULL, "<AssumeRoleWithWebIdentityResponse><Assume", HF_ERROR_TRANSIENT, "XML"},
	{"another-document", 200, NULL, "<html><body>login</body></html>", HF_ERROR_FAILED, "malformed"},
	{"no-key", 200, NULL, XML(SECRET SESSION END), HF_ERROR_FAILED, "malformed"},
	{"no-secret", 200, NULL, XML(KEY SESSION END), HF_ERROR_FAILED, "malformed"},
	{"empty-secret", 200, NULL, XML(KEY "<SecretAccessKey></SecretAccessKey>" SESSION END),
	 HF_ERROR_FAILED, "malformed"},
	{"no-session-token", 200, NULL, XML(KEY SECRET END), HF_ERROR_FAILED, "malformed"},
	{"no-end", 200, NULL, XML(KEY SECRET SESSION), HF_ERROR_FAILED, "malformed"},
	{"end-is-no-time", 200, NULL, XML(KEY SECRET SESSION "<Expiration>soon</Expiration>"),
	 HF_ERROR_FAILED, "malformed"},
	{"key-would-be-a-header", 200, NULL,
	 XML("<AccessKeyId>A&#13;&#10;X: y</AccessKeyId>" SECRET SESSION END), HF_ERROR_FAILED, "malformed"},
	{"elsewhere-in-the-document", 200, NULL, "<Credentials>" KEY SECRET SESSION END "</Credentials>",
	 HF_ERROR_FAILED, "malformed"},
};

static void
test_fault(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(World) world = world_new();
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	world->sts = (Sts){.status = faults[i].status, .error = faults[i].error, .body = faults[i].body};
	g_assert_false(hf_credentials_get(world->credentials, &key, &error));
	g_test_message("%s", error->message);
	g_assert_error(error, HF_ERROR, (int)faults[i].expected);
	g_assert_nonnull(strstr(error->message, faults[i].words));
	g_assert_null(strstr(error->message, "planted"));
	g_assert_null(strstr(error->message, "eyJ"));
}

static void
test_an_endless_answer_is_not_read(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *fill = g_strnfill(100000, ' ');
	g_autofree char *body = g_strconcat(fill, XML(KEY SECRET SESSION END), NULL);
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	world->sts.body = body;
	g_assert_false(hf_credentials_get(world->credentials, &key, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_TRANSIENT);
}

static void
test_a_session_token_that_is_too_long_is_refused(void)
{
	g_autoptr(World) world = world_new();
	g_autofree char *fill = g_strnfill(HF_SECRET_BYTES_MAX + 1, 'x');
	g_autofree char *body = g_strconcat(
		"<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>" KEY SECRET
			END "<SessionToken>",
		fill,
		"</SessionToken></Credentials></AssumeRoleWithWebIdentityResult>"
		"</AssumeRoleWithWebIdentityResponse>",
		NULL);
	g_autoptr(GError) error = NULL;
	HfAccessKey key;

	world->sts.body = body;
	g_assert_false(hf_credentials_get(world->credentials, &key, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_FAILED);
}

/* None of them reaches the network, and none is taken for an object that is not there. */
static void
test_a_token_that_is_none_is_not_sent(void)
{
	static const char *const tokens[] = {"",       "\n",    "abc", "two words", "a&Action=Other",
					     "a\r\nb", "%41bcd"};
	g_autoptr(World) world = world_new();
	g_autofree char *large = g_strnfill(20001, 'x');
	HfAccessKey key;

	for (size_t i = 0; i <= G_N_ELEMENTS(tokens) + 1; i++) {
		g_autoptr(GError) error = NULL;

		if (i < G_N_ELEMENTS(tokens))
			write_token(world, tokens[i]);
		else if (i == G_N_ELEMENTS(tokens))
			write_token(world, large);
		else
			g_unlink(world->token_file);
		g_assert_false(hf_credentials_get(world->credentials, &key, &error));
		g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
		g_assert_nonnull(strstr(error->message, "AWS_WEB_IDENTITY_TOKEN_FILE"));
		g_assert_null(strstr(error->message, "two words"));
	}
	g_assert_cmpuint(scripted_count(world->server), ==, 0);
}

/* ---- settings ---- */

static const struct {
	const char *name;
	HfWebIdentity identity;
	const char *word; /* NULL: it is taken */
} settings[] = {
	{"good", {ARN, "/t", "a.b-c@d_e=f,g+h", "eu-central-1", NULL, NULL}, NULL},
	{"https-elsewhere", {ARN, "/t", NULL, NULL, "https://sts.example.com", NULL}, NULL},
	{"http-elsewhere", {ARN, "/t", NULL, NULL, "http://sts.example.com", NULL}, "AWS_ENDPOINT_URL_STS"},
	{"no-url", {ARN, "/t", NULL, NULL, "sts", NULL}, "AWS_ENDPOINT_URL_STS"},
	{"file-url", {ARN, "/t", NULL, NULL, "file:///etc/passwd", NULL}, "AWS_ENDPOINT_URL_STS"},
	{"no-arn", {"backup", "/t", NULL, NULL, NULL, NULL}, "AWS_ROLE_ARN"},
	{"arn-with-a-blank",
	 {"arn:aws:iam::123456789012:role/a b", "/t", NULL, NULL, NULL, NULL},
	 "AWS_ROLE_ARN"},
	{"short-session", {ARN, "/t", "x", NULL, NULL, NULL}, "AWS_ROLE_SESSION_NAME"},
	{"session-with-a-slash", {ARN, "/t", "a/b", NULL, NULL, NULL}, "AWS_ROLE_SESSION_NAME"},
	{"long-session",
	 {ARN, "/t", "01234567890123456789012345678901234567890123456789012345678901234", NULL, NULL, NULL},
	 "AWS_ROLE_SESSION_NAME"},
	{"region-that-is-a-host", {ARN, "/t", NULL, "evil.example.com/", NULL, NULL}, "AWS_REGION"},
};

static void
test_setting(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(GError) error = NULL;
	g_autoptr(HfCredentials) credentials = hf_credentials_web_identity(&settings[i].identity, &error);

	g_assert_cmpint(credentials != NULL, ==, settings[i].word == NULL);
	if (credentials)
		return;
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, settings[i].word));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/s3-role/a-role-is-taken-by-an-unsigned-post",
			test_a_role_is_taken_by_an_unsigned_post);
	g_test_add_func("/s3-role/it-is-taken-again-before-its-end-with-the-token-of-then",
			test_it_is_taken_again_before_its_end_with_the_token_of_then);
	g_test_add_func("/s3-role/good-keys-outlast-an-outage", test_good_keys_outlast_an_outage);
	for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
		g_autofree char *path = g_strconcat("/s3-role/fault/", faults[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_fault);
	}
	g_test_add_func("/s3-role/an-endless-answer-is-not-read", test_an_endless_answer_is_not_read);
	g_test_add_func("/s3-role/a-session-token-that-is-too-long-is-refused",
			test_a_session_token_that_is_too_long_is_refused);
	g_test_add_func("/s3-role/a-token-that-is-none-is-not-sent", test_a_token_that_is_none_is_not_sent);
	for (size_t i = 0; i < G_N_ELEMENTS(settings); i++) {
		g_autofree char *path = g_strconcat("/s3-role/setting/", settings[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_setting);
	}
	return g_test_run();
}
