#include "config.h"

#include "backup/restore/walk.h"
#include "backup/restore/lexer.h"
#include "backup/source/scan-statement.h"
#include "backup/stage/sink.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

/* One member of a dump has 1 MiB of plain bytes; what is read on in one go is read in larger pieces. */
#define CHUNK_BYTES_MIN ((uint64_t)1 << 20)
#define CHUNK_BYTES_MAX ((uint64_t)8 << 20)
/* A value of PostgreSQL has at most 1 GiB, but pg_dump writes large objects in pieces; a function may be long. */
#define STATEMENT_BYTES_MAX ((size_t)256 << 20)
/* PostgreSQL's limit of a row's text is 1 GiB. */
#define ROW_BYTES_MAX ((size_t)1 << 30)

struct HfWalk {
	HfStore *store;
	const HfArchive *archive;
	GHashTable *by_data_offset;

	GBytes *chunk;
	uint64_t chunk_offset, chunk_bytes, read_bytes;

	HfLexer lexer;
	GString *text;
	uint64_t offset, line; /* of the next byte to look at */
	uint64_t statement_offset, statement_line;
	bool in_rows;
	GString *row; /* rows that are handed out by hand */
};

HfWalk *
hf_walk_new(const HfWalkOptions *options)
{
	HfWalk *walk = g_new0(HfWalk, 1);

	walk->store = options->store;
	walk->archive = options->archive;
	walk->offset = options->offset;
	walk->line = options->line;
	walk->text = g_string_new(NULL);
	walk->row = g_string_new(NULL);
	walk->chunk_bytes = CHUNK_BYTES_MIN;
	walk->by_data_offset = g_hash_table_new(g_int64_hash, g_int64_equal);
	for (guint i = 0; options->tables && i < options->tables->len; i++) {
		HfTable *table = options->tables->pdata[i];

		g_hash_table_insert(walk->by_data_offset, &table->data_offset, table);
	}
	hf_lexer_begin(&walk->lexer);
	return walk;
}

void
hf_walk_free(HfWalk *walk)
{
	if (!walk)
		return;
	g_clear_pointer(&walk->chunk, g_bytes_unref);
	g_hash_table_destroy(walk->by_data_offset);
	g_string_free(walk->text, TRUE);
	g_string_free(walk->row, TRUE);
	g_free(walk);
}

uint64_t
hf_walk_bytes(const HfWalk *walk)
{
	return walk->read_bytes;
}

/* ---- bytes ---- */

static bool
read_chunk(HfWalk *walk, uint64_t offset, GError **error)
{
	bool goes_on = walk->chunk && offset == walk->chunk_offset + g_bytes_get_size(walk->chunk);
	uint64_t len;
	g_autoptr(HfStage) sink = NULL;

	walk->chunk_bytes = goes_on ? MIN(2 * walk->chunk_bytes, CHUNK_BYTES_MAX) : CHUNK_BYTES_MIN;
	len = MIN(walk->chunk_bytes, walk->archive->plain_bytes - offset);
	sink = hf_sink_bytes_new((size_t)len);
	if (!hf_cancel_check(error) ||
	    !hf_archive_read_range(walk->store, walk->archive, (HfRange){offset, len}, sink, error) ||
	    !hf_stage_finish(sink, error))
		return false;
	g_clear_pointer(&walk->chunk, g_bytes_unref);
	walk->chunk = hf_sink_bytes_get(sink);
	walk->chunk_offset = offset;
	walk->read_bytes += len;
	return true;
}

/* What there is from offset on, at least a byte; *len_out 0 at the end of the dump. */
static bool
get_bytes(HfWalk *walk, uint64_t offset, const char **bytes_out, size_t *len_out, GError **error)
{
	gsize size;
	const char *bytes;

	*len_out = 0;
	*bytes_out = "";
	if (offset >= walk->archive->plain_bytes)
		return true;
	if ((!walk->chunk || offset < walk->chunk_offset ||
	     offset >= walk->chunk_offset + g_bytes_get_size(walk->chunk)) &&
	    !read_chunk(walk, offset, error))
		return false;
	bytes = g_bytes_get_data(walk->chunk, &size);
	*bytes_out = bytes + (offset - walk->chunk_offset);
	*len_out = size - (size_t)(offset - walk->chunk_offset);
	return true;
}

bool
hf_walk_read(HfWalk *walk, uint64_t offset, uint64_t len, GByteArray *bytes, GError **error)
{
	while (len > 0) {
		const char *piece;
		size_t got;

		if (!get_bytes(walk, offset, &piece, &got, error))
			return false;
		if (got == 0)
			return hf_error_set(error, HF_ERROR_CORRUPT,
					    "dump: it ends within the rows of a table");
		got = (size_t)MIN((uint64_t)got, len);
		g_byte_array_append(bytes, (const guint8 *)piece, (guint)got);
		offset += got;
		len -= got;
	}
	return true;
}

/* ---- statements ---- */

static uint64_t
count_lines(const char *bytes, size_t len)
{
	uint64_t lines = 0;

	for (const char *at = bytes; (at = memchr(at, '\n', len - (size_t)(at - bytes))); at++)
		lines++;
	return lines;
}

