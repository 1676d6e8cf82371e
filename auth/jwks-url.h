/*
 * auth/jwks-url.h -- the identity provider's keys, fetched and kept.
 *
 * They are fetched at the start, again when they are an hour old, and when a token names a key that is not among them;
 * at most once a minute, whoever asks.  While the provider cannot be reached the keys that were seen last are used.  A
 * fetch takes at most a few seconds, in which the caller waits.
 */
#pragma once

#include "auth/key.h"

#include <stdint.h>

typedef struct HfJwksUrl HfJwksUrl;

/* Fetches nothing yet.  USAGE where url is not https (http is taken from this host alone).  ca_file may be NULL. */
HfJwksUrl *hf_jwks_url_new(const char *url, const char *ca_file, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Fetches them where it is time to: they are old, or were never got, or is_unknown says that a key was asked for that is not
 * among them.  What went wrong is a warning in the log.  True where there are new ones, so that others may be gone.
 */
bool hf_jwks_url_refresh(HfJwksUrl *jwks, int64_t now_s, bool is_unknown);

/* Borrowed until the next refresh; empty where they were never got. */
const GPtrArray *hf_jwks_url_keys(const HfJwksUrl *jwks);

void hf_jwks_url_free(HfJwksUrl *jwks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfJwksUrl, hf_jwks_url_free)
