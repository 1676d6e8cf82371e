#include "config.h"

#include "backup/catalog/index.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

#define ID "2024-01-15_02-00-00"
#define HEAD "{\"format\":\"holdfast-index\",\"version\":1,\"set\":\"" ID "\"}\n"
#define TABLE \
	"{\"table\":\"t\",\"rows\":1,\"bytes\":2,\"offset\":3,\"data_offset\":4," \
	"\"digest\":\"00112233445566778899aabbccddeeff\"}\n"
#define END "{\"end\":{\"tables\":1,\"members\":2}}\n"
#define MEMBERS "{\"members\":[[5,6],[7,8]]}\n"

static HfIndex *
parse(const char *text, size_t len, GError **error)
{
	g_autoptr(HfIndex) index = hf_index_new();
	g_autoptr(HfStage) reader = hf_index_reader_new(ID, index);

	if (!hf_stage_write(reader, text, len, error) || !hf_stage_finish(reader, error))
		return NULL;
	return g_steal_pointer(&index);
}

static void
add_table(GPtrArray *tables, const char *name)
{
	HfTable *table = g_new0(HfTable, 1);

	table->name = g_strdup(name);
	table->rows = tables->len;
	table->offset = 10;
	table->data_offset = 20;
	table->digest[15] = 0xab;
	g_ptr_array_add(tables, table);
}

static void
test_odd_names_and_many_members_come_back(void)
{
	static const char *const names[] = {"public.t", "\"a b\".\"c\"\"d\"", "\"line\nend\"", "\"\xc3\xa9\"",
					    "\"caf\xe9\""};
	g_autoptr(GPtrArray) tables = g_ptr_array_new_with_free_func((GDestroyNotify)hf_table_free);
	g_autoptr(HfMembers) members = hf_members_new();
	g_autoptr(HfStage) sink = hf_sink_bytes_new(1 << 20);
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(HfIndex) index = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		add_table(tables, names[i]);
	for (unsigned i = 0; i < 2500; i++)
		hf_members_append(members, 1048576, 300000 + i);
	g_assert_true(hf_index_write(sink, ID, tables, members, &error) && hf_stage_finish(sink, &error));
	bytes = hf_sink_bytes_get(sink);
	index = parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &error);
	g_assert_no_error(error);
	g_assert_cmpuint(index->tables->len, ==, G_N_ELEMENTS(names));
	g_assert_cmpuint(index->rows, ==, 0 + 1 + 2 + 3 + 4);
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		g_assert_cmpstr(((HfTable *)g_ptr_array_index(index->tables, i))->name, ==, names[i]);
	g_assert_cmpuint(hf_members_count(index->members), ==, 2500);
	g_assert_cmpuint(hf_members_packed_bytes(index->members), ==, hf_members_packed_bytes(members));
}

static void
test_lines_may_come_in_any_pieces(void)
{
	static const char text[] = HEAD TABLE MEMBERS END;
	g_autoptr(HfIndex) index = hf_index_new();
	g_autoptr(HfStage) reader = hf_index_reader_new(ID, index);
	g_autoptr(GError) error = NULL;

	for (size_t i = 0; i < strlen(text); i++)
		g_assert_true(hf_stage_write(reader, text + i, 1, &error));
	g_assert_true(hf_stage_finish(reader, &error));
	g_assert_cmpuint(index->tables->len, ==, 1);
}

static const struct {
	const char *text;
	HfError expected;
} cases[] = {
	{"", HF_ERROR_CORRUPT},
	{"\n", HF_ERROR_CORRUPT},
	{HEAD, HF_ERROR_CORRUPT},
	{HEAD TABLE MEMBERS, HF_ERROR_CORRUPT},
	{TABLE MEMBERS END, HF_ERROR_CORRUPT},
	{HEAD MEMBERS END, HF_ERROR_CORRUPT},
	{HEAD TABLE END, HF_ERROR_CORRUPT},
	{HEAD TABLE TABLE MEMBERS END, HF_ERROR_CORRUPT},
	{HEAD TABLE MEMBERS END "\n", HF_ERROR_CORRUPT},
	{HEAD TABLE MEMBERS END TABLE, HF_ERROR_CORRUPT},
	{HEAD TABLE MEMBERS "{\"end\":{\"tables\":1,\"members\":2}}", HF_ERROR_CORRUPT},
	{"{\"format\":\"holdfast-index\",\"version\":2,\"set\":\"" ID "\"}\n", HF_ERROR_USAGE},
	{"{\"format\":\"holdfast-index\",\"version\":1,\"set\":\"2024-01-15_02-00-01\"}\n", HF_ERROR_CORRUPT},
	{HEAD "{\"members\":[[5]]}\n", HF_ERROR_CORRUPT},
	{HEAD "{\"members\":[[5,-6]]}\n", HF_ERROR_CORRUPT},
	{HEAD "{\"members\":[5,6]}\n", HF_ERROR_CORRUPT},
	{HEAD "{\"members\":[[9223372036854775807,1],[9223372036854775807,1]]}\n", HF_ERROR_CORRUPT},
	{HEAD "{\"table\":\"t\"}\n", HF_ERROR_CORRUPT},
	{HEAD "[]\n", HF_ERROR_CORRUPT},
};

static void
test_damage_is_refused(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_test_message("case %zu", i);
		g_assert_null(parse(cases[i].text, strlen(cases[i].text), &error));
		g_assert_cmpint(error->code, ==, (int)cases[i].expected);
	}
}

static void
test_a_line_without_end_is_not_gathered_for_ever(void)
{
	g_autofree char *text = g_strnfill(1 << 20, '[');
	g_autoptr(GError) error = NULL;

	g_assert_null(parse(text, 1 << 20, &error));
	g_assert_nonnull(strstr(error->message, "longer than"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/index/odd-names-and-many-members-come-back",
			test_odd_names_and_many_members_come_back);
	g_test_add_func("/index/lines-may-come-in-any-pieces", test_lines_may_come_in_any_pieces);
	g_test_add_func("/index/damage-is-refused", test_damage_is_refused);
	g_test_add_func("/index/a-line-without-end-is-not-gathered-for-ever",
			test_a_line_without_end_is_not_gathered_for_ever);
	return g_test_run();
}
