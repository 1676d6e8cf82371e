/*
 * backup/age/crypto.h -- the few primitives that the age format is made of, on OpenSSL, with keys that wipe themselves.
 *
 * Source of all of it: the age v1 format, C2SP specification "age" (c2sp.org/age), sections "Encoding" to "Payload".
 * A failure is FAILED where OpenSSL or the system cannot do its part; wrong keys are said by the return value alone.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HF_AGE_KEY_BYTES = 32,      /* of X25519, ChaCha20-Poly1305, HMAC-SHA-256 */
	HF_AGE_FILE_KEY_BYTES = 16, /* section "File key" */
	HF_AGE_TAG_BYTES = 16,      /* of Poly1305, RFC 8439 section 2.8 */
	HF_AGE_AEAD_NONCE_BYTES = 12,
	HF_AGE_WRAPPED_BYTES = HF_AGE_FILE_KEY_BYTES + HF_AGE_TAG_BYTES,
};

/* Wiped when it goes out of scope (g_auto) or by hf_age_key_clear(). */
typedef struct {
	uint8_t bytes[HF_AGE_KEY_BYTES];
} HfAgeKey;
typedef struct {
	uint8_t bytes[HF_AGE_FILE_KEY_BYTES];
} HfAgeFileKey;

void hf_age_key_clear(HfAgeKey *key);
void hf_age_file_key_clear(HfAgeFileKey *key);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfAgeKey, hf_age_key_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfAgeFileKey, hf_age_file_key_clear)

/* Bytes of the system's generator of secrets. */
bool hf_age_random(void *out, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	const void *bytes;
	size_t len;
} HfAgeSpan;

/* HKDF-SHA-256 (RFC 5869) of a secret, to 32 bytes. */
bool hf_age_hkdf(HfAgeSpan secret, HfAgeSpan salt, const char *info, HfAgeKey *out,
		 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* HMAC-SHA-256 (RFC 2104) of message, 32 bytes. */
bool hf_age_hmac(const HfAgeKey *key, HfAgeSpan message, uint8_t *mac_out,
		 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* scrypt (RFC 7914) with N = 2^log_n, r = 8, p = 1: takes 2^log_n KiB of memory while it works. */
bool hf_age_scrypt(HfAgeSpan passphrase, HfAgeSpan salt, unsigned log_n, HfAgeKey *out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* X25519 (RFC 7748 section 5); public_key NULL is the base point.  CORRUPT where the result is all zero. */
bool hf_age_x25519(const HfAgeKey *secret, const uint8_t *public_key, uint8_t *out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ChaCha20-Poly1305 (RFC 8439) without associated data; out has room for len + HF_AGE_TAG_BYTES. */
bool hf_age_seal(const HfAgeKey *key, const uint8_t *nonce, HfAgeSpan plain, uint8_t *out,
		 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The reverse; false where it was sealed with another key or nonce, or was changed.  out has room for len - HF_AGE_TAG_BYTES. */
bool hf_age_unseal(const HfAgeKey *key, const uint8_t *nonce, HfAgeSpan sealed,
		   uint8_t *out) G_GNUC_WARN_UNUSED_RESULT;
