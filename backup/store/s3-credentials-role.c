#include "config.h"

#include "backup/store/s3-credentials-impl.h"
#include "backup/store/s3-sign.h"
#include "backup/store/s3-xml.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/file.h"

#include <openssl/crypto.h>
#include <string.h>

/* STS API Reference, "AssumeRoleWithWebIdentity": the bounds of its parameters. */
#define TOKEN_BYTES_MIN 4
#define TOKEN_BYTES_MAX 20000
#define ARN_BYTES_MIN 20
#define ARN_BYTES_MAX 2048
#define SESSION_BYTES_MIN 2
#define SESSION_BYTES_MAX 64
/* "Credentials": no access key is longer. */
#define ACCESS_KEY_BYTES_MAX 128

#define RESULT "AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials/"

struct HfRole {
	char *arn;
	char *token_file;
	char *session_name;
	char *url;
	char *ca_file;
};

/* ---- the settings ---- */

static bool
is_session_letter(char c)
{
	return g_ascii_isalnum(c) || strchr("_+=,.@-", c);
}

/* What a host is called may hold other letters. */
static char *
default_session_name(void)
{
	char *name = g_strdup_printf("holdfast-%s", g_get_host_name());

	for (char *c = name; *c; c++)
		if (!is_session_letter(*c))
			*c = '-';
	if (strlen(name) > SESSION_BYTES_MAX)
		name[SESSION_BYTES_MAX] = '\0';
	return name;
}

static bool
check_session_name(const char *name, GError **error)
{
	size_t len = name ? strlen(name) : SESSION_BYTES_MIN;
	bool is_good = len >= SESSION_BYTES_MIN && len <= SESSION_BYTES_MAX;

	for (const char *c = name; c && *c; c++)
		is_good = is_good && is_session_letter(*c);
	return is_good ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "AWS_ROLE_SESSION_NAME \"%s\": %d to %d letters, digits and =,.@-_+ are wanted",
			    name, SESSION_BYTES_MIN, SESSION_BYTES_MAX);
}

static bool
check_arn(const char *arn, GError **error)
{
	size_t len = strlen(arn);
	bool is_good = g_str_has_prefix(arn, "arn:") && len >= ARN_BYTES_MIN && len <= ARN_BYTES_MAX;

	for (const char *c = arn; *c; c++)
		is_good = is_good && g_ascii_isgraph(*c);
	return is_good ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "AWS_ROLE_ARN \"%.100s\": arn:aws:iam::ACCOUNT:role/NAME is wanted", arn);
}

/* A region's name becomes a part of a host's. */
static bool
check_region(const char *region, GError **error)
{
	for (const char *c = region; *c; c++)
		if (!g_ascii_isalnum(*c) && *c != '-')
			return hf_error_set(error, HF_ERROR_USAGE,
					    "AWS_REGION \"%.100s\" is not a region's name", region);
	return true;
}

/* The token is a bearer's: whoever reads it on its way can take the role. */
static bool
check_endpoint(const char *url, GError **error)
{
	return !url || hf_credentials_is_safe_url(url, NULL) ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "AWS_ENDPOINT_URL_STS \"%s\": https://host[:port] is wanted (http only on this "
			    "machine)",
			    url);
}

HfRole *
hf_role_new(const HfWebIdentity *identity, GError **error)
{
	const char *region = identity->region ? identity->region : "us-east-1";
	HfRole *role;

	if (!check_arn(identity->role_arn, error) || !check_session_name(identity->session_name, error) ||
	    !check_region(region, error) || !check_endpoint(identity->endpoint_url, error))
		return NULL;
	role = g_new0(HfRole, 1);
	role->arn = g_strdup(identity->role_arn);
	role->token_file = g_strdup(identity->token_file);
	role->session_name = identity->session_name ? g_strdup(identity->session_name)
						    : default_session_name();
	/* "AWS STS endpoints": the regional ones, as AWS wants them to be used. */
	role->url = identity->endpoint_url ? g_strdup(identity->endpoint_url)
					   : g_strdup_printf("https://sts.%s.amazonaws.com/", region);
	role->ca_file = g_strdup(identity->ca_file);
	return role;
}

