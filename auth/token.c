#include "config.h"

#include "auth/token.h"
#include "auth/base64url.h"
#include "common/error.h"

#include <openssl/err.h>
#include <string.h>

static bool
refuse(GError **error, const char *why)
{
	return hf_error_set(error, HF_ERROR_DENIED, "%s", why);
}

static json_t *
parse_object(const char *text, size_t len)
{
	size_t bytes_len = 0;
	g_autofree unsigned char *bytes = hf_base64url_decode(text, len, &bytes_len);
	g_autoptr(json_t) object = NULL;

	if (!bytes)
		return NULL;
	object = json_loadb((const char *)bytes, bytes_len, JSON_REJECT_DUPLICATES, NULL);
	return json_is_object(object) ? g_steal_pointer(&object) : NULL;
}

/* Finds the two dots; every part must be the one spelling of its bytes. */
static bool
split(HfToken *token, size_t len, GError **error)
{
	const char *text = token->text;
	const char *first = strchr(text, '.');
	const char *second = first ? strchr(first + 1, '.') : NULL;
	size_t signature_len = 0;
	g_autofree unsigned char *signature = NULL;

	if (!second || strchr(second + 1, '.'))
		return refuse(error, "the token is not one of three parts with a dot between them");
	token->payload_at = (size_t)(first + 1 - text);
	token->payload_len = (size_t)(second - first - 1);
	signature = hf_base64url_decode(second + 1, len - (size_t)(second + 1 - text), &signature_len);
	return signature || refuse(error, "the token's signature is not base64url");
}

static bool
read_algorithm(HfToken *token, GError **error)
{
	const char *name = hf_jansson_text(token->header, "alg");

	if (!name)
		return refuse(error, "the token's header does not name its algorithm");
	if (g_ascii_strcasecmp(name, "none") == 0)
		return refuse(error, "the token is not signed (alg \"none\")");
	token->algorithm = hf_algorithm_find(name);
	return token->algorithm || refuse(error, "the token's algorithm is not one that is accepted");
}

static bool
read_header(HfToken *token, GError **error)
{
	json_t *kid, *type;

	token->header = parse_object(token->text, token->payload_at - 1);
	if (!token->header)
		return refuse(error, "the token's header is not a JSON object, or has a member twice");
	if (hf_jansson_member(token->header, "crit"))
		return refuse(error, "the token's header wants something that is not understood (crit)");
	/* libjwt takes no other type. */
	type = hf_jansson_member(token->header, "typ");
	if (type && (!json_is_string(type) || g_ascii_strcasecmp(json_string_value(type), "JWT") != 0))
		return refuse(error, "the token's type (typ) is not \"JWT\"");
	kid = hf_jansson_member(token->header, "kid");
	if (kid && !json_is_string(kid))
		return refuse(error, "the token's key id (kid) is not text");
	token->kid = json_string_value(kid);
	return read_algorithm(token, error);
}

bool
hf_token_parse(HfToken *token, const char *text, size_t len, GError **error)
{
	*token = (HfToken){0};
	if (len > HF_TOKEN_BYTES_MAX)
		return hf_error_set(error, HF_ERROR_DENIED, "the token has more than %zu bytes",
				    HF_TOKEN_BYTES_MAX);
	if (memchr(text, 0, len))
		return refuse(error, "the token holds a NUL");
	token->text = g_strndup(text, len);
	return split(token, len, error) && read_header(token, error);
}

bool
hf_token_is_signed_by(const HfToken *token, const HfKey *key)
{
	jwt_t *jwt = NULL;
	bool is_good;

	/* With an empty key libjwt would check nothing. */
	g_assert(key->len > 0 && key->len <= G_MAXINT && hf_key_fits(key, token->algorithm));
	is_good = jwt_decode(&jwt, token->text, key->bytes, (int)key->len) == 0 &&
		  jwt_get_alg(jwt) == token->algorithm->jwt;
	jwt_free(jwt);
	ERR_clear_error();
	return is_good;
}

json_t *
hf_token_claims(const HfToken *token, GError **error)
{
	json_t *claims = parse_object(token->text + token->payload_at, token->payload_len);

	if (!claims)
		refuse(error, "the token's claims are not a JSON object, or have a member twice");
	return claims;
}

void
hf_token_clear(HfToken *token)
{
	g_free(token->text);
	json_decref(token->header);
	*token = (HfToken){0};
}
