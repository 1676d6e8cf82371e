#include "config.h"

#include "backup/source/scan.h"
#include "common/error.h"

#include <string.h>

#define END "--\n-- PostgreSQL database dump complete\n--\n\n"

/* Cuts the text into pieces of the given length, or of random lengths where it is 0. */
static HfStage *
scan_in_pieces(const char *text, size_t len, size_t piece)
{
	HfStage *scan = hf_scan_new(NULL, HF_SCAN_DATABASE);
	g_autoptr(GError) error = NULL;

	for (size_t at = 0; at < len;) {
		size_t want = piece ? piece : (size_t)g_test_rand_int_range(1, 9);
		size_t now = MIN(want, len - at);
		g_autofree char *copy = g_memdup2(text + at,
						  now); /* so that ASan sees a look beyond the piece */

		g_assert_true(hf_stage_write(scan, copy, now, &error));
		at += now;
	}
	return scan;
}

static HfStage *
scan_whole(const char *text)
{
	return scan_in_pieces(text, strlen(text), strlen(text));
}

static const HfTable *
table_at(const HfStage *scan, guint i)
{
	return g_ptr_array_index(hf_scan_tables(scan), i);
}

/* What a dump can hold, and the tables that psql would fill: "name=rows name=rows". */
static const struct {
	const char *name, *dump, *tables;
} cases[] = {
	{"empty-dump", "", ""},
	{"empty-table", "COPY public.a (x) FROM stdin;\n\\.\n", "public.a=0"},
	{"rows", "COPY public.a (x) FROM stdin;\n1\n2\n\n\\N\n\\.\n", "public.a=4"},
	{"row-like-the-end-mark", "COPY a (x) FROM stdin;\n\\\\.\n\\.x\n.\n\\..\n\\.\n", "a=4"},
	{"end-mark-with-cr", "COPY a (x) FROM stdin;\n1\n\\.\r\n", "a=1"},
	{"quoted-names", "COPY public.\"a \"\"b\"\" (;' FROM stdin\" (\"c)\", \"d;\") FROM stdin;\n1\n\\.\n",
	 "public.\"a \"\"b\"\" (;' FROM stdin\"=1"},
	{"line-end-in-a-name", "COPY public.\"a\nb\" (\"c\nd\") FROM stdin;\n1\n\\.\n", "public.\"a\nb\"=1"},
	{"unicode-name", "COPY \"\303\244\303\266\" (x) FROM stdin;\n1\n\\.\n", "\"\303\244\303\266\"=1"},
	{"no-columns", "COPY public.a FROM stdin;\n\n\\.\n", "public.a=1"},
	{"two-blocks-are-one-table",
	 "COPY a (x) FROM stdin;\n1\n\\.\nCOPY b (x) FROM stdin;\n1\n\\.\nCOPY a (x) FROM stdin;\n2\n\\.\n",
	 "a=2 b=1"},
	{"in-a-string", "COMMENT ON TABLE a IS 'it''s\nCOPY b (x) FROM stdin;\n1\n';\n", ""},
	{"string-ends-in-backslash", "SELECT '\\';\nCOPY a (x) FROM stdin;\n1\n\\.\n", "a=1"},
	{"in-an-escape-string", "SELECT E'\\'\nCOPY b (x) FROM stdin;\n';\nCOPY a (x) FROM stdin;\n1\n\\.\n",
	 "a=1"},
	{"escape-string-continued", "SELECT E'x'\n  '\\'';\nCOPY a (x) FROM stdin;\n1\n\\.\n", "a=1"},
	{"escape-string-with-doubled-quote", "SELECT E'x''\\'';\nCOPY a (x) FROM stdin;\n1\n\\.\n", "a=1"},
	{"word-that-ends-in-e", "SELECT typE'\\';\nCOPY a (x) FROM stdin;\n1\n\\.\n", "a=1"},
	{"non-standard-strings",
	 "SET standard_conforming_strings = off;\nSELECT '\\'\nCOPY b (x) FROM stdin;\n';\n"
	 "SET standard_conforming_strings = on;\nSELECT '\\';\nCOPY a (x) FROM stdin;\n1\n\\.\n",
	 "a=1"},
	{"in-an-identifier", "CREATE TABLE \"\nCOPY b (x) FROM stdin;\n\" ();\n", ""},
	{"in-a-dollar-quote", "CREATE FUNCTION f() AS $$\nCOPY b (x) FROM stdin;\n$$;\n", ""},
	{"in-a-tagged-dollar-quote",
	 "DO $_a$ $$ ' $_b$ $_\nCOPY b (x) FROM stdin;\n$$_a$;\nCOPY a (x) FROM "
	 "stdin;\n1\n\\.\n",
	 "a=1"},
	{"dollar-in-a-word", "SELECT a$b$;\nCOPY a (x) FROM stdin;\n1\n\\.\n", "a=1"},
	{"parameter-is-no-tag", "SELECT $1, $2;\nCOPY a (x) FROM stdin;\n1\n\\.\n", "a=1"},
	{"in-a-comment",
	 "-- it's\n/* \"nested /* $$ */ ' \nCOPY b (x) FROM stdin;\n/*/ */ */\n"
	 "COPY a (x) FROM stdin;\n1\n\\.\n",
	 "a=1"},
	{"in-a-rule", "CREATE RULE r AS ON INSERT TO a DO (SELECT 1;\nCOPY b (x) FROM stdin;\n);\n", ""},
	{"minus-and-slash", "SELECT 1 - -1 / 2 */**/ 3;\nCOPY a (x) FROM stdin;\n1\n\\.\n", "a=1"},
	{"backslash-commands", "\\restrict it's\n\\connect 'a b'\nCOPY a (x) FROM stdin;\n1\n\\.\n", "a=1"},
	{"copy-to-is-none", "COPY a (x) TO stdout;\n", ""},
	{"from-a-file-is-none", "COPY a (x) FROM '/tmp/stdin';\n", ""},
	{"closing-line-in-rows", "COPY a (x) FROM stdin;\n-- PostgreSQL database dump complete\n\\.\n",
	 "a=1"},
};