/* Takes a piece into the statement; *end_out says what ended with it. */
static bool
take_piece(HfWalk *walk, const char *bytes, size_t len, HfLexEnd *end_out, GError **error)
{
	bool was_in = walk->text->len > 0;
	size_t begin, taken = hf_lexer_take(&walk->lexer, bytes, len, &begin, end_out);

	if (!was_in && begin < taken) {
		walk->statement_offset = walk->offset + begin;
		walk->statement_line = walk->line + count_lines(bytes, begin);
	}
	if (begin < taken)
		g_string_append_len(walk->text, bytes + begin, (gssize)(taken - begin));
	walk->line += count_lines(bytes, taken);
	walk->offset += taken;
	return walk->text->len <= STATEMENT_BYTES_MAX ||
	       hf_error_set(error, HF_ERROR_CORRUPT,
			    "dump: the statement at line %" G_GUINT64_FORMAT " has no end",
			    walk->statement_line);
}

/* Rows begin behind the line of the COPY. */
static bool
skip_line(HfWalk *walk, GError **error)
{
	for (;;) {
		const char *bytes, *end;
		size_t len;

		if (!get_bytes(walk, walk->offset, &bytes, &len, error))
			return false;
		if (len == 0)
			return hf_error_set(error, HF_ERROR_CORRUPT, "dump: it ends within a COPY");
		end = memchr(bytes, '\n', len);
		walk->offset += end ? (uint64_t)(end - bytes) + 1 : len;
		if (end) {
			walk->line++;
			return true;
		}
	}
}

/* Whether the table's rows are where the index says: behind them stands the end mark. */
static bool
ends_there(HfWalk *walk, const HfTable *table, bool *ends_out, GError **error)
{
	static const char mark[] = "\\.\n";
	g_autoptr(GByteArray) found = g_byte_array_new();
	uint64_t end = table->data_offset + table->bytes;

	*ends_out = false;
	if (table->data_offset > walk->archive->plain_bytes ||
	    walk->archive->plain_bytes - table->data_offset < table->bytes ||
	    walk->archive->plain_bytes - end < strlen(mark))
		return true;
	if (!hf_walk_read(walk, end, strlen(mark), found, error))
		return false;
	*ends_out = memcmp(found->data, mark, strlen(mark)) == 0;
	return true;
}

static bool
begin_copy(HfWalk *walk, HfWalkItem *item, GError **error)
{
	const HfTable *table;
	bool ends = false;

	if (!skip_line(walk, error))
		return false;
	item->is_copy = true;
	item->data_offset = walk->offset;
	table = g_hash_table_lookup(walk->by_data_offset, &walk->offset);
	if (table && !ends_there(walk, table, &ends, error))
		return false;
	if (!ends) {
		walk->in_rows = true;
		return true;
	}
	item->table = table;
	walk->offset += table->bytes + strlen("\\.\n");
	walk->line += table->rows + 1;
	return true;
}

bool
hf_walk_next(HfWalk *walk, HfWalkItem *item_out, GError **error)
{
	HfLexEnd end = HF_LEX_MORE;
	g_autofree char *name = NULL;

	g_assert(!walk->in_rows);
	*item_out = (HfWalkItem){0};
	g_string_truncate(walk->text, 0);
	while (end == HF_LEX_MORE) {
		const char *bytes;
		size_t len;

		if (!get_bytes(walk, walk->offset, &bytes, &len, error))
			return false;
		if (len == 0)
			return hf_lexer_is_outside(&walk->lexer) ||
			       hf_error_set(error, HF_ERROR_CORRUPT,
					    "dump: it ends within a statement: it was cut");
		if (!take_piece(walk, bytes, len, &end, error))
			return false;
	}
	item_out->text = walk->text->str;
	item_out->len = walk->text->len;
	item_out->is_command = end == HF_LEX_COMMAND;
	item_out->offset = walk->statement_offset;
	item_out->line = walk->statement_line;
	if (item_out->is_command)
		return true;
	hf_scan_parse_strings(walk->text->str, &walk->lexer.standard_strings);
	name = hf_scan_parse_copy(walk->text->str);
	return !name || begin_copy(walk, item_out, error);
}

/* ---- rows by hand ---- */

/* Where the end mark's line begins in text, or -1. */
static gssize
find_end_mark(const GString *text)
{
	const char *at = text->str;

	for (const char *end; (end = memchr(at, '\n', text->len - (size_t)(at - text->str))); at = end + 1)
		if (end - at == 2 && memcmp(at, "\\.", 2) == 0)
			return at - text->str;
	return -1;
}

bool
hf_walk_rows(HfWalk *walk, const char **bytes_out, size_t *len_out, GError **error)
{
	gssize mark;

	*bytes_out = NULL;
	if (!walk->in_rows)
		return true;
	g_string_truncate(walk->row, 0);
	do {
		const char *bytes;
		size_t len;

		if (!get_bytes(walk, walk->offset, &bytes, &len, error))
			return false;
		if (len == 0 || walk->row->len > ROW_BYTES_MAX)
			return hf_error_set(error, HF_ERROR_CORRUPT,
					    "dump: it ends within the rows of a table");
		g_string_append_len(walk->row, bytes, (gssize)len);
		walk->offset += len;
	} while (!memchr(walk->row->str, '\n', walk->row->len));
	mark = find_end_mark(walk->row);
	walk->in_rows = mark < 0;
	*len_out = mark >= 0 ? (size_t)mark
			     : (size_t)((const char *)memrchr(walk->row->str, 0x0a, walk->row->len) -
					walk->row->str) +
				       1;
	walk->offset -= walk->row->len - *len_out - (mark >= 0 ? strlen("\\.\n") : 0);
	walk->line += count_lines(walk->row->str, *len_out) + (mark >= 0);
	*bytes_out = walk->row->str;
	return true;
}
