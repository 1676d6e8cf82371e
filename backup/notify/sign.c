#include "config.h"

#include "backup/notify/sign.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define PREFIX "whsec_"
#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/* The specification: "between 24 bytes (192 bits) and 64 bytes (512 bits)". */
#define KEY_BYTES_MIN 24
#define KEY_BYTES_MAX 64
#define SIGNATURE_BYTES 32

typedef struct {
	unsigned char bytes[KEY_BYTES_MAX + 3];
	size_t len;
} Key;

static void
wipe(Key *key)
{
	OPENSSL_cleanse(key, sizeof *key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Key, wipe)

static bool
malformed(GError **error)
{
	return hf_error_set(
		error, HF_ERROR_USAGE,
		"WEBHOOK_SECRET: \"whsec_\" and %d to %d bytes in base64 are wanted: make one with "
		"echo \"whsec_$(openssl rand -base64 32)\"",
		KEY_BYTES_MIN, KEY_BYTES_MAX);
}

/* OpenSSL's decoder writes three bytes for each four letters, and takes a "=" anywhere for a zero. */
static bool
decode(const char *text, size_t len, Key *key, GError **error)
{
	size_t letters = len - strlen(PREFIX);
	size_t padding = 0;

	if (len <= strlen(PREFIX) || strncmp(text, PREFIX, strlen(PREFIX)) != 0 || letters % 4 != 0 ||
	    letters / 4 * 3 > sizeof key->bytes)
		return malformed(error);
	while (padding < 2 && text[len - 1 - padding] == '=')
		padding++;
	if (strspn(text + strlen(PREFIX), LETTERS) < letters - padding)
		return malformed(error);
	if (EVP_DecodeBlock(key->bytes, (const unsigned char *)text + strlen(PREFIX), (int)letters) < 0)
		return malformed(error);
	key->len = letters / 4 * 3 - padding;
	return (key->len >= KEY_BYTES_MIN && key->len <= KEY_BYTES_MAX) || malformed(error);
}

static void
append_signature(GString *header, const Key *key, const char *content)
{
	unsigned char signature[SIGNATURE_BYTES];
	unsigned len = sizeof signature;
	g_autofree char *base64 = NULL;

	HMAC(EVP_sha256(), key->bytes, (int)key->len, (const unsigned char *)content, strlen(content),
	     signature, &len);
	base64 = g_base64_encode(signature, len);
	g_string_append_printf(header, "%sv1,%s", header->len > 0 ? " " : "", base64);
}

/* With each secret of the list; content NULL: only whether they are well-formed. */
static bool
sign_with_each(const HfSecret *secrets, const char *content, GString *header, GError **error)
{
	const char *at = hf_secret_bytes(secrets);
	unsigned count = 0;

	for (at += strspn(at, " \t"); *at; at += strspn(at, " \t"), count++) {
		size_t len = strcspn(at, " \t");
		g_auto(Key) key = {.len = 0};

		if (!decode(at, len, &key, error))
			return false;
		if (content)
			append_signature(header, &key, content);
		at += len;
	}
	return count > 0 || malformed(error);
}

bool
hf_sign_check(const HfSecret *secrets, GError **error)
{
	return sign_with_each(secrets, NULL, NULL, error);
}

char *
hf_sign_webhook(const HfSecret *secrets, const char *id, int64_t timestamp_s, const char *body,
		GError **error)
{
	g_autofree char *content = g_strdup_printf("%s.%" G_GINT64_FORMAT ".%s", id, timestamp_s, body);
	g_autoptr(GString) header = g_string_new(NULL);

	return sign_with_each(secrets, content, header, error)
		       ? g_string_free(g_steal_pointer(&header), FALSE)
		       : NULL;
}
