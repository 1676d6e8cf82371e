#include "config.h"

#include "common/log.h"

#include <glib.h>
#include <string.h>

/* What a child process says on stderr, which is no terminal here. */
static void
speak(HfLogLevel level)
{
	g_log_set_always_fatal(G_LOG_FATAL_MASK); /* GTest ends a program at a warning */
	hf_log_install(level);
	g_warning("a warning\nof two lines");
	g_message("a message");
	g_info("an info");
}

static void
assert_said(const char *who, const char *says, const char *says_not)
{
	g_test_trap_subprocess(who, 0, 0);
	g_test_trap_assert_passed();
	g_test_trap_assert_stderr(says);
	if (says_not)
		g_test_trap_assert_stderr_unmatched(says_not);
}

static void
test_quiet_child(void)
{
	speak(HF_LOG_QUIET);
}

static void
test_normal_child(void)
{
	speak(HF_LOG_NORMAL);
}

static void
test_verbose_child(void)
{
	speak(HF_LOG_VERBOSE);
}

static void
test_levels(void)
{
	assert_said("/log/subprocess/quiet", "2*T*Z warning: a warning of two lines\n", "*message*");
	assert_said("/log/subprocess/normal", "*Z notice: a message\n", "*info*");
	assert_said("/log/subprocess/verbose", "*Z notice: a message\n*Z info: an info\n", NULL);
}

static void
test_one_line_is_one_line(void)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"plain", "plain"},       {"two\nlines", "two lines"},
		{"end\n", "end"},         {"\x1b[2Jwiped", " [2Jwiped"},
		{"\xff", "\xef\xbf\xbd"}, {"Grüße", "Grüße"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *line = hf_log_one_line(cases[i].text);

		g_assert_cmpstr(line, ==, cases[i].expected);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/log/subprocess/quiet", test_quiet_child);
	g_test_add_func("/log/subprocess/normal", test_normal_child);
	g_test_add_func("/log/subprocess/verbose", test_verbose_child);
	g_test_add_func("/log/levels", test_levels);
	g_test_add_func("/log/one-line-is-one-line", test_one_line_is_one_line);
	return g_test_run();
}