static char *
tables_as_text(const HfStage *scan)
{
	GString *text = g_string_new(NULL);

	for (guint i = 0; i < hf_scan_tables(scan)->len; i++)
		g_string_append_printf(text, "%s%s=%d", i ? " " : "", table_at(scan, i)->name,
				       (int)table_at(scan, i)->rows);
	return g_string_free(text, FALSE);
}

static void
test_finds_what_psql_would(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autofree char *dump = g_strconcat(cases[i].dump, END, "\\unrestrict x\n", NULL);

	/* piece 0 is random lengths, several times */
	for (size_t piece = 0; piece < 40; piece++) {
		g_autoptr(HfStage) scan = scan_in_pieces(dump, strlen(dump), piece < 10 ? 0 : piece - 9);
		g_autofree char *tables = tables_as_text(scan);
		g_autoptr(GError) error = NULL;

		g_assert_cmpstr(tables, ==, cases[i].tables);
		g_assert_true(hf_stage_finish(scan, &error));
		g_assert_no_error(error);
	}
}

static const struct {
	const char *name, *dump, *words;
} damages[] = {
	{"nothing-at-all", "", "closing line"},
	{"no-closing-line", "SELECT 1;\n", "closing line"},
	{"closing-line-without-its-end", "SELECT 1;\n-- PostgreSQL database dump complete", "closing line"},
	{"ends-within-rows", "COPY a (x) FROM stdin;\n1\n2", "within the rows of table a"},
	{"ends-before-rows", "COPY a (x) FROM stdin;", "within the rows of table a"},
	{"closing-line-in-rows", "COPY a (x) FROM stdin;\n" END, "within the rows of table a"},
	{"closing-line-in-a-string", "SELECT '\n" END, "closing line"},
	{"closing-line-in-a-dollar-quote", "SELECT $a$\n" END "$a$;\n", "closing line"},
	{"closing-line-in-a-comment", "/*\n" END "*/\n", "closing line"},
	{"closing-line-in-a-statement", "SELECT 1\n" END, "closing line"},
	{"closing-line-of-another-kind", "-- PostgreSQL database cluster dump complete\n", "closing line"},
	{"statement-behind-it", END "SELECT 1;\n", "behind its closing line"},
	{"statement-without-end-behind-it", END "SELECT", "behind its closing line"},
	{"other-command-behind-it", END "\\connect x\n", "behind its closing line"},
};

static void
test_refuses(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfStage) scan = scan_whole(damages[i].dump);
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_stage_finish(scan, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	g_assert_nonnull(strstr(error->message, damages[i].words));
}

static void
test_every_cut_of_a_dump_is_refused(void)
{
	const char *dump = "\\restrict x\nSET a = 1;\nCOPY a (x) FROM stdin;\n1\n\\.\n" END;
	size_t closed = (size_t)(strstr(dump, "complete\n") + strlen("complete\n") - dump);

	for (size_t len = 0; len < closed; len++) {
		g_autoptr(HfStage) scan = scan_in_pieces(dump, len, MAX(len, 1));

		g_assert_false(hf_stage_finish(scan, NULL));
	}
}

static void
test_counts_bytes_and_offsets(void)
{
	const char *dump = "SELECT 1;\nCOPY a (x) FROM stdin;\nab\nc\n\\.\nCOPY b (x) FROM stdin;\n\\.\n" END;

	for (size_t piece = 1; piece < 30; piece++) {
		g_autoptr(HfStage) scan = scan_in_pieces(dump, strlen(dump), piece);

		g_assert_cmpuint(table_at(scan, 0)->bytes, ==, 5);
		g_assert_cmpuint(table_at(scan, 0)->offset, ==, 10);
		g_assert_cmpuint(table_at(scan, 0)->data_offset, ==, (guint64)(strstr(dump, "ab\n") - dump));
		g_assert_cmpuint(table_at(scan, 1)->bytes, ==, 0);
		g_assert_cmpuint(hf_scan_rows(scan), ==, 2);
		g_assert_null(hf_scan_current_table(scan));
	}
}

