#include "config.h"

#include "backup/archive/borrow.h"
#include "backup/archive/pull.h"
#include "backup/stage/sink.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <string.h>

/* One ranged read: the index of 100,000 objects takes two or three. */
#define CHUNK_BYTES ((size_t)4 << 20)

/* So much of a chunk is unpacked at a time: what comes out stays bounded, whatever the ratio. */
#define FEED_BYTES ((size_t)16 << 10)

/* What one feeding may unpack to: deflate packs at most 1,032 to 1 (zlib's technical notes), zstd more. */
#define TEXT_BYTES_MAX ((size_t)20 << 20)

/* The end of the unpacking chain: gathers text until lines are taken from it. */
typedef struct {
	HfStage base;
	GString *text;
} TextSink;

static bool
text_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	GString *text = ((TextSink *)self)->text;

	if (len > TEXT_BYTES_MAX - MIN(text->len, TEXT_BYTES_MAX))
		return hf_error_set(error, HF_ERROR_CORRUPT, "it unpacks to more than its lines can");
	g_string_append_len(text, buf, (gssize)len);
	return true;
}

static const HfStageOps text_ops = {.name = "lines to pull", .write = text_write};

static HfStage *
text_sink_new(GString *text)
{
	TextSink *sink = g_new0(TextSink, 1);

	hf_stage_init(&sink->base, &text_ops, NULL);
	sink->text = text;
	return &sink->base;
}

struct HfPull {
	HfStore *store;
	const HfArchive *archive;
	size_t line_bytes_max;

	guint part;           /* the one that is read */
	uint64_t part_offset; /* of the next chunk */
	HfStage *check;       /* of the part that is read; NULL between parts */
	GBytes *chunk;
	size_t fed;      /* bytes of chunk */
	HfStage *unpack; /* into text */
	bool is_at_end;  /* all parts were read, and agreed */

	GString *text;
	size_t taken; /* bytes of text */
};

HfPull *
hf_pull_new(HfStore *store, const HfArchive *archive, size_t line_bytes_max)
{
	HfPull *pull = g_new0(HfPull, 1);

	hf_archive_prefer_copy(&store, &archive);
	pull->store = store;
	pull->archive = archive;
	pull->line_bytes_max = line_bytes_max;
	pull->text = g_string_new(NULL);
	pull->unpack = hf_compression_unpack(archive->compression, text_sink_new(pull->text));
	return pull;
}

void
hf_pull_free(HfPull *pull)
{
	if (!pull)
		return;
	hf_stage_free(pull->check);
	g_clear_pointer(&pull->chunk, g_bytes_unref);
	hf_stage_free(pull->unpack);
	g_string_free(pull->text, TRUE);
	g_free(pull);
}

/* ---- the stored bytes ---- */

static bool
name_part(const HfPart *part, GError **error)
{
	g_prefix_error(error, "\"%s\": ", part->key);
	return false;
}

static bool
end_part(HfPull *pull, GError **error)
{
	/* The check names the part itself. */
	if (!hf_stage_finish(pull->check, error))
		return false;
	g_clear_pointer(&pull->check, hf_stage_free);
	pull->part++;
	pull->part_offset = 0;
	return true;
}

static bool
read_chunk(HfPull *pull, const HfPart *part, GError **error)
{
	uint64_t len = MIN(part->bytes - pull->part_offset, CHUNK_BYTES);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(CHUNK_BYTES);
	g_autoptr(GError) trouble = NULL;

	if (!hf_store_read(pull->store, part->key, (HfRange){pull->part_offset, len}, sink, &trouble) ||
	    !hf_stage_finish(sink, &trouble)) {
		/* The manifest says that the range is there, so it is the object that is wrong. */
		if (hf_error_is(trouble, HF_ERROR_USAGE))
			trouble->code = HF_ERROR_CORRUPT;
		g_propagate_error(error, g_steal_pointer(&trouble));
		return name_part(part, error);
	}
	g_clear_pointer(&pull->chunk, g_bytes_unref);
	pull->chunk = hf_sink_bytes_get(sink);
	pull->fed = 0;
	pull->part_offset += len;
	return true;
}

static bool
begin_part(HfPull *pull, const HfPart *part, GError **error)
{
	HfStage *inside = hf_archive_open_part(pull->store, part, hf_borrow_new(pull->unpack, NULL), error);

	if (!inside)
		return name_part(part, error);
	pull->check = hf_digest_check_new(inside, part->key, part->bytes, part->sha256);
	return true;
}

static size_t
chunk_left(const HfPull *pull)
{
	return pull->chunk ? g_bytes_get_size(pull->chunk) - pull->fed : 0;
}

/* Makes sure that there is something to feed, unless all parts are at their end. */
static bool
fill_chunk(HfPull *pull, GError **error)
{
	while (chunk_left(pull) == 0 && pull->part < pull->archive->parts->len) {
		const HfPart *part = g_ptr_array_index(pull->archive->parts, pull->part);

		if (!pull->check && !begin_part(pull, part, error))
			return false;
		if (!(pull->part_offset < part->bytes ? read_chunk(pull, part, error)
						      : end_part(pull, error)))
			return false;
	}
	return true;
}

/* Unpacks a little more into text, or notes the end. */
static bool
feed(HfPull *pull, GError **error)
{
	size_t len;
	const char *bytes;

	if (!fill_chunk(pull, error))
		return false;
	len = MIN(chunk_left(pull), FEED_BYTES);
	if (len == 0) {
		pull->is_at_end = true;
		return hf_stage_finish(pull->unpack, error) ||
		       name_part(g_ptr_array_index(pull->archive->parts, pull->part - 1), error);
	}
	bytes = g_bytes_get_data(pull->chunk, NULL);
	bytes += pull->fed;
	pull->fed += len;
	return hf_stage_write(pull->check, bytes, len, error) ||
	       name_part(g_ptr_array_index(pull->archive->parts, pull->part), error);
}

/* ---- lines ---- */

/* Makes room behind what is left of text, and unpacks more. */
static bool
more_text(HfPull *pull, GError **error)
{
	g_string_erase(pull->text, 0, (gssize)pull->taken);
	pull->taken = 0;
	if (pull->text->len <= pull->line_bytes_max)
		return feed(pull, error);
	hf_error_set(error, HF_ERROR_CORRUPT, "a line is longer than %zu bytes", pull->line_bytes_max);
	return name_part(g_ptr_array_index(pull->archive->parts, 0), error);
}

bool
hf_pull_line(HfPull *pull, const char **line_out, size_t *len_out, GError **error)
{
	size_t looked = 0; /* bytes behind taken that hold no line end */
	const char *stop;

	*line_out = NULL;
	while (!(stop = memchr(pull->text->str + pull->taken + looked, '\n',
			       pull->text->len - pull->taken - looked))) {
		looked = pull->text->len - pull->taken;
		if (pull->is_at_end && looked == 0)
			return true;
		if (pull->is_at_end) {
			hf_error_set(error, HF_ERROR_CORRUPT, "the last line has no end");
			return name_part(g_ptr_array_index(pull->archive->parts, 0), error);
		}
		if (!more_text(pull, error))
			return false;
	}
	*line_out = pull->text->str + pull->taken;
	*len_out = (size_t)(stop - *line_out);
	pull->taken += *len_out + 1;
	return true;
}
