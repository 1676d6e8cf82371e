/*
 * The thread inside a stage: what it is given it takes, whole and in order, and what it says reaches the caller.
 */
#include "config.h"

#include "backup/stage/relay.h"
#include "common/error.h"

#include <stdint.h>
#include <string.h>

#define BUFFER ((size_t)4096)

/* Records what was taken. */
typedef struct {
	GByteArray *bytes;
	size_t fail_after; /* 0: never */
	unsigned calls;
	bool is_misaligned;
	GThread *thread; /* of the last call */
} Taker;

static bool
take(void *context, const void *buf, size_t len, GError **error)
{
	Taker *taker = context;

	taker->calls++;
	taker->thread = g_thread_self();
	taker->is_misaligned = taker->is_misaligned || (uintptr_t)buf % HF_RELAY_ALIGNMENT != 0;
	g_byte_array_append(taker->bytes, buf, (guint)len);
	if (taker->fail_after && taker->bytes->len >= taker->fail_after)
		return hf_error_set(error, HF_ERROR_DENIED, "the taker has enough");
	return true;
}

static GBytes *
numbers(size_t len)
{
	uint8_t *bytes = g_malloc(len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	return g_bytes_new_take(bytes, len);
}

/* In pieces of growing length, so that they end everywhere in a buffer. */
static void
write_pieces(HfRelay *relay, GBytes *bytes)
{
	gsize len, piece = 1;
	const char *at = g_bytes_get_data(bytes, &len);

	for (gsize done = 0; done < len; done += piece, piece = piece * 3 % 9001 + 1) {
		g_autoptr(GError) error = NULL;

		piece = MIN(piece, len - done);
		g_assert_true(hf_relay_write(relay, at + done, piece, &error));
		g_assert_no_error(error);
	}
}

static void
check_all_taken(size_t len)
{
	g_autoptr(GBytes) bytes = numbers(len);
	Taker taker = {.bytes = g_byte_array_new()};
	g_autoptr(GError) error = NULL;
	HfRelay *relay = hf_relay_new("test", BUFFER, take, &taker);

	write_pieces(relay, bytes);
	g_assert_true(hf_relay_finish(relay, &error));
	g_assert_no_error(error);
	hf_relay_free(relay);
	g_assert_cmpuint(taker.bytes->len, ==, len);
	g_assert_true(len == 0 || memcmp(taker.bytes->data, g_bytes_get_data(bytes, NULL), len) == 0);
	g_assert_cmpuint(taker.calls, ==, (len + BUFFER - 1) / BUFFER);
	g_assert_false(taker.is_misaligned);
	g_byte_array_unref(taker.bytes);
}

static void
test_all_is_taken_in_order(void)
{
	static const size_t lengths[] = {0,          1,           BUFFER - 1,       BUFFER,
					 BUFFER + 1, 10 * BUFFER, 100 * BUFFER + 77};

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++)
		check_all_taken(lengths[i]);
}

static void
test_a_short_stream_costs_no_thread(void)
{
	Taker taker = {.bytes = g_byte_array_new()};
	g_autoptr(GError) error = NULL;
	HfRelay *relay = hf_relay_new("test", BUFFER, take, &taker);

	g_assert_true(hf_relay_write(relay, "short", 5, &error) && hf_relay_finish(relay, &error));
	g_assert_true(taker.thread == g_thread_self());
	hf_relay_free(relay);
	g_byte_array_unref(taker.bytes);
}

static void
test_a_failure_reaches_the_caller_and_ends_it(void)
{
	g_autoptr(GBytes) bytes = numbers(100 * BUFFER);
	const char *at = g_bytes_get_data(bytes, NULL);
	Taker taker = {.bytes = g_byte_array_new(), .fail_after = 3 * BUFFER};
	g_autoptr(GError) error = NULL;
	HfRelay *relay = hf_relay_new("test", BUFFER, take, &taker);
	bool is_good = true;

	for (size_t i = 0; i < 100 && is_good; i++)
		is_good = hf_relay_write(relay, at + i * BUFFER, BUFFER, &error);
	g_assert_false(is_good);
	g_assert_error(error, HF_ERROR, HF_ERROR_DENIED);
	hf_relay_free(relay);
	g_assert_cmpuint(taker.bytes->len, ==, 3 * BUFFER);
	g_byte_array_unref(taker.bytes);
}

static void
test_a_failure_of_the_last_buffer_is_told_at_finish(void)
{
	g_autoptr(GBytes) bytes = numbers(BUFFER);
	Taker taker = {.bytes = g_byte_array_new(), .fail_after = BUFFER};
	g_autoptr(GError) error = NULL;
	HfRelay *relay = hf_relay_new("test", BUFFER, take, &taker);

	g_assert_true(hf_relay_write(relay, g_bytes_get_data(bytes, NULL), BUFFER, &error));
	g_assert_false(hf_relay_finish(relay, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_DENIED);
	hf_relay_free(relay);
	g_byte_array_unref(taker.bytes);
}

static void
test_free_without_finish_forgets_the_rest(void)
{
	g_autoptr(GBytes) bytes = numbers(BUFFER + 5);
	Taker taker = {.bytes = g_byte_array_new()};
	g_autoptr(GError) error = NULL;
	HfRelay *relay = hf_relay_new("test", BUFFER, take, &taker);

	g_assert_true(hf_relay_write(relay, g_bytes_get_data(bytes, NULL), BUFFER + 5, &error));
	hf_relay_free(relay);
	g_assert_cmpuint(taker.bytes->len, ==, BUFFER);
	g_byte_array_unref(taker.bytes);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/relay/all-is-taken-in-order", test_all_is_taken_in_order);
	g_test_add_func("/relay/a-short-stream-costs-no-thread", test_a_short_stream_costs_no_thread);
	g_test_add_func("/relay/a-failure-reaches-the-caller-and-ends-it",
			test_a_failure_reaches_the_caller_and_ends_it);
	g_test_add_func("/relay/a-failure-of-the-last-buffer-is-told-at-finish",
			test_a_failure_of_the_last_buffer_is_told_at_finish);
	g_test_add_func("/relay/free-without-finish-forgets-the-rest",
			test_free_without_finish_forgets_the_rest);
	return g_test_run();
}
