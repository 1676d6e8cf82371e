#include "config.h"

#include "backup/sign/keys.h"
#include "backup/age/crypto.h"
#include "backup/sign/text.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <string.h>

/*
 * Where what stands in a secret key: algorithm, kdf, checksum algorithm, 32 bytes of salt, two limits of 8 bytes, the key's
 * id, seed and public key, and a checksum, which is zero in a key without a password (minisign 0.11).
 */
enum {
	AT_KDF = 2,
	AT_CHECK = 4,
	AT_ID = 54,
	AT_SEED = AT_ID + HF_SIGN_KEY_ID_BYTES,
	AT_PUBLIC = AT_SEED + HF_SIGN_SEED_BYTES,
	SECRET_BYTES = AT_PUBLIC + HF_SIGN_PUBLIC_BYTES + 32,
	PUBLIC_BYTES = 2 + HF_SIGN_KEY_ID_BYTES + HF_SIGN_PUBLIC_BYTES,
};

/* ---- public keys ---- */

char *
hf_verify_key_to_text(const HfVerifyKey *key)
{
	uint8_t bytes[PUBLIC_BYTES] = {'E', 'd'};

	memcpy(bytes + 2, key->id, sizeof key->id);
	memcpy(bytes + 2 + sizeof key->id, key->bytes, sizeof key->bytes);
	return hf_sign_base64(bytes, sizeof bytes);
}

/* A number of 64 bits, the lowest byte first, without leading zeros. */
char *
hf_verify_key_id(const uint8_t *id)
{
	uint64_t number = 0;

	for (int i = HF_SIGN_KEY_ID_BYTES; i > 0; i--)
		number = number << 8 | id[i - 1];
	return g_strdup_printf("%" G_GINT64_MODIFIER "X", number);
}

static bool
parse_public(const char *text, size_t len, HfVerifyKey *key_out)
{
	uint8_t bytes[PUBLIC_BYTES];

	if (!hf_sign_unbase64(text, len, bytes, sizeof bytes) || bytes[0] != 'E' || bytes[1] != 'd')
		return false;
	memcpy(key_out->id, bytes + 2, sizeof key_out->id);
	memcpy(key_out->bytes, bytes + 2 + sizeof key_out->id, sizeof key_out->bytes);
	return true;
}

static bool
parse_line(const char *line, size_t len, GArray *keys, GError **error)
{
	static const char between[] = ", \t\r";
	const char *end = line + len;

	if (g_str_has_prefix(line, HF_SIGN_UNTRUSTED))
		return true;
	for (const char *at = line + strspn(line, between); at < end; at += strspn(at, between)) {
		size_t word = MIN(strcspn(at, ", \t\r\n"), (size_t)(end - at));
		HfVerifyKey key;

		if (!parse_public(at, word, &key))
			return hf_error_set(error, HF_ERROR_USAGE,
					    "SIGNING_PUBLIC_KEYS: what stands behind key %u is no public key "
					    "of minisign's kind (56 letters, RW...): \"holdfast keygen "
					    "--signing\" prints one",
					    keys->len);
		g_array_append_val(keys, key);
		at += word;
	}
	return true;
}

GArray *
hf_verify_keys_parse(const char *text, GError **error)
{
	g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(HfVerifyKey));
	const char *line;
	size_t len;

	while ((line = hf_sign_next_line(&text, &len)))
		if (!parse_line(line, len, keys, error))
			return NULL;
	if (keys->len > 0)
		return g_steal_pointer(&keys);
	hf_error_set(error, HF_ERROR_USAGE,
		     "SIGNING_PUBLIC_KEYS holds no key: \"holdfast keygen --signing\" prints one");
	return NULL;
}

/* ---- secret keys ---- */

void
hf_sign_key_free(HfSignKey *key)
{
	if (!key)
		return;
	hf_sign_seed_clear(&key->seed);
	g_free(key);
}

HfSignKey *
hf_sign_key_copy(const HfSignKey *key)
{
	return g_memdup2(key, sizeof *key);
}

