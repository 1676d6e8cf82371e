/*
 * backup/sign/ed25519.h -- the primitives that minisign's format is made of, on OpenSSL.
 *
 * Ed25519 is RFC 8032, section 5.1 ("PureEdDSA"); BLAKE2b is RFC 7693.  A secret key is its 32 bytes of seed; it wipes
 * itself.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HF_SIGN_SEED_BYTES = 32,
	HF_SIGN_PUBLIC_BYTES = 32,
	HF_SIGN_SIGNATURE_BYTES = 64,
	HF_SIGN_HASH_BYTES = 64, /* of BLAKE2b-512 */
};

/* Wiped when it goes out of scope (g_auto) or by hf_sign_seed_clear(). */
typedef struct {
	uint8_t bytes[HF_SIGN_SEED_BYTES];
} HfSignSeed;

void hf_sign_seed_clear(HfSignSeed *seed);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfSignSeed, hf_sign_seed_clear)

/* The public half of a secret key: HF_SIGN_PUBLIC_BYTES. */
bool hf_sign_public(const HfSignSeed *seed, uint8_t *public_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* HF_SIGN_SIGNATURE_BYTES. */
bool hf_sign_make(const HfSignSeed *seed, const void *message, size_t len, uint8_t *signature_out,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* False where the signature is of another key or message. */
bool hf_sign_holds(const uint8_t *public_key, const void *message, size_t len,
		   const uint8_t *signature) G_GNUC_WARN_UNUSED_RESULT;

/* BLAKE2b-512 of the bytes: HF_SIGN_HASH_BYTES. */
bool hf_sign_hash(const void *bytes, size_t len, uint8_t *hash_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
