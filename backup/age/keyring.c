#include "config.h"

#include "backup/age/keyring.h"
#include "common/error.h"

#include <openssl/crypto.h>

struct HfKeyring {
	HfAgeRecipients *recipients;
	HfAgeIdentities *identities;
	GHashTable *opened; /* prologue (GBytes) to HfAgeKey */
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

bool
hf_keyring_from_settings(const HfSettings *settings, HfKeyring **keyring_out, GError **error)
{
	g_autoptr(HfAgeRecipients) recipients = NULL;
	g_autoptr(HfAgeIdentities) identities = NULL;

	*keyring_out = NULL;
	if (!load(settings, &recipients, &identities, error))
		return false;
	if (recipients || identities)
		*keyring_out = hf_keyring_new(g_steal_pointer(&recipients), g_steal_pointer(&identities));
	return true;
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

void
hf_keyring_free(HfKeyring *keyring)
{
	if (!keyring)
		return;
	hf_age_recipients_free(keyring->recipients);
	hf_age_identities_free(keyring->identities);
	g_hash_table_unref(keyring->opened);
	g_free(keyring);
}
