/*
 * auth/key.h -- the keys that tokens are checked with.
 *
 * A key knows what it may be used for: a public key is never taken for a secret, an RSA key has 2,048 bits or more
 * (RFC 7518 section 3.3), a key on a curve goes with that curve's algorithm alone (section 3.4).
 */
#pragma once

#include "auth/algorithm.h"

#include <openssl/evp.h>
#include <stddef.h>

/* RFC 7518 section 3.2: a key of the hash's size or larger must be used. */
#define HF_KEY_SECRET_BYTES_MIN 32

/* The most that one source may give: a token that names no key is tried with each of them. */
#define HF_KEYS_MAX 64

typedef struct {
	char *kid; /* NULL: it has no name */
	HfKeyType type;
	int curve;
	const HfAlgorithm *only; /* NULL: every algorithm that fits */
	unsigned char *bytes;    /* the secret, or the public key as PEM; wiped by hf_key_free() */
	size_t len;
} HfKey;

/* Copies.  USAGE, named by what, where it is empty or is PEM text, which is no secret but a key of another kind. */
HfKey *hf_key_new_secret(const void *bytes, size_t len, const char *what,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* USAGE, named by what, where no algorithm of ours goes with it. */
HfKey *hf_key_new_public(EVP_PKEY *pkey, const char *what, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The type of a public or private key and its curve; USAGE where it is too small, or of no use. */
bool hf_key_inspect(const EVP_PKEY *pkey, const char *what, HfKeyType *type_out, int *curve_out,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_key_free(HfKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfKey, hf_key_free)

/* An array of HfKey. */
GPtrArray *hf_keys_new(void);

/* Adds every public key and certificate of a PEM file.  USAGE names the file; a private key in it is refused. */
bool hf_keys_add_pem(GPtrArray *keys, const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* True where the key may be used with the algorithm. */
bool hf_key_fits(const HfKey *key, const HfAlgorithm *algorithm);
