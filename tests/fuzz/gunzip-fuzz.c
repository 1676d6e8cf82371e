/*
 * hf_gunzip_new() on any bytes: it must not crash, must give the same whatever the pieces, and must agree with zlib about
 * what is a gzip file and what it holds.
 */
#include "config.h"

#include "backup/stage/gzip.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/readers.h"

#define ZLIB_CONST
#include <zlib.h>

/* One member; false where zlib refuses it. */
static bool
inflate_member(z_stream *zlib, GByteArray *plain)
{
	uint8_t out[4096];
	int rc;

	inflateReset(zlib);
	do {
		zlib->next_out = out;
		zlib->avail_out = sizeof out;
		rc = inflate(zlib, Z_NO_FLUSH);
		g_byte_array_append(plain, out, (guint)sizeof out - zlib->avail_out);
	} while (rc == Z_OK && plain->len <= FUZZ_PLAIN_MAX);
	return rc == Z_STREAM_END && plain->len <= FUZZ_PLAIN_MAX;
}

static GBytes *
unpack_by_zlib(const uint8_t *data, size_t len)
{
	GByteArray *plain = g_byte_array_new();
	z_stream zlib = {.next_in = data, .avail_in = (uInt)len};
	bool is_good = len > 0;

	g_assert_true(inflateInit2(&zlib, 15 + 16) == Z_OK);
	while (is_good && zlib.avail_in > 0)
		is_good = inflate_member(&zlib, plain);
	inflateEnd(&zlib);
	if (is_good)
		return g_byte_array_free_to_bytes(plain);
	g_byte_array_unref(plain);
	return NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(GBytes) ours = fuzz_unpack_in_any_pieces(hf_gunzip_new, data, len);
	g_autoptr(GBytes) theirs = unpack_by_zlib(data, len);

	g_assert_true(!ours == !theirs);
	g_assert_true(!ours || g_bytes_equal(ours, theirs));
	return 0;
}
