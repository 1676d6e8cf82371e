/*
 * backup/catalog/image-line.h -- one line of an image index, as docs/format.md ("Index of the images") says.
 *
 * A line is JSON, in one fixed form: members in a fixed order, no spaces.  It is read by a strict reader of that very
 * form, since an unchanged run reads and writes each line of a large index: anything else in it is damage.
 */
#pragma once

#include "backup/catalog/image-index.h"

/* No line is longer: some 64 KiB of metadata, each byte escaped. */
#define HF_IMAGE_LINE_BYTES_MAX ((size_t)448 << 10)

/* Appends the line with its end. */
void hf_image_line_write(GString *out, const HfImage *image);

typedef struct HfImageLineReader HfImageLineReader;
HfImageLineReader *hf_image_line_reader_new(void);
/*
 * Reads a line (without its end, not closed by a NUL); the image's members point into the reader until the next call,
 * and image_out->line into line.  CORRUPT says what was expected.
 */
bool hf_image_line_read(HfImageLineReader *reader, const char *line, size_t len, HfImage *image_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_image_line_reader_free(HfImageLineReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImageLineReader, hf_image_line_reader_free)

/* The lines around: the first one, and the last one. */
void hf_image_line_write_head(GString *out, const char *set_id);
void hf_image_line_write_end(GString *out, uint64_t lines);
bool hf_image_line_is_end(const char *line, size_t len, uint64_t *lines_out);

/* A piece's line, in the list of pieces: {"key":...,"offset":N}. */
void hf_image_line_write_piece(GString *out, const HfIndexPiece *piece);
bool hf_image_line_read_piece(HfImageLineReader *reader, const char *line, size_t len,
			      HfIndexPiece *piece_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
