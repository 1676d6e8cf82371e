/*
 * backup/age/keys.h -- who can open what is encrypted: recipients, who are public, and identities, who are secret.
 *
 * The spelling is age's (C2SP specification "age", section "X25519 recipient type"): "age1..." for a recipient,
 * "AGE-SECRET-KEY-1..." for an identity.  A passphrase is both.
 */
#pragma once

#include "backup/age/crypto.h"
#include "common/secret.h"

/*
 * The work factor that a passphrase is stretched by: N = 2^16, 64 MiB and a quarter of a second an object.  age itself takes
 * 2^18, which needs 256 MiB; a passphrase for backups should be long and random anyway.  More than 2^20 is refused when
 * reading: it would take 1 GiB, and whoever wrote the object chose the number.
 */
enum {
	HF_AGE_LOG_N = 16,
	HF_AGE_LOG_N_MAX = 20,
};

typedef struct {
	GArray *keys;         /* of HfAgeKey: public ones; empty where there is a passphrase */
	HfSecret *passphrase; /* NULL, or the one way in */
} HfAgeRecipients;

typedef struct {
	GArray *keys;         /* of HfAgeKey: secret ones, wiped when freed */
	HfSecret *passphrase; /* NULL: none */
} HfAgeIdentities;

/* What BACKUP_RECIPIENTS says: public keys between commas, blanks or line ends.  USAGE names the one that is none. */
HfAgeRecipients *hf_age_recipients_parse(const char *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* passphrase is copied. */
HfAgeRecipients *hf_age_recipients_passphrase(const HfSecret *passphrase);
void hf_age_recipients_free(HfAgeRecipients *recipients);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfAgeRecipients, hf_age_recipients_free)

/*
 * The content of an identity file as age-keygen writes it: a key a line, empty lines and those that begin with # left out.
 * USAGE says which line is no key, never what stands in it; source names the file.
 */
HfAgeIdentities *hf_age_identities_parse(const HfSecret *text, const char *source,
					 GError **error) G_GNUC_WARN_UNUSED_RESULT;
HfAgeIdentities *hf_age_identities_passphrase(const HfSecret *passphrase);
void hf_age_identities_free(HfAgeIdentities *identities);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfAgeIdentities, hf_age_identities_free)

/* A new identity, and its recipient.  *recipient_out: g_free() it. */
bool hf_age_key_new(HfAgeKey *identity_out, char **recipient_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "AGE-SECRET-KEY-1...": the caller wipes and g_free()s it. */
char *hf_age_identity_to_text(const HfAgeKey *identity);
