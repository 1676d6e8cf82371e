/*
 * auth/bearer.h -- a secret that is shown as it is, by programs that cannot sign tokens.
 *
 * Links no more than common/, so that the timer stays small.
 */
#pragma once

#include "common/secret.h"

/* What somebody sets has so many letters at least: 128 bits as hexadecimal digits. */
#define HF_BEARER_LEN_MIN 32

/* True where an Authorization header's value, which may be NULL, is "Bearer " and the secret; in constant time. */
bool hf_bearer_matches(const HfSecret *secret, const char *authorization_header);
