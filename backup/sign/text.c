#include "config.h"

#include "backup/sign/text.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

/* The longest that is read: a secret key of 158 bytes. */
enum {
	BYTES_MAX = 159,
	TEXT_MAX = BYTES_MAX / 3 * 4,
};

char *
hf_sign_base64(const uint8_t *bytes, size_t len)
{
	return g_base64_encode(bytes, len);
}

/* OpenSSL's decoder passes over what is no letter, so what it gave is spelled again and compared; all of it may be a secret. */
bool
hf_sign_unbase64(const char *text, size_t text_len, uint8_t *out, size_t len)
{
	uint8_t bytes[BYTES_MAX], again[TEXT_MAX + 1];
	bool is_right;

	g_assert(len <= BYTES_MAX);
	if (text_len != (len + 2) / 3 * 4)
		return false;
	is_right = EVP_DecodeBlock(bytes, (const uint8_t *)text, (int)text_len) == (int)(text_len / 4 * 3) &&
		   EVP_EncodeBlock(again, bytes, (int)len) == (int)text_len &&
		   CRYPTO_memcmp(again, text, text_len) == 0;
	if (is_right)
		memcpy(out, bytes, len);
	OPENSSL_cleanse(bytes, sizeof bytes);
	OPENSSL_cleanse(again, sizeof again);
	return is_right;
}

const char *
hf_sign_next_line(const char **text, size_t *len_out)
{
	const char *line = *text;
	size_t len = strcspn(line, "\n");

	if (!*line)
		return NULL;
	*text += len + (line[len] == '\n');
	*len_out = len > 0 && line[len - 1] == '\r' ? len - 1 : len;
	return line;
}
