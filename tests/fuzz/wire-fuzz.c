/*
 * A FastCGI reply of any bytes, whole and in pieces: it must not crash, what is kept is bounded, both ways end alike, and a
 * reply that is taken has a status.
 */
#include "config.h"

#include "fcgi/client.h"
#include "fcgi/wire.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define LIMIT 512

static bool
feed(HfWireReader *reader, const uint8_t *data, size_t len, size_t piece)
{
	for (size_t at = 0; at < len; at += piece)
		if (!hf_wire_feed(reader, data + at, MIN(piece, len - at), NULL))
			return false;
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(HfWireReader) whole = hf_wire_reader_new(LIMIT);
	g_autoptr(HfWireReader) pieces = hf_wire_reader_new(LIMIT);
	bool is_good = feed(whole, data, len, len);
	const GByteArray *bytes = hf_wire_stdout(whole);
	g_autoptr(HfFcgiReply) reply = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(feed(pieces, data, len, 3) == is_good);
	g_assert_true(hf_wire_is_ended(pieces) == hf_wire_is_ended(whole));
	g_assert_cmpuint(bytes->len, <=, LIMIT);
	g_assert_cmpuint(bytes->len, ==, hf_wire_stdout(pieces)->len);
	reply = hf_fcgi_reply_parse(bytes->data, bytes->len, &error);
	g_assert_true(!reply == (error != NULL));
	g_assert_true(!reply || (reply->status >= 100 && reply->status < 600));
	return 0;
}
