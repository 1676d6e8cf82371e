#include "config.h"

#include "backup/store/s3-credentials-impl.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/json.h"

#include <openssl/crypto.h>
#include <string.h>

/* AWS SDKs Reference Guide, "IMDS credential provider": the address, and the longest life of its token. */
#define INSTANCE_URL "http://169.254.169.254"
#define INSTANCE_TOKEN_TTL "x-aws-ec2-metadata-token-ttl-seconds: 21600"
/* "Container credential provider": where the relative address leads. */
#define CONTAINER_URL "http://169.254.170.2"
/* Fetched again so long before the end, so that a request that is signed now is still good when it arrives. */
#define REFRESH_BEFORE_S 300

void
hf_credentials_set_keys(HfCredentials *credentials, const char *access_key, HfSecret *secret_key,
			HfSecret *session_token)
{
	g_free(credentials->access_key);
	hf_secret_free(credentials->secret_key);
	hf_secret_free(credentials->session_token);
	credentials->access_key = g_strdup(access_key);
	credentials->secret_key = secret_key;
	credentials->session_token = session_token;
}

HfCredentials *
hf_credentials_fixed(const char *access_key, const HfSecret *secret_key, const HfSecret *session_token)
{
	HfCredentials *credentials = g_new0(HfCredentials, 1);

	credentials->is_fixed = true;
	hf_credentials_set_keys(credentials, access_key, hf_secret_copy(secret_key),
				hf_secret_copy(session_token));
	return credentials;
}

HfCredentials *
hf_credentials_discover(void)
{
	return g_new0(HfCredentials, 1);
}

HfCredentials *
hf_credentials_web_identity(const HfWebIdentity *identity, GError **error)
{
	HfRole *role = hf_role_new(identity, error);
	HfCredentials *credentials;

	if (!role)
		return NULL;
	credentials = g_new0(HfCredentials, 1);
	credentials->role = role;
	return credentials;
}

void
hf_credentials_free(HfCredentials *credentials)
{
	if (!credentials)
		return;
	hf_credentials_set_keys(credentials, NULL, NULL, NULL);
	hf_role_free(credentials->role);
	g_free(credentials->access_key);
	g_free(credentials);
}

static struct curl_slist *
header_line(const char *name, const char *value)
{
	size_t len = strlen(name) + strlen(value) + 3;
	char *line = g_malloc(len);
	struct curl_slist *header;

	g_snprintf(line, len, "%s: %s", name, value);
	header = curl_slist_append(NULL, line);
	OPENSSL_cleanse(line, len);
	g_free(line);
	return header;
}

/* What is asked of this machine. */
static bool
ask(const char *method, const char *url, struct curl_slist *header, long *status_out, HfAsked *asked_out)
{
	const HfAsking asking = {.method = method, .url = url, .header = header};

	bool is_answered = hf_credentials_ask(&asking, asked_out);

	*status_out = asked_out->status;
	return is_answered;
}

/* {"AccessKeyId":..., "SecretAccessKey":..., "Token":..., "Expiration":...}, the same from both services. */
static bool
take_keys(HfCredentials *credentials, const HfAsked *body, const char *url, GError **error)
{
	const char *access_key, *secret_key, *token, *expiration;
	g_autoptr(HfSecret) secret = NULL, session = NULL;
	g_autoptr(HfJson) json = hf_json_parse(body->text, body->len, NULL);
	int64_t expires_s = 0;

	if (!json || !hf_json_get_text(json, "AccessKeyId", &access_key, NULL) ||
	    !hf_json_get_text(json, "SecretAccessKey", &secret_key, NULL) ||
	    !hf_json_find_text(json, "Token", &token, NULL) ||
	    !hf_json_find_text(json, "Expiration", &expiration, NULL) ||
	    (expiration && !hf_clock_parse_rfc3339(expiration, &expires_s)))
		return hf_error_set(error, HF_ERROR_FAILED, "credentials from %s: the answer is malformed",
				    url);
	secret = hf_secret_new(secret_key, strlen(secret_key), "SecretAccessKey", error);
	if (!secret)
		return false;
	if (token) {
		session = hf_secret_new(token, strlen(token), "Token", error);
		if (!session)
			return false;
	}
	hf_credentials_set_keys(credentials, access_key, g_steal_pointer(&secret), g_steal_pointer(&session));
	credentials->expires_s = expires_s;
	return true;
}

static bool
set_no_answer(const char *url, long status, GError **error)
{
	return hf_error_set(error, HF_ERROR_TRANSIENT, "credentials from %s: no answer (status %ld)", url,
			    status);
}

/*
 * A container's address may be given by whoever sets the environment; the token goes there.  Only https, this machine,
 * and the addresses of ECS and EKS are taken (AWS SDKs Reference Guide, "Container credential provider").
 */
static const char *const container_hosts[] = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", NULL};

