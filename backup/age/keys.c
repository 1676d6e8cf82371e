#include "config.h"

#include "backup/age/keys.h"
#include "backup/age/bech32.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <string.h>

/* C2SP "age", section "X25519 recipient type". */
#define RECIPIENT_PREFIX "age"
#define IDENTITY_PREFIX "age-secret-key-"

static GArray *
keys_new(void)
{
	GArray *keys = g_array_new(FALSE, TRUE, sizeof(HfAgeKey));

	g_array_set_clear_func(keys, (GDestroyNotify)hf_age_key_clear);
	return keys;
}

HfAgeRecipients *
hf_age_recipients_parse(const char *text, GError **error)
{
	g_autoptr(HfAgeRecipients) recipients = g_new0(HfAgeRecipients, 1);
	g_auto(GStrv) words = g_strsplit_set(text, ", \t\r\n", -1);

	recipients->keys = keys_new();
	for (char **word = words; *word; word++) {
		HfAgeKey key;

		if (!**word)
			continue;
		if (g_ascii_strncasecmp(*word, IDENTITY_PREFIX, strlen(IDENTITY_PREFIX)) == 0) {
			hf_error_set(error, HF_ERROR_USAGE,
				     "BACKUP_RECIPIENTS holds a secret key: it wants the public one, which "
				     "begins with \"age1\"");
			return NULL;
		}
		if (!hf_bech32_decode(*word, RECIPIENT_PREFIX, key.bytes, sizeof key.bytes)) {
			hf_error_set(error, HF_ERROR_USAGE,
				     "BACKUP_RECIPIENTS: \"%s\" is no public key of age's X25519 kind "
				     "(\"age1...\", 62 characters): \"holdfast keygen\" makes one",
				     *word);
			return NULL;
		}
		g_array_append_val(recipients->keys, key);
	}
	if (recipients->keys->len > 0)
		return g_steal_pointer(&recipients);
	hf_error_set(error, HF_ERROR_USAGE, "BACKUP_RECIPIENTS names no recipient");
	return NULL;
}

HfAgeRecipients *
hf_age_recipients_passphrase(const HfSecret *passphrase)
{
	HfAgeRecipients *recipients = g_new0(HfAgeRecipients, 1);

	recipients->keys = keys_new();
	recipients->passphrase = hf_secret_copy(passphrase);
	return recipients;
}

void
hf_age_recipients_free(HfAgeRecipients *recipients)
{
	if (!recipients)
		return;
	g_array_unref(recipients->keys);
	hf_secret_free(recipients->passphrase);
	g_free(recipients);
}

/* The line without the blanks around it, if it holds anything; the caller wipes and frees it. */
static char *
significant(const char *line, size_t len)
{
	char *text = g_strstrip(g_strndup(line, len));

	if (*text && *text != '#')
		return text;
	g_free(text);
	return NULL;
}

HfAgeIdentities *
hf_age_identities_parse(const HfSecret *text, const char *source, GError **error)
{
	g_autoptr(HfAgeIdentities) identities = g_new0(HfAgeIdentities, 1);
	const char *at = hf_secret_bytes(text);

	identities->keys = keys_new();
	for (unsigned number = 1; *at; number++) {
		size_t len = strcspn(at, "\n");
		char *line = significant(at, len);
		HfAgeKey key = {0};

		if (line) {
			bool is_key = hf_bech32_decode(line, IDENTITY_PREFIX, key.bytes, sizeof key.bytes);

			OPENSSL_cleanse(line, strlen(line));
			g_free(line);
			if (!is_key) {
				hf_error_set(error, HF_ERROR_USAGE,
					     "\"%s\", line %u: no secret key of age's X25519 kind "
					     "(\"AGE-SECRET-KEY-1...\")",
					     source, number);
				return NULL;
			}
			g_array_append_val(identities->keys, key);
			hf_age_key_clear(&key);
		}
		at += len + (at[len] == '\n');
	}
	if (identities->keys->len > 0)
		return g_steal_pointer(&identities);
	hf_error_set(error, HF_ERROR_USAGE, "\"%s\" holds no identity: \"holdfast keygen\" makes one",
		     source);
	return NULL;
}

HfAgeIdentities *
hf_age_identities_passphrase(const HfSecret *passphrase)
{
	HfAgeIdentities *identities = g_new0(HfAgeIdentities, 1);

	identities->keys = keys_new();
	identities->passphrase = hf_secret_copy(passphrase);
	return identities;
}

void
hf_age_identities_free(HfAgeIdentities *identities)
{
	if (!identities)
		return;
	g_array_unref(identities->keys);
	hf_secret_free(identities->passphrase);
	g_free(identities);
}

bool
hf_age_key_new(HfAgeKey *identity_out, char **recipient_out, GError **error)
{
	uint8_t public_key[HF_AGE_KEY_BYTES];

	if (!hf_age_random(identity_out->bytes, sizeof identity_out->bytes, error) ||
	    !hf_age_x25519(identity_out, NULL, public_key, error))
		return false;
	*recipient_out = hf_bech32_encode(RECIPIENT_PREFIX, public_key, sizeof public_key);
	return true;
}

char *
hf_age_identity_to_text(const HfAgeKey *identity)
{
	char *text = hf_bech32_encode(IDENTITY_PREFIX, identity->bytes, sizeof identity->bytes);

	for (char *at = text; *at; at++)
		*at = g_ascii_toupper(*at);
	return text;
}
