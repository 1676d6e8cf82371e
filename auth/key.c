#include "config.h"

#include "auth/key.h"
#include "auth/openssl.h"
#include "common/error.h"
#include "common/file.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <string.h>

#define FILE_BYTES_MAX ((size_t)256 << 10)
/* RFC 7518 section 3.3 */
#define RSA_BITS_MIN 2048

void
hf_key_free(HfKey *key)
{
	if (!key)
		return;
	g_free(key->kid);
	OPENSSL_clear_free(key->bytes, key->len);
	g_free(key);
}

GPtrArray *
hf_keys_new(void)
{
	return g_ptr_array_new_with_free_func((GDestroyNotify)hf_key_free);
}

bool
hf_key_fits(const HfKey *key, const HfAlgorithm *algorithm)
{
	return hf_algorithm_fits(algorithm, key->type, key->curve) && (!key->only || key->only == algorithm);
}

static HfKey *
key_new(HfKeyType type, int curve, const void *bytes, size_t len)
{
	HfKey *key = g_new0(HfKey, 1);

	key->type = type;
	key->curve = curve;
	key->bytes = OPENSSL_memdup(bytes, len);
	g_assert(key->bytes);
	key->len = len;
	return key;
}

HfKey *
hf_key_new_secret(const void *bytes, size_t len, const char *what, GError **error)
{
	static const char pem[] = "-----BEGIN ";

	if (len == 0) {
		hf_error_set(error, HF_ERROR_USAGE, "%s: an empty secret would let everybody in", what);
		return NULL;
	}
	/* A public key is known to everybody: with it as a secret anybody could sign. */
	if (len >= strlen(pem) && memcmp(bytes, pem, strlen(pem)) == 0) {
		hf_error_set(error, HF_ERROR_USAGE,
			     "%s: this is a PEM key or certificate, not a secret: name its file in "
			     "JWT_PUBLIC_KEY_FILE",
			     what);
		return NULL;
	}
	return key_new(HF_KEY_SECRET, 0, bytes, len);
}

static bool
inspect_rsa(const EVP_PKEY *pkey, const char *what, GError **error)
{
	int bits = EVP_PKEY_get_bits(pkey);

	return bits >= RSA_BITS_MIN ||
	       hf_error_set(error, HF_ERROR_USAGE, "%s: an RSA key of %d bits is too weak: %d are wanted",
			    what, bits, RSA_BITS_MIN);
}

static bool
inspect_ec(const EVP_PKEY *pkey, const char *what, int *curve_out, GError **error)
{
	char name[80];
	size_t len;

	if (EVP_PKEY_get_group_name(pkey, name, sizeof name, &len) != 1)
		g_strlcpy(name, "an unnamed curve", sizeof name);
	*curve_out = OBJ_sn2nid(name);
	return (*curve_out != NID_undef && hf_algorithm_first(0, HF_KEY_EC, *curve_out)) ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "%s: a key on curve \"%s\": P-256, P-384 and P-521 can be used", what, name);
}

bool
hf_key_inspect(const EVP_PKEY *pkey, const char *what, HfKeyType *type_out, int *curve_out, GError **error)
{
	*curve_out = 0;
	switch (EVP_PKEY_get_base_id(pkey)) {
	case EVP_PKEY_RSA:
		*type_out = HF_KEY_RSA;
		return inspect_rsa(pkey, what, error);
	case EVP_PKEY_EC:
		*type_out = HF_KEY_EC;
		return inspect_ec(pkey, what, curve_out, error);
	default:
		return hf_error_set(error, HF_ERROR_USAGE,
				    "%s: a key of type \"%s\": RSA and EC keys can be used", what,
				    OBJ_nid2sn(EVP_PKEY_get_base_id(pkey)));
	}
}

/* A point that is not on its curve, or a modulus that is a prime, makes signatures that anybody can forge. */
static bool
check_public(EVP_PKEY *pkey, const char *what, GError **error)
{
	g_autoptr(EVP_PKEY_CTX) context = EVP_PKEY_CTX_new(pkey, NULL);
	bool is_sound = context && EVP_PKEY_public_check(context) == 1;

	ERR_clear_error();
	return is_sound || hf_error_set(error, HF_ERROR_USAGE, "%s: the key is not a sound one", what);
}

