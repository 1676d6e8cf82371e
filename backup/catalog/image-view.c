#include "config.h"

#include "backup/catalog/image-view.h"
#include "backup/catalog/image-line.h"
#include "backup/catalog/index-parity.h"
#include "backup/catalog/index-pieces.h"
#include "backup/catalog/lines.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

/* Pieces are read together up to so many bytes: the index of 100,000 objects takes a few requests. */
#define CHUNK_BYTES ((uint64_t)2 << 20)

struct HfImageView {
	HfStore *store;
	const HfManifest *manifest;
	const HfArchive *index;
	char *prefix;
	char *after;       /* NULL, or the key behind which it begins */
	bool is_whole;     /* neither of the two leaves anything out */
	GPtrArray *pieces; /* of HfIndexPiece; NULL before the first call */
	guint next_piece;

	GBytes *chunk; /* packed bytes, which begin at chunk_offset */
	uint64_t chunk_offset;
	HfStage *digest; /* of the whole index; NULL where not all of it is read, or once it was compared */

	HfImageLineReader *line_reader;
	GPtrArray *images; /* of HfImage: of the piece that is handed out */
	guint next_image;
	char *last_key;
	uint64_t lines;
	bool has_end, is_at_end, was_damaged, was_rebuilt;
	char *damage;
};

HfImageView *
hf_image_view_new(HfStore *store, const HfManifest *manifest, const char *prefix)
{
	HfImageView *view = g_new0(HfImageView, 1);

	view->store = store;
	view->manifest = manifest;
	view->index = manifest->images->index;
	view->prefix = g_strdup(prefix ? prefix : "");
	view->line_reader = hf_image_line_reader_new();
	view->images = g_ptr_array_new_with_free_func((GDestroyNotify)hf_image_free);
	view->is_whole = !*view->prefix;
	/* What is encrypted is checked chunk by chunk, and its digest is of other bytes. */
	if (view->is_whole && view->index->parts->len == 1 && !view->index->is_encrypted)
		view->digest = hf_digest_new(hf_sink_null_new());
	return view;
}

void
hf_image_view_start_after(HfImageView *view, const char *key)
{
	g_assert(!view->pieces);
	g_free(view->after);
	view->after = g_strdup(key);
	view->is_whole = false;
	g_clear_pointer(&view->digest, hf_stage_free);
}

void
hf_image_view_free(HfImageView *view)
{
	if (!view)
		return;
	g_free(view->prefix);
	g_free(view->after);
	g_clear_pointer(&view->pieces, g_ptr_array_unref);
	g_clear_pointer(&view->chunk, g_bytes_unref);
	hf_stage_free(view->digest);
	hf_image_line_reader_free(view->line_reader);
	g_ptr_array_unref(view->images);
	g_free(view->last_key);
	g_free(view->damage);
	g_free(view);
}

/* What is wrong with stored bytes, and not with the way to them. */
static bool
is_damage(const GError *error)
{
	return hf_error_is(error, HF_ERROR_CORRUPT) || hf_error_is(error, HF_ERROR_NOT_FOUND);
}

static const HfPart *
first_part(const HfArchive *archive)
{
	return g_ptr_array_index(archive->parts, 0);
}

/* ---- pieces ---- */

static const char *
piece_key(const HfImageView *view, guint i)
{
	return hf_index_piece_key(view->pieces, i);
}

static uint64_t
piece_offset(const HfImageView *view, guint i)
{
	return hf_index_piece_offset(view->index, view->pieces, i);
}

/* Keys of a piece lie from its own first one up to, but without, the next one's. */
static bool
is_before_start(const HfImageView *view, guint i)
{
	const char *next = piece_key(view, i + 1);

	return next && (strcmp(next, view->prefix) <= 0 || (view->after && strcmp(next, view->after) <= 0));
}

static bool
is_behind_prefix(const HfImageView *view, const char *key)
{
	return strcmp(key, view->prefix) > 0 && !g_str_has_prefix(key, view->prefix);
}

/* ---- one piece ---- */

static bool
add_to_digest(HfImageView *view, GError **error)
{
	gsize len;
	const void *bytes = g_bytes_get_data(view->chunk, &len);

	return !view->digest || hf_stage_write(view->digest, bytes, len, error);
}

static bool
read_chunk(HfImageView *view, uint64_t offset, uint64_t end, GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(end - offset);

	g_clear_pointer(&view->chunk, g_bytes_unref);
	if (!hf_archive_read_packed(view->store, view->index, (HfRange){offset, end - offset}, sink, error) ||
	    !hf_stage_finish(sink, error))
		return false;
	view->chunk = hf_sink_bytes_get(sink);
	view->chunk_offset = offset;
	return add_to_digest(view, error);
}

