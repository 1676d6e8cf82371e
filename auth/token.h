/*
 * auth/token.h -- a signed token (RFC 7519, in RFC 7515's compact form) taken apart, with nothing believed yet.
 *
 * libjwt looks at far less than it should (docs/facts.md), so all that is read of a token is read here, from the very
 * letters that were signed; libjwt is asked about the signature alone.
 */
#pragma once

#include "auth/jansson.h"
#include "auth/key.h"

#define HF_TOKEN_BYTES_MAX ((size_t)16 << 10)

typedef struct {
	char *text;
	size_t payload_at, payload_len; /* where its letters stand in text */
	json_t *header;
	const char *kid; /* NULL: it names no key */
	const HfAlgorithm *algorithm;
} HfToken;

/*
 * Splits and reads the header.  DENIED where the form is wrong, a member stands there twice, the algorithm is none of
 * ours, or the header wants something that we do not understand ("crit", RFC 7515 section 4.1.11).
 */
bool hf_token_parse(HfToken *token, const char *text, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True where key made the signature.  The caller has seen that key and algorithm fit. */
bool hf_token_is_signed_by(const HfToken *token, const HfKey *key);

/* The claims, not to be believed before the signature was found good.  DENIED where they are no JSON object. */
json_t *hf_token_claims(const HfToken *token, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_token_clear(HfToken *token);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfToken, hf_token_clear)
