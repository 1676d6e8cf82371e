#include "config.h"

#include "backup/source/dump-plan.h"

/* Words are borrowed: what a plan made by hand points to is not freed. */
static char public[] = "public", large_name[] = "large", me[] = "me", large_target[] = "public.large",
	    large_columns[] = "a, \"B\"";
static char odd_schema[] = "a\"b", odd_name[] = "odd \"na.me\"*\r\n$", you[] = "you\nthere",
	    odd_target[] = "\"a\"\"b\".x", odd_columns[] = "c";

/* "large" in three pieces, then the odd one in one. */
static HfPlanTable large = {.schema = public,
			    .name = large_name,
			    .owner = me,
			    .target = large_target,
			    .columns = large_columns,
			    .piece_pages = 512,
			    .first_piece = 0,
			    .piece_count = 3};
static HfPlanTable small = {.schema = odd_schema,
			    .name = odd_name,
			    .owner = you,
			    .target = odd_target,
			    .columns = odd_columns,
			    .piece_pages = 1,
			    .first_piece = 3,
			    .piece_count = 1};

static HfDumpPlan *
make_plan(void)
{
	HfDumpPlan *plan = g_new0(HfDumpPlan, 1);

	plan->tables = g_ptr_array_new();
	plan->piece_count = 4;
	g_ptr_array_add(plan->tables, &large);
	g_ptr_array_add(plan->tables, &small);
	return plan;
}

static void
test_pieces(void)
{
	static const char *const wanted[] = {
		"COPY (SELECT a, \"B\" FROM ONLY public.large WHERE ctid >= '(0,0)'::pg_catalog.tid"
		" AND ctid < '(512,0)'::pg_catalog.tid) TO STDOUT",
		"COPY (SELECT a, \"B\" FROM ONLY public.large WHERE ctid >= '(512,0)'::pg_catalog.tid"
		" AND ctid < '(1024,0)'::pg_catalog.tid) TO STDOUT",
		"COPY (SELECT a, \"B\" FROM ONLY public.large WHERE ctid >= '(1024,0)'::pg_catalog.tid) TO "
		"STDOUT",
		"COPY \"a\"\"b\".x (c) TO STDOUT",
	};
	g_autoptr(HfDumpPlan) plan = make_plan();

	for (uint64_t piece = 0; piece < G_N_ELEMENTS(wanted); piece++) {
		const HfPlanTable *table;
		g_autofree char *sql = hf_dump_plan_copy(plan, piece, &table);

		g_assert_cmpstr(sql, ==, wanted[piece]);
		g_assert_true(table == (piece < 3 ? &large : &small));
	}
}

static void
test_exclusion(void)
{
	g_autofree char *plain = hf_dump_plan_exclusion(&large);
	g_autofree char *odd = hf_dump_plan_exclusion(&small);

	g_assert_cmpstr(plain, ==, "--exclude-table-data=\"public\".\"large\"");
	g_assert_cmpstr(odd, ==, "--exclude-table-data=\"a\"\"b\".\"odd \"\"na.me\"\"*\r\n$\"");
}

static void
test_head(void)
{
	g_autofree char *head = hf_dump_plan_rows_head(&small);

	g_assert_cmpstr(
		head, ==,
		"--\n-- Data for Name: odd \"na.me\"*  $; Type: TABLE DATA; Schema: a\"b; Owner: you there\n"
		"--\n\nCOPY \"a\"\"b\".x (c) FROM stdin;\n");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dump-plan/pieces-are-ranges-of-pages-and-the-last-is-open", test_pieces);
	g_test_add_func("/dump-plan/a-pattern-is-quoted-so-that-it-is-a-name", test_exclusion);
	g_test_add_func("/dump-plan/a-comment-stays-on-its-line", test_head);
	return g_test_run();
}
