/*
 * backup/catalog/index-pieces.h -- where the pieces of an images' index lie, each of which unpacks alone.
 *
 * Piece i holds the keys from its own first one up to, but without, the first one of piece i + 1.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/store/store.h"

/* A list of HfIndexPiece that owns them, and one more in it; key is copied. */
GPtrArray *hf_index_pieces_new(void);
void hf_index_pieces_add(GPtrArray *pieces, const char *key, uint64_t offset);

/*
 * Of the manifest, or read from the object that it names; at least one.  CORRUPT where they are out of order or point
 * outside of the index.
 */
GPtrArray *hf_index_pieces_load(HfStore *store, const HfImagesRecord *record,
				GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Packed bytes at which piece i begins, 0 for the first, with which the head is; behind the last, where the index ends. */
uint64_t hf_index_piece_offset(const HfArchive *index, const GPtrArray *pieces, guint i);

/* The first key of piece i; NULL behind the last.  Borrowed. */
const char *hf_index_piece_key(const GPtrArray *pieces, guint i);

/* The piece that would hold the key. */
guint hf_index_piece_of(const GPtrArray *pieces, const char *key);
