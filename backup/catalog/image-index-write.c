#include "config.h"

#include "backup/catalog/image-line.h"
#include "backup/catalog/index-pieces.h"
#include "common/error.h"

#include <string.h>

/*
 * Plain bytes of a piece: some 400 lines, which pack to about 50 KiB, so that one key costs little to read, at 1 % more
 * bytes than pieces of 1 MiB.  A piece and its longest line together stay below a member (backup/stage/gzip.h).
 */
#define PIECE_BYTES ((size_t)128 << 10)

struct HfImageIndexWriter {
	HfStage *into;
	GString *text;     /* of the piece, not yet written */
	GPtrArray *pieces; /* of HfIndexPiece; offsets are plain ones */
	uint64_t offset;   /* plain, of text's beginning */
	uint64_t lines;
	char *last_key;
	size_t last_key_bytes; /* allocated */
};

HfImageIndexWriter *
hf_image_index_writer_new(HfStage *into, const char *set_id)
{
	HfImageIndexWriter *writer = g_new0(HfImageIndexWriter, 1);

	writer->into = into;
	writer->text = g_string_sized_new(PIECE_BYTES + (PIECE_BYTES >> 2));
	writer->pieces = hf_index_pieces_new();
	hf_image_line_write_head(writer->text, set_id);
	return writer;
}

static bool
flush(HfImageIndexWriter *writer, GError **error)
{
	if (!hf_stage_write(writer->into, writer->text->str, writer->text->len, error))
		return false;
	writer->offset += writer->text->len;
	g_string_truncate(writer->text, 0);
	return true;
}

static void
begin_piece(HfImageIndexWriter *writer, const char *key)
{
	/* The first piece holds the head as well. */
	hf_index_pieces_add(writer->pieces, key, writer->pieces->len == 0 ? 0 : writer->offset);
}

static void
remember_key(HfImageIndexWriter *writer, const char *key)
{
	size_t len = strlen(key) + 1;

	g_assert(!writer->last_key || strcmp(writer->last_key, key) < 0);
	if (len > writer->last_key_bytes) {
		writer->last_key_bytes = 2 * len;
		writer->last_key = g_realloc(writer->last_key, writer->last_key_bytes);
	}
	memcpy(writer->last_key, key, len);
}

bool
hf_image_index_add(HfImageIndexWriter *writer, const HfImage *image, GError **error)
{
	size_t before;

	remember_key(writer, image->key);
	if (writer->text->len >= PIECE_BYTES &&
	    (!flush(writer, error) || !hf_stage_mark(writer->into, error)))
		return false;
	if (writer->text->len == 0 || writer->pieces->len == 0)
		begin_piece(writer, image->key);
	before = writer->text->len;
	if (image->line) {
		g_string_append_len(writer->text, image->line, (gssize)image->line_len);
		g_string_append_c(writer->text, '\n');
	} else {
		hf_image_line_write(writer->text, image);
	}
	writer->lines++;
	return writer->text->len - before <= HF_IMAGE_LINE_BYTES_MAX ||
	       hf_error_set(error, HF_ERROR_FAILED, "\"%s\": its metadata is too long for the index",
			    image->key);
}

bool
hf_image_index_end(HfImageIndexWriter *writer, GError **error)
{
	hf_image_line_write_end(writer->text, writer->lines);
	return flush(writer, error) && hf_stage_mark(writer->into, error);
}

GPtrArray *
hf_image_index_pieces(const HfImageIndexWriter *writer, const HfArchive *index)
{
	GPtrArray *pieces = hf_index_pieces_new();
	HfMembersIter iter = {0};
	HfMember member;

	if (index->members)
		iter = hf_members_begin(index->members);
	for (guint i = 0; i < writer->pieces->len; i++) {
		const HfIndexPiece *known = g_ptr_array_index(writer->pieces, i);
		uint64_t offset = known->offset;

		if (index->members) {
			bool is_there = hf_members_next(&iter, &member);

			g_assert(is_there && member.plain_offset == known->offset);
			offset = member.packed_offset;
		}
		hf_index_pieces_add(pieces, known->key, offset);
	}
	return pieces;
}

void
hf_image_index_writer_free(HfImageIndexWriter *writer)
{
	if (!writer)
		return;
	g_string_free(writer->text, TRUE);
	g_ptr_array_unref(writer->pieces);
	g_free(writer->last_key);
	g_free(writer);
}
