#include "config.h"

#include "backup/verify/compare.h"
#include "backup/verify/globals.h"

#include <string.h>

static void
add(GPtrArray *tables, const char *name, uint64_t rows, uint8_t digest)
{
	HfTable *table = g_new0(HfTable, 1);

	table->name = g_strdup(name);
	table->rows = rows;
	table->bytes = rows * 10;
	table->digest[15] = digest;
	g_ptr_array_add(tables, table);
}

typedef struct {
	GPtrArray *stored, *restored;
	HfProof *proof;
} Pair;

static void
pair_clear(Pair *pair)
{
	g_ptr_array_unref(pair->stored);
	g_ptr_array_unref(pair->restored);
	hf_proof_free(pair->proof);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Pair, pair_clear)

static Pair
pair_new(void)
{
	return (Pair){g_ptr_array_new_with_free_func((GDestroyNotify)hf_table_free),
		      g_ptr_array_new_with_free_func((GDestroyNotify)hf_table_free), hf_proof_new(4)};
}

static void
test_equal_in_another_order(void)
{
	g_auto(Pair) pair = pair_new();

	add(pair.stored, "a", 3, 1);
	add(pair.stored, "b", 0, 0);
	add(pair.restored, "b", 0, 0);
	add(pair.restored, "a", 3, 1);
	hf_compare_tables(pair.stored, pair.restored, HF_COMPARE_ALL, pair.proof);
	g_assert_cmpuint(pair.proof->difference_count, ==, 0);
	g_assert_cmpuint(pair.proof->tables, ==, 2);
	g_assert_cmpuint(pair.proof->rows, ==, 3);
}

static void
test_every_difference_is_listed(void)
{
	static const char *const expected[] = {
		"table gone is not in the restored database; 2 row(s) were backed up",
		"table fewer: 9 row(s) were backed up, 8 are in the restored database",
		"table other: as many rows (5), but other ones: their digests differ",
		"table new is in the restored database and was not backed up",
	};
	g_auto(Pair) pair = pair_new();

	add(pair.stored, "gone", 2, 1);
	add(pair.stored, "fewer", 9, 1);
	add(pair.stored, "other", 5, 1);
	add(pair.stored, "same", 1, 7);
	add(pair.restored, "fewer", 8, 1);
	add(pair.restored, "other", 5, 2);
	add(pair.restored, "same", 1, 7);
	add(pair.restored, "new", 1, 7);
	hf_compare_tables(pair.stored, pair.restored, HF_COMPARE_ALL, pair.proof);
	g_assert_cmpuint(pair.proof->differences->len, ==, G_N_ELEMENTS(expected));
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
		g_assert_cmpstr(pair.proof->differences->pdata[i], ==, expected[i]);
	g_assert_cmpuint(pair.proof->tables, ==, 1);
}

static void
test_rows_alone(void)
{
	g_auto(Pair) pair = pair_new();

	add(pair.stored, "a", 5, 1);
	add(pair.restored, "a", 5, 0);
	((HfTable *)pair.restored->pdata[0])->bytes = 0;
	hf_compare_tables(pair.stored, pair.restored, HF_COMPARE_ROWS, pair.proof);
	g_assert_cmpuint(pair.proof->difference_count, ==, 0);
}

static void
test_a_list_has_an_end(void)
{
	g_auto(Pair) pair = pair_new();

	for (int i = 0; i < HF_MARKS_LISTED_MAX + 5; i++) {
		g_autofree char *name = g_strdup_printf("t%d", i);

		add(pair.stored, name, 1, 1);
	}
	hf_compare_tables(pair.stored, pair.restored, HF_COMPARE_ALL, pair.proof);
	g_assert_cmpuint(pair.proof->difference_count, ==, HF_MARKS_LISTED_MAX + 5);
	g_assert_cmpuint(pair.proof->differences->len, ==, HF_MARKS_LISTED_MAX);
}

static const struct {
	const char *line, *expected; /* NULL: left out */
} globals_cases[] = {
	{"CREATE ROLE app;", "CREATE ROLE app;"},
	{"CREATE TABLESPACE fast OWNER app LOCATION '/mnt/ssd';",
	 "CREATE TABLESPACE fast OWNER app LOCATION '/scratch ''1/ts0';"},
	{"GRANT ro TO app GRANTED BY postgres;", "GRANT ro TO app;"},
	{"GRANT ro TO app WITH ADMIN OPTION GRANTED BY \"Odd name\";", "GRANT ro TO app WITH ADMIN OPTION;"},
	{"GRANT ro TO app;", "GRANT ro TO app;"},
	{"ALTER ROLE app IN DATABASE shop SET work_mem TO '1GB';", NULL},
	{"ALTER ROLE app SET work_mem TO '1GB';", "ALTER ROLE app SET work_mem TO '1GB';"},
	{"\\restrict abc", "\\restrict abc"},
};

static void
test_globals(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(globals_cases); i++) {
		unsigned tablespaces;
		g_autofree char *sql = hf_scratch_globals(globals_cases[i].line, "/scratch '1", &tablespaces);

		g_strchomp(sql);
		g_assert_cmpstr(sql, ==, globals_cases[i].expected ? globals_cases[i].expected : "");
		g_assert_cmpuint(tablespaces, ==, strstr(globals_cases[i].line, "TABLESPACE") ? 1 : 0);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/compare/equal-in-another-order", test_equal_in_another_order);
	g_test_add_func("/compare/every-difference-is-listed", test_every_difference_is_listed);
	g_test_add_func("/compare/rows-alone", test_rows_alone);
	g_test_add_func("/compare/a-list-has-an-end", test_a_list_has_an_end);
	g_test_add_func("/globals/what-a-scratch-cluster-cannot-take-is-changed", test_globals);
	return g_test_run();
}
