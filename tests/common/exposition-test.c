#include "config.h"

#include "common/exposition.h"

static const struct {
	const char *name, *value, *expected;
} labels[] = {
	{"plain", "shop", "shop"},
	{"empty", "", ""},
	{"quote", "a\"b", "a\\\"b"},
	{"backslash", "a\\b", "a\\\\b"},
	{"backslash-at-the-end", "a\\", "a\\\\"},
	{"line-feed", "a\nb", "a\\nb"},
	{"what-would-be-another-sample", "x\"} 1\nholdfast_sets 0", "x\\\"} 1\\nholdfast_sets 0"},
	{"utf-8", "\xc5\xbc", "\xc5\xbc"},
	{"not-utf-8", "a\xff", "a\xef\xbf\xbd"},
};

static void
test_a_label_stays_inside_its_quotes(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree char *expected = g_strdup_printf("x{a=\"%s\",b=\"1\"} 7\n", labels[i].expected);

	hf_exposition_add(text, "x", (const HfLabel[]){{"a", labels[i].value}, {"b", "1"}, {NULL, NULL}}, 7);
	g_assert_cmpstr(text->str, ==, expected);
}

static void
test_a_family_has_help_and_type(void)
{
	g_autoptr(GString) text = g_string_new(NULL);

	hf_exposition_begin(text, "holdfast_x_seconds", "how \"long\"\nit took: a\\b");
	hf_exposition_add(text, "holdfast_x_seconds", NULL, UINT64_MAX);
	hf_exposition_add_ms(text, "holdfast_x_seconds", NULL, 45007);
	g_assert_cmpstr(text->str, ==,
			"# HELP holdfast_x_seconds how \"long\"\\nit took: a\\\\b\n"
			"# TYPE holdfast_x_seconds gauge\n"
			"holdfast_x_seconds 18446744073709551615\n"
			"holdfast_x_seconds 45.007\n");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(labels); i++) {
		g_autofree char *path = g_strconcat("/exposition/label/", labels[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_a_label_stays_inside_its_quotes);
	}
	g_test_add_func("/exposition/a-family-has-help-and-type", test_a_family_has_help_and_type);
	return g_test_run();
}
