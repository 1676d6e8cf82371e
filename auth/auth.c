#include "config.h"

#include "auth/auth.h"
#include "auth/claims.h"
#include "auth/jwks-url.h"
#include "auth/jwks.h"
#include "auth/lists.h"
#include "auth/seen.h"
#include "auth/token.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

struct HfAuth {
	HfAlgorithms algorithms;
	GPtrArray *keys; /* those that do not change */
	HfJwksUrl *url;  /* NULL: none is set */
	char **issuers, **audiences;
	char *claim;
	char **values, **subjects;
	HfSeen seen;
};

bool
hf_auth_is_set(const HfSettings *settings)
{
	return hf_settings_secret(settings, HF_SET_JWT_SECRET) != NULL ||
	       hf_settings_text(settings, HF_SET_JWT_PUBLIC_KEY_FILE) ||
	       hf_settings_text(settings, HF_SET_JWT_JWKS_FILE) ||
	       hf_settings_text(settings, HF_SET_JWT_JWKS_URL);
}

/* ---- the keys ---- */

static bool
add_secret(GPtrArray *keys, const HfSecret *secret, GError **error)
{
	HfKey *key;

	if (!secret)
		return true;
	key = hf_key_new_secret(hf_secret_bytes(secret), hf_secret_len(secret), "JWT_SECRET", error);
	if (key)
		g_ptr_array_add(keys, key);
	return key != NULL;
}

static bool
add_public_keys(GPtrArray *keys, const char *paths, GError **error)
{
	g_auto(GStrv) list = hf_list_parse(paths);

	for (char **path = list; path && *path; path++)
		if (!hf_keys_add_pem(keys, *path, error))
			return false;
	return true;
}

/* RFC 7518 section 3.2 wants the hash's size; a shorter one can be found by trying, offline. */
static void
warn_of_short_secrets(const GPtrArray *keys)
{
	for (guint i = 0; i < keys->len; i++) {
		const HfKey *key = keys->pdata[i];

		if (key->type == HF_KEY_SECRET && key->len < HF_KEY_SECRET_BYTES_MIN)
			g_warning("%s%s: the secret has %zu bytes: whoever holds a token may find a secret "
				  "of less than "
				  "%d by trying: take a longer one",
				  key->kid ? "JWT_JWKS_FILE, kid " : "JWT_SECRET", key->kid ? key->kid : "",
				  key->len, HF_KEY_SECRET_BYTES_MIN);
	}
}

/* An algorithm without a key, or a key without an algorithm, is a mistake; which keys a URL has is not known yet. */
static bool
check_algorithms(const HfAuth *auth, GError **error)
{
	for (guint i = 0; i < auth->keys->len; i++) {
		const HfKey *key = auth->keys->pdata[i];

		if (key->only ? hf_algorithm_is_in(key->only, auth->algorithms)
			      : hf_algorithm_first(auth->algorithms, key->type, key->curve) != NULL)
			return true;
	}
	return auth->url || hf_error_set(error, HF_ERROR_USAGE,
					 "JWT_ALGORITHMS: no key that is set goes with any of them");
}

static void
refresh(HfAuth *auth, int64_t now_s, bool is_unknown)
{
	if (auth->url && hf_jwks_url_refresh(auth->url, now_s, is_unknown))
		hf_seen_clear(&auth->seen);
}

static bool
load_url(HfAuth *auth, const HfSettings *settings, GError **error)
{
	const char *url = hf_settings_text(settings, HF_SET_JWT_JWKS_URL);

	if (!url)
		return true;
	auth->url = hf_jwks_url_new(url, hf_settings_text(settings, HF_SET_JWT_JWKS_CA_BUNDLE), error);
	if (auth->url)
		refresh(auth, hf_clock_now_s(), false);
	return auth->url != NULL;
}

static bool
load_keys(HfAuth *auth, const HfSettings *settings, GError **error)
{
	const char *jwks = hf_settings_text(settings, HF_SET_JWT_JWKS_FILE);

	if (!hf_auth_is_set(settings))
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"no key that tokens could be checked with: set JWT_SECRET, JWT_PUBLIC_KEY_FILE, "
			"JWT_JWKS_FILE or JWT_JWKS_URL");
	auth->keys = hf_keys_new();
	if (!hf_algorithms_parse(hf_settings_text(settings, HF_SET_JWT_ALGORITHMS), &auth->algorithms,
				 error) ||
	    !add_secret(auth->keys, hf_settings_secret(settings, HF_SET_JWT_SECRET), error) ||
	    !add_public_keys(auth->keys, hf_settings_text(settings, HF_SET_JWT_PUBLIC_KEY_FILE), error) ||
	    (jwks && !hf_jwks_read(auth->keys, jwks, error)) || !load_url(auth, settings, error))
		return false;
	warn_of_short_secrets(auth->keys);
	return check_algorithms(auth, error);
}

HfAuth *
hf_auth_new(const HfSettings *settings, GError **error)
{
	g_autoptr(HfAuth) auth = g_new0(HfAuth, 1);

	auth->issuers = hf_list_parse(hf_settings_text(settings, HF_SET_JWT_ISSUER));
	auth->audiences = hf_list_parse(hf_settings_text(settings, HF_SET_JWT_AUDIENCE));
	auth->claim = g_strdup(hf_settings_text(settings, HF_SET_JWT_ADMIN_CLAIM));
	auth->values = hf_list_parse(hf_settings_text(settings, HF_SET_JWT_ADMIN_VALUES));
	auth->subjects = hf_list_parse(hf_settings_text(settings, HF_SET_JWT_ADMIN_SUBJECTS));
	return load_keys(auth, settings, error) ? g_steal_pointer(&auth) : NULL;
}