static void
assert_digests(const char *a, const char *b, bool are_equal)
{
	g_autoptr(HfStage) one = scan_whole(a);
	g_autoptr(HfStage) other = scan_in_pieces(b, strlen(b), 0);
	int order = memcmp(table_at(one, 0)->digest, table_at(other, 0)->digest, HF_TABLE_DIGEST_BYTES);

	g_assert_true((order == 0) == are_equal);
}

static void
test_digest_knows_rows_but_not_their_order(void)
{
	const char *rows = "COPY a (x) FROM stdin;\nfirst\nsecond\nsecond\n\\.\n";

	assert_digests(rows, rows, true);
	assert_digests(rows, "COPY a (x) FROM stdin;\nsecond\nfirst\nsecond\n\\.\n", true);
	assert_digests(rows,
		       "COPY a (x) FROM stdin;\nsecond\n\\.\nCOPY a (x) FROM stdin;\nfirst\nsecond\n\\.\n",
		       true);
	assert_digests(rows, "COPY a (x) FROM stdin;\nfirst\nsecond\nsecone\n\\.\n", false);
	assert_digests(rows, "COPY a (x) FROM stdin;\nfirst\nsecond\n\\.\n", false);
	assert_digests(rows, "COPY a (x) FROM stdin;\nfirstsecond\nsecond\n\\.\n", false);
}

/* XXH3 128 bits of no bytes, seed 0: the first value of xxHash's own sanity test. */
static void
test_digest_is_xxh3(void)
{
	static const uint8_t expected[] = {0x99, 0xaa, 0x06, 0xd3, 0x01, 0x47, 0x98, 0xd8,
					   0x60, 0x01, 0xc3, 0x24, 0x46, 0x8d, 0x49, 0x7f};
	g_autoptr(HfStage) scan = scan_whole("COPY a (x) FROM stdin;\n\n\\.\n");

	g_assert_cmpint(memcmp(table_at(scan, 0)->digest, expected, sizeof expected), ==, 0);
}

static void
test_a_long_row_needs_no_memory(void)
{
	g_autoptr(HfStage) scan = hf_scan_new(NULL, HF_SCAN_DATABASE);
	g_autofree char *piece = g_strnfill(65536, 'x');

	g_assert_true(hf_stage_write(scan, "COPY a (x) FROM stdin;\n", 23, NULL));
	for (int i = 0; i < 4096; i++)
		g_assert_true(hf_stage_write(scan, piece, 65536, NULL));
	g_assert_true(hf_stage_write(scan, "\n\\.\n", 4, NULL));
	g_assert_cmpuint(table_at(scan, 0)->rows, ==, 1);
	g_assert_cmpuint(table_at(scan, 0)->bytes, ==, 4096 * 65536 + 1);
}

static void
test_an_endless_statement_is_refused(void)
{
	g_autoptr(HfStage) scan = hf_scan_new(NULL, HF_SCAN_DATABASE);
	g_autofree char *piece = g_strnfill(65536, 'x');
	g_autoptr(GError) error = NULL;
	bool is_fine = hf_stage_write(scan, "COPY ", 5, NULL);

	for (int i = 0; i < 64 && is_fine; i++)
		is_fine = hf_stage_write(scan, piece, 65536, &error);
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
}

static void
test_as_many_columns_as_postgresql_allows(void)
{
	g_autoptr(GString) dump = g_string_new("COPY a (");
	g_autofree char *quotes = g_strnfill(126, '"');
	g_autoptr(HfStage) scan = NULL;

	for (int i = 0; i < 1600; i++)
		g_string_append_printf(dump, "%s\"%s\"", i ? ", " : "", quotes);
	g_string_append(dump, ") FROM stdin;\n1\n\\.\n");
	scan = scan_whole(dump->str);
	g_assert_cmpuint(table_at(scan, 0)->rows, ==, 1);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strdup_printf("/scan/finds-what-psql-would/%s", cases[i].name);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_finds_what_psql_would);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(damages); i++) {
		g_autofree char *path = g_strdup_printf("/scan/refuses/%s", damages[i].name);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_refuses);
	}
	g_test_add_func("/scan/every-cut-of-a-dump-is-refused", test_every_cut_of_a_dump_is_refused);
	g_test_add_func("/scan/counts-bytes-and-offsets", test_counts_bytes_and_offsets);
	g_test_add_func("/scan/digest-knows-rows-but-not-their-order",
			test_digest_knows_rows_but_not_their_order);
	g_test_add_func("/scan/digest-is-xxh3", test_digest_is_xxh3);
	g_test_add_func("/scan/a-long-row-needs-no-memory", test_a_long_row_needs_no_memory);
	g_test_add_func("/scan/an-endless-statement-is-refused", test_an_endless_statement_is_refused);
	g_test_add_func("/scan/as-many-columns-as-postgresql-allows",
			test_as_many_columns_as_postgresql_allows);
	return g_test_run();
}
