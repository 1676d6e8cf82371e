#include "config.h"

#include "backup/source/dump-readers.h"
#include "backup/source/reorder.h"
#include "common/cancel.h"
#include "common/error.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The server sends 8 KiB at a time; being woken for each costs more than reading it (docs/facts.md).  So a reader sleeps until
 * so much has come, or for so long: the end of a piece is shorter, and with TLS or GSSAPI bytes may wait inside the library
 * while the socket has none.
 */
#define WAKE_BYTES (64 << 10)
#define WAKE_MS 1

typedef struct {
	HfDumpReaders *all;
	unsigned lane;
	PGconn *connection;
	GThread *thread;

	/* the piece at hand */
	char *space; /* the lane's chunk that is filled, or NULL */
	size_t filled;
	uint64_t rows;
} Reader;

struct HfDumpReaders {
	const HfDumpPlan *plan;
	HfReorder *reorder;
	int stop_fd; /* readable once all are to stop */
	Reader readers[HF_REORDER_LANES_MAX];
	unsigned count;
};

/* ---- a reader's thread ---- */

/* All false returns of a reader without an error mean that it was told to stop. */

static bool
wait_for_bytes(const Reader *reader, GError **error)
{
	struct pollfd fds[3] = {{.fd = PQsocket(reader->connection), .events = POLLIN},
				{.fd = hf_cancel_fd(), .events = POLLIN},
				{.fd = reader->all->stop_fd, .events = POLLIN}};

	if (poll(fds, G_N_ELEMENTS(fds), WAKE_MS) < 0 && errno != EINTR)
		return hf_error_errno(error, "wait for the database");
	return hf_cancel_check(error) && !fds[2].revents;
}

/*
 * libpq must never wait itself: it would for WAKE_BYTES, and for ever.  A connection that is lost shows in the result; NULL
 * means that there is none any more.
 */
static bool
get_result(const Reader *reader, PGresult **result_out, GError **error)
{
	while (PQisBusy(reader->connection)) {
		if (!wait_for_bytes(reader, error))
			return false;
		if (!PQconsumeInput(reader->connection))
			break;
	}
	*result_out = PQgetResult(reader->connection);
	return true;
}

static bool
append_row(Reader *reader, const char *row, size_t len)
{
	while (len > 0) {
		size_t now;

		if (!reader->space) {
			reader->space = hf_reorder_space(reader->all->reorder, reader->lane);
			reader->filled = 0;
		}
		if (!reader->space)
			return false;
		now = MIN(len, HF_REORDER_CHUNK_BYTES - reader->filled);
		memcpy(reader->space + reader->filled, row, now);
		reader->filled += now;
		row += now;
		len -= now;
		if (reader->filled == HF_REORDER_CHUNK_BYTES) {
			hf_reorder_commit(reader->all->reorder, reader->lane, reader->filled, false);
			reader->space = NULL;
		}
	}
	return true;
}

static bool
end_piece(Reader *reader)
{
	if (!reader->space) {
		reader->space = hf_reorder_space(reader->all->reorder, reader->lane);
		reader->filled = 0;
	}
	if (!reader->space)
		return false;
	hf_reorder_commit(reader->all->reorder, reader->lane, reader->filled, true);
	reader->space = NULL;
	return true;
}

/* What the socket has is read, 16 KiB at a time, before it is waited for. */
static bool
next_row(Reader *reader, const HfPlanTable *table, char **row_out, int *len_out, GError **error)
{
	for (bool is_read = false;; is_read = !is_read) {
		*len_out = PQgetCopyData(reader->connection, row_out, true);
		if (*len_out != 0)
			return true;
		if (is_read && !wait_for_bytes(reader, error))
			return false;
		/* Of a connection that is lost PQgetCopyData() says for ever that there is nothing yet. */
		if (!PQconsumeInput(reader->connection))
			return hf_pg_copy_error(reader->connection, NULL, table->target, error);
	}
}

static bool
copy_rows(Reader *reader, const HfPlanTable *table, GError **error)
{
	for (;;) {
		char *row = NULL;
		int len;
		bool is_taken;

		if (!next_row(reader, table, &row, &len, error))
			return false;
		if (len < 0)
			return true; /* the result says whether it was the end */
		is_taken = append_row(reader, row, (size_t)len);
		PQfreemem(row);
		if (!is_taken)
			return false;
		reader->rows++;
	}
}

/* The server says how many rows it sent; one that was lost on the way would be noticed here. */
static bool
prove_end(const Reader *reader, const HfPlanTable *table, GError **error)
{
	g_autoptr(PGresult) result = NULL;
	PGresult *more = NULL;
	uint64_t sent;

	if (!get_result(reader, &result, error))
		return false;
	if (!result || PQresultStatus(result) != PGRES_COMMAND_OK)
		return hf_pg_copy_error(reader->connection, result, table->target, error);
	sent = g_ascii_strtoull(PQcmdTuples(result), NULL, 10);
	if (sent != reader->rows)
		return hf_error_set(error, HF_ERROR_FAILED,
				    "database \"%s\": table %s: the server sent %" G_GUINT64_FORMAT
				    " rows, %" G_GUINT64_FORMAT " came",
				    PQdb(reader->connection), table->target, sent, reader->rows);
	if (!get_result(reader, &more, error))
		return false;
	if (!more)
		return true;
	PQclear(more);
	return hf_pg_copy_error(reader->connection, NULL, table->target, error);
}

