/*
 * backup/age/age.h -- encryption as stages: what is written opens with `age -d`, what age wrote is read.
 *
 * Source: the age v1 format, C2SP specification "age" (c2sp.org/age).  Behind the head (header.h) comes a nonce of 16
 * bytes, then the payload: chunks of 64 KiB, each with a tag of its own and a counter as nonce, so that any chunk is read
 * alone, and one that was cut, moved, repeated or added is noticed.  Head and nonce together are called the prologue here:
 * whoever has it and an identity can read ranges.
 *
 * Memory: two chunks, and while reading a head, at most HF_AGE_HEADER_MAX.
 */
#pragma once

#include "backup/age/keys.h"
#include "backup/stage/stage.h"

enum {
	HF_AGE_CHUNK_BYTES = 64 << 10,
	HF_AGE_NONCE_BYTES = 16,
};

/* Encrypts; recipients are borrowed during the call alone.  Takes next, also on failure. */
HfStage *hf_age_new(HfStage *next, const HfAgeRecipients *recipients,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The prologue of what hf_age_new() writes, to be kept beside it.  Borrowed; lives as long as the stage. */
GBytes *hf_age_prologue(const HfStage *age);

/*
 * Decrypts a whole file.  CORRUPT where the head breaks a rule or a chunk was changed, cut, moved, repeated or added;
 * DENIED where no identity opens it.  identities are borrowed.  What is behind gets only bytes whose tag agreed.  Takes next.
 */
HfStage *hf_unage_new(HfStage *next, const HfAgeIdentities *identities);

/* The same where the prologue is known, from elsewhere, and opened: CORRUPT where the file begins otherwise. */
HfStage *hf_unage_known_new(HfStage *next, GBytes *prologue, const HfAgeKey *payload_key);

/* ---- ranges ---- */

/* How many plain bytes are in a file of so many bytes with this prologue; false where no file can have that length. */
bool hf_age_plain_bytes(uint64_t file_bytes, size_t prologue_bytes, uint64_t *plain_out);

/* Which bytes of the file hold the range of plain bytes: whole chunks. */
typedef struct {
	uint64_t offset, length; /* in the file */
	uint64_t first_chunk;
	uint64_t skip; /* plain bytes of the first chunk that are in front of the range */
} HfAgeWindow;
HfAgeWindow hf_age_window(size_t prologue_bytes, uint64_t file_bytes, uint64_t plain_offset,
			  uint64_t plain_length);

/* The payload's key out of a prologue; fails as hf_unage_new() does. */
bool hf_age_open_prologue(GBytes *prologue, const HfAgeIdentities *identities, HfAgeKey *payload_key_out,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Decrypts the bytes of window, and passes on plain_length bytes of them.  is_to_end: window reaches to the file's end, so
 * its last chunk must be the file's last one.  Takes next.
 */
HfStage *hf_unage_window_new(HfStage *next, const HfAgeKey *payload_key, const HfAgeWindow *window,
			     bool is_to_end, uint64_t plain_length);
