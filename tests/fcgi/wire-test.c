#include "config.h"

#include "fcgi/wire.h"
#include "common/error.h"

#include <string.h>

#define LIMIT 1000

/* FastCGI 1.0, appendix B: the records of a request with one parameter and nothing on stdin, byte for byte. */
static void
test_a_request_as_in_the_specification(void)
{
	static const uint8_t expected[] = {
		1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0,   0,   0,   0,   0, 0, /* begin: responder, not kept */
		1, 4, 0, 1, 0, 6, 2, 0, 3, 1, 'K', 'E', 'Y', 'v', 0, 0, /* params, padded to eight */
		1, 4, 0, 1, 0, 0, 0, 0,                                 /* and their end */
		1, 5, 0, 1, 0, 0, 0, 0,                                 /* stdin, empty */
	};
	GByteArray *params = g_byte_array_new(), *out = g_byte_array_new();

	hf_wire_pair(params, "KEY", "v");
	hf_wire_begin(out);
	hf_wire_stream(out, HF_WIRE_PARAMS, params->data, params->len);
	hf_wire_stream(out, HF_WIRE_STDIN, NULL, 0);
	g_assert_cmpuint(out->len, ==, sizeof expected);
	g_assert_true(memcmp(out->data, expected, sizeof expected) == 0);
	g_byte_array_unref(params);
	g_byte_array_unref(out);
}

/* Section 3.4: 127 bytes have a length of one byte, 128 one of four. */
static void
test_lengths_of_one_and_of_four_bytes(void)
{
	GByteArray *params = g_byte_array_new();
	g_autofree char *short_text = g_strnfill(127, 'a'), *long_text = g_strnfill(128, 'b');
	static const uint8_t head[] = {127, 0x80, 0, 0, 128};

	hf_wire_pair(params, short_text, long_text);
	g_assert_cmpuint(params->len, ==, 5 + 127 + 128);
	g_assert_true(memcmp(params->data, head, sizeof head) == 0);
	g_byte_array_unref(params);
}

static void
test_a_long_stream_is_several_records(void)
{
	g_autofree char *text = g_strnfill(70000, 'x');
	GByteArray *out = g_byte_array_new();

	hf_wire_stream(out, HF_WIRE_STDIN, text, 70000);
	g_assert_cmpuint(out->len, ==, 8 + 65535 + 1 + 8 + 4465 + 7 + 8);
	g_assert_cmphex(out->data[4], ==, 0xff);
	g_assert_cmphex(out->data[8 + 65536 + 5], ==, 4465 & 0xff);
	g_byte_array_unref(out);
}

/* ---- replies ---- */

static void
record(GByteArray *out, uint8_t type, const char *content, size_t len, uint8_t padding)
{
	const uint8_t header[8] = {1, type, 0, 1, (uint8_t)(len >> 8), (uint8_t)len, padding, 0};

	g_byte_array_append(out, header, 8);
	g_byte_array_append(out, (const guint8 *)content, (guint)len);
	for (unsigned i = 0; i < padding; i++)
		g_byte_array_append(out, (const guint8 *)"?", 1);
}

static GByteArray *
good_reply(void)
{
	GByteArray *out = g_byte_array_new();

	record(out, 6, "Status: 200\r\n", 13, 3);
	record(out, 7, "warning\n", 8, 0);
	record(out, 6, "\r\nbody", 6, 255);
	record(out, 7, "", 0, 0);
	record(out, 6, "", 0, 0);
	record(out, 3, "\0\0\0\0\0\0\0\0", 8, 0);
	return out;
}

static void
test_a_reply_in_pieces_of_any_size(void)
{
	GByteArray *reply = good_reply();

	for (size_t piece = 1; piece <= reply->len; piece++) {
		g_autoptr(HfWireReader) reader = hf_wire_reader_new(LIMIT);
		g_autoptr(GError) error = NULL;

		for (size_t at = 0; at < reply->len; at += piece) {
			g_assert_false(hf_wire_is_ended(reader));
			if (!hf_wire_feed(reader, reply->data + at, MIN(piece, reply->len - at), &error))
				g_assert_no_error(error);
		}
		g_assert_true(hf_wire_is_ended(reader));
		g_assert_cmpuint(hf_wire_stdout(reader)->len, ==, 19);
		g_assert_true(memcmp(hf_wire_stdout(reader)->data, "Status: 200\r\n\r\nbody", 19) == 0);
		g_assert_cmpstr(hf_wire_stderr(reader), ==, "warning\n");
	}
	g_byte_array_unref(reply);
}

