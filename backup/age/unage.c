#include "config.h"

#include "backup/age/age.h"
#include "backup/age/header.h"
#include "backup/age/payload.h"
#include "backup/stage/sink.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <string.h>

typedef struct {
	HfStage stage;
	const HfAgeIdentities *identities; /* NULL: the key is known */
	GBytes *known;                     /* NULL, or what the prologue must be; its key is in chunks */
	GByteArray *head;                  /* NULL once the prologue has come */
	HfAgeChunks chunks;
} Unage;

/*
 * Gathers the prologue out of the bytes; *at moves behind what is not the payload's.  The head's end is looked for in what
 * has come so far, so a head that comes byte by byte is read over again: it is short.
 */
static bool
take_head(Unage *unage, const uint8_t **at, const uint8_t *end, GError **error)
{
	size_t had = unage->head->len;
	size_t header_bytes;
	size_t all;

	g_byte_array_append(unage->head, *at, (guint)MIN((size_t)(end - *at), HF_AGE_HEADER_MAX));
	if (!hf_age_header_find((HfAgeSpan){unage->head->data, unage->head->len}, &header_bytes, error))
		return false;
	all = header_bytes + HF_AGE_NONCE_BYTES;
	if (header_bytes == 0 || unage->head->len < all) {
		*at += unage->head->len - had;
		return true;
	}
	*at += all - had;
	g_byte_array_set_size(unage->head, (guint)all);
	{
		g_autoptr(GBytes) prologue = g_byte_array_free_to_bytes(g_steal_pointer(&unage->head));

		return hf_age_open_prologue(prologue, unage->identities, &unage->chunks.key, error);
	}
}

/* Compares the prologue with the known one. */
static bool
take_known_head(Unage *unage, const uint8_t **at, const uint8_t *end, GError **error)
{
	size_t len;
	const uint8_t *known = g_bytes_get_data(unage->known, &len);
	size_t fits = MIN((size_t)(end - *at), len - unage->head->len);

	if (memcmp(known + unage->head->len, *at, fits) != 0)
		return hf_error_set(error, HF_ERROR_CORRUPT, "the age header was changed");
	g_byte_array_append(unage->head, *at, (guint)fits);
	*at += fits;
	if (unage->head->len == len)
		g_clear_pointer(&unage->head, g_byte_array_unref);
	return true;
}

static bool
unage_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Unage *unage = (Unage *)self;
	const uint8_t *at = buf;
	const uint8_t *end = at + len;

	while (at < end) {
		size_t plain_bytes = 0;

		if (unage->head ? !(unage->known ? take_known_head : take_head)(unage, &at, end, error)
				: !hf_age_chunks_take(&unage->chunks, &at, end, &plain_bytes, error))
			return false;
		if (plain_bytes > 0 && !hf_stage_emit(self, unage->chunks.plain, plain_bytes, error))
			return false;
	}
	return true;
}

static bool
unage_finish(HfStage *self, GError **error)
{
	Unage *unage = (Unage *)self;
	size_t plain_bytes;

	if (unage->head)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "the stream ends inside its age header: it was cut");
	if (!hf_age_chunks_end(&unage->chunks, &plain_bytes, error))
		return false;
	return hf_stage_emit(self, unage->chunks.plain, plain_bytes, error);
}

static void
unage_clear(HfStage *self)
{
	Unage *unage = (Unage *)self;

	OPENSSL_cleanse(&unage->chunks, sizeof unage->chunks);
	g_clear_pointer(&unage->known, g_bytes_unref);
	if (unage->head)
		g_byte_array_unref(unage->head);
}

static const HfStageOps unage_ops = {
	.name = "unage",
	.write = unage_write,
	.finish = unage_finish,
	.clear = unage_clear,
};

HfStage *
hf_unage_new(HfStage *next, const HfAgeIdentities *identities)
{
	Unage *unage = g_new0(Unage, 1);

	hf_stage_init(&unage->stage, &unage_ops, next);
	unage->identities = identities;
	unage->head = g_byte_array_new();
	unage->chunks.ends_in_last = true;
	return &unage->stage;
}

HfStage *
hf_unage_known_new(HfStage *next, GBytes *prologue, const HfAgeKey *payload_key)
{
	Unage *unage = (Unage *)hf_unage_new(next, NULL);

	unage->known = g_bytes_ref(prologue);
	unage->chunks.key = *payload_key;
	return &unage->stage;
}

HfStage *
hf_unage_window_new(HfStage *next, const HfAgeKey *payload_key, const HfAgeWindow *window, bool is_to_end,
		    uint64_t plain_length)
{
	Unage *unage = g_new0(Unage, 1);

	hf_stage_init(&unage->stage, &unage_ops, hf_slice_new(next, window->skip, plain_length));
	unage->chunks.key = *payload_key;
	unage->chunks.number = window->first_chunk;
	unage->chunks.ends_in_last = is_to_end;
	return &unage->stage;
}
