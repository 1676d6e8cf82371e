/*
 * backup/catalog/signed.h -- signatures beside what is stored: KEY.minisig, as `minisign -V` checks it.
 *
 * What signs, and whose signatures count, hangs on the store's keyring.  The trusted comment names the key of the object, so
 * that a signature that was moved to another set is noticed (docs/format.md, "Signatures").
 */
#pragma once

#include "backup/store/store.h"

typedef enum {
	HF_SIGNED_UNCHECKED, /* no key to check with */
	HF_SIGNED_NO,
	HF_SIGNED_YES,
	HF_SIGNED_BAD, /* it is there and wrong */
} HfSigned;

/* "unchecked", "no", "yes", "bad": as --json and the API say it.  Static. */
const char *hf_signed_word(HfSigned is_signed);

/* Stores the signature of what is to be stored under key; nothing where the store has no signing key. */
bool hf_signed_write(HfStore *store, const char *key, GBytes *bytes, int64_t now_s,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Whether bytes, read from key, are what was signed.  No signature is no error; a wrong one is CORRUPT, or, where the keyring
 * bypasses signatures, a warning and HF_SIGNED_BAD.
 */
bool hf_signed_check(HfStore *store, const char *key, GBytes *bytes, HfSigned *signed_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;
