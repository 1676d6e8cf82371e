/*
 * common/secret.h -- a password or key in memory.
 *
 * A secret has a type of its own so that it cannot be formatted by accident: there is no function that puts it into a
 * string, a log or an error.  It is a fixed array, kept out of core dumps where the system allows it, and wiped when it
 * is freed.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* The longest secret that is taken, without the closing NUL.  An STS session token is the longest: AWS says that it
 * has no maximum and that it is typically under 4,096 bytes (IAM User Guide, "Temporary security credentials"). */
#define HF_SECRET_BYTES_MAX 8191

typedef struct HfSecret HfSecret;

/* Copies len bytes.  USAGE when there are more than HF_SECRET_BYTES_MAX or a NUL is among them; what names it. */
HfSecret *hf_secret_new(const char *bytes, size_t len, const char *what,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A second owner's copy; NULL gives NULL. */
HfSecret *hf_secret_copy(const HfSecret *secret);

/* The bytes, closed by a NUL, borrowed; never print them. */
const char *hf_secret_bytes(const HfSecret *secret);
size_t hf_secret_len(const HfSecret *secret);

/* Compares in constant time (CRYPTO_memcmp). */
bool hf_secret_equal(const HfSecret *a, const HfSecret *b);

/* Wipes (OPENSSL_cleanse) and frees.  NULL is fine. */
void hf_secret_free(HfSecret *secret);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfSecret, hf_secret_free)
