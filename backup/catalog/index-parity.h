/*
 * backup/catalog/index-parity.h -- a second way to a piece of an images' index whose bytes were damaged.
 *
 * A turned bit in the index would cost the images of a whole piece, some hundred.  So the exclusive or of each
 * HF_PARITY_PIECES pieces lies beside it (docs/format.md, "The parity of the index"), which gives any one of them back
 * from the others: a sixteenth of the index's size for one damaged piece in sixteen.  Where the index is encrypted, it is the
 * chunks of the stored age file that are taken together so.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/store/store.h"

#define HF_PARITY_PIECES 16

/* Reads the stored index and writes the parity of its pieces, of HfIndexPiece, into a chain, which is left open. */
bool hf_index_parity_write(HfStore *store, const HfArchive *index, const GPtrArray *pieces, HfStage *into,
			   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The packed bytes of a piece from the parity and from the pieces beside it; NULL where that cannot be read.  Whether
 * they are right, only unpacking them tells: a second damaged piece among the sixteen makes them wrong.
 */
GBytes *hf_index_parity_rebuild(HfStore *store, const HfImagesRecord *record, const GPtrArray *pieces,
				guint piece);
