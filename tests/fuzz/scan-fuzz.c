/*
 * hf_scan_new() on any bytes: it must not crash, and must see the same whatever the pieces that they come in.  The pieces
 * are taken from the bytes themselves, so that a finding repeats.
 */
#include "config.h"

#include "backup/source/scan.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

/* In pieces of 1 to limit bytes, by a generator that begins with seed; limit 0: whole. */
static HfStage *
scan(const uint8_t *data, size_t len, size_t limit, uint32_t seed)
{
	HfStage *stage = hf_scan_new(NULL, HF_SCAN_DATABASE);

	for (size_t at = 0, piece; at < len; at += piece) {
		/* Numerical Recipes' linear congruential generator */
		seed = seed * 1664525U + 1013904223U;
		piece = limit ? 1 + (seed >> 16) % limit : len;
		piece = MIN(piece, len - at);
		g_assert_true(hf_stage_write(stage, data + at, piece, NULL));
	}
	return stage;
}

static void
assert_same_tables(const HfStage *a, const HfStage *b)
{
	const GPtrArray *ours = hf_scan_tables(a), *theirs = hf_scan_tables(b);

	g_assert_cmpuint(ours->len, ==, theirs->len);
	for (guint i = 0; i < ours->len; i++) {
		const HfTable *one = g_ptr_array_index(ours, i), *other = g_ptr_array_index(theirs, i);

		g_assert_cmpstr(one->name, ==, other->name);
		g_assert_cmpuint(one->rows, ==, other->rows);
		g_assert_cmpuint(one->bytes, ==, other->bytes);
		g_assert_cmpuint(one->offset, ==, other->offset);
		g_assert_cmpuint(one->data_offset, ==, other->data_offset);
		g_assert_true(memcmp(one->digest, other->digest, HF_TABLE_DIGEST_BYTES) == 0);
	}
	g_assert_cmpuint(hf_scan_rows(a), ==, hf_scan_rows(b));
	g_assert_cmpstr(hf_scan_current_table(a), ==, hf_scan_current_table(b));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t limits[] = {1, 3, 16, 300};
	uint32_t seed = len > 0 ? data[len / 2] : 0;

	for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
		g_autoptr(HfStage) whole = scan(data, len, 0, seed);
		g_autoptr(HfStage) pieces = scan(data, len, limits[i], seed);
		g_autoptr(GError) one = NULL;
		g_autoptr(GError) other = NULL;

		assert_same_tables(whole, pieces);
		g_assert_true(hf_stage_finish(whole, &one) == hf_stage_finish(pieces, &other));
		g_assert_cmpstr(one ? one->message : NULL, ==, other ? other->message : NULL);
	}
	return 0;
}
