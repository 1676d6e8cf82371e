#include "config.h"

#include "backup/source/reorder.h"
#include "common/error.h"

#include <string.h>

/* Readers write each piece's number over and over; a piece's length is of its number, too. */
typedef struct {
	HfReorder *reorder;
	unsigned lane;
	uint64_t fails_at; /* the piece that it cannot read; UINT64_MAX: none */
} Reader;

static size_t
length_of(uint64_t piece)
{
	static const size_t lengths[] = {
		0, 8, 1 << 20, HF_REORDER_CHUNK_BYTES, 3 * HF_REORDER_CHUNK_BYTES + 8, 8 << 20};

	return lengths[piece % G_N_ELEMENTS(lengths)];
}

static bool
write_piece(Reader *reader, uint64_t piece)
{
	size_t left = length_of(piece);

	for (;;) {
		char *space = hf_reorder_space(reader->reorder, reader->lane);
		size_t now = MIN(left, HF_REORDER_CHUNK_BYTES);

		if (!space)
			return false;
		for (size_t at = 0; at < now; at += sizeof piece)
			memcpy(space + at, &piece, sizeof piece);
		left -= now;
		hf_reorder_commit(reader->reorder, reader->lane, now, left == 0);
		if (left == 0)
			return true;
	}
}

static gpointer
reader_main(gpointer data)
{
	Reader *reader = data;
	uint64_t piece;

	while (hf_reorder_claim(reader->reorder, reader->lane, &piece)) {
		if (piece == reader->fails_at) {
			hf_reorder_fail(reader->reorder,
					g_error_new_literal(HF_ERROR, HF_ERROR_FAILED, "as it should"));
			break;
		}
		if (!write_piece(reader, piece))
			break;
	}
	return NULL;
}

typedef struct {
	HfReorder *reorder;
	Reader readers[HF_REORDER_LANES_MAX];
	GThread *threads[HF_REORDER_LANES_MAX];
	unsigned count;
} Team;

static void
team_start(Team *team, unsigned count, uint64_t pieces, uint64_t fails_at)
{
	team->reorder = hf_reorder_new(count, pieces);
	team->count = count;
	for (unsigned i = 0; i < count; i++) {
		team->readers[i] = (Reader){team->reorder, i, fails_at};
		team->threads[i] = g_thread_new("reader", reader_main, &team->readers[i]);
	}
}

static void
team_end(Team *team)
{
	hf_reorder_stop(team->reorder);
	for (unsigned i = 0; i < team->count; i++)
		g_thread_join(team->threads[i]);
	hf_reorder_free(team->reorder);
}

/* Reads one piece and looks at every byte; false with the error. */
static bool
read_piece(HfReorder *reorder, uint64_t piece, GError **error)
{
	HfReorderChunk chunk = {0};
	size_t total = 0;

	while (!chunk.ends_piece) {
		if (!hf_reorder_next(reorder, &chunk, error))
			return false;
		for (size_t at = 0; at < chunk.len; at += sizeof piece)
			g_assert_cmpint(memcmp(chunk.bytes + at, &piece, sizeof piece), ==, 0);
		total += chunk.len;
	}
	g_assert_cmpuint(total, ==, length_of(piece));
	return true;
}

static void
test_order(void)
{
	static const unsigned counts[] = {1, 2, 3, 8};

	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
		Team team;

		team_start(&team, counts[i], 60, UINT64_MAX);
		for (uint64_t piece = 0; piece < 60; piece++)
			g_assert_true(read_piece(team.reorder, piece, NULL));
		team_end(&team);
	}
}

static void
test_failure(void)
{
	Team team;
	g_autoptr(GError) error = NULL;
	uint64_t piece = 0;

	team_start(&team, 3, 60, 20);
	while (read_piece(team.reorder, piece, &error))
		piece++;
	g_assert_cmpuint(piece, <=, 20);
	g_assert_cmpstr(error->message, ==, "as it should");
	team_end(&team);
}

/* Readers that wait for space and readers that have not begun are let go alike. */
static void
test_stop(void)
{
	Team team;

	team_start(&team, 4, 1000, UINT64_MAX);
	g_assert_true(read_piece(team.reorder, 0, NULL));
	team_end(&team);
}

static void
test_unread_error(void)
{
	Team team;

	team_start(&team, 2, 10, 0);
	team_end(&team);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/reorder/pieces-come-in-order-from-any-number-of-readers", test_order);
	g_test_add_func("/reorder/a-readers-error-is-the-consumers", test_failure);
	g_test_add_func("/reorder/stop-lets-readers-go", test_stop);
	g_test_add_func("/reorder/an-error-nobody-asks-for-is-freed", test_unread_error);
	return g_test_run();
}
