#include "config.h"

#include "auth/jwks.h"
#include "auth/base64url.h"
#include "auth/jansson.h"
#include "auth/openssl.h"
#include "common/error.h"
#include "common/file.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <string.h>

/* P-521 */
#define COORDINATE_BYTES_MAX 66

static unsigned char *
get_bytes(json_t *jwk, const char *name, size_t *len_out)
{
	const char *text = hf_jansson_text(jwk, name);

	return text ? hf_base64url_decode(text, strlen(text), len_out) : NULL;
}

static EVP_PKEY *
from_params(const char *type, OSSL_PARAM_BLD *builder)
{
	g_autoptr(OSSL_PARAM) params = OSSL_PARAM_BLD_to_param(builder);
	g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (params && context && EVP_PKEY_fromdata_init(context) == 1)
		(void)EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params);
	ERR_clear_error();
	return pkey;
}

/* RFC 7518 section 6.3.1 */
static EVP_PKEY *
parse_rsa(json_t *jwk)
{
	g_autoptr(OSSL_PARAM_BLD) builder = OSSL_PARAM_BLD_new();
	size_t modulus_len = 0, exponent_len = 0;
	g_autofree unsigned char *modulus_bytes = get_bytes(jwk, "n", &modulus_len);
	g_autofree unsigned char *exponent_bytes = get_bytes(jwk, "e", &exponent_len);
	g_autoptr(BIGNUM) modulus = NULL;
	g_autoptr(BIGNUM) exponent = NULL;

	/* 16,384 bits are the most that OpenSSL works with. */
	if (!builder || !modulus_bytes || !exponent_bytes || modulus_len > 2048 || exponent_len > 8)
		return NULL;
	modulus = BN_bin2bn(modulus_bytes, (int)modulus_len, NULL);
	exponent = BN_bin2bn(exponent_bytes, (int)exponent_len, NULL);
	if (!modulus || !exponent || OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) != 1)
		return NULL;
	return from_params("RSA", builder);
}

/* RFC 7518 section 6.2.1: coordinates have exactly the length of the curve's field. */
static EVP_PKEY *
parse_ec(json_t *jwk)
{
	static const struct {
		const char *name, *group;
		size_t len;
	} curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};
	g_autoptr(OSSL_PARAM_BLD) builder = OSSL_PARAM_BLD_new();
	const char *name = hf_jansson_text(jwk, "crv");
	unsigned char point[1 + 2 * COORDINATE_BYTES_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
	size_t x_len = 0, y_len = 0, curve = 0;
	g_autofree unsigned char *x = get_bytes(jwk, "x", &x_len);
	g_autofree unsigned char *y = get_bytes(jwk, "y", &y_len);

	while (curve < G_N_ELEMENTS(curves) && g_strcmp0(name, curves[curve].name) != 0)
		curve++;
	if (!builder || curve == G_N_ELEMENTS(curves) || !x || !y || x_len != curves[curve].len ||
	    y_len != x_len)
		return NULL;
	memcpy(point + 1, x, x_len);
	memcpy(point + 1 + x_len, y, y_len);
	if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curves[curve].group, 0) !=
		    1 ||
	    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * x_len) != 1)
		return NULL;
	return from_params("EC", builder);
}

static HfKey *
parse_public(json_t *jwk, const char *type, const char *what, GError **error)
{
	g_autoptr(EVP_PKEY) pkey = strcmp(type, "RSA") == 0 ? parse_rsa(jwk) : parse_ec(jwk);

	if (pkey)
		return hf_key_new_public(pkey, what, error);
	hf_error_set(error, HF_ERROR_USAGE, "%s: the members of the %s key are missing or wrong", what, type);
	return NULL;
}

/* RFC 7518 section 6.4 */
static HfKey *
parse_secret(json_t *jwk, const HfJwksSource *source, const char *what, GError **error)
{
	size_t len = 0;
	unsigned char *bytes = source->is_published ? NULL : get_bytes(jwk, "k", &len);
	HfKey *key = bytes ? hf_key_new_secret(bytes, len, what, error) : NULL;

	if (!bytes)
		hf_error_set(error, HF_ERROR_USAGE, "%s: %s", what,
			     source->is_published ? "a secret that is published is none"
						  : "member \"k\" is missing or wrong");
	else
		OPENSSL_cleanse(bytes, len);
	g_free(bytes);
	return key;
}