void
hf_role_free(HfRole *role)
{
	if (!role)
		return;
	g_free(role->arn);
	g_free(role->token_file);
	g_free(role->session_name);
	g_free(role->url);
	g_free(role->ca_file);
	g_free(role);
}

/* ---- asking ---- */

/* The request's body, which holds the token: wiped. */
typedef struct {
	char text[4096 + 3 * (ARN_BYTES_MAX + SESSION_BYTES_MAX) + TOKEN_BYTES_MAX];
} Form;

static void
form_free(Form *form)
{
	OPENSSL_cleanse(form, sizeof *form);
	g_free(form);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Form, form_free)

/* A JSON Web Token: nothing in it needs to be encoded (RFC 7515, section 7.1). */
static bool
is_token(const char *text, size_t len)
{
	if (len < TOKEN_BYTES_MIN || len > TOKEN_BYTES_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!g_ascii_isalnum(text[i]) && !strchr("-_.~=", text[i]))
			return false;
	return true;
}

static bool
fill_form(const HfRole *role, const char *token, size_t len, Form *form_out, GError **error)
{
	g_autofree char *arn = hf_s3_sign_escape(role->arn, false);
	g_autofree char *session = hf_s3_sign_escape(role->session_name, false);

	if (!is_token(token, len))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "AWS_WEB_IDENTITY_TOKEN_FILE \"%s\" does not hold a JSON Web Token of up "
				    "to %d letters",
				    role->token_file, TOKEN_BYTES_MAX);
	g_snprintf(form_out->text, sizeof form_out->text,
		   "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=%s&RoleSessionName=%s&"
		   "WebIdentityToken=%.*s",
		   arn, session, (int)len, token);
	return true;
}

/* The file is read anew each time, since it is rotated. */
static bool
read_form(const HfRole *role, Form *form_out, GError **error)
{
	char *token = NULL;
	size_t len = 0, whole;
	g_autoptr(GError) cause = NULL;
	bool is_filled;

	if (!hf_file_read_small(role->token_file, TOKEN_BYTES_MAX + 2, &token, &len,
				&cause)) /* never NOT_FOUND, which would be taken for an object's */
		return hf_error_set(error, HF_ERROR_USAGE, "AWS_WEB_IDENTITY_TOKEN_FILE: %s", cause->message);
	whole = len;
	while (len > 0 && g_ascii_isspace(token[len - 1]))
		len--;
	is_filled = fill_form(role, token, len, form_out, error);
	OPENSSL_cleanse(token, whole);
	g_free(token);
	return is_filled;
}

/* ---- the answer ---- */

typedef struct {
	char access_key[ACCESS_KEY_BYTES_MAX + 1];
	HfSecret *secret, *token;
	int64_t expires_s; /* 0: not said, or not a time */
	bool is_out_of_bounds;
} Keys;

static void
keys_clear(Keys *keys)
{
	hf_secret_free(keys->secret);
	hf_secret_free(keys->token);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Keys, keys_clear)

static void
take_secret(Keys *keys, HfSecret **secret, const char *text)
{
	hf_secret_free(*secret);
	*secret = text[0] ? hf_secret_new(text, strlen(text), "key", NULL) : NULL;
	keys->is_out_of_bounds = keys->is_out_of_bounds || !*secret;
}

static bool
is_access_key(const char *text)
{
	size_t len = strlen(text);

	for (const char *c = text; *c; c++)
		if (!g_ascii_isalnum(*c) && *c != '_' && *c != '-')
			return false;
	return len > 0 && len <= ACCESS_KEY_BYTES_MAX;
}

static void
on_element(const char *path, const char *text, void *data)
{
	Keys *keys = data;

	if (strcmp(path, RESULT "SecretAccessKey") == 0)
		take_secret(keys, &keys->secret, text);
	else if (strcmp(path, RESULT "SessionToken") == 0)
		take_secret(keys, &keys->token, text);
	else if (strcmp(path, RESULT "AccessKeyId") == 0 && is_access_key(text))
		g_strlcpy(keys->access_key, text, sizeof keys->access_key);
	else if (strcmp(path, RESULT "Expiration") == 0) {
		g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, NULL);

		keys->expires_s = time ? g_date_time_to_unix(time) : 0;
	}
}

