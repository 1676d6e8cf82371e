/*
 * auth/mint.h -- makes tokens, for first steps and tests: in daily life the application does.
 */
#pragma once

#include "common/settings.h"

typedef struct {
	const char *key_file;    /* NULL: JWT_SECRET; else a PEM file with a private RSA or EC key */
	const char *kid;         /* NULL: the header names no key */
	const char *claims_json; /* an object */
} HfMintOptions;

/*
 * Signs with the first algorithm of JWT_ALGORITHMS that goes with the key, HS256 or RS256 where that is not set.  USAGE where
 * there is no key, or it is of no use.  g_free() the token.
 */
char *hf_token_mint(const HfSettings *settings, const HfMintOptions *options,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;
