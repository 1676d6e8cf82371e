#include "config.h"

#include "backup/archive/borrow.h"
#include "backup/catalog/image-line.h"
#include "backup/catalog/image-view.h"
#include "backup/catalog/index-pieces.h"
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
search_piece(HfStore *store, const HfArchive *index, HfRange range, Search *search, GError **error)
{
	g_autoptr(HfStage) lines = hf_lines_new(HF_IMAGE_LINE_BYTES_MAX, take_image_line, search);

	search->is_first = range.offset == 0;
	if (hf_archive_read_members(store, index, range, lines, error) && hf_stage_finish(lines, error))
		return true;
	g_prefix_error(error, "index \"%s\": ", ((const HfPart *)g_ptr_array_index(index->parts, 0))->key);
	return false;
}

/* Through the view, which knows a way around a damaged piece. */
static HfImage *
find_in_view(HfStore *store, const HfManifest *manifest, const char *key, GError **error)
{
	g_autoptr(HfImageView) view = hf_image_view_new(store, manifest, key);
	const HfImage *image;
	const char *damage;

	if (!hf_image_view_next(view, &image, &damage, error))
		return NULL;
	if (image && strcmp(image->key, key) == 0)
		return hf_image_copy(image);
	if (damage)
		hf_error_set(error, HF_ERROR_CORRUPT, "%s", damage);
	else
		hf_error_set(error, HF_ERROR_NOT_FOUND, "set \"%s\" has no image \"%s\"", manifest->id, key);
	return NULL;
}

HfImage *
hf_image_index_find(HfStore *store, const HfManifest *manifest, const char *key, GError **error)
{
	const HfArchive *index = manifest->images->index;
	g_autoptr(GPtrArray) pieces = hf_index_pieces_load(store, manifest->images, error);
	g_autoptr(HfImageLineReader) reader = hf_image_line_reader_new();
	Search search = {.key = key, .reader = reader};
	g_autoptr(GError) trouble = NULL;
	HfRange range;
	guint piece;

	if (!pieces)
		return NULL;
	piece = hf_index_piece_of(pieces, key);
	range.offset = hf_index_piece_offset(index, pieces, piece);
	range.length = hf_index_piece_offset(index, pieces, piece + 1) - range.offset;
	if (!search_piece(store, index, range, &search, &trouble)) {
		hf_image_free(search.found);
		if (hf_error_is(trouble, HF_ERROR_CORRUPT))
			return find_in_view(store, manifest, key, error);
		g_propagate_error(error, g_steal_pointer(&trouble));
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
