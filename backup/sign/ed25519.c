#include "config.h"

#include "backup/sign/ed25519.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_MD_CTX, EVP_MD_CTX_free)

void
hf_sign_seed_clear(HfSignSeed *seed)
{
	OPENSSL_cleanse(seed, sizeof *seed);
}

static bool
cannot(GError **error, const char *what)
{
	return hf_error_set(error, HF_ERROR_FAILED, "OpenSSL cannot %s", what);
}

static EVP_PKEY *
secret_key(const HfSignSeed *seed)
{
	return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed->bytes, sizeof seed->bytes);
}

bool
hf_sign_public(const HfSignSeed *seed, uint8_t *public_out, GError **error)
{
	g_autoptr(EVP_PKEY) key = secret_key(seed);
	size_t len = HF_SIGN_PUBLIC_BYTES;

	return (key && EVP_PKEY_get_raw_public_key(key, public_out, &len) == 1) ||
	       cannot(error, "make an Ed25519 key");
}

bool
hf_sign_make(const HfSignSeed *seed, const void *message, size_t len, uint8_t *signature_out, GError **error)
{
	g_autoptr(EVP_PKEY) key = secret_key(seed);
	g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();
	size_t signature_len = HF_SIGN_SIGNATURE_BYTES;

	return (key && context && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
		EVP_DigestSign(context, signature_out, &signature_len, message, len) == 1) ||
	       cannot(error, "sign with Ed25519");
}

bool
hf_sign_holds(const uint8_t *public_key, const void *message, size_t len, const uint8_t *signature)
{
	g_autoptr(EVP_PKEY)
		key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, HF_SIGN_PUBLIC_BYTES);
	g_autoptr(EVP_MD_CTX) context = EVP_MD_CTX_new();

	return key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
	       EVP_DigestVerify(context, signature, HF_SIGN_SIGNATURE_BYTES, message, len) == 1;
}

bool
hf_sign_hash(const void *bytes, size_t len, uint8_t *hash_out, GError **error)
{
	return EVP_Digest(bytes, len, hash_out, NULL, EVP_blake2b512(), NULL) == 1 ||
	       cannot(error, "hash with BLAKE2b");
}