static bool
read_piece(Reader *reader, uint64_t piece, GError **error)
{
	const HfPlanTable *table;
	g_autofree char *sql = hf_dump_plan_copy(reader->all->plan, piece, &table);
	g_autoptr(PGresult) begun = NULL;

	reader->rows = 0;
	if (!PQsendQuery(reader->connection, sql))
		return hf_pg_copy_error(reader->connection, NULL, table->target, error);
	if (!get_result(reader, &begun, error))
		return false;
	if (!begun || PQresultStatus(begun) != PGRES_COPY_OUT)
		return hf_pg_copy_error(reader->connection, begun, table->target, error);
	return copy_rows(reader, table, error) && prove_end(reader, table, error) && end_piece(reader);
}

static gpointer
reader_main(gpointer data)
{
	Reader *reader = data;
	const int wake_bytes = WAKE_BYTES;
	GError *error = NULL;
	uint64_t piece;

	/* A socket that does not know it wakes us more often. */
	(void)setsockopt(PQsocket(reader->connection), SOL_SOCKET, SO_RCVLOWAT, &wake_bytes,
			 sizeof wake_bytes);
	while (hf_reorder_claim(reader->all->reorder, reader->lane, &piece))
		if (!read_piece(reader, piece, &error))
			break;
	if (error)
		hf_reorder_fail(reader->all->reorder, error);
	return NULL;
}

/* ---- the caller's thread ---- */

HfDumpReaders *
hf_dump_readers_start(const HfDumpPlan *plan, GPtrArray *connections, GError **error)
{
	g_autoptr(HfDumpReaders) self = g_new0(HfDumpReaders, 1);

	self->plan = plan;
	self->reorder = hf_reorder_new(connections->len, plan->piece_count);
	self->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (self->stop_fd < 0) {
		hf_error_errno(error, "eventfd");
		return NULL;
	}
	while (self->count < connections->len) {
		Reader *reader = &self->readers[self->count];
		g_autoptr(GError) cause = NULL;

		*reader = (Reader){.all = self,
				   .lane = self->count,
				   .connection = g_ptr_array_index(connections, self->count)};
		reader->thread = g_thread_try_new("dump-reader", reader_main, reader, &cause);
		if (!reader->thread) {
			hf_error_set(error, HF_ERROR_FAILED, "start a thread for the dump: %s",
				     cause->message);
			return NULL;
		}
		self->count++;
	}
	return g_steal_pointer(&self);
}

static bool
write_piece(HfDumpReaders *self, HfStage *into, GError **error)
{
	HfReorderChunk chunk = {0};

	while (!chunk.ends_piece)
		if (!hf_reorder_next(self->reorder, &chunk, error) ||
		    !hf_stage_write(into, chunk.bytes, chunk.len, error))
			return false;
	return true;
}

static bool
write_table(HfDumpReaders *self, const HfPlanTable *table, HfStage *into, GError **error)
{
	g_autofree char *head = hf_dump_plan_rows_head(table);

	if (!hf_stage_write(into, head, strlen(head), error))
		return false;
	for (uint64_t i = 0; i < table->piece_count; i++)
		if (!write_piece(self, into, error))
			return false;
	return hf_stage_write(into, HF_DUMP_PLAN_ROWS_END, strlen(HF_DUMP_PLAN_ROWS_END), error);
}

bool
hf_dump_readers_write(HfDumpReaders *self, HfStage *into, GError **error)
{
	for (guint i = 0; i < self->plan->tables->len; i++)
		if (!write_table(self, g_ptr_array_index(self->plan->tables, i), into, error))
			return false;
	return true;
}

/* The server goes on with a COPY until it finds that nobody listens; so it is told. */
static void
tell_server_to_stop(PGconn *connection)
{
	PGcancel *cancel;
	char words[256];

	if (PQtransactionStatus(connection) != PQTRANS_ACTIVE)
		return;
	cancel = PQgetCancel(connection);
	if (cancel)
		(void)PQcancel(cancel, words, sizeof words);
	PQfreeCancel(cancel);
}

void
hf_dump_readers_free(HfDumpReaders *self)
{
	const uint64_t one = 1;

	if (!self)
		return;
	hf_reorder_stop(self->reorder);
	if (self->stop_fd >= 0 && write(self->stop_fd, &one, sizeof one) < 0)
		g_assert_not_reached(); /* an eventfd takes 2^64 - 2 of them */
	for (unsigned i = 0; i < self->count; i++) {
		g_thread_join(self->readers[i].thread);
		tell_server_to_stop(self->readers[i].connection);
	}
	if (self->stop_fd >= 0)
		close(self->stop_fd);
	hf_reorder_free(self->reorder);
	g_free(self);
}
