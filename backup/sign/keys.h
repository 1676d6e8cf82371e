/*
 * backup/sign/keys.h -- key pairs that sign manifests, spelled as minisign does (jedisct1.github.io/minisign, "Public key
 * format" and "Secret key format").
 *
 * A secret key is taken without a password (`minisign -G -W`), since a nightly run has nobody to ask; one with a password is
 * refused with the command that takes it off.
 */
#pragma once

#include "backup/sign/ed25519.h"
#include "common/secret.h"

enum {
	HF_SIGN_KEY_ID_BYTES = 8, /* by which a signature says whose it is; no secret, no proof */
};

typedef struct {
	uint8_t id[HF_SIGN_KEY_ID_BYTES];
	uint8_t bytes[HF_SIGN_PUBLIC_BYTES];
} HfVerifyKey;

typedef struct {
	HfVerifyKey public_key;
	HfSignSeed seed;
} HfSignKey;

bool hf_sign_key_new(HfSignKey **key_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* A second owner's copy; NULL gives NULL. */
HfSignKey *hf_sign_key_copy(const HfSignKey *key);

/* The content of a secret key file; USAGE says what is wrong with it, never what stands in it; source names it. */
HfSignKey *hf_sign_key_parse(const HfSecret *text, const char *source,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The secret key file, two lines: the caller wipes and g_free()s it. */
char *hf_sign_key_to_text(const HfSignKey *key);
void hf_sign_key_free(HfSignKey *key); /* and wipes it */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfSignKey, hf_sign_key_free)

/* "RW..." as `minisign -P` takes it; g_free() it. */
char *hf_verify_key_to_text(const HfVerifyKey *key);

/* What minisign calls the key in its comments, 16 digits of hexadecimal; g_free() it. */
char *hf_verify_key_id(const uint8_t *id);

/*
 * What SIGNING_PUBLIC_KEYS says: keys as above, between commas, blanks or line ends; lines of comments, as a public key file has
 * one, are left out.  Of HfVerifyKey.  USAGE names the one that is none.
 */
GArray *hf_verify_keys_parse(const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