bool
hf_sign_key_new(HfSignKey **key_out, GError **error)
{
	g_autoptr(HfSignKey) key = g_new0(HfSignKey, 1);

	if (!hf_age_random(key->seed.bytes, sizeof key->seed.bytes, error) ||
	    !hf_age_random(key->public_key.id, sizeof key->public_key.id, error) ||
	    !hf_sign_public(&key->seed, key->public_key.bytes, error))
		return false;
	*key_out = g_steal_pointer(&key);
	return true;
}

char *
hf_sign_key_to_text(const HfSignKey *key)
{
	g_autofree char *public_key = hf_verify_key_to_text(&key->public_key);
	uint8_t bytes[SECRET_BYTES] = {'E', 'd', 0, 0, 'B', '2'};
	char *base64, *text;

	memcpy(bytes + AT_ID, key->public_key.id, sizeof key->public_key.id);
	memcpy(bytes + AT_SEED, key->seed.bytes, sizeof key->seed.bytes);
	memcpy(bytes + AT_PUBLIC, key->public_key.bytes, sizeof key->public_key.bytes);
	base64 = hf_sign_base64(bytes, sizeof bytes);
	text = g_strdup_printf(HF_SIGN_UNTRUSTED "minisign secret key of public key %s\n%s\n", public_key,
			       base64);
	OPENSSL_cleanse(bytes, sizeof bytes);
	OPENSSL_cleanse(base64, strlen(base64));
	g_free(base64);
	return text;
}

static bool
check_secret(const uint8_t *bytes, const char *source, GError **error)
{
	static const uint8_t none[2] = {0};

	if (memcmp(bytes, "Ed", 2) != 0 || memcmp(bytes + AT_CHECK, "B2", 2) != 0)
		return hf_error_set(error, HF_ERROR_USAGE, "\"%s\" is of a kind of key that is not known",
				    source);
	return memcmp(bytes + AT_KDF, none, sizeof none) == 0 ||
	       hf_error_set(
		       error, HF_ERROR_USAGE,
		       "\"%s\" is protected by a password, which nobody is there to type when a backup is "
		       "signed: \"minisign -C -W -s FILE\" takes it off",
		       source);
}

static HfSignKey *
take_secret(const uint8_t *bytes, const char *source, GError **error)
{
	g_autoptr(HfSignKey) key = g_new0(HfSignKey, 1);

	if (!check_secret(bytes, source, error))
		return NULL;
	memcpy(key->public_key.id, bytes + AT_ID, sizeof key->public_key.id);
	memcpy(key->seed.bytes, bytes + AT_SEED, sizeof key->seed.bytes);
	if (!hf_sign_public(&key->seed, key->public_key.bytes, error))
		return NULL;
	if (CRYPTO_memcmp(key->public_key.bytes, bytes + AT_PUBLIC, sizeof key->public_key.bytes) == 0)
		return g_steal_pointer(&key);
	hf_error_set(error, HF_ERROR_USAGE, "\"%s\" is damaged: its two halves are not of one key", source);
	return NULL;
}

HfSignKey *
hf_sign_key_parse(const HfSecret *text, const char *source, GError **error)
{
	const char *at = hf_secret_bytes(text), *line;
	uint8_t bytes[SECRET_BYTES];
	HfSignKey *key = NULL;
	bool is_read = false;
	size_t len = 0;

	while (!is_read && (line = hf_sign_next_line(&at, &len)))
		is_read = !g_str_has_prefix(line, HF_SIGN_UNTRUSTED) &&
			  hf_sign_unbase64(line, len, bytes, sizeof bytes);
	if (is_read)
		key = take_secret(bytes, source, error);
	else
		hf_error_set(
			error, HF_ERROR_USAGE,
			"\"%s\" is no secret key of minisign's kind: \"holdfast keygen --signing\" makes "
			"one",
			source);
	OPENSSL_cleanse(bytes, sizeof bytes);
	return key;
}
