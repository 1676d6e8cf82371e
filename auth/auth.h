/*
 * auth/auth.h -- a bearer token in, an administrator or a refusal out.
 *
 * The keys, and the algorithms that may be used with them, come from the settings, never from the token.  No setting, no
 * access.  To be used by one thread.
 */
#pragma once

#include "common/settings.h"

typedef struct HfAuth HfAuth;

typedef struct {
	char *subject; /* for the log and the audit trail: one line, at most some 200 bytes */
} HfPrincipal;

/* RFC 6750 section 3.1 */
typedef enum {
	HF_AUTH_MISSING,   /* 401, a bare challenge: no bearer token was sent */
	HF_AUTH_INVALID,   /* 401 with error="invalid_token" */
	HF_AUTH_FORBIDDEN, /* 403 with error="insufficient_scope": a good token, but not an administrator's */
} HfAuthRefusal;

/*
 * Reads the keys; those of JWT_JWKS_URL, too, though it need not answer yet.  USAGE where no key is set at all, or one
 * cannot be used.  A secret that is too short is a warning in the log.
 */
HfAuth *hf_auth_new(const HfSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True where a key is named in the settings: hf_auth_new() would not fail for want of one. */
bool hf_auth_is_set(const HfSettings *settings);

/*
 * Checks the value of an Authorization header, NULL where there was none.  NULL with *refusal_out and a DENIED error says
 * why not, in words that may be sent to whoever asked.
 */
HfPrincipal *hf_auth_check(HfAuth *auth, const char *authorization_header, int64_t now_s,
			   HfAuthRefusal *refusal_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_principal_free(HfPrincipal *principal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPrincipal, hf_principal_free)

void hf_auth_free(HfAuth *auth);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfAuth, hf_auth_free)