static bool
take_keys(const HfRole *role, const HfAsked *asked, HfCredentials *credentials, GError **error)
{
	g_auto(Keys) keys = {0};

	if (!hf_s3_xml_parse(asked->text, asked->len, on_element, &keys, error)) {
		g_prefix_error(error, "credentials from %s: ", role->url);
		return false;
	}
	if (!keys.access_key[0] || !keys.secret || !keys.token || keys.expires_s <= 0 ||
	    keys.is_out_of_bounds)
		return hf_error_set(error, HF_ERROR_FAILED, "credentials from %s: the answer is malformed",
				    role->url);
	hf_credentials_set_keys(credentials, keys.access_key, g_steal_pointer(&keys.secret),
				g_steal_pointer(&keys.token));
	credentials->expires_s = keys.expires_s;
	return true;
}

/* STS API Reference, "AssumeRoleWithWebIdentity", "Errors".  What it says in words may quote the token: it is not told. */
static const struct {
	const char *code;
	HfError error;
	const char *text;
} refusals[] = {
	{"AccessDenied", HF_ERROR_DENIED,
	 "the role's trust policy does not let this token take it: check AWS_ROLE_ARN and the policy's "
	 "conditions"},
	{"ExpiredTokenException", HF_ERROR_DENIED,
	 "the token has expired: is what renews AWS_WEB_IDENTITY_TOKEN_FILE running?"},
	{"ExpiredToken", HF_ERROR_DENIED,
	 "the token has expired: is what renews AWS_WEB_IDENTITY_TOKEN_FILE running?"},
	{"IDPCommunicationError", HF_ERROR_TRANSIENT, "the identity provider did not answer"},
	{"IDPRejectedClaim", HF_ERROR_DENIED, "the identity provider does not know this token"},
	{"InvalidIdentityToken", HF_ERROR_DENIED,
	 "the token is not accepted: is its issuer an identity provider of this account (IAM)?"},
	{"RegionDisabledException", HF_ERROR_USAGE,
	 "STS is not enabled in this region: correct AWS_REGION, or set AWS_ENDPOINT_URL_STS"},
	{"ValidationError", HF_ERROR_USAGE, "a parameter is not accepted: check AWS_ROLE_ARN"},
};

static bool
refuse(const HfRole *role, const HfAsked *asked, GError **error)
{
	g_autofree char *code = hf_s3_xml_find(asked->text, asked->len, "ErrorResponse/Error/Code");

	for (size_t i = 0; code && i < G_N_ELEMENTS(refusals); i++)
		if (strcmp(refusals[i].code, code) == 0)
			return hf_error_set(error, refusals[i].error, "role \"%s\" by %s: %s", role->arn,
					    role->url, refusals[i].text);
	if (asked->status >= 500 || asked->status == 429)
		return hf_error_set(error, HF_ERROR_TRANSIENT, "role \"%s\" by %s: no answer (status %ld)",
				    role->arn, role->url, asked->status);
	return hf_error_set(error, HF_ERROR_DENIED, "role \"%s\" by %s: refused with status %ld", role->arn,
			    role->url, asked->status);
}

bool
hf_role_take(const HfRole *role, HfCredentials *credentials, GError **error)
{
	g_autoptr(Form) form = g_new0(Form, 1);
	g_autoptr(HfAsked) asked = g_new0(HfAsked, 1);
	HfAsking asking = {
		.method = "POST",
		.url = role->url,
		.ca_file = role->ca_file,
		.is_remote = true,
	};

	if (!read_form(role, form, error))
		return false;
	asking.body = form->text;
	if (!hf_credentials_ask(&asking, asked))
		return hf_cancel_check(error) &&
		       hf_error_set(error, HF_ERROR_TRANSIENT,
				    "role \"%s\" by %s: no answer: check the network, and "
				    "AWS_ENDPOINT_URL_STS",
				    role->arn, role->url);
	return asked->status == 200 ? take_keys(role, asked, credentials, error) : refuse(role, asked, error);
}
