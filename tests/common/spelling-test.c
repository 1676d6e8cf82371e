#include "config.h"

#include "common/spelling.h"

#include <glib.h>

static void
test_distance(void)
{
	static const struct {
		const char *a, *b;
		unsigned limit, expected;
	} cases[] = {
		{"", "", 2, 0},        {"abc", "abc", 2, 0},        {"abc", "acb", 2, 1},
		{"abc", "ab", 2, 1},   {"abc", "xabc", 2, 1},       {"abc", "xyz", 8, 3},
		{"abc", "xyz", 2, 3},  {"kitten", "sitting", 8, 3}, {"ca", "abc", 8, 3},
		{"a", "aaaaaa", 2, 3}, {"list", "lsit", 2, 1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_assert_cmpuint(hf_spelling_distance(cases[i].a, cases[i].b, cases[i].limit), ==,
				 cases[i].expected);
		g_assert_cmpuint(hf_spelling_distance(cases[i].b, cases[i].a, cases[i].limit), ==,
				 cases[i].expected);
	}
}

static void
test_a_digit_is_another_name(void)
{
	g_assert_false(hf_spelling_is_near("DB_HOST2", "DB_HOST"));
	g_assert_true(hf_spelling_is_near("DB_HOSTS", "DB_HOST"));
	g_assert_false(hf_spelling_is_near("TS", "TZ"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/spelling/distance", test_distance);
	g_test_add_func("/spelling/a-digit-is-another-name", test_a_digit_is_another_name);
	return g_test_run();
}
