#include "config.h"

#include "backup/age/keyring.h"
#include "backup/age/header.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <openssl/crypto.h>

struct HfKeyring {
	HfAgeRecipients *recipients;
	HfAgeIdentities *identities;
	GHashTable *opened; /* prologue (GBytes) to HfAgeKey */
	bool hides_names;
	HfSignKey *signing; /* NULL: nothing is signed */
	GArray *trusted;    /* of HfVerifyKey, that of signing among them; NULL: none */
	bool bypasses_signatures;
};

static void
free_key(gpointer key)
{
	hf_age_key_clear(key);
	g_free(key);
}

HfKeyring *
hf_keyring_new(HfAgeRecipients *recipients, HfAgeIdentities *identities)
{
	HfKeyring *keyring = g_new0(HfKeyring, 1);

	keyring->recipients = recipients;
	keyring->identities = identities;
	keyring->opened = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
						free_key);
	return keyring;
}

/* A passphrase is the recipient and the identity; beside it, an identity opens what was encrypted before. */
static bool
load(const HfSettings *settings, HfAgeRecipients **recipients, HfAgeIdentities **identities, GError **error)
{
	const char *names = hf_settings_text(settings, HF_SET_BACKUP_RECIPIENTS);
	const HfSecret *passphrase = hf_settings_secret(settings, HF_SET_BACKUP_PASSPHRASE);
	const HfSecret *identity = hf_settings_secret(settings, HF_SET_BACKUP_IDENTITY);

	if (names && passphrase)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"BACKUP_RECIPIENTS and BACKUP_PASSPHRASE are both set: an archive opens for "
			"recipients or by a passphrase, unset one of them");
	if (names && !(*recipients = hf_age_recipients_parse(names, error)))
		return false;
	if (passphrase)
		*recipients = hf_age_recipients_passphrase(passphrase);
	if (identity && !(*identities = hf_age_identities_parse(
				  identity, hf_settings_origin(settings, HF_SET_BACKUP_IDENTITY), error)))
		return false;
	if (passphrase && !*identities)
		*identities = hf_age_identities_passphrase(passphrase);
	else if (passphrase)
		(*identities)->passphrase = hf_secret_copy(passphrase);
	return true;
}

static bool
load_signing(const HfSettings *settings, HfSignKey **key, GArray **trusted, GError **error)
{
	const HfSecret *secret = hf_settings_secret(settings, HF_SET_SIGNING_KEY);
	const char *file = hf_settings_secret_file(settings, HF_SET_SIGNING_KEY);
	const char *names = hf_settings_text(settings, HF_SET_SIGNING_PUBLIC_KEYS);

	if (secret && !(*key = hf_sign_key_parse(secret, file ? file : "SIGNING_KEY", error)))
		return false;
	return !names || (*trusted = hf_verify_keys_parse(names, error)) != NULL;
}

void
hf_keyring_set_signing(HfKeyring *keyring, HfSignKey *key, GArray *trusted)
{
	keyring->signing = key;
	keyring->trusted = trusted;
	if (!key)
		return;
	if (!keyring->trusted)
		keyring->trusted = g_array_new(FALSE, FALSE, sizeof(HfVerifyKey));
	g_array_append_val(keyring->trusted, key->public_key);
}

bool
hf_keyring_from_settings(const HfSettings *settings, HfKeyring **keyring_out, GError **error)
{
	g_autoptr(HfAgeRecipients) recipients = NULL;
	g_autoptr(HfAgeIdentities) identities = NULL;
	g_autoptr(HfSignKey) signing = NULL;
	g_autoptr(GArray) trusted = NULL;

	const bool hides_names = hf_settings_flag(settings, HF_SET_ENCRYPT_METADATA);

	*keyring_out = NULL;
	if (!load(settings, &recipients, &identities, error) ||
	    !load_signing(settings, &signing, &trusted, error))
		return false;
	if (hides_names && !recipients)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "ENCRYPT_METADATA is set (%s), but nobody to encrypt for: set "
				    "BACKUP_RECIPIENTS or BACKUP_PASSPHRASE_FILE, or unset it",
				    hf_settings_origin(settings, HF_SET_ENCRYPT_METADATA));
	if (recipients || identities || signing || trusted) {
		*keyring_out = hf_keyring_new(g_steal_pointer(&recipients), g_steal_pointer(&identities));
		hf_keyring_set_signing(*keyring_out, g_steal_pointer(&signing), g_steal_pointer(&trusted));
	}
	if (hides_names)
		hf_keyring_hide_names(*keyring_out);
	return true;
}

