#include "config.h"

#include "backup/catalog/image-batch.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

/* An image of more is streamed: as with backup/store/fetch.h. */
#define LARGE_BYTES ((uint64_t)4 << 20)

/* What a batch holds at most, plain; packed it is about as much, since images do not compress. */
#define BATCH_BYTES ((uint64_t)16 << 20)
#define BATCH_IMAGES 1000

/* One request reads at most so much, and rather reads a gap of so much than that another request is made. */
#define SPAN_BYTES ((uint64_t)8 << 20)
#define GAP_BYTES ((uint64_t)128 << 10)

struct HfImageBatch {
	HfStore *store;
	const HfManifest *manifest;
	GPtrArray *images; /* of HfBatchImage */
	uint64_t bytes;    /* the larger of plain and packed, of all */
};

static void
batch_image_free(gpointer data)
{
	HfBatchImage *item = data;

	hf_image_free(item->image);
	g_clear_pointer(&item->content, g_bytes_unref);
	g_clear_error(&item->trouble);
	g_free(item);
}

static uint64_t
held_bytes(const HfImage *image)
{
	return image->bytes > image->packed_bytes ? image->bytes : image->packed_bytes;
}

bool
hf_image_batch_is_large(const HfImage *image)
{
	return held_bytes(image) > LARGE_BYTES;
}

HfImageBatch *
hf_image_batch_new(HfStore *store, const HfManifest *manifest)
{
	HfImageBatch *batch = g_new0(HfImageBatch, 1);

	batch->store = store;
	batch->manifest = manifest;
	batch->images = g_ptr_array_new_with_free_func(batch_image_free);
	return batch;
}

void
hf_image_batch_free(HfImageBatch *batch)
{
	if (!batch)
		return;
	g_ptr_array_unref(batch->images);
	g_free(batch);
}

void
hf_image_batch_add(HfImageBatch *batch, const HfImage *image)
{
	HfBatchImage *item = g_new0(HfBatchImage, 1);

	g_assert(!image->trouble && !hf_image_batch_is_large(image));
	item->image = hf_image_copy(image);
	batch->bytes += held_bytes(image);
	g_ptr_array_add(batch->images, item);
}

bool
hf_image_batch_is_full(const HfImageBatch *batch)
{
	return batch->images->len >= BATCH_IMAGES || batch->bytes + LARGE_BYTES > BATCH_BYTES;
}

const GPtrArray *
hf_image_batch_images(const HfImageBatch *batch)
{
	return batch->images;
}

void
hf_image_batch_clear(HfImageBatch *batch)
{
	g_ptr_array_set_size(batch->images, 0);
	batch->bytes = 0;
}

/* ---- one image out of packed bytes ---- */

static bool
is_damage(const GError *error)
{
	return hf_error_is(error, HF_ERROR_CORRUPT) || hf_error_is(error, HF_ERROR_NOT_FOUND);
}

static GBytes *
unpack(const HfArchive *archive, const HfImage *image, const char *packed, GError **error)
{
	HfStage *sink = hf_sink_bytes_new(image->bytes);
	char hex[HF_SHA256_HEX_LEN + 1];
	g_autoptr(HfStage) chain = NULL;

	for (size_t i = 0; i < HF_SHA256_BYTES; i++)
		g_snprintf(hex + 2 * i, 3, "%02x", image->sha256[i]);
	chain = hf_compression_unpack(archive->compression,
				      hf_slice_new(hf_digest_check_new(sink, image->key, image->bytes, hex),
						   image->data_offset, image->bytes));
	return hf_stage_write(chain, packed, image->packed_bytes, error) && hf_stage_finish(chain, error)
		       ? hf_sink_bytes_get(sink)
		       : NULL;
}

static void
take_out(HfBatchImage *item, const HfImageArchive *place, const char *packed)
{
	item->content = unpack(place->archive, item->image, packed, &item->trouble);
	if (item->trouble)
		g_prefix_error(&item->trouble,
			       "image \"%s\" in the archive of set \"%s\": ", item->image->key,
			       place->set_id);
}

