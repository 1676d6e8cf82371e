#include "config.h"

#include "backup/age/crypto.h"
#include "common/error.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_KDF, EVP_KDF_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_KDF_CTX, EVP_KDF_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

/* RFC 7914 section 2: 128 * r * N bytes, and some for OpenSSL's own needs. */
#define SCRYPT_MEMORY(log_n) (((uint64_t)1024 << (log_n)) + (1 << 20))

void
hf_age_key_clear(HfAgeKey *key)
{
	OPENSSL_cleanse(key, sizeof *key);
}

void
hf_age_file_key_clear(HfAgeFileKey *key)
{
	OPENSSL_cleanse(key, sizeof *key);
}

static bool
openssl_failed(GError **error, const char *what)
{
	return hf_error_set(error, HF_ERROR_FAILED, "OpenSSL cannot do %s on this machine", what);
}

bool
hf_age_random(void *out, size_t len, GError **error)
{
	return RAND_priv_bytes(out, (int)len) == 1 || openssl_failed(error, "random numbers");
}

bool
hf_age_hkdf(HfAgeSpan secret, HfAgeSpan salt, const char *info, HfAgeKey *out, GError **error)
{
	g_autoptr(EVP_KDF) kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	g_autoptr(EVP_KDF_CTX) context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	char digest[] = "SHA256";
	/* OSSL_PARAM wants pointers without const, and only reads. */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.bytes,
						  secret.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.bytes,
						  salt.len),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, strlen(info)),
		OSSL_PARAM_construct_end(),
	};

	return (context && EVP_KDF_derive(context, out->bytes, sizeof out->bytes, params) == 1) ||
	       openssl_failed(error, "HKDF");
}

bool
hf_age_hmac(const HfAgeKey *key, HfAgeSpan message, uint8_t *mac_out, GError **error)
{
	unsigned len = 0;

	return HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, message.bytes, message.len, mac_out, &len) ||
	       openssl_failed(error, "HMAC");
}

bool
hf_age_scrypt(HfAgeSpan passphrase, HfAgeSpan salt, unsigned log_n, HfAgeKey *out, GError **error)
{
	return EVP_PBE_scrypt(passphrase.bytes, passphrase.len, salt.bytes, salt.len, (uint64_t)1 << log_n, 8,
			      1, SCRYPT_MEMORY(log_n), out->bytes, sizeof out->bytes) == 1 ||
	       openssl_failed(error, "scrypt");
}

bool
hf_age_x25519(const HfAgeKey *secret, const uint8_t *public_key, uint8_t *out, GError **error)
{
	size_t len = HF_AGE_KEY_BYTES;
	g_autoptr(EVP_PKEY) own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, secret->bytes,
							       sizeof secret->bytes);
	g_autoptr(EVP_PKEY) peer = NULL;
	g_autoptr(EVP_PKEY_CTX) context = NULL;

	if (!own)
		return openssl_failed(error, "X25519");
	if (!public_key)
		return EVP_PKEY_get_raw_public_key(own, out, &len) == 1 || openssl_failed(error, "X25519");
	peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key, HF_AGE_KEY_BYTES);
	context = EVP_PKEY_CTX_new(own, NULL);
	if (!peer || !context || EVP_PKEY_derive_init(context) != 1 ||
	    EVP_PKEY_derive_set_peer(context, peer) != 1)
		return openssl_failed(error, "X25519");
	/* OpenSSL refuses a result of zeros, which a point of low order gives (RFC 7748 section 6.1). */
	return EVP_PKEY_derive(context, out, &len) == 1 ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "an X25519 key is a point of low order");
}

bool
hf_age_seal(const HfAgeKey *key, const uint8_t *nonce, HfAgeSpan plain, uint8_t *out, GError **error)
{
	g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
	int len = 0;
	int rest = 0;

	return (context &&
		EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), NULL, key->bytes, nonce) == 1 &&
		EVP_EncryptUpdate(context, out, &len, plain.bytes, (int)plain.len) == 1 &&
		EVP_EncryptFinal_ex(context, out + len, &rest) == 1 &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, HF_AGE_TAG_BYTES, out + plain.len) ==
			1) ||
	       openssl_failed(error, "ChaCha20-Poly1305");
}

bool
hf_age_unseal(const HfAgeKey *key, const uint8_t *nonce, HfAgeSpan sealed, uint8_t *out)
{
	g_autoptr(EVP_CIPHER_CTX) context = EVP_CIPHER_CTX_new();
	const uint8_t *bytes = sealed.bytes;
	uint8_t tag[HF_AGE_TAG_BYTES];
	size_t plain = sealed.len - HF_AGE_TAG_BYTES;
	int len = 0;
	int rest = 0;

	if (sealed.len < HF_AGE_TAG_BYTES || !context)
		return false;
	memcpy(tag, bytes + plain, sizeof tag);
	return EVP_DecryptInit_ex(context, EVP_chacha20_poly1305(), NULL, key->bytes, nonce) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, HF_AGE_TAG_BYTES, tag) == 1 &&
	       EVP_DecryptUpdate(context, out, &len, bytes, (int)plain) == 1 &&
	       EVP_DecryptFinal_ex(context, out + len, &rest) == 1;
}
