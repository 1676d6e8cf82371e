/*
 * hf_unzstd_new() on any bytes: it must not crash, must give the same whatever the pieces, and where zstd's one-shot
 * decoder takes the bytes, must give what that gives.
 */
#include "config.h"

#include "backup/stage/zstd.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/readers.h"

#include <zstd.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(GBytes) ours = fuzz_unpack_in_any_pieces(hf_unzstd_new, data, len);
	g_autofree uint8_t *theirs = g_malloc(FUZZ_PLAIN_MAX);
	size_t bytes = ZSTD_decompress(theirs, FUZZ_PLAIN_MAX, data, len);

	if (ours && !ZSTD_isError(bytes)) {
		g_autoptr(GBytes) expected = g_bytes_new(theirs, bytes);

		g_assert_true(g_bytes_equal(ours, expected));
	}
	return 0;
}
