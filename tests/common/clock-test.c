#include "config.h"

#include "common/clock.h"

static void
test_set_ids(void)
{
	static const struct {
		const char *text;
		int64_t unix_s; /* -1: refused */
	} cases[] = {
		{"2024-01-15_02-00-00", 1705284000},
		{"2024-01-15_02-00-00.sql.gz", 1705284000},
		{"1970-01-01_00-00-00", 0},
		{"2024-02-29_23-59-59", 1709251199},
		{"2023-02-29_00-00-00", -1},
		{"2024-13-01_00-00-00", -1},
		{"2024-01-15_24-00-00", -1},
		{"2024-01-15T02-00-00", -1},
		{"2024-01-15_02-00-0", -1},
		{"2024-01-15", -1},
		{"", -1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t unix_s = -1;
		bool is_one = hf_clock_parse_set_id(cases[i].text, &unix_s);

		g_assert_true(is_one == (cases[i].unix_s >= 0));
		g_assert_cmpint(unix_s, ==, cases[i].unix_s);
	}
}

static void
test_rfc3339(void)
{
	static const struct {
		const char *text;
		int64_t unix_s;
	} cases[] = {
		{"2024-01-15T02:00:00Z", 1705284000}, {"2024-01-15T02:00:00Zx", -1},
		{"2024-01-15T02:00:00+01:00", -1},    {"2024-01-15 02:00:00Z", -1},
		{"2024-01-15T02:00:60Z", -1},         {"0000-01-01T00:00:00Z", -1},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int64_t unix_s = -1;

		g_assert_true(hf_clock_parse_rfc3339(cases[i].text, &unix_s) == (cases[i].unix_s >= 0));
		g_assert_cmpint(unix_s, ==, cases[i].unix_s);
	}
}

static void
test_what_is_written_is_parsed(void)
{
	/* From the year 217 on, which has three digits. */
	for (int64_t unix_s = -55317000000; unix_s < 4102444800; unix_s += 86400 * 37 + 3671) {
		g_autofree char *id = hf_clock_set_id(unix_s);
		g_autofree char *time = hf_clock_rfc3339(unix_s);
		int64_t again;

		g_assert_true(hf_clock_parse_set_id(id, &again) && again == unix_s);
		g_assert_true(hf_clock_parse_rfc3339(time, &again) && again == unix_s);
	}
}

static void
test_clocks_go_forward(void)
{
	double before_s = hf_clock_monotonic_s();

	g_usleep(2000);
	g_assert_cmpfloat(hf_clock_monotonic_s() - before_s, >=, 0.002);
	g_assert_cmpint(hf_clock_now_s(), >, 1700000000);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/clock/set-ids", test_set_ids);
	g_test_add_func("/clock/rfc3339", test_rfc3339);
	g_test_add_func("/clock/what-is-written-is-parsed", test_what_is_written_is_parsed);
	g_test_add_func("/clock/clocks-go-forward", test_clocks_go_forward);
	return g_test_run();
}