/* Makes sure that the chunk holds the piece: as many pieces as fit are read with it, unless one of them is missing. */
static bool
load_chunk(HfImageView *view, guint piece, GError **error)
{
	uint64_t offset = piece_offset(view, piece), end = piece_offset(view, piece + 1), far = end;
	g_autoptr(GError) trouble = NULL;

	if (view->chunk && offset >= view->chunk_offset &&
	    end <= view->chunk_offset + g_bytes_get_size(view->chunk))
		return true;
	for (guint i = piece + 1; i < view->pieces->len; i++) {
		if (piece_offset(view, i + 1) - offset > CHUNK_BYTES ||
		    is_behind_prefix(view, piece_key(view, i)))
			break;
		far = piece_offset(view, i + 1);
	}
	if (read_chunk(view, offset, far, &trouble))
		return true;
	if (far > end && is_damage(trouble))
		return read_chunk(view, offset, end, error);
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

static bool
is_inside(const HfImagesRecord *record, const HfImage *image)
{
	const HfImageArchive *place = hf_images_record_archive(record, image->archive);

	return place && image->packed_offset <= place->archive->packed_bytes &&
	       image->packed_bytes <= place->archive->packed_bytes - image->packed_offset;
}

static bool
check_head(const HfImageView *view, const char *line, size_t len, GError **error)
{
	g_autoptr(GString) head = g_string_new(NULL);

	hf_image_line_write_head(head, view->manifest->id);
	return (len + 1 == head->len && memcmp(line, head->str, len) == 0) ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "it is not that of set \"%s\"", view->manifest->id);
}

/* What take_line() is given: the head line stands in front of the first piece's. */
typedef struct {
	HfImageView *view;
	bool wants_head;
	uint64_t counted; /* by the closing line */
} PieceReader;

static const char *
last_key(const HfImageView *view)
{
	if (view->images->len == 0)
		return view->last_key;
	return ((HfImage *)g_ptr_array_index(view->images, view->images->len - 1))->key;
}

static bool
take_line(void *context, const char *line, size_t len, GError **error)
{
	PieceReader *reader = context;
	HfImageView *view = reader->view;
	HfImage image;

	if (reader->wants_head) {
		reader->wants_head = false;
		return check_head(view, line, len, error);
	}
	if (hf_image_line_is_end(line, len, &reader->counted)) {
		view->has_end = true;
		return true;
	}
	if (view->has_end)
		return hf_error_set(error, HF_ERROR_CORRUPT, "something follows the closing line");
	if (!hf_image_line_read(view->line_reader, line, len, &image, error))
		return false;
	if (last_key(view) && strcmp(last_key(view), image.key) >= 0)
		return hf_error_set(error, HF_ERROR_CORRUPT, "key \"%s\" is out of order", image.key);
	if (!image.trouble && !is_inside(view->manifest->images, &image))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "image \"%s\" points outside of the set's archives", image.key);
	g_ptr_array_add(view->images, hf_image_copy(&image));
	return true;
}

static bool
unpack_piece(HfImageView *view, guint piece, GError **error)
{
	PieceReader reader = {.view = view, .wants_head = piece == 0};
	g_autoptr(HfStage) unpack = hf_compression_unpack(
		view->index->compression, hf_lines_new(HF_IMAGE_LINE_BYTES_MAX, take_line, &reader));
	const char *bytes = g_bytes_get_data(view->chunk, NULL);
	uint64_t offset = piece_offset(view, piece);

	if (!hf_stage_write(unpack, bytes + (offset - view->chunk_offset),
			    piece_offset(view, piece + 1) - offset, error) ||
	    !hf_stage_finish(unpack, error))
		return false;
	view->lines += view->images->len;
	if (view->has_end && view->is_whole && !view->was_damaged && reader.counted != view->lines)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "the closing line counts another number of lines");
	return true;
}

/* ---- damage ---- */

/* The piece from the index's parity, in place of the chunk; the rest of which is read again. */
static bool
rebuild_piece(HfImageView *view, guint piece, const GError *trouble)
{
	GBytes *bytes = hf_index_parity_rebuild(view->store, view->manifest->images, view->pieces, piece);
	bool had_end = view->has_end;

	if (!bytes)
		return false;
	g_clear_pointer(&view->chunk, g_bytes_unref);
	view->chunk = bytes;
	view->chunk_offset = piece_offset(view, piece);
	g_ptr_array_set_size(view->images, 0);
	view->has_end = false;
	if (!unpack_piece(view, piece, NULL)) {
		view->has_end = had_end;
		return false;
	}
	g_warning("index \"%s\" of set \"%s\", from \"%s\" on: %s; it was rebuilt from its parity, and no "
		  "image is lost",
		  first_part(view->index)->key, view->manifest->id, piece_key(view, piece), trouble->message);
	view->was_rebuilt = true;
	return true;
}

