#include "config.h"

#include "backup/archive/pull.h"
#include "backup/catalog/image-line.h"
#include "common/error.h"

#include <string.h>

struct HfImageIndexReader {
	const HfManifest *manifest;
	HfPull *pull;
	HfImageLineReader *line_reader;
	HfImage image;
	GString *last_key;
	uint64_t lines;
	bool has_head;
};

HfImageIndexReader *
hf_image_index_open(HfStore *store, const HfManifest *manifest)
{
	HfImageIndexReader *reader = g_new0(HfImageIndexReader, 1);

	reader->manifest = manifest;
	reader->pull = hf_pull_new(store, manifest->images->index, HF_IMAGE_LINE_BYTES_MAX);
	reader->line_reader = hf_image_line_reader_new();
	reader->last_key = g_string_new(NULL);
	return reader;
}

void
hf_image_index_free(HfImageIndexReader *reader)
{
	if (!reader)
		return;
	hf_pull_free(reader->pull);
	hf_image_line_reader_free(reader->line_reader);
	g_string_free(reader->last_key, TRUE);
	g_free(reader);
}

static const char *
index_key(const HfImageIndexReader *reader)
{
	const HfPart *part = g_ptr_array_index(reader->manifest->images->index->parts, 0);

	return part->key;
}

static bool
damaged(const HfImageIndexReader *reader, GError **error, const char *what)
{
	return hf_error_set(error, HF_ERROR_CORRUPT, "index \"%s\", line %" G_GUINT64_FORMAT ": %s",
			    index_key(reader), reader->lines + 2, what);
}

/* The closing line is the last: an end before it is a cut. */
static bool
next_line(HfImageIndexReader *reader, const char **line_out, size_t *len_out, GError **error)
{
	return hf_pull_line(reader->pull, line_out, len_out, error) &&
	       (*line_out || damaged(reader, error, "it was cut"));
}

static bool
read_head(HfImageIndexReader *reader, GError **error)
{
	g_autoptr(GString) head = g_string_new(NULL);
	const char *line;
	size_t len;

	if (!next_line(reader, &line, &len, error))
		return false;
	hf_image_line_write_head(head, reader->manifest->id);
	if (len + 1 == head->len && memcmp(line, head->str, len) == 0)
		return true;
	return hf_error_set(error, HF_ERROR_CORRUPT, "index \"%s\": it is not that of set \"%s\"",
			    index_key(reader), reader->manifest->id);
}

static bool
is_inside(const HfImageIndexReader *reader, const HfImage *image)
{
	const HfImagesRecord *record = reader->manifest->images;
	const HfImageArchive *place = hf_images_record_archive(record, image->archive);

	if (!place ||
	    (image->named_in != image->archive && !hf_images_record_archive(record, image->named_in)))
		return false;
	return image->packed_offset <= place->archive->packed_bytes &&
	       image->packed_bytes <= place->archive->packed_bytes - image->packed_offset;
}

static bool
check_image(HfImageIndexReader *reader, GError **error)
{
	const HfImage *image = &reader->image;

	if (reader->lines > 0 && strcmp(reader->last_key->str, image->key) >= 0)
		return damaged(reader, error, "its key is out of order");
	if (!image->trouble && !is_inside(reader, image))
		return damaged(reader, error, "it points outside of the set's archives");
	g_string_assign(reader->last_key, image->key);
	reader->lines++;
	return true;
}

/* Behind the closing line there is nothing, and only the end of the last part proves the whole. */
static bool
read_end(HfImageIndexReader *reader, uint64_t lines, GError **error)
{
	const char *line;
	size_t len;

	if (lines != reader->lines)
		return damaged(reader, error, "the closing line counts another number of lines");
	return hf_pull_line(reader->pull, &line, &len, error) &&
	       (!line || damaged(reader, error, "something follows the closing line"));
}

bool
hf_image_index_next(HfImageIndexReader *reader, const HfImage **image_out, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	const char *line;
	size_t len;
	uint64_t lines;

	*image_out = NULL;
	if (!reader->has_head && !read_head(reader, error))
		return false;
	reader->has_head = true;
	if (!next_line(reader, &line, &len, error))
		return false;
	if (hf_image_line_is_end(line, len, &lines))
		return read_end(reader, lines, error);
	if (!hf_image_line_read(reader->line_reader, line, len, &reader->image, &trouble))
		return damaged(reader, error, trouble->message);
	if (!check_image(reader, error))
		return false;
	*image_out = &reader->image;
	return true;
}
