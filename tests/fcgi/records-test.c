#include "config.h"

#include "fcgi/records.h"
#include "fcgi/wire.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGE (3u << 20)

typedef struct {
	int fd;
	GByteArray *seen;
} Peer;

/* As nginx does: in pieces of its own size, slower than they come. */
static void *
take(void *context)
{
	Peer *peer = context;
	uint8_t piece[5000];
	ssize_t got;

	while ((got = read(peer->fd, piece, sizeof piece)) > 0)
		g_byte_array_append(peer->seen, piece, (guint)got);
	return NULL;
}

/* What a peer that reads with the client's reader has of the stream. */
static GByteArray *
carried(const uint8_t *bytes, size_t len)
{
	static const uint8_t end[16] = {1, 3, 0, 1, 0, 8};
	g_autoptr(HfWireReader) reader = hf_wire_reader_new(LARGE);
	GByteArray *body = g_byte_array_new();
	Peer peer = {.seen = g_byte_array_new()};
	int ends[2];
	GThread *thread;

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
	peer.fd = ends[1];
	thread = g_thread_new("peer", take, &peer);
	g_assert_true(hf_records_put(ends[0], 1, bytes, len));
	g_assert_cmpint(write(ends[0], end, sizeof end), ==, sizeof end);
	close(ends[0]);
	g_thread_join(thread);
	close(ends[1]);
	g_assert_true(hf_wire_feed(reader, peer.seen->data, peer.seen->len, NULL));
	g_assert_true(hf_wire_is_ended(reader));
	g_byte_array_append(body, hf_wire_stdout(reader)->data, hf_wire_stdout(reader)->len);
	g_byte_array_unref(peer.seen);
	return body;
}

static void
test_any_length_arrives_as_it_was(void)
{
	static const size_t lengths[] = {0, 1, 65527, 65528, 65529, 8 * 65528, 8 * 65528 + 1, LARGE};
	g_autofree uint8_t *bytes = g_malloc(LARGE);

	for (size_t i = 0; i < LARGE; i++)
		bytes[i] = (uint8_t)(i * 31 + i / 251);
	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		GByteArray *body = carried(bytes, lengths[i]);

		g_assert_cmpuint(body->len, ==, lengths[i]);
		g_assert_true(body->len == 0 || memcmp(body->data, bytes, body->len) == 0);
		g_byte_array_unref(body);
	}
}

static void
test_a_peer_that_has_gone_is_no_signal(void)
{
	g_autofree char *bytes = g_malloc0(LARGE);
	int ends[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), ==, 0);
	close(ends[1]);
	g_assert_false(hf_records_put(ends[0], 1, bytes, LARGE));
	close(ends[0]);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/records/any-length-arrives-as-it-was", test_any_length_arrives_as_it_was);
	g_test_add_func("/records/a-peer-that-has-gone-is-no-signal", test_a_peer_that_has_gone_is_no_signal);
	return g_test_run();
}
