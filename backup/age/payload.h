/*
 * backup/age/payload.h -- for the stages of age.h: the payload's chunks (C2SP "age", section "Payload").
 */
#pragma once

#include "backup/age/age.h"

enum {
	HF_AGE_SEALED_CHUNK_BYTES = HF_AGE_CHUNK_BYTES + HF_AGE_TAG_BYTES,
};

bool hf_age_payload_key(const HfAgeFileKey *file_key, const uint8_t *nonce, HfAgeKey *key_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Eleven bytes of counter, the highest first, and 1 where the chunk is the last. */
void hf_age_chunk_nonce(uint64_t number, bool is_last, uint8_t nonce_out[HF_AGE_AEAD_NONCE_BYTES]);

/*
 * Opens chunks as they come.  A chunk is the last one if nothing follows it, so one is always held back.
 */
typedef struct {
	HfAgeKey key;
	uint64_t number;   /* of the chunk that is gathered */
	bool ends_in_last; /* what comes ends with the file's last chunk; else with any whole one */
	size_t held_bytes;
	uint8_t held[HF_AGE_SEALED_CHUNK_BYTES];
	uint8_t plain[HF_AGE_CHUNK_BYTES];
} HfAgeChunks;

/* Takes as much as fits; gives what is to be emitted in *plain_bytes_out, 0 where there is nothing yet. */
bool hf_age_chunks_take(HfAgeChunks *chunks, const uint8_t **at, const uint8_t *end, size_t *plain_bytes_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* At the end: opens what is held. */
bool hf_age_chunks_end(HfAgeChunks *chunks, size_t *plain_bytes_out,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;
