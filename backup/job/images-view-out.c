#include "config.h"

#include "backup/job/images-view-out.h"
#include "backup/catalog/image-line.h"
#include "backup/catalog/index-parity.h"
#include "backup/catalog/names.h"

/* So many pieces stand in the manifest, some 16 KiB: an index of 100,000 objects has fewer.  More get an object. */
#define PIECES_IN_MANIFEST_MAX 256

struct HfImagesViewOut {
	HfSetWriter *writer;
	HfStore *store;
	HfCompressionKind kind;
	HfImagesRecord *record;
	HfStage *index; /* the chain */
	HfImageIndexWriter *lines;
	HfStage *dead; /* NULL until there is a dead path */
};

static HfStage *
open_archive(HfImagesViewOut *out, const HfArchiveOptions *options, HfArchive **record, GError **error)
{
	*record = hf_archive_new(options->compression.kind);
	return hf_set_writer_archive(out->writer, HF_IMAGES_PREFIX, options, *record, error);
}

static HfStage *
open_chain(HfImagesViewOut *out, const char *extension, HfArchive **record, GError **error)
{
	const HfArchiveOptions options = {.is_metadata = true,
					  .extension = extension,
					  .compression = {.kind = out->kind},
					  .cuts_at_marks = true};

	return open_archive(out, &options, record, error);
}

HfImagesViewOut *
hf_images_view_out_new(HfSetWriter *writer, HfStore *store, HfCompressionKind kind, HfImagesRecord *record,
		       GError **error)
{
	g_autoptr(HfImagesViewOut) out = g_new0(HfImagesViewOut, 1);

	out->writer = writer;
	out->store = store;
	out->kind = kind;
	out->record = record;
	out->index = open_chain(out, HF_EXT_INDEX, &record->index, error);
	if (!out->index)
		return NULL;
	out->lines = hf_image_index_writer_new(out->index, hf_set_writer_id(writer));
	return g_steal_pointer(&out);
}

void
hf_images_view_out_free(HfImagesViewOut *out)
{
	if (!out)
		return;
	hf_image_index_writer_free(out->lines);
	hf_stage_free(out->index);
	hf_stage_free(out->dead);
	g_free(out);
}

bool
hf_images_view_out_bury(HfImagesViewOut *out, const char *key, unsigned paths, GError **error)
{
	const HfDead dead = {key, paths};

	if (paths == 0)
		return true;
	if (!out->dead)
		out->dead = open_chain(out, HF_EXT_DEAD, &out->record->dead, error);
	if (!out->dead || !hf_dead_write(out->dead, &dead, error))
		return false;
	out->record->dead_paths += paths == (HF_DEAD_PLAIN | HF_DEAD_ESCAPED) ? 2 : 1;
	return true;
}

static void
count_live(HfImagesRecord *record, const HfImage *image)
{
	HfImageArchive *archive = hf_images_record_archive(record, image->archive);

	archive->live_objects++;
	archive->live_bytes += image->packed_bytes;
	if (image->named_in != image->archive)
		hf_images_record_archive(record, image->named_in)->live_objects++;
}

bool
hf_images_view_out_write(HfImagesViewOut *out, const HfImage *image, GError **error)
{
	if (image->trouble) {
		hf_images_record_add_trouble(out->record, image->key, image->trouble);
	} else {
		out->record->objects++;
		out->record->bytes += image->bytes;
		count_live(out->record, image);
	}
	return hf_image_index_add(out->lines, image, error);
}

static bool
store_top(HfImagesViewOut *out, GPtrArray *pieces, GError **error)
{
	g_autoptr(HfStage) chain = open_chain(out, HF_EXT_TOP, &out->record->top, error);
	g_autoptr(GString) text = g_string_new(NULL);

	if (!chain)
		return false;
	for (guint i = 0; i < pieces->len; i++)
		hf_image_line_write_piece(text, g_ptr_array_index(pieces, i));
	return hf_stage_write(chain, text->str, text->len, error) && hf_stage_finish(chain, error);
}

static bool
store_parity(HfImagesViewOut *out, const GPtrArray *pieces, GError **error)
{
	/* Of what is stored: encrypted, if the index is. */
	const HfArchiveOptions options = {.is_public = true,
					  .extension = HF_EXT_PARITY,
					  .compression = {.kind = HF_COMPRESSION_NONE},
					  .cuts_at_marks = true};
	g_autoptr(HfStage) chain = open_archive(out, &options, &out->record->parity, error);

	return chain && hf_index_parity_write(out->store, out->record->index, pieces, chain, error) &&
	       hf_stage_finish(chain, error);
}

static bool
finish_index(HfImagesViewOut *out, GError **error)
{
	g_autoptr(GPtrArray) pieces = NULL;

	if (!hf_image_index_end(out->lines, error) || !hf_stage_finish(out->index, error))
		return false;
	pieces = hf_image_index_pieces(out->lines, out->record->index);
	if (!store_parity(out, pieces, error))
		return false;
	if (pieces->len > PIECES_IN_MANIFEST_MAX)
		return store_top(out, pieces, error);
	g_ptr_array_unref(out->record->pieces);
	out->record->pieces = g_steal_pointer(&pieces);
	return true;
}

bool
hf_images_view_out_finish(HfImagesViewOut *out, GError **error)
{
	return (!out->dead || hf_stage_finish(out->dead, error)) && finish_index(out, error);
}
