/*
 * auth/jwks.h -- a JSON Web Key Set (RFC 7517) read.
 */
#pragma once

#include "auth/key.h"

#define HF_JWKS_BYTES_MAX ((size_t)256 << 10)

/*
 * Adds the keys of a set, or a single key, that signatures are checked with.  What is meant for something else (use
 * "enc"), is of a type or an algorithm that is not ours, or is too weak, is left out, as RFC 7517 section 5 wants it,
 * with a line in the log; USAGE, named by what, where nothing is left or the text is no such set.  A set that came
 * by the network (is_published) cannot hold secrets.
 */
typedef struct {
	const char *what;
	bool is_published;
} HfJwksSource;

bool hf_jwks_parse(GPtrArray *keys, const char *text, size_t len, const HfJwksSource *source,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same from a file, JWT_JWKS_FILE. */
bool hf_jwks_read(GPtrArray *keys, const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