static void
test_of_stderr_the_end_is_kept(void)
{
	g_autoptr(HfWireReader) reader = hf_wire_reader_new(LIMIT);
	g_autofree char *text = g_strnfill(60000, 'x');
	GByteArray *reply = g_byte_array_new();

	text[59999] = 'y';
	for (unsigned i = 0; i < 10; i++)
		record(reply, 7, text, 60000, 0);
	g_assert_true(hf_wire_feed(reader, reply->data, reply->len, NULL));
	g_assert_cmpuint(strlen(hf_wire_stderr(reader)), ==, 4096);
	g_assert_cmpint(hf_wire_stderr(reader)[4095], ==, 'y');
	g_byte_array_unref(reply);
}

/* ---- damage ---- */

static void
set_byte(GByteArray *reply, size_t at, uint8_t value)
{
	reply->data[at] = value;
}

static void
end_with(GByteArray *reply, uint8_t protocol_status)
{
	set_byte(reply, reply->len - 4, protocol_status);
}

static void
wrong_version(GByteArray *reply)
{
	set_byte(reply, 0, 2);
}

static void
is_http(GByteArray *reply)
{
	memcpy(reply->data, "HTTP/1.1 400 Bad", 16);
}

static void
another_request(GByteArray *reply)
{
	set_byte(reply, 3, 7);
}

static void
unknown_type(GByteArray *reply)
{
	set_byte(reply, 1, 11);
}

static void
our_own_type(GByteArray *reply)
{
	set_byte(reply, 1, 5);
}

static void
short_end(GByteArray *reply)
{
	set_byte(reply, reply->len - 16 + 5, 7);
}

static void
long_end(GByteArray *reply)
{
	set_byte(reply, reply->len - 16 + 5, 9);
}

static void
overloaded(GByteArray *reply)
{
	end_with(reply, 2);
}

static void
no_multiplexing(GByteArray *reply)
{
	end_with(reply, 1);
}

static void
unknown_role(GByteArray *reply)
{
	end_with(reply, 3);
}

static void
unknown_status(GByteArray *reply)
{
	end_with(reply, 4);
}

static void
too_large(GByteArray *reply)
{
	g_autofree char *text = g_strnfill(LIMIT + 1, 'x');

	g_byte_array_set_size(reply, 0);
	record(reply, 6, text, LIMIT + 1, 0);
}

static void
too_large_in_pieces(GByteArray *reply)
{
	g_byte_array_set_size(reply, 0);
	for (unsigned i = 0; i < LIMIT / 10 + 1; i++)
		record(reply, 6, "0123456789", 10, 0);
}

static const struct {
	const char *name;
	void (*damage)(GByteArray *reply);
	HfError expected;
} cases[] = {
	{"/wire/damage/wrong-version", wrong_version, HF_ERROR_CORRUPT},
	{"/wire/damage/a-web-server-answers", is_http, HF_ERROR_CORRUPT},
	{"/wire/damage/another-request", another_request, HF_ERROR_CORRUPT},
	{"/wire/damage/unknown-type", unknown_type, HF_ERROR_CORRUPT},
	{"/wire/damage/a-type-of-requests", our_own_type, HF_ERROR_CORRUPT},
	{"/wire/damage/end-too-short", short_end, HF_ERROR_CORRUPT},
	{"/wire/damage/end-too-long", long_end, HF_ERROR_CORRUPT},
	{"/wire/damage/overloaded", overloaded, HF_ERROR_TRANSIENT},
	{"/wire/damage/no-multiplexing", no_multiplexing, HF_ERROR_FAILED},
	{"/wire/damage/unknown-role", unknown_role, HF_ERROR_FAILED},
	{"/wire/damage/unknown-protocol-status", unknown_status, HF_ERROR_CORRUPT},
	{"/wire/damage/too-large", too_large, HF_ERROR_FAILED},
	{"/wire/damage/too-large-in-pieces", too_large_in_pieces, HF_ERROR_FAILED},
};

static void
test_damage(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfWireReader) reader = hf_wire_reader_new(LIMIT);
	g_autoptr(GError) error = NULL;
	GByteArray *reply = good_reply();

	cases[i].damage(reply);
	g_assert_false(hf_wire_feed(reader, reply->data, reply->len, &error));
	g_assert_error(error, HF_ERROR, (int)cases[i].expected);
	g_byte_array_unref(reply);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/wire/a-request-as-in-the-specification", test_a_request_as_in_the_specification);
	g_test_add_func("/wire/lengths-of-one-and-of-four-bytes", test_lengths_of_one_and_of_four_bytes);
	g_test_add_func("/wire/a-long-stream-is-several-records", test_a_long_stream_is_several_records);
	g_test_add_func("/wire/a-reply-in-pieces-of-any-size", test_a_reply_in_pieces_of_any_size);
	g_test_add_func("/wire/of-stderr-the-end-is-kept", test_of_stderr_the_end_is_kept);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_test_add_data_func(cases[i].name, GSIZE_TO_POINTER(i), test_damage);
	return g_test_run();
}
