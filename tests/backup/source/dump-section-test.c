#include "config.h"

#include "backup/source/dump-section.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

#define HEAD_WITH(token) \
	"--\n-- PostgreSQL database dump\n--\n\n\\restrict " token \
	"\n\n-- Dumped from database version 15.18\n" \
	"\nSET statement_timeout = 0;\nSET row_security = off;\n\n"
#define END "--\n-- PostgreSQL database dump complete\n--\n\n"
#define END_WITH(token) END "\\unrestrict " token "\n\n"
#define OLD_HEAD "--\n-- PostgreSQL database dump\n--\n\nSET row_security = off;\n\n"

static char *
take(HfStage *sink)
{
	g_autoptr(GBytes) bytes = NULL;

	g_assert_true(hf_stage_finish(sink, NULL));
	bytes = hf_sink_bytes_get(sink);
	return g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
}

static bool
feed(HfDumpSection *section, const char *text, size_t step, HfStage *into, GError **error)
{
	for (size_t at = 0, len = strlen(text); at < len; at += step)
		if (!hf_dump_section_write(section, text + at, MIN(step, len - at), into, error))
			return false;
	return hf_dump_section_end(section, into, error);
}

/* However it comes in pieces. */
static void
test_join(void)
{
	g_autofree char *body = g_strnfill(5000, 'b');
	g_autofree char *second_text = g_strconcat(HEAD_WITH("two"), body, "\n" END_WITH("two"), NULL);
	g_autofree char *wanted = g_strconcat(HEAD_WITH("one"), "first\n", body, "\n" END_WITH("one"), NULL);

	for (size_t step = 1; step < 6000; step = step * 3 + 1) {
		g_autoptr(HfStage) sink = hf_sink_bytes_new(1 << 20);
		g_autoptr(HfDumpSection) first = hf_dump_section_new(NULL);
		g_autoptr(HfDumpSection) second = hf_dump_section_new(first);
		const char *closing;
		g_autofree char *joined = NULL;

		g_assert_true(feed(first, HEAD_WITH("one") "first\n" END_WITH("one"), step, sink, NULL));
		g_assert_true(feed(second, second_text, step, sink, NULL));
		closing = hf_dump_section_closing(first);
		g_assert_true(hf_stage_write(sink, closing, strlen(closing), NULL));
		joined = take(sink);
		g_assert_cmpstr(joined, ==, wanted);
	}
}

static void
test_old(void)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(1 << 20);
	g_autoptr(HfDumpSection) only = hf_dump_section_new(NULL);
	g_autofree char *text = NULL;

	g_assert_true(feed(only, OLD_HEAD "body\n" END, 7, sink, NULL));
	g_assert_cmpstr(hf_dump_section_closing(only), ==, END);
	text = take(sink);
	g_assert_cmpstr(text, ==, OLD_HEAD "body\n");
}

static const struct {
	const char *name, *first, *text;
	HfError code;
} damaged[] = {
	{"nothing", NULL, "", HF_ERROR_CORRUPT},
	{"no-end", NULL, HEAD_WITH("a") "body\n", HF_ERROR_CORRUPT},
	{"end-of-another", NULL, HEAD_WITH("a") "body\n" END_WITH("b"), HF_ERROR_CORRUPT},
	{"end-without-token", NULL, HEAD_WITH("a") "body\n" END, HF_ERROR_CORRUPT},
	{"more-behind-its-end", NULL, HEAD_WITH("a") "body\n" END_WITH("a") "\n", HF_ERROR_CORRUPT},
	{"cut-in-its-head", NULL, "--\n-- PostgreSQL database dump\n--\n", HF_ERROR_CORRUPT},
	{"heads-differ", OLD_HEAD END, HEAD_WITH("a") "body\n" END_WITH("a"), HF_ERROR_FAILED},
};

static void
test_damage(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(damaged); i++) {
		g_autoptr(HfStage) sink = hf_sink_bytes_new(1 << 20);
		g_autoptr(HfDumpSection) first = damaged[i].first ? hf_dump_section_new(NULL) : NULL;
		g_autoptr(HfDumpSection) section = NULL;
		g_autoptr(GError) error = NULL;

		g_test_message("%s", damaged[i].name);
		if (first)
			g_assert_true(feed(first, damaged[i].first, 100, sink, NULL));
		section = hf_dump_section_new(first);
		g_assert_false(feed(section, damaged[i].text, 9, sink, &error));
		g_assert_error(error, HF_ERROR, (int)damaged[i].code);
	}
}

static void
test_long_head(void)
{
	g_autofree char *text = g_strnfill(100000, 'x');
	g_autoptr(HfStage) sink = hf_sink_bytes_new(1 << 20);
	g_autoptr(HfDumpSection) section = hf_dump_section_new(NULL);
	g_autoptr(GError) error = NULL;

	g_assert_false(feed(section, text, 60000, sink, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_FAILED);
	g_assert_nonnull(strstr(error->message, "DB_JOBS=1"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/dump-section/two-become-one-with-one-head-and-one-end", test_join);
	g_test_add_func("/dump-section/older-ones-have-no-restrict", test_old);
	g_test_add_func("/dump-section/damage-is-an-error", test_damage);
	g_test_add_func("/dump-section/a-head-without-end-is-not-gathered-for-ever", test_long_head);
	return g_test_run();
}
