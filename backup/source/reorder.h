/*
 * backup/source/reorder.h -- a bounded window in which pieces that are read side by side come back into their order.
 *
 * Pieces are numbered from 0.  Each of a few readers, a thread with a lane of its own, claims the next piece, fills
 * chunks of its lane with it, and claims another; one consumer takes the pieces in order.  A lane is a ring of chunks: a
 * reader that is ahead waits when its ring is full.  Pieces are claimed in order and lie in a lane in order, so the
 * oldest piece always stands at the head of its lane: the consumer empties it, its reader goes on, nobody waits for ever.
 *
 * Memory: HF_REORDER_BYTES of chunks for all lanes together, whatever the size of a piece, taken when first filled.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HF_REORDER_LANES_MAX 8
#define HF_REORDER_CHUNK_BYTES \
	((size_t)256 << 10) /* fits with what is done to it into the second-level cache */
#define HF_REORDER_BYTES ((size_t)32 << 20)

typedef struct HfReorder HfReorder;

HfReorder *hf_reorder_new(unsigned lanes, uint64_t pieces);

/* ---- a reader's side; each lane belongs to one thread ---- */

/* The next piece; false where none is left, or the window was stopped.  The one before must have been ended. */
bool hf_reorder_claim(HfReorder *reorder, unsigned lane, uint64_t *piece_out);

/* HF_REORDER_CHUNK_BYTES to fill; waits while the lane is full.  NULL once the window was stopped. */
char *hf_reorder_space(HfReorder *reorder, unsigned lane);

/* Hands on what was filled, len bytes of the chunk; ends_piece says that the piece is complete.  Len 0 is fine. */
void hf_reorder_commit(HfReorder *reorder, unsigned lane, size_t len, bool ends_piece);

/* The consumer gets this error instead of the next chunk; the first one counts, and stops the window.  Takes error. */
void hf_reorder_fail(HfReorder *reorder, GError *error);

/* ---- the consumer's side ---- */

typedef struct {
	const char *bytes; /* until the next call */
	size_t len;
	bool ends_piece;
} HfReorderChunk;

/* The next chunk, of the oldest piece that has not ended; waits.  Not to be called when all pieces have ended. */
bool hf_reorder_next(HfReorder *reorder, HfReorderChunk *chunk_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Lets all readers go: they get no more space and no more pieces. */
void hf_reorder_stop(HfReorder *reorder);

/* Readers must have ended. */
void hf_reorder_free(HfReorder *reorder);
