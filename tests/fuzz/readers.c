#include "config.h"

#include "tests/fuzz/readers.h"
#include "backup/stage/sink.h"
#include "common/error.h"

static bool
push(HfStage *head, const uint8_t *data, size_t len, size_t piece)
{
	g_autoptr(GError) error = NULL;

	for (size_t at = 0; at < len; at += piece)
		if (!hf_stage_write(head, data + at, MIN(piece, len - at), &error))
			goto refused;
	if (hf_stage_finish(head, &error))
		return true;
refused:
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	return false;
}

GBytes *
fuzz_unpack(HfStage *(*reader)(HfStage *next), const uint8_t *data, size_t len, size_t piece)
{
	HfStage *sink = hf_sink_bytes_new(FUZZ_PLAIN_MAX);
	g_autoptr(HfStage) head = reader(sink);

	return push(head, data, len, piece) ? hf_sink_bytes_get(sink) : NULL;
}

GBytes *
fuzz_unpack_in_any_pieces(HfStage *(*reader)(HfStage *next), const uint8_t *data, size_t len)
{
	static const size_t pieces[] = {1, 5, 64};
	GBytes *whole = fuzz_unpack(reader, data, len, MAX(len, 1));

	for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
		g_autoptr(GBytes) other = fuzz_unpack(reader, data, len, pieces[i]);

		g_assert_true(!whole == !other);
		g_assert_true(!whole || g_bytes_equal(whole, other));
	}
	return whole;
}
