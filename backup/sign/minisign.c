#include "config.h"

#include "backup/sign/minisign.h"
#include "backup/sign/text.h"
#include "common/error.h"

#include <string.h>

#define TRUSTED "trusted comment: "

/* Algorithm, key id, signature. */
enum {
	HEAD_BYTES = 2 + HF_SIGN_KEY_ID_BYTES,
	BLOCK_BYTES = HEAD_BYTES + HF_SIGN_SIGNATURE_BYTES,
};

typedef struct {
	uint8_t block[BLOCK_BYTES];
	const char *comment; /* borrowed */
	size_t comment_len;
	uint8_t seal[HF_SIGN_SIGNATURE_BYTES]; /* of the signature and the comment */
} Parts;

/* What the second signature is of. */
static GByteArray *
sealed(const uint8_t *signature, const char *comment, size_t len)
{
	GByteArray *bytes = g_byte_array_new();

	g_byte_array_append(bytes, signature, HF_SIGN_SIGNATURE_BYTES);
	g_byte_array_append(bytes, (const uint8_t *)comment, (guint)len);
	return bytes;
}

GBytes *
hf_minisign_sign(const HfSignKey *key, GBytes *message, const char *trusted_comment, GError **error)
{
	uint8_t block[BLOCK_BYTES] = {'E', 'D'}, hash[HF_SIGN_HASH_BYTES], seal[HF_SIGN_SIGNATURE_BYTES];
	g_autoptr(GByteArray) bytes = NULL;
	g_autofree char *first = NULL;
	g_autofree char *second = NULL;
	gsize len;
	const void *data = g_bytes_get_data(message, &len);
	char *text;

	memcpy(block + 2, key->public_key.id, sizeof key->public_key.id);
	if (!hf_sign_hash(data, len, hash, error) ||
	    !hf_sign_make(&key->seed, hash, sizeof hash, block + HEAD_BYTES, error))
		return NULL;
	bytes = sealed(block + HEAD_BYTES, trusted_comment, strlen(trusted_comment));
	if (!hf_sign_make(&key->seed, bytes->data, bytes->len, seal, error))
		return NULL;
	first = hf_sign_base64(block, sizeof block);
	second = hf_sign_base64(seal, sizeof seal);
	text = g_strdup_printf(HF_SIGN_UNTRUSTED "signature from holdfast\n%s\n" TRUSTED "%s\n%s\n", first,
			       trusted_comment, second);
	return g_bytes_new_take(text, strlen(text));
}

/* ---- checking ---- */

/* Exactly four lines; text is closed by a NUL and holds no other. */
static bool
take_apart(const char *text, Parts *parts)
{
	const char *line;
	size_t len;

	line = hf_sign_next_line(&text, &len);
	if (!line || !g_str_has_prefix(line, HF_SIGN_UNTRUSTED))
		return false;
	line = hf_sign_next_line(&text, &len);
	if (!line || !hf_sign_unbase64(line, len, parts->block, sizeof parts->block))
		return false;
	line = hf_sign_next_line(&text, &len);
	if (!line || len < strlen(TRUSTED) || !g_str_has_prefix(line, TRUSTED))
		return false;
	parts->comment = line + strlen(TRUSTED);
	parts->comment_len = len - strlen(TRUSTED);
	line = hf_sign_next_line(&text, &len);
	return line && hf_sign_unbase64(line, len, parts->seal, sizeof parts->seal) && !*text;
}

static const HfVerifyKey *
find_key(const GArray *keys, const uint8_t *id)
{
	for (guint i = 0; i < keys->len; i++) {
		const HfVerifyKey *key = &g_array_index(keys, HfVerifyKey, i);

		if (memcmp(key->id, id, sizeof key->id) == 0)
			return key;
	}
	return NULL;
}

static bool
check_message(const HfVerifyKey *key, const Parts *parts, GBytes *message, GError **error)
{
	uint8_t hash[HF_SIGN_HASH_BYTES];
	gsize len;
	const void *data = g_bytes_get_data(message, &len);
	bool is_hashed = parts->block[1] == 'D';

	if (is_hashed && !hf_sign_hash(data, len, hash, error))
		return false;
	return hf_sign_holds(key->bytes, is_hashed ? hash : data, is_hashed ? sizeof hash : len,
			     parts->block + HEAD_BYTES) ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "the signature is not of these bytes");
}

static bool
check_parts(const GArray *keys, const Parts *parts, GBytes *message, GError **error)
{
	const HfVerifyKey *key = find_key(keys, parts->block + 2);
	g_autofree char *id = hf_verify_key_id(parts->block + 2);
	g_autoptr(GByteArray) bytes = NULL;

	if (parts->block[0] != 'E' || (parts->block[1] != 'D' && parts->block[1] != 'd'))
		return hf_error_set(error, HF_ERROR_CORRUPT, "the signature is of a kind that is not known");
	if (!key)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "the signature is by key %s, which is none of SIGNING_PUBLIC_KEYS", id);
	if (!check_message(key, parts, message, error))
		return false;
	bytes = sealed(parts->block + HEAD_BYTES, parts->comment, parts->comment_len);
	return hf_sign_holds(key->bytes, bytes->data, bytes->len, parts->seal) ||
	       hf_error_set(error, HF_ERROR_CORRUPT,
			    "the signature's trusted comment is not the one that was signed");
}

bool
hf_minisign_verify(const GArray *keys, GBytes *signature, GBytes *message, char **comment_out, GError **error)
{
	gsize len;
	const char *data = g_bytes_get_data(signature, &len);
	g_autofree char *text = g_strndup(data ? data : "", MIN(len, HF_MINISIGN_BYTES_MAX));
	Parts parts;

	if (len > HF_MINISIGN_BYTES_MAX || strlen(text) != len || !take_apart(text, &parts))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "the signature is no whole file of minisign's format");
	if (!check_parts(keys, &parts, message, error))
		return false;
	*comment_out = g_strndup(parts.comment, parts.comment_len);
	return true;
}
