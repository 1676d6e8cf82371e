#include "config.h"

#include "backup/age/payload.h"
#include "backup/age/header.h"
#include "common/error.h"

#include <string.h>

#define PAYLOAD_LABEL "payload"

bool
hf_age_payload_key(const HfAgeFileKey *file_key, const uint8_t *nonce, HfAgeKey *key_out, GError **error)
{
	return hf_age_hkdf((HfAgeSpan){file_key->bytes, sizeof file_key->bytes},
			   (HfAgeSpan){nonce, HF_AGE_NONCE_BYTES}, PAYLOAD_LABEL, key_out, error);
}

void
hf_age_chunk_nonce(uint64_t number, bool is_last, uint8_t nonce_out[HF_AGE_AEAD_NONCE_BYTES])
{
	uint64_t big_endian = GUINT64_TO_BE(number);

	memset(nonce_out, 0, HF_AGE_AEAD_NONCE_BYTES);
	memcpy(nonce_out + 3, &big_endian, sizeof big_endian);
	nonce_out[HF_AGE_AEAD_NONCE_BYTES - 1] = is_last;
}

static bool
unseal(HfAgeChunks *chunks, bool is_last)
{
	uint8_t nonce[HF_AGE_AEAD_NONCE_BYTES];

	hf_age_chunk_nonce(chunks->number, is_last, nonce);
	return hf_age_unseal(&chunks->key, nonce, (HfAgeSpan){chunks->held, chunks->held_bytes},
			     chunks->plain);
}

static bool
damaged(const HfAgeChunks *chunks, GError **error)
{
	return hf_error_set(error, HF_ERROR_CORRUPT,
			    "encrypted chunk %" G_GUINT64_FORMAT
			    ": it was changed, moved, or belongs to another file",
			    chunks->number);
}

static bool
open_held(HfAgeChunks *chunks, bool is_last, size_t *plain_bytes_out, GError **error)
{
	if (unseal(chunks, is_last)) {
		*plain_bytes_out = chunks->held_bytes - HF_AGE_TAG_BYTES;
		chunks->number++;
		chunks->held_bytes = 0;
		return true;
	}
	if (unseal(chunks, !is_last))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    is_last ? "the encrypted stream ends behind chunk %" G_GUINT64_FORMAT
					      ", which is not its last: it was cut"
					    : "more follows behind chunk %" G_GUINT64_FORMAT
					      ", the last one of the encrypted stream: it was added",
				    chunks->number);
	return damaged(chunks, error);
}

bool
hf_age_chunks_take(HfAgeChunks *chunks, const uint8_t **at, const uint8_t *end, size_t *plain_bytes_out,
		   GError **error)
{
	size_t fits;

	*plain_bytes_out = 0;
	if (chunks->held_bytes == HF_AGE_SEALED_CHUNK_BYTES &&
	    !open_held(chunks, false, plain_bytes_out, error))
		return false;
	fits = MIN((size_t)(end - *at), HF_AGE_SEALED_CHUNK_BYTES - chunks->held_bytes);
	memcpy(chunks->held + chunks->held_bytes, *at, fits);
	chunks->held_bytes += fits;
	*at += fits;
	return true;
}

bool
hf_age_chunks_end(HfAgeChunks *chunks, size_t *plain_bytes_out, GError **error)
{
	if (chunks->held_bytes < HF_AGE_TAG_BYTES)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "the encrypted stream ends inside chunk %" G_GUINT64_FORMAT
				    ": it was cut",
				    chunks->number);
	/* The last chunk is empty only where the whole file is: section "Payload". */
	if (chunks->ends_in_last && chunks->held_bytes == HF_AGE_TAG_BYTES && chunks->number > 0)
		return damaged(chunks, error);
	return open_held(chunks, chunks->ends_in_last, plain_bytes_out, error);
}

/* ---- where plain bytes lie ---- */

bool
hf_age_plain_bytes(uint64_t file_bytes, size_t prologue_bytes, uint64_t *plain_out)
{
	uint64_t payload = file_bytes - prologue_bytes;
	uint64_t chunks = (payload + HF_AGE_SEALED_CHUNK_BYTES - 1) / HF_AGE_SEALED_CHUNK_BYTES;
	uint64_t last = payload - (MAX(chunks, 1) - 1) * HF_AGE_SEALED_CHUNK_BYTES;

	if (file_bytes < prologue_bytes || last < HF_AGE_TAG_BYTES ||
	    (last == HF_AGE_TAG_BYTES && chunks > 1))
		return false;
	*plain_out = payload - chunks * HF_AGE_TAG_BYTES;
	return true;
}

HfAgeWindow
hf_age_window(size_t prologue_bytes, uint64_t file_bytes, uint64_t plain_offset, uint64_t plain_length)
{
	uint64_t first = plain_offset / HF_AGE_CHUNK_BYTES;
	uint64_t last = (plain_offset + MAX(plain_length, 1) - 1) / HF_AGE_CHUNK_BYTES;
	uint64_t begin = prologue_bytes + first * HF_AGE_SEALED_CHUNK_BYTES;
	uint64_t end = prologue_bytes + (last + 1) * HF_AGE_SEALED_CHUNK_BYTES;

	return (HfAgeWindow){
		.offset = begin,
		.length = MIN(end, file_bytes) - begin,
		.first_chunk = first,
		.skip = plain_offset % HF_AGE_CHUNK_BYTES,
	};
}

bool
hf_age_open_prologue(GBytes *prologue, const HfAgeIdentities *identities, HfAgeKey *payload_key_out,
		     GError **error)
{
	g_auto(HfAgeFileKey) file_key = {0};
	size_t len;
	const uint8_t *bytes = g_bytes_get_data(prologue, &len);

	if (len <= HF_AGE_NONCE_BYTES)
		return hf_error_set(error, HF_ERROR_CORRUPT, "the age header was cut");
	len -= HF_AGE_NONCE_BYTES;
	return hf_age_header_open((HfAgeSpan){bytes, len}, identities, &file_key, error) &&
	       hf_age_payload_key(&file_key, bytes + len, payload_key_out, error);
}
