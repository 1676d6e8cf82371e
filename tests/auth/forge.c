#include "config.h"

#include "tests/auth/forge.h"
#include "auth/base64url.h"
#include "common/error.h"

#include <glib/gstdio.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <string.h>
#include <unistd.h>

static char *
signing_input(const char *header, const char *payload)
{
	g_autofree char *first = hf_base64url_encode(header, strlen(header));
	g_autofree char *second = hf_base64url_encode(payload, strlen(payload));

	return g_strconcat(first, ".", second, NULL);
}

static char *
add_signature(const char *input, const void *bytes, size_t len)
{
	g_autofree char *signature = hf_base64url_encode(bytes, len);

	return g_strconcat(input, ".", signature, NULL);
}

char *
forge_unsigned(const char *header, const char *payload)
{
	g_autofree char *input = signing_input(header, payload);

	return add_signature(input, "", 0);
}

char *
forge_hs(const char *header, const char *payload, const void *key, size_t len, const EVP_MD *md)
{
	g_autofree char *input = signing_input(header, payload);
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;

	g_assert_nonnull(HMAC(md, key, (int)len, (const unsigned char *)input, strlen(input), mac, &mac_len));
	return add_signature(input, mac, mac_len);
}

/* RFC 7518 section 3.4: R and S, each as long as the curve's field. */
static size_t
to_raw_ecdsa(const unsigned char *der, size_t der_len, size_t field_len, unsigned char *raw)
{
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_len);

	g_assert_nonnull(signature);
	BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, (int)field_len);
	BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + field_len, (int)field_len);
	ECDSA_SIG_free(signature);
	return 2 * field_len;
}

char *
forge_pkey(const char *header, const char *payload, EVP_PKEY *pkey, const EVP_MD *md)
{
	g_autofree char *input = signing_input(header, payload);
	unsigned char signature[1024], raw[256];
	size_t len = sizeof signature;
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	g_assert_true(EVP_DigestSignInit(context, NULL, md, NULL, pkey) == 1);
	g_assert_true(EVP_DigestSign(context, signature, &len, (const unsigned char *)input, strlen(input)) ==
		      1);
	EVP_MD_CTX_free(context);
	if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC)
		return add_signature(input, signature, len);
	len = to_raw_ecdsa(signature, len, ((size_t)EVP_PKEY_get_bits(pkey) + 7) / 8, raw);
	return add_signature(input, raw, len);
}

char *
forge_admin(void)
{
	return forge_hs(HS256, ADMIN, SECRET, strlen(SECRET), EVP_sha256());
}

ForgedFile
forge_file(const char *text)
{
	char *path = g_build_filename(g_get_tmp_dir(), "holdfast-auth-XXXXXX", NULL);
	int fd = g_mkstemp(path);

	g_assert_cmpint(fd, >=, 0);
	close(fd);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	return (ForgedFile){path};
}

static ForgedFile
file_of(BIO *bio)
{
	char *text;
	long len = BIO_get_mem_data(bio, &text);
	g_autofree char *copy = g_strndup(text, (gsize)len);

	return forge_file(copy);
}

ForgedFile
forge_public_pem(EVP_PKEY *pkey)
{
	g_autoptr(BIO) bio = BIO_new(BIO_s_mem());

	g_assert_true(PEM_write_bio_PUBKEY(bio, pkey) == 1);
	return file_of(bio);
}

ForgedFile
forge_private_pem(EVP_PKEY *pkey)
{
	g_autoptr(BIO) bio = BIO_new(BIO_s_mem());

	g_assert_true(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1);
	return file_of(bio);
}

void
forged_file_clear(ForgedFile *file)
{
	g_unlink(file->path);
	g_free(file->path);
}

static HfSettings *
settings_of(const char *const *environment)
{
	g_autoptr(GError) error = NULL;
	HfSettings *settings = hf_settings_load_from(environment, "/dev/null", &error);

	g_assert_no_error(error);
	return settings;
}

HfAuth *
forge_auth(const char *const *environment)
{
	g_autoptr(HfSettings) settings = settings_of(environment);
	g_autoptr(GError) error = NULL;
	HfAuth *auth = hf_auth_new(settings, &error);

	g_assert_no_error(error);
	return auth;
}

void
assert_no_auth(const char *const *environment, const char *words)
{
	g_autoptr(HfSettings) settings = settings_of(environment);
	g_autoptr(GError) error = NULL;

	g_assert_null(hf_auth_new(settings, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	if (!strstr(error->message, words))
		g_error("\"%s\" does not say \"%s\"", error->message, words);
}

void
assert_admitted(HfAuth *auth, const char *token, const char *subject)
{
	g_autofree char *header = g_strconcat("Bearer ", token, NULL);
	g_autoptr(GError) error = NULL;
	HfAuthRefusal refusal;
	g_autoptr(HfPrincipal) principal = hf_auth_check(auth, header, NOW_S, &refusal, &error);

	g_assert_no_error(error);
	g_assert_cmpstr(principal->subject, ==, subject);
}

void
assert_refused(HfAuth *auth, const char *token, HfAuthRefusal refusal, const char *words)
{
	g_autofree char *header = g_strconcat("Bearer ", token, NULL);
	g_autoptr(GError) error = NULL;
	HfAuthRefusal seen;

	g_assert_null(hf_auth_check(auth, header, NOW_S, &seen, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_DENIED);
	if (!strstr(error->message, words))
		g_error("\"%s\" does not say \"%s\"", error->message, words);
	g_assert_cmpint(seen, ==, refusal);
}
