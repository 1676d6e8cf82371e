/*
 * backup/age/keyring.h -- what a store's archives are encrypted for, and what opens them; what signs its manifests, and whose
 * signatures count.
 *
 * A host that only makes backups has recipients and no identity: it cannot read what it stored (docs/design.md, section 1).
 * Payload keys that were opened are kept, since a passphrase takes a quarter of a second each time; a keyring, like the store
 * that holds it, is used by one thread at a time.
 */
#pragma once

#include "backup/age/age.h"
#include "backup/sign/keys.h"
#include "common/settings.h"

typedef struct HfKeyring HfKeyring;

/* Takes both; either may be NULL. */
HfKeyring *hf_keyring_new(HfAgeRecipients *recipients, HfAgeIdentities *identities);

/*
 * Adds what signs (NULL: nothing does) and the public keys that count beside its own (of HfVerifyKey; NULL: no others).  Takes
 * both.
 */
void hf_keyring_set_signing(HfKeyring *keyring, HfSignKey *key, GArray *trusted);

/*
 * Of BACKUP_RECIPIENTS, BACKUP_PASSPHRASE, BACKUP_IDENTITY, SIGNING_KEY and SIGNING_PUBLIC_KEYS; *keyring_out is NULL where none
 * is set.  USAGE for recipients and a passphrase together: a file opens for the one or the other.
 */
bool hf_keyring_from_settings(const HfSettings *settings, HfKeyring **keyring_out,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NULL: nothing is encrypted.  keyring may be NULL.  Borrowed. */
const HfAgeRecipients *hf_keyring_recipients(const HfKeyring *keyring);

/* Whether there is anything to read with.  keyring may be NULL. */
bool hf_keyring_can_read(const HfKeyring *keyring);

/*
 * Whether what tells names (manifests' private members, indexes, proofs) is encrypted as well: ENCRYPT_METADATA.  It takes
 * recipients.  keyring may be NULL: false.
 */
void hf_keyring_hide_names(HfKeyring *keyring);
bool hf_keyring_hides_names(const HfKeyring *keyring);

/*
 * Whether opening a file costs next to nothing: a passphrase takes a quarter of a second each, too long for each line of a
 * list.  keyring may be NULL: false.
 */
bool hf_keyring_is_quick(const HfKeyring *keyring);

/* The payload's key of a file with this prologue; DENIED, with the remedy, where nothing opens it.  keyring may be NULL. */
bool hf_keyring_open(HfKeyring *keyring, GBytes *prologue, HfAgeKey *payload_key_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A small age file out of bytes, for the recipients; and back, as hf_keyring_open() and hf_unage_new() fail. */
GBytes *hf_keyring_seal(const HfKeyring *keyring, GBytes *plain, GError **error) G_GNUC_WARN_UNUSED_RESULT;
GBytes *hf_keyring_unseal(HfKeyring *keyring, GBytes *file, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NULL: nothing is signed.  keyring may be NULL.  Borrowed. */
const HfSignKey *hf_keyring_signing_key(const HfKeyring *keyring);

/* Of HfVerifyKey; NULL: signatures are not checked.  keyring may be NULL.  Borrowed. */
const GArray *hf_keyring_trusted(const HfKeyring *keyring);

/* What a wrong signature stops goes on from here: for a person who decided so.  keyring may be NULL. */
void hf_keyring_bypass_signatures(HfKeyring *keyring);
bool hf_keyring_bypasses_signatures(const HfKeyring *keyring);

void hf_keyring_free(HfKeyring *keyring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfKeyring, hf_keyring_free)