/* RFC 7517 sections 4.2 and 4.3: true where nothing says that it is for another use than checking signatures. */
static bool
is_for_signatures(json_t *jwk)
{
	const char *use = hf_jansson_text(jwk, "use");
	json_t *operations = hf_jansson_member(jwk, "key_ops");

	if (use && strcmp(use, "sig") != 0)
		return false;
	if (!json_is_array(operations))
		return true;
	for (size_t i = 0; i < json_array_size(operations); i++)
		if (g_strcmp0(json_string_value(json_array_get(operations, i)), "verify") == 0)
			return true;
	return false;
}

static HfKey *
parse_by_type(json_t *jwk, const HfJwksSource *source, const char *what, GError **error)
{
	const char *type = hf_jansson_text(jwk, "kty");

	if (!is_for_signatures(jwk))
		hf_error_set(error, HF_ERROR_USAGE, "%s: it is not for checking signatures", what);
	else if (g_strcmp0(type, "RSA") == 0 || g_strcmp0(type, "EC") == 0)
		return parse_public(jwk, type, what, error);
	else if (g_strcmp0(type, "oct") == 0)
		return parse_secret(jwk, source, what, error);
	else
		hf_error_set(error, HF_ERROR_USAGE, "%s: kty \"%s\" is not RSA, EC or oct", what,
			     type ? type : "");
	return NULL;
}

/* "alg" ties a key to one algorithm (RFC 7517 section 4.4). */
static bool
set_algorithm(HfKey *key, json_t *jwk, const char *what, GError **error)
{
	const char *name = hf_jansson_text(jwk, "alg");

	if (!name)
		return true;
	key->only = hf_algorithm_find(name);
	return (key->only && hf_algorithm_fits(key->only, key->type, key->curve)) ||
	       hf_error_set(error, HF_ERROR_USAGE, "%s: alg \"%s\" is not one that goes with the key", what,
			    name);
}

static HfKey *
parse_key(json_t *jwk, const HfJwksSource *source, const char *what, GError **error)
{
	g_autoptr(HfKey) key = parse_by_type(jwk, source, what, error);

	if (!key || !set_algorithm(key, jwk, what, error))
		return NULL;
	key->kid = g_strdup(hf_jansson_text(jwk, "kid"));
	return g_steal_pointer(&key);
}

/* What cannot be used is left out and told about: a provider's set often holds a key for encryption, too. */
static void
add_key(GPtrArray *keys, json_t *jwk, size_t number, const HfJwksSource *source)
{
	const char *kid = hf_jansson_text(jwk, "kid");
	g_autofree char *what = g_strdup_printf("%s: key %zu%s%s%s", source->what, number + 1,
						kid ? " (kid \"" : "", kid ? kid : "", kid ? "\")" : "");
	g_autoptr(GError) error = NULL;
	HfKey *key = parse_key(jwk, source, what, &error);

	if (key)
		g_ptr_array_add(keys, key);
	else
		g_message("%s: it is left out", error->message);
}

bool
hf_jwks_parse(GPtrArray *keys, const char *text, size_t len, const HfJwksSource *source, GError **error)
{
	json_error_t trouble;
	g_autoptr(json_t) document = json_loadb(text, len, JSON_REJECT_DUPLICATES, &trouble);
	json_t *list = hf_jansson_member(document, "keys");
	guint before = keys->len;

	if (!document)
		return hf_error_set(error, HF_ERROR_USAGE, "%s: no JSON: line %d: %s", source->what,
				    trouble.line, trouble.text);
	if (!list && hf_jansson_text(document, "kty"))
		add_key(keys, document, 0, source);
	else if (!json_is_array(list))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "%s: no JSON Web Key Set: an object with an array \"keys\" is wanted",
				    source->what);
	if (json_array_size(list) > HF_KEYS_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "%s: at most %d keys are taken", source->what,
				    HF_KEYS_MAX);
	for (size_t i = 0; i < json_array_size(list); i++)
		add_key(keys, json_array_get(list, i), i, source);
	return keys->len > before ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "%s: there is no key in it that tokens can be checked with", source->what);
}

bool
hf_jwks_read(GPtrArray *keys, const char *path, GError **error)
{
	g_autofree char *what = g_strdup_printf("JWT_JWKS_FILE \"%s\"", path);
	char *text;
	size_t len;
	bool is_good;

	if (!hf_file_read_small(path, HF_JWKS_BYTES_MAX, &text, &len, error)) {
		g_prefix_error(error, "JWT_JWKS_FILE: ");
		(*error)->code = HF_ERROR_USAGE;
		return false;
	}
	is_good = hf_jwks_parse(keys, text, len, &(HfJwksSource){.what = what}, error);
	/* It may hold secrets (kty oct). */
	OPENSSL_cleanse(text, len);
	g_free(text);
	return is_good;
}