const HfSignKey *
hf_keyring_signing_key(const HfKeyring *keyring)
{
	return keyring ? keyring->signing : NULL;
}

const GArray *
hf_keyring_trusted(const HfKeyring *keyring)
{
	return keyring ? keyring->trusted : NULL;
}

void
hf_keyring_bypass_signatures(HfKeyring *keyring)
{
	if (keyring)
		keyring->bypasses_signatures = true;
}

bool
hf_keyring_bypasses_signatures(const HfKeyring *keyring)
{
	return keyring && keyring->bypasses_signatures;
}

const HfAgeRecipients *
hf_keyring_recipients(const HfKeyring *keyring)
{
	return keyring ? keyring->recipients : NULL;
}

bool
hf_keyring_can_read(const HfKeyring *keyring)
{
	return keyring && keyring->identities;
}

void
hf_keyring_hide_names(HfKeyring *keyring)
{
	g_assert(keyring->recipients);
	keyring->hides_names = true;
}

bool
hf_keyring_hides_names(const HfKeyring *keyring)
{
	return keyring && keyring->hides_names;
}

bool
hf_keyring_is_quick(const HfKeyring *keyring)
{
	return hf_keyring_can_read(keyring) && !keyring->identities->passphrase;
}

bool
hf_keyring_open(HfKeyring *keyring, GBytes *prologue, HfAgeKey *payload_key_out, GError **error)
{
	const HfAgeKey *known;

	if (!hf_keyring_can_read(keyring))
		return hf_error_set(
			error, HF_ERROR_DENIED,
			"it is encrypted, and this host has no key to it: set BACKUP_IDENTITY_FILE, or "
			"BACKUP_PASSPHRASE_FILE where it was encrypted by a passphrase");
	known = g_hash_table_lookup(keyring->opened, prologue);
	if (known) {
		*payload_key_out = *known;
		return true;
	}
	if (!hf_age_open_prologue(prologue, keyring->identities, payload_key_out, error))
		return false;
	g_hash_table_insert(keyring->opened, g_bytes_ref(prologue),
			    g_memdup2(payload_key_out, sizeof *payload_key_out));
	return true;
}

/* ---- small files ---- */

/* A head, a nonce, and a tag for each chunk: what is sealed is longer by less than that. */
#define SEALED_MORE ((size_t)HF_AGE_HEADER_MAX + HF_AGE_NONCE_BYTES)

static GBytes *
push(HfStage *chain, HfStage *sink, GBytes *bytes, GError **error)
{
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);
	g_autoptr(HfStage) owned = chain;

	if ((len > 0 && !hf_stage_write(chain, data, len, error)) || !hf_stage_finish(chain, error))
		return NULL;
	return hf_sink_bytes_get(sink);
}

GBytes *
hf_keyring_seal(const HfKeyring *keyring, GBytes *plain, GError **error)
{
	HfStage *sink = hf_sink_bytes_new(g_bytes_get_size(plain) * 2 + SEALED_MORE);
	HfStage *age = hf_age_new(sink, keyring->recipients, error);

	return age ? push(age, sink, plain, error) : NULL;
}

/* Head and nonce; CORRUPT where the file ends within them. */
static GBytes *
prologue_of(GBytes *file, GError **error)
{
	HfAgeSpan span = {0};
	size_t len = 0;

	span.bytes = g_bytes_get_data(file, &span.len);
	if (!hf_age_header_find(span, &len, error))
		return NULL;
	if (len > 0 && span.len - len >= HF_AGE_NONCE_BYTES)
		return g_bytes_new_from_bytes(file, 0, len + HF_AGE_NONCE_BYTES);
	hf_error_set(error, HF_ERROR_CORRUPT, "the encrypted file was cut in its head");
	return NULL;
}

GBytes *
hf_keyring_unseal(HfKeyring *keyring, GBytes *file, GError **error)
{
	g_autoptr(GBytes) prologue = prologue_of(file, error);
	g_auto(HfAgeKey) key = {0};
	HfStage *sink;

	if (!prologue || !hf_keyring_open(keyring, prologue, &key, error))
		return NULL;
	sink = hf_sink_bytes_new(g_bytes_get_size(file));
	return push(hf_unage_known_new(sink, prologue, &key), sink, file, error);
}

void
hf_keyring_free(HfKeyring *keyring)
{
	if (!keyring)
		return;
	hf_age_recipients_free(keyring->recipients);
	hf_age_identities_free(keyring->identities);
	g_hash_table_unref(keyring->opened);
	hf_sign_key_free(keyring->signing);
	if (keyring->trusted)
		g_array_unref(keyring->trusted);
	g_free(keyring);
}
