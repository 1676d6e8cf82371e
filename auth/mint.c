#include "config.h"

#include "auth/mint.h"
#include "auth/key.h"
#include "auth/openssl.h"
#include "common/error.h"
#include "common/file.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)64 << 10)

typedef struct {
	const HfAlgorithm *algorithm;
	const void *bytes;
	size_t len;
} Signer;

typedef jwt_t HfJwt;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfJwt, jwt_free)

static char *
encode(const Signer *signer, const HfMintOptions *options, GError **error)
{
	HfJwt *made = NULL;
	g_autoptr(HfJwt) jwt = NULL;
	char *text, *token;

	if (jwt_new(&made) != 0) {
		hf_error_set(error, HF_ERROR_FAILED, "libjwt cannot be started");
		return NULL;
	}
	jwt = made;
	if (jwt_add_grants_json(jwt, options->claims_json) != 0 ||
	    (options->kid && jwt_add_header(jwt, "kid", options->kid) != 0) ||
	    jwt_set_alg(jwt, signer->algorithm->jwt, signer->bytes, (int)signer->len) != 0) {
		hf_error_set(error, HF_ERROR_USAGE, "the claims or the key id cannot be put into a token");
		return NULL;
	}
	text = jwt_encode_str(jwt);
	ERR_clear_error();
	if (!text)
		hf_error_set(error, HF_ERROR_FAILED, "the token could not be signed");
	token = g_strdup(text);
	free(text);
	return token;
}

static bool
choose(Signer *signer, const HfSettings *settings, HfKeyType type, int curve, GError **error)
{
	HfAlgorithms algorithms;

	if (!hf_algorithms_parse(hf_settings_text(settings, HF_SET_JWT_ALGORITHMS), &algorithms, error))
		return false;
	signer->algorithm = hf_algorithm_first(algorithms, type, curve);
	return signer->algorithm ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "JWT_ALGORITHMS names none that goes with the key: the service would refuse "
			    "the token");
}

static char *
mint_with_secret(const HfSettings *settings, const HfMintOptions *options, GError **error)
{
	const HfSecret *secret = hf_settings_secret(settings, HF_SET_JWT_SECRET);
	g_autoptr(HfKey) key = NULL;
	Signer signer;

	if (!secret) {
		hf_error_set(error, HF_ERROR_USAGE,
			     "JWT_SECRET is not set, so there is nothing to sign with: set it, or give the "
			     "private key's file with --key");
		return NULL;
	}
	key = hf_key_new_secret(hf_secret_bytes(secret), hf_secret_len(secret), "JWT_SECRET", error);
	if (!key || !choose(&signer, settings, HF_KEY_SECRET, 0, error))
		return NULL;
	signer.bytes = key->bytes;
	signer.len = key->len;
	return encode(&signer, options, error);
}

/* Nobody can be asked for a passphrase. */
static int
no_passphrase(char *buffer, int size, int is_writing, void *data)
{
	(void)buffer;
	(void)size;
	(void)is_writing;
	(void)data;
	return -1;
}

static char *
mint_with_pem(const HfSettings *settings, const HfMintOptions *options, Signer *signer, GError **error)
{
	g_autofree char *what = g_strdup_printf("--key \"%s\"", options->key_file);
	g_autoptr(BIO) bio = BIO_new_mem_buf(signer->bytes, (int)signer->len);
	g_autoptr(EVP_PKEY) pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	HfKeyType type;
	int curve;

	ERR_clear_error();
	if (!pkey) {
		hf_error_set(error, HF_ERROR_USAGE,
			     "%s: a private key in PEM, without a passphrase, is wanted", what);
		return NULL;
	}
	if (!hf_key_inspect(pkey, what, &type, &curve, error) ||
	    !choose(signer, settings, type, curve, error))
		return NULL;
	return encode(signer, options, error);
}

char *
hf_token_mint(const HfSettings *settings, const HfMintOptions *options, GError **error)
{
	Signer signer = {0};
	char *text, *token;

	if (!options->key_file)
		return mint_with_secret(settings, options, error);
	if (!hf_file_read_small(options->key_file, FILE_BYTES_MAX, &text, &signer.len, error)) {
		g_prefix_error(error, "--key: ");
		return NULL;
	}
	signer.bytes = text;
	token = mint_with_pem(settings, options, &signer, error);
	OPENSSL_cleanse(text, signer.len);
	g_free(text);
	return token;
}
