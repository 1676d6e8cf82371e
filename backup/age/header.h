/*
 * backup/age/header.h -- the head of an age file: for each recipient the file's key, wrapped, and a MAC over it all.
 *
 * Source: C2SP specification "age", sections "Header" to "Header MAC", "X25519 recipient type", "scrypt recipient type".
 */
#pragma once

#include "backup/age/keys.h"

/* A head that is longer is refused: 64 KiB hold some 400 recipients. */
enum {
	HF_AGE_HEADER_MAX = 64 << 10,
};

/* A new file key, and the head that wraps it for each of the recipients; header_out is appended to. */
bool hf_age_header_make(const HfAgeRecipients *recipients, HfAgeFileKey *file_key_out, GByteArray *header_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Where the head that bytes begin with ends; *len_out is 0 while its end has not come yet.  CORRUPT as soon as it can be
 * seen that it is none, or is too long.
 */
bool hf_age_header_find(HfAgeSpan bytes, size_t *len_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The file key out of a whole head.  CORRUPT where it breaks a rule or the MAC is wrong, DENIED where none of the identities
 * is among the recipients, USAGE for a work factor over HF_AGE_LOG_N_MAX.  Recipients of other kinds are passed over.
 */
bool hf_age_header_open(HfAgeSpan header, const HfAgeIdentities *identities, HfAgeFileKey *file_key_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
