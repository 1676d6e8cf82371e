/*
 * auth/claims.h -- what a token says, once its signature was found good.
 */
#pragma once

#include "auth/jansson.h"

#include <stdbool.h>
#include <stdint.h>

/* For clocks that differ a little. */
#define HF_CLAIMS_LEEWAY_S 30

/*
 * exp, which must be there, nbf and iat (RFC 7519 section 4.1), in whole seconds; fractions are cut off.  DENIED says
 * which, and when.
 */
bool hf_claims_check_times(json_t *claims, int64_t now_s, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* iss is one of issuers; aud is, or holds, one of audiences.  NULL: not looked at. */
bool hf_claims_check_parties(json_t *claims, char *const *issuers, char *const *audiences,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What makes an administrator; values and subjects are lists closed by NULL. */
typedef struct {
	const char *claim;
	char *const *values;
	char *const *subjects;
} HfAdminRule;

/*
 * True where the claim is, or is an array that holds, one of the values, or where sub or id is one of the subjects.  The
 * claim's name is looked for as it stands (some are URLs), then as a path of members with dots between them.  Numbers
 * and true match their text.  "scope" and "scp" are lists of words (RFC 8693 section 4.2).
 */
bool hf_claims_is_admin(json_t *claims, const HfAdminRule *rule);

/* sub, else id, else another name that people know, in one line of at most 200 bytes; never NULL.  g_free() it. */
char *hf_claims_subject(json_t *claims);