/* ---- one token ---- */

typedef struct {
	const HfToken *token;
	const char *
		kid; /* the name to be matched; NULL: keys without a name, or, where the token has none, all */
	unsigned named, tried;
	bool is_signed;
} Search;

static void
search_keys(Search *search, const GPtrArray *keys)
{
	for (guint i = 0; i < keys->len && !search->is_signed; i++) {
		const HfKey *key = keys->pdata[i];

		if (search->token->kid && g_strcmp0(key->kid, search->kid) != 0)
			continue;
		search->named++;
		if (!hf_key_fits(key, search->token->algorithm))
			continue;
		search->tried++;
		search->is_signed = hf_token_is_signed_by(search->token, key);
	}
}

static Search
search_all(const HfAuth *auth, const HfToken *token, const char *kid)
{
	Search search = {.token = token, .kid = kid};

	search_keys(&search, auth->keys);
	if (auth->url)
		search_keys(&search, hf_jwks_url_keys(auth->url));
	return search;
}

/*
 * A key of the token's kid decides alone.  Where there is none, keys that have no name (JWT_SECRET, PEM files) are tried,
 * and where none of these is of the kind, the provider is asked for new ones.
 */
static Search
search_signer(HfAuth *auth, const HfToken *token, int64_t now_s)
{
	Search search = search_all(auth, token, token->kid);

	if (search.named == 0 && token->kid)
		search = search_all(auth, token, NULL);
	if (search.tried == 0 && token->kid && auth->url) {
		refresh(auth, now_s, true);
		search = search_all(auth, token, token->kid);
	}
	return search;
}

static bool
check_signature(HfAuth *auth, const HfToken *token, int64_t now_s, GError **error)
{
	Search search;

	if (!hf_algorithm_is_in(token->algorithm, auth->algorithms))
		return hf_error_set(error, HF_ERROR_DENIED,
				    "the token's algorithm is not one that is accepted");
	refresh(auth, now_s, false);
	if (hf_seen_has(&auth->seen, token->text))
		return true;
	search = search_signer(auth, token, now_s);
	if (search.is_signed) {
		hf_seen_add(&auth->seen, token->text);
		return true;
	}
	if (search.tried > 0)
		return hf_error_set(
			error, HF_ERROR_DENIED,
			"the token's signature is wrong: it was signed with another key, or changed");
	return hf_error_set(error, HF_ERROR_DENIED, "the token is signed with a key that is not known here");
}

static HfPrincipal *
check_claims(const HfAuth *auth, json_t *claims, int64_t now_s, HfAuthRefusal *refusal_out, GError **error)
{
	const HfAdminRule rule = {auth->claim, auth->values, auth->subjects};
	HfPrincipal *principal;

	if (!hf_claims_check_times(claims, now_s, error) ||
	    !hf_claims_check_parties(claims, auth->issuers, auth->audiences, error))
		return NULL;
	if (!hf_claims_is_admin(claims, &rule)) {
		*refusal_out = HF_AUTH_FORBIDDEN;
		hf_error_set(error, HF_ERROR_DENIED,
			     "the token is good, but not an administrator's (see JWT_ADMIN_CLAIM and "
			     "JWT_ADMIN_SUBJECTS)");
		return NULL;
	}
	principal = g_new0(HfPrincipal, 1);
	principal->subject = hf_claims_subject(claims);
	return principal;
}

static HfPrincipal *
check_token(HfAuth *auth, const char *text, size_t len, int64_t now_s, HfAuthRefusal *refusal_out,
	    GError **error)
{
	g_auto(HfToken) token = {0};
	g_autoptr(json_t) claims = NULL;

	*refusal_out = HF_AUTH_INVALID;
	if (!hf_token_parse(&token, text, len, error))
		return NULL;
	/* Before the signature, since libjwt calls it wrong where the claims are no JSON. */
	claims = hf_token_claims(&token, error);
	if (!claims || !check_signature(auth, &token, now_s, error))
		return NULL;
	return check_claims(auth, claims, now_s, refusal_out, error);
}

HfPrincipal *
hf_auth_check(HfAuth *auth, const char *authorization_header, int64_t now_s, HfAuthRefusal *refusal_out,
	      GError **error)
{
	static const char scheme[] = "Bearer";
	const char *text = authorization_header ? authorization_header : "";
	size_t len;

	text += strspn(text, " \t");
	if (g_ascii_strncasecmp(text, scheme, strlen(scheme)) != 0 || text[strlen(scheme)] != ' ') {
		*refusal_out = HF_AUTH_MISSING;
		hf_error_set(
			error, HF_ERROR_DENIED,
			"an administrator's token is wanted, in a header \"Authorization: Bearer TOKEN\"");
		return NULL;
	}
	text += strlen(scheme);
	text += strspn(text, " ");
	len = strlen(text);
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		len--;
	return check_token(auth, text, len, now_s, refusal_out, error);
}

/* ---- the end of it ---- */

void
hf_principal_free(HfPrincipal *principal)
{
	if (!principal)
		return;
	g_free(principal->subject);
	g_free(principal);
}

void
hf_auth_free(HfAuth *auth)
{
	if (!auth)
		return;
	g_clear_pointer(&auth->keys, g_ptr_array_unref);
	hf_jwks_url_free(auth->url);
	g_strfreev(auth->issuers);
	g_strfreev(auth->audiences);
	g_free(auth->claim);
	g_strfreev(auth->values);
	g_strfreev(auth->subjects);
	g_free(auth);
}
