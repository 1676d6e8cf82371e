#include "config.h"

#include "backup/archive/borrow.h"
#include "backup/catalog/image-line.h"
#include "backup/catalog/lines.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

/* ---- an image of its own ---- */

static GHashTable *
copy_user(GHashTable *user)
{
	GHashTable *copy;
	GHashTableIter iter;
	gpointer name, value;

	if (!user)
		return NULL;
	copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_hash_table_iter_init(&iter, user);
	while (g_hash_table_iter_next(&iter, &name, &value))
		g_hash_table_insert(copy, g_strdup(name), g_strdup(value));
	return copy;
}

HfImage *
hf_image_copy(const HfImage *image)
{
	HfImage *copy = g_memdup2(image, sizeof *image);

	copy->key = g_strdup(image->key);
	copy->etag = g_strdup(image->etag);
	copy->meta.content_type = g_strdup(image->meta.content_type);
	copy->meta.cache_control = g_strdup(image->meta.cache_control);
	copy->meta.content_disposition = g_strdup(image->meta.content_disposition);
	copy->meta.content_encoding = g_strdup(image->meta.content_encoding);
	copy->meta.user = copy_user(image->meta.user);
	copy->trouble = g_strdup(image->trouble);
	copy->path = g_strdup(image->path);
	copy->line = g_strndup(image->line, image->line ? image->line_len : 0);
	if (!image->line)
		g_clear_pointer((char **)(uintptr_t)&copy->line, g_free);
	return copy;
}

static void
free_const(const char *text)
{
	g_free((gpointer)(uintptr_t)text);
}

void
hf_image_free(HfImage *image)
{
	if (!image)
		return;
	free_const(image->key);
	free_const(image->etag);
	free_const(image->meta.content_type);
	free_const(image->meta.cache_control);
	free_const(image->meta.content_disposition);
	free_const(image->meta.content_encoding);
	g_clear_pointer(&image->meta.user, g_hash_table_unref);
	free_const(image->trouble);
	free_const(image->path);
	free_const(image->line);
	g_free(image);
}

/* ---- which piece ---- */

/* The last piece that begins at or before the key; of two neighbours the later one ends the earlier. */
typedef struct {
	const char *key;
	HfImageLineReader *reader;
	bool is_found;
	uint64_t offset;
	uint64_t end;
	bool has_end;
} Choice;

static void
consider(Choice *choice, const HfIndexPiece *piece)
{
	if (strcmp(piece->key, choice->key) <= 0) {
		choice->is_found = true;
		choice->offset = piece->offset;
	} else if (!choice->has_end) {
		choice->has_end = true;
		choice->end = piece->offset;
	}
}

static bool
take_piece_line(void *context, const char *line, size_t len, GError **error)
{
	Choice *choice = context;
	HfIndexPiece piece;

	if (!hf_image_line_read_piece(choice->reader, line, len, &piece, error))
		return false;
	consider(choice, &piece);
	g_free(piece.key);
	return true;
}

static bool
choose_piece(HfStore *store, const HfImagesRecord *record, Choice *choice, GError **error)
{
	g_autoptr(HfStage) lines = NULL;

	for (guint i = 0; i < record->pieces->len; i++)
		consider(choice, g_ptr_array_index(record->pieces, i));
	if (record->top) {
		lines = hf_lines_new(HF_IMAGE_LINE_BYTES_MAX, take_piece_line, choice);
		if (!hf_archive_read(store, record->top, lines, error) || !hf_stage_finish(lines, error))
			return false;
	}
	if (!choice->has_end)
		choice->end = record->index->packed_bytes;
	return choice->offset <= choice->end ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "the index's pieces are out of order");
}

/* ---- the line ---- */

typedef struct {
	const char *key;
	HfImageLineReader *reader;
	HfImage *found;
	bool is_first; /* of the whole index: the head */
} Search;

static bool
take_image_line(void *context, const char *line, size_t len, GError **error)
{
	Search *search = context;
	bool is_head = search->is_first;
	uint64_t lines;
	HfImage image;

	search->is_first = false;
	if (is_head || search->found || hf_image_line_is_end(line, len, &lines))
		return true;
	if (!hf_image_line_read(search->reader, line, len, &image, error))
		return false;
	if (strcmp(image.key, search->key) == 0)
		search->found = hf_image_copy(&image);
	return true;
}

static bool
search_piece(HfStore *store, const HfArchive *index, const Choice *choice, Search *search, GError **error)
{
	const HfRange range = {choice->offset, choice->end - choice->offset};
	g_autoptr(HfStage) lines = hf_lines_new(HF_IMAGE_LINE_BYTES_MAX, take_image_line, search);

	search->is_first = choice->offset == 0;
	if (hf_archive_read_members(store, index, range, lines, error) && hf_stage_finish(lines, error))
		return true;
	g_prefix_error(error, "index \"%s\": ", ((const HfPart *)g_ptr_array_index(index->parts, 0))->key);
	return false;
}

HfImage *
hf_image_index_find(HfStore *store, const HfManifest *manifest, const char *key, GError **error)
{
	const HfImagesRecord *record = manifest->images;
	g_autoptr(HfImageLineReader) reader = hf_image_line_reader_new();
	Choice choice = {.key = key, .reader = reader};
	Search search = {.key = key, .reader = reader};

	if (!choose_piece(store, record, &choice, error))
		return NULL;
	if (choice.is_found && !search_piece(store, record->index, &choice, &search, error)) {
		hf_image_free(search.found);
		return NULL;
	}
	if (!search.found)
		hf_error_set(error, HF_ERROR_NOT_FOUND, "set \"%s\" has no image \"%s\"", manifest->id, key);
	return search.found;
}

/* ---- the content ---- */

static void
to_hex(const uint8_t sha256[HF_SHA256_BYTES], char hex_out[HF_SHA256_HEX_LEN + 1])
{
	for (size_t i = 0; i < HF_SHA256_BYTES; i++)
		g_snprintf(hex_out + 2 * i, 3, "%02x", sha256[i]);
}

bool
hf_image_read(HfStore *store, const HfManifest *manifest, const HfImage *image, HfStage *into, GError **error)
{
	const HfImageArchive *place = hf_images_record_archive(manifest->images, image->archive);
	const HfRange packed = {image->packed_offset, image->packed_bytes};
	char hex[HF_SHA256_HEX_LEN + 1];
	g_autoptr(HfStage) chain = NULL;

	if (image->trouble)
		return hf_error_set(error, HF_ERROR_DENIED,
				    "image \"%s\" could not be read when set \"%s\" was made: %s", image->key,
				    manifest->id, image->trouble);
	if (!place)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "image \"%s\" points outside of the set's archives", image->key);
	to_hex(image->sha256, hex);
	chain = hf_slice_new(hf_digest_check_new(hf_borrow_new(into, NULL), image->key, image->bytes, hex),
			     image->data_offset, image->bytes);
	if (hf_archive_read_members(store, place->archive, packed, chain, error) &&
	    hf_stage_finish(chain, error))
		return true;
	g_prefix_error(error, "image \"%s\" in the archive of set \"%s\": ", image->key, place->set_id);
	return false;
}