/* The line for Authorization, or NULL where none is set.  The file is read anew each time, since EKS rotates it. */
static bool
container_authorization(struct curl_slist **header_out, GError **error)
{
	const char *token = g_getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	const char *path = g_getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	char *text = NULL;
	size_t len = 0;

	*header_out = NULL;
	if (!path || !path[0]) {
		*header_out = token && token[0] ? header_line("Authorization", token) : NULL;
		return true;
	}
	if (!g_file_get_contents(path, &text, &len, NULL))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE \"%s\" cannot be read", path);
	g_strchomp(text);
	*header_out = header_line("Authorization", text);
	OPENSSL_cleanse(text, len);
	g_free(text);
	return true;
}

static bool
from_container(HfCredentials *credentials, const char *url, GError **error)
{
	g_autoptr(HfAsked) body = g_new0(HfAsked, 1);
	struct curl_slist *header;
	long status = 0;

	if (!hf_credentials_is_safe_url(url, container_hosts))
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"AWS_CONTAINER_CREDENTIALS_FULL_URI \"%s\" is neither https nor this machine", url);
	if (!container_authorization(&header, error))
		return false;
	if (!ask("GET", url, header, &status, body) || status >= 500 || status == 429)
		return hf_cancel_check(error) && set_no_answer(url, status, error);
	if (status != 200)
		return hf_error_set(error, HF_ERROR_DENIED, "credentials from %s: refused with status %ld",
				    url, status);
	return take_keys(credentials, body, url, error);
}

/* DENIED where there is no such service, or it has no role to give. */
static bool
set_nobody(GError **error)
{
	return hf_error_set(
		error, HF_ERROR_DENIED,
		"no credentials for S3: neither a container's endpoint nor the instance's metadata "
		"service gives any: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
}

static bool
ask_instance(const char *base, const char *path, const HfAsked *token, HfAsked *body_out, GError **error)
{
	g_autofree char *url = g_strconcat(base, path, NULL);
	long status = 0;

	if (!ask("GET", url, header_line("x-aws-ec2-metadata-token", token->text), &status, body_out) ||
	    status >= 500 || status == 429)
		return hf_cancel_check(error) && set_no_answer(url, status, error);
	return status == 200 || set_nobody(error);
}

static bool
from_instance(HfCredentials *credentials, GError **error)
{
	const char *given = g_getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
	g_autofree char *base = g_strdup(given && given[0] ? given : INSTANCE_URL);
	g_autofree char *token_url = NULL, *role_path = NULL;
	g_autoptr(HfAsked) token = g_new0(HfAsked, 1), body = g_new0(HfAsked, 1);
	long status = 0;

	if (g_str_has_suffix(base, "/"))
		base[strlen(base) - 1] = '\0';
	token_url = g_strconcat(base, "/latest/api/token", NULL);
	if (!ask("PUT", token_url, curl_slist_append(NULL, INSTANCE_TOKEN_TTL), &status, token))
		return hf_cancel_check(error) && set_nobody(error);
	if (status >= 500 || status == 429)
		return set_no_answer(token_url, status, error);
	if (status != 200 || token->len == 0)
		return set_nobody(error);
	if (!ask_instance(base, "/latest/meta-data/iam/security-credentials/", token, body, error))
		return false;
	body->text[strcspn(body->text, "\r\n")] = '\0';
	if (!body->text[0])
		return set_nobody(error);
	role_path = g_strconcat("/latest/meta-data/iam/security-credentials/", body->text, NULL);
	return ask_instance(base, role_path, token, body, error) && take_keys(credentials, body, base, error);
}

static bool
discover(HfCredentials *credentials, GError **error)
{
	const char *relative = g_getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = g_getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	const char *is_disabled = g_getenv("AWS_EC2_METADATA_DISABLED");

	if (credentials->role)
		return hf_role_take(credentials->role, credentials, error);
	if (relative && relative[0]) {
		g_autofree char *url = g_strconcat(CONTAINER_URL, relative, NULL);

		return from_container(credentials, url, error);
	}
	if (full && full[0])
		return from_container(credentials, full, error);
	if (is_disabled && g_ascii_strcasecmp(is_disabled, "true") == 0)
		return set_nobody(error);
	return from_instance(credentials, error);
}

bool
hf_credentials_get(HfCredentials *credentials, HfAccessKey *key_out, GError **error)
{
	g_autoptr(GError) cause = NULL;
	int64_t now_s = hf_clock_now_s();
	bool is_stale = !credentials->is_fixed &&
			(!credentials->access_key ||
			 (credentials->expires_s != 0 && now_s >= credentials->expires_s - REFRESH_BEFORE_S));

	/* While the old keys are still good, a service that is briefly away is no reason to fail. */
	if (is_stale && !discover(credentials, &cause) &&
	    (!credentials->access_key || now_s >= credentials->expires_s)) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	*key_out = (HfAccessKey){credentials->access_key, credentials->secret_key,
				 credentials->session_token};
	return true;
}