HfKey *
hf_key_new_public(EVP_PKEY *pkey, const char *what, GError **error)
{
	g_autoptr(BIO) bio = BIO_new(BIO_s_mem());
	char *pem;
	long len;
	HfKeyType type;
	int curve;

	if (!hf_key_inspect(pkey, what, &type, &curve, error) || !check_public(pkey, what, error))
		return NULL;
	if (!bio || PEM_write_bio_PUBKEY(bio, pkey) != 1 || (len = BIO_get_mem_data(bio, &pem)) <= 0) {
		hf_error_set(error, HF_ERROR_FAILED, "%s: OpenSSL cannot write the key as PEM", what);
		return NULL;
	}
	return key_new(type, curve, pem, (size_t)len);
}

/* ---- PEM ---- */

typedef struct {
	char *label;
	char *header;
	unsigned char *bytes;
	long len;
} Block;

static void
block_clear(Block *block)
{
	OPENSSL_free(block->label);
	OPENSSL_free(block->header);
	OPENSSL_clear_free(block->bytes, (size_t)block->len);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Block, block_clear)

static EVP_PKEY *
parse_certificate(const unsigned char *bytes, long len)
{
	g_autoptr(X509) certificate = d2i_X509(NULL, &bytes, len);

	return certificate ? X509_get_pubkey(certificate) : NULL;
}

/* NULL in *pkey_out and true: a block that is of no use, and does no harm. */
static bool
parse_block(const Block *block, const char *what, EVP_PKEY **pkey_out, GError **error)
{
	const unsigned char *bytes = block->bytes;

	*pkey_out = NULL;
	if (strcmp(block->label, "EC PARAMETERS") == 0)
		return true;
	if (strstr(block->label, "PRIVATE KEY"))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "%s: a private key does not belong there: give the public one "
				    "(openssl pkey -pubout)",
				    what);
	if (strcmp(block->label, "PUBLIC KEY") == 0)
		*pkey_out = d2i_PUBKEY(NULL, &bytes, block->len);
	else if (strcmp(block->label, "RSA PUBLIC KEY") == 0)
		*pkey_out = d2i_PublicKey(EVP_PKEY_RSA, NULL, &bytes, block->len);
	else if (strcmp(block->label, "CERTIFICATE") == 0)
		*pkey_out = parse_certificate(bytes, block->len);
	else
		return hf_error_set(error, HF_ERROR_USAGE,
				    "%s: \"%s\": a public key or a certificate is wanted", what,
				    block->label);
	ERR_clear_error();
	return *pkey_out ||
	       hf_error_set(error, HF_ERROR_USAGE, "%s: the %s cannot be read", what, block->label);
}

static bool
add_block(GPtrArray *keys, const Block *block, const char *what, GError **error)
{
	g_autoptr(EVP_PKEY) pkey = NULL;
	HfKey *key;

	if (!parse_block(block, what, &pkey, error))
		return false;
	if (!pkey)
		return true;
	key = hf_key_new_public(pkey, what, error);
	if (key)
		g_ptr_array_add(keys, key);
	return key != NULL;
}

static bool
add_blocks(GPtrArray *keys, BIO *bio, const char *what, GError **error)
{
	guint before = keys->len;

	for (;;) {
		g_auto(Block) block = {0};

		if (PEM_read_bio(bio, &block.label, &block.header, &block.bytes, &block.len) != 1)
			break;
		if (!add_block(keys, &block, what, error))
			return false;
		if (keys->len - before > HF_KEYS_MAX)
			return hf_error_set(error, HF_ERROR_USAGE, "%s: at most %d keys are taken", what,
					    HF_KEYS_MAX);
	}
	/* PEM_R_NO_START_LINE is how the end is told; anything else is a block that is damaged. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return hf_error_set(error, HF_ERROR_USAGE, "%s: it is not whole: the PEM text is damaged",
				    what);
	return keys->len > before ||
	       hf_error_set(error, HF_ERROR_USAGE, "%s: there is no public key in it (PEM is wanted)", what);
}

bool
hf_keys_add_pem(GPtrArray *keys, const char *path, GError **error)
{
	g_autofree char *what = g_strdup_printf("JWT_PUBLIC_KEY_FILE \"%s\"", path);
	g_autoptr(BIO) bio = NULL;
	char *text;
	size_t len;
	bool is_good;

	if (!hf_file_read_small(path, FILE_BYTES_MAX, &text, &len, error)) {
		g_prefix_error(error, "JWT_PUBLIC_KEY_FILE: ");
		(*error)->code = HF_ERROR_USAGE;
		return false;
	}
	ERR_clear_error();
	bio = BIO_new_mem_buf(text, (int)len);
	is_good = bio && add_blocks(keys, bio, what, error);
	ERR_clear_error();
	/* What was named by mistake may be a private key. */
	OPENSSL_cleanse(text, len);
	g_free(text);
	return is_good;
}
