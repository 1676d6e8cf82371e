/*
 * hf_index_reader_new() on any bytes: it must not crash, and what it takes is written and parsed to the same again.
 */
#include "config.h"

#include "backup/catalog/index.h"
#include "backup/stage/sink.h"
#include "tests/fuzz/fuzz.h"

#define ID "2024-01-15_02-00-00"

static HfIndex *
parse(const void *data, size_t len)
{
	g_autoptr(HfIndex) index = hf_index_new();
	g_autoptr(HfStage) reader = hf_index_reader_new(ID, index);
	g_autoptr(GError) error = NULL;

	if (hf_stage_write(reader, data, len, &error) && hf_stage_finish(reader, &error))
		return g_steal_pointer(&index);
	g_assert_nonnull(error);
	return NULL;
}

static GBytes *
write_index(const HfIndex *index)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new((size_t)16 << 20);
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_index_write(sink, ID, index->tables, index->members, &error));
	g_assert_true(hf_stage_finish(sink, &error));
	return hf_sink_bytes_get(sink);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	g_autoptr(HfIndex) index = parse(data, len);
	g_autoptr(HfIndex) again = NULL;
	g_autoptr(GBytes) text = NULL, text_again = NULL;

	if (!index)
		return 0;
	text = write_index(index);
	again = parse(g_bytes_get_data(text, NULL), g_bytes_get_size(text));
	g_assert_nonnull(again);
	text_again = write_index(again);
	g_assert_true(g_bytes_equal(text, text_again));
	return 0;
}
