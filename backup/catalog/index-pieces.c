#include "config.h"

#include "backup/catalog/index-pieces.h"
#include "backup/catalog/image-line.h"
#include "backup/catalog/lines.h"
#include "common/error.h"

#include <string.h>

static void
piece_free(gpointer data)
{
	g_free(((HfIndexPiece *)data)->key);
	g_free(data);
}

GPtrArray *
hf_index_pieces_new(void)
{
	return g_ptr_array_new_with_free_func(piece_free);
}

void
hf_index_pieces_add(GPtrArray *pieces, const char *key, uint64_t offset)
{
	HfIndexPiece *piece = g_new(HfIndexPiece, 1);

	*piece = (HfIndexPiece){g_strdup(key), offset};
	g_ptr_array_add(pieces, piece);
}

static const HfIndexPiece *
piece_at(const GPtrArray *pieces, guint i)
{
	return g_ptr_array_index(pieces, i);
}

/* ---- loading ---- */

typedef struct {
	GPtrArray *pieces;
	HfImageLineReader *reader;
} Top;

static bool
take_line(void *context, const char *line, size_t len, GError **error)
{
	Top *top = context;
	HfIndexPiece piece;

	if (!hf_image_line_read_piece(top->reader, line, len, &piece, error))
		return false;
	hf_index_pieces_add(top->pieces, piece.key, piece.offset);
	g_free(piece.key);
	return true;
}

static bool
read_top(HfStore *store, const HfArchive *archive, GPtrArray *pieces, GError **error)
{
	g_autoptr(HfImageLineReader) reader = hf_image_line_reader_new();
	Top top = {pieces, reader};
	g_autoptr(HfStage) lines = hf_lines_new(HF_IMAGE_LINE_BYTES_MAX, take_line, &top);

	return hf_archive_read(store, archive, lines, error) && hf_stage_finish(lines, error);
}

static bool
are_in_order(const GPtrArray *pieces, const HfArchive *index)
{
	for (guint i = 0; i < pieces->len; i++) {
		const HfIndexPiece *piece = piece_at(pieces, i);
		const HfIndexPiece *before = i > 0 ? piece_at(pieces, i - 1) : NULL;

		if (piece->offset > index->packed_bytes ||
		    (before && (before->offset >= piece->offset || strcmp(before->key, piece->key) >= 0)))
			return false;
	}
	return true;
}

GPtrArray *
hf_index_pieces_load(HfStore *store, const HfImagesRecord *record, GError **error)
{
	g_autoptr(GPtrArray) pieces = hf_index_pieces_new();

	for (guint i = 0; i < record->pieces->len; i++)
		hf_index_pieces_add(pieces, piece_at(record->pieces, i)->key,
				    piece_at(record->pieces, i)->offset);
	if (record->top && !read_top(store, record->top, pieces, error))
		return NULL;
	if (!are_in_order(pieces, record->index)) {
		hf_error_set(error, HF_ERROR_CORRUPT, "the pieces of the index are out of order");
		return NULL;
	}
	if (pieces->len == 0)
		hf_index_pieces_add(pieces, "", 0);
	return g_steal_pointer(&pieces);
}

/* ---- looking ---- */

uint64_t
hf_index_piece_offset(const HfArchive *index, const GPtrArray *pieces, guint i)
{
	if (i == 0)
		return 0;
	return i < pieces->len ? piece_at(pieces, i)->offset : index->packed_bytes;
}

const char *
hf_index_piece_key(const GPtrArray *pieces, guint i)
{
	return i < pieces->len ? piece_at(pieces, i)->key : NULL;
}

guint
hf_index_piece_of(const GPtrArray *pieces, const char *key)
{
	guint low = 0,
	      high = pieces->len; /* piece low begins at or before the key, or is the first; high behind it */

	while (high - low > 1) {
		guint middle = low + (high - low) / 2;

		if (strcmp(piece_at(pieces, middle)->key, key) <= 0)
			low = middle;
		else
			high = middle;
	}
	return low;
}