/* ---- spans: images that one request reads ---- */

static int
compare_places(gconstpointer a, gconstpointer b)
{
	const HfImage *left = (*(HfBatchImage *const *)a)->image;
	const HfImage *right = (*(HfBatchImage *const *)b)->image;

	if (left->archive != right->archive)
		return left->archive < right->archive ? -1 : 1;
	if (left->packed_offset != right->packed_offset)
		return left->packed_offset < right->packed_offset ? -1 : 1;
	return 0;
}

/* Of sorted, from first on: how many one request reads, and where they end. */
static guint
measure_span(const GPtrArray *sorted, guint first, uint64_t *end_out)
{
	const HfImage *begin = ((HfBatchImage *)g_ptr_array_index(sorted, first))->image;
	guint count = 1;

	*end_out = begin->packed_offset + begin->packed_bytes;
	for (guint i = first + 1; i < sorted->len; i++, count++) {
		const HfImage *image = ((HfBatchImage *)g_ptr_array_index(sorted, i))->image;
		uint64_t end = image->packed_offset + image->packed_bytes;

		if (image->archive != begin->archive || image->packed_offset > *end_out + GAP_BYTES ||
		    end - begin->packed_offset > SPAN_BYTES)
			break;
		*end_out = MAX(*end_out, end);
	}
	return count;
}

static bool
read_span(HfImageBatch *batch, const HfImageArchive *place, HfRange packed, GBytes **bytes_out,
	  GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(packed.length);

	if (!hf_archive_read_packed(batch->store, place->archive, packed, sink, error) ||
	    !hf_stage_finish(sink, error))
		return false;
	*bytes_out = hf_sink_bytes_get(sink);
	return true;
}

/* Each by itself, since together they could not be read. */
static bool
read_one(HfImageBatch *batch, const HfImageArchive *place, HfBatchImage *item, GError **error)
{
	const HfRange packed = {item->image->packed_offset, item->image->packed_bytes};
	g_autoptr(GError) trouble = NULL;
	g_autoptr(GBytes) bytes = NULL;

	if (read_span(batch, place, packed, &bytes, &trouble)) {
		take_out(item, place, g_bytes_get_data(bytes, NULL));
		return true;
	}
	if (!is_damage(trouble)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	g_prefix_error(&trouble, "image \"%s\" in the archive of set \"%s\": ", item->image->key,
		       place->set_id);
	item->trouble = g_steal_pointer(&trouble);
	return true;
}

static bool
read_images(HfImageBatch *batch, HfBatchImage **items, guint count, uint64_t end, GError **error)
{
	const HfImagesRecord *record = batch->manifest->images;
	const HfImageArchive *place = hf_images_record_archive(record, items[0]->image->archive);
	const HfRange packed = {items[0]->image->packed_offset, end - items[0]->image->packed_offset};
	g_autoptr(GError) trouble = NULL;
	g_autoptr(GBytes) bytes = NULL;

	if (read_span(batch, place, packed, &bytes, &trouble)) {
		const char *start = g_bytes_get_data(bytes, NULL);

		for (guint i = 0; i < count; i++)
			take_out(items[i], place, start + (items[i]->image->packed_offset - packed.offset));
		return true;
	}
	if (!is_damage(trouble)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	for (guint i = 0; i < count; i++)
		if (!read_one(batch, place, items[i], error))
			return false;
	return true;
}

bool
hf_image_batch_read(HfImageBatch *batch, GError **error)
{
	g_autoptr(GPtrArray) sorted = g_ptr_array_copy(batch->images, NULL, NULL);
	uint64_t end;

	g_ptr_array_set_free_func(sorted, NULL);
	g_ptr_array_sort(sorted, compare_places);
	for (guint i = 0; i < sorted->len;) {
		guint count = measure_span(sorted, i, &end);

		if (!read_images(batch, (HfBatchImage **)sorted->pdata + i, count, end, error))
			return false;
		i += count;
	}
	return true;
}