bool
hf_image_view_was_rebuilt(const HfImageView *view)
{
	return view->was_rebuilt;
}

static void
tell_damage(HfImageView *view, const char **damage_out, const char *where, const GError *error)
{
	g_free(view->damage);
	view->damage = g_strdup_printf("index \"%s\" of set \"%s\"%s: %s", first_part(view->index)->key,
				       view->manifest->id, where, error->message);
	view->was_damaged = true;
	*damage_out = view->damage;
}

/* The piece is passed over, all of it. */
static bool
pass_over(HfImageView *view, guint piece, const char **damage_out, GError *trouble, GError **error)
{
	const char *next = piece_key(view, piece + 1);
	g_autofree char *where =
		next ? g_strdup_printf(": images from \"%s\" to before \"%s\" cannot be found, but "
				       "RESTORE.txt needs no index",
				       piece_key(view, piece), next)
		     : g_strdup_printf(
			       ": images from \"%s\" on cannot be found, but RESTORE.txt needs no index",
			       piece_key(view, piece));

	g_ptr_array_set_size(view->images, 0);
	if (!is_damage(trouble)) {
		g_propagate_error(error, g_error_copy(trouble));
		return false;
	}
	tell_damage(view, damage_out, where, trouble);
	return true;
}

/* After the last piece: what was read is all of it, and nothing else. */
static void
check_end(HfImageView *view, const char **damage_out)
{
	char hex[HF_SHA256_HEX_LEN + 1];
	g_autoptr(GError) trouble = NULL;

	view->is_at_end = true;
	if (view->was_damaged || view->was_rebuilt || !view->is_whole)
		return;
	if (!view->has_end) {
		hf_error_set(&trouble, HF_ERROR_CORRUPT, "it was cut");
	} else if (view->digest && hf_stage_finish(view->digest, &trouble)) {
		hf_digest_hex(view->digest, hex);
		if (strcmp(hex, first_part(view->index)->sha256) != 0)
			hf_error_set(&trouble, HF_ERROR_CORRUPT,
				     "it was changed: its SHA-256 is not the recorded one");
	}
	if (trouble)
		tell_damage(view, damage_out, "", trouble);
}

/* ---- the caller's side ---- */

/* Puts the images of the next piece into place; none where it is damaged, or at the end. */
static bool
next_piece(HfImageView *view, const char **damage_out, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	guint piece = view->next_piece;

	g_free(view->last_key);
	view->last_key = g_strdup(view->images->len > 0 ? last_key(view) : NULL);
	g_ptr_array_set_size(view->images, 0);
	view->next_image = 0;
	while (is_before_start(view, piece))
		piece++;
	view->next_piece = piece + 1;
	if (piece >= view->pieces->len || is_behind_prefix(view, piece_key(view, piece))) {
		check_end(view, damage_out);
		return true;
	}
	if (load_chunk(view, piece, &trouble) && unpack_piece(view, piece, &trouble))
		return true;
	return (is_damage(trouble) && rebuild_piece(view, piece, trouble)) ||
	       pass_over(view, piece, damage_out, trouble, error);
}

static bool
begin(HfImageView *view, const char **damage_out, GError **error)
{
	g_autoptr(GError) trouble = NULL;

	if (!view->pieces)
		view->pieces = hf_index_pieces_load(view->store, view->manifest->images, &trouble);
	if (view->pieces)
		return true;
	if (!is_damage(trouble)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	/* Without the list of pieces, the index is one. */
	tell_damage(view, damage_out, "", trouble);
	view->pieces = hf_index_pieces_new();
	hf_index_pieces_add(view->pieces, "", 0);
	return true;
}

bool
hf_image_view_next(HfImageView *view, const HfImage **image_out, const char **damage_out, GError **error)
{
	*image_out = NULL;
	*damage_out = NULL;
	if (!begin(view, damage_out, error))
		return false;
	while (!*damage_out) {
		const HfImage *image;

		if (view->next_image < view->images->len) {
			image = g_ptr_array_index(view->images, view->next_image++);
			if (!g_str_has_prefix(image->key, view->prefix) ||
			    (view->after && strcmp(image->key, view->after) <= 0))
				continue;
			*image_out = image;
			return true;
		}
		if (view->is_at_end)
			return true;
		if (!next_piece(view, damage_out, error))
			return false;
	}
	return true;
}
