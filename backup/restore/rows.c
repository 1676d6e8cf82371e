#include "config.h"

#include "backup/restore/rows.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <string.h>

/* Most rows end within this; it costs the unpacking of one member in any case. */
#define CUT_ROW_BYTES ((uint64_t)64 << 10)

/* The end of a chain: rows into the connection, those before the first line end left out where wanted. */
typedef struct {
	HfStage base;
	const HfRows *rows;
	bool skips; /* until a line end has come */
	bool stops; /* behind the first line end */
	bool has_stopped, has_failed;
} RowSink;

static bool
is_stopped(const HfRows *rows)
{
	return rows->is_stopped && __atomic_load_n(rows->is_stopped, __ATOMIC_RELAXED);
}

static bool
send(const HfRows *rows, const char *bytes, size_t len, GError **error)
{
	if (is_stopped(rows))
		return hf_error_set(error, HF_ERROR_CANCELLED, "stopped");
	if (!hf_session_copy_send(rows->connection, bytes, len, error))
		return false;
	if (rows->bytes)
		__atomic_fetch_add(rows->bytes, len, __ATOMIC_RELAXED);
	return true;
}

static bool
sink_write(HfStage *stage, const void *buf, size_t len, GError **error)
{
	RowSink *sink = (RowSink *)stage;
	const char *bytes = buf, *end;

	if (sink->has_stopped)
		return true;
	if (sink->skips) {
		end = memchr(bytes, '\n', len);
		if (!end)
			return true;
		sink->skips = false;
		len -= (size_t)(end + 1 - bytes);
		bytes = end + 1;
	}
	if (sink->stops && (end = memchr(bytes, '\n', len))) {
		sink->has_stopped = true;
		len = (size_t)(end + 1 - bytes);
	}
	sink->has_failed = len > 0 && !send(sink->rows, bytes, len, error);
	return !sink->has_failed;
}

static const HfStageOps sink_ops = {.name = "rows", .write = sink_write};

static RowSink *
row_sink_new(const HfRows *rows)
{
	RowSink *sink = g_new0(RowSink, 1);

	hf_stage_init(&sink->base, &sink_ops, NULL);
	sink->rows = rows;
	return sink;
}

static HfPlace
place_of(const HfRows *rows)
{
	return (HfPlace){.line = rows->line};
}

/* The failure of a copy; what the server has to say of it, where it is the server's, is the better reason. */
static bool
fail(const HfRows *rows, GError *failure, GError **error)
{
	hf_session_copy_abort(rows->connection);
	if (rows->table)
		g_prefix_error(&failure, "rows of table %s: ", rows->table);
	g_propagate_error(error, failure);
	return false;
}

bool
hf_rows_copy_bytes(const HfRows *rows, const char *bytes, size_t len, GError **error)
{
	GError *failure = NULL;

	if (!hf_session_copy_begin(rows->connection, rows->sql, place_of(rows), error))
		return false;
	if (len > 0 && !send(rows, bytes, len, &failure))
		return fail(rows, failure, error);
	return hf_session_copy_end(rows->connection, place_of(rows), rows->copied, error);
}

bool
hf_rows_send_range(const HfRows *rows, HfRange range, GError **error)
{
	RowSink *sink = row_sink_new(rows);
	g_autoptr(HfStage) chain = &sink->base;

	return hf_archive_read_range(rows->store, rows->archive, range, chain, error) &&
	       hf_stage_finish(chain, error);
}

/* The rest of the row that the range's end cuts. */
static bool
send_cut_row(const HfRows *rows, RowSink *sink, uint64_t offset, uint64_t table_end, GError **error)
{
	uint64_t piece = CUT_ROW_BYTES;

	sink->stops = true;
	while (!sink->has_stopped && offset < table_end) {
		uint64_t len = MIN(piece, table_end - offset);

		if (!hf_archive_read_range(rows->store, rows->archive, (HfRange){offset, len}, &sink->base,
					   error))
			return false;
		offset += len;
		piece = MIN(2 * piece, (uint64_t)8 << 20);
	}
	return true;
}

static bool
send_range(const HfRows *rows, HfRange range, bool is_first, uint64_t table_end, GError **error)
{
	RowSink *sink = row_sink_new(rows);
	g_autoptr(HfStage) chain = &sink->base;

	sink->skips = !is_first;
	if (!hf_archive_read_range(rows->store, rows->archive, range, chain, error))
		return false;
	/* Still skipping: the one row that the whole range lies in is another piece's. */
	if (!sink->skips && !send_cut_row(rows, sink, range.offset + range.length, table_end, error))
		return false;
	return hf_stage_finish(chain, error);
}

bool
hf_rows_copy_range(const HfRows *rows, HfRange range, bool is_first, uint64_t table_end, GError **error)
{
	GError *failure = NULL;

	if (!hf_session_copy_begin(rows->connection, rows->sql, place_of(rows), error))
		return false;
	if (!send_range(rows, range, is_first, table_end, &failure))
		return fail(rows, failure, error);
	return hf_session_copy_end(rows->connection, place_of(rows), rows->copied, error);
}
