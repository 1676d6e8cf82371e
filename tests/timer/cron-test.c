#include "config.h"

#include "timer/cron.h"
#include "common/error.h"

#include <string.h>

static HfCron
parsed(const char *text)
{
	g_autoptr(GError) error = NULL;
	HfCron cron = {0};

	if (!hf_cron_parse(text, "SCHEDULE", &cron, &error))
		g_assert_no_error(error);
	return cron;
}

static uint64_t
bits(unsigned first, unsigned last, unsigned step)
{
	uint64_t all = 0;

	for (unsigned i = first; i <= last; i += step)
		all |= UINT64_C(1) << i;
	return all;
}

static void
test_lists_ranges_and_steps(void)
{
	HfCron cron = parsed("0-59/15,7 1,2-4,22-23/1 */10 1-12/5 1-5");

	g_assert_cmphex(cron.minutes, ==, bits(0, 59, 15) | bits(7, 7, 1));
	g_assert_cmphex(cron.hours, ==, bits(1, 4, 1) | bits(22, 23, 1));
	g_assert_cmphex(cron.days, ==, bits(1, 31, 10));
	g_assert_cmphex(cron.months, ==, bits(1, 11, 5));
	g_assert_cmphex(cron.weekdays, ==, bits(1, 5, 1));
}

static void
test_names(void)
{
	HfCron cron = parsed("0 0 * JAN,mar-May,dec Mon-wed,SAT");

	g_assert_cmphex(cron.months, ==, bits(1, 1, 1) | bits(3, 5, 1) | bits(12, 12, 1));
	g_assert_cmphex(cron.weekdays, ==, bits(1, 3, 1) | bits(6, 6, 1));
}

static void
test_sunday_is_0_and_7_and_ends_a_week(void)
{
	static const struct {
		const char *text;
		uint64_t weekdays;
	} cases[] = {
		{"0 0 * * 0", 1},      {"0 0 * * 7", 1},          {"0 0 * * sun", 1},
		{"0 0 * * 5-7", 0x61}, {"0 0 * * fri-sun", 0x61}, {"0 0 * * sun-tue", 0x7},
		{"0 0 * * 0-7", 0x7f}, {"0 0 * * *", 0x7f},       {"0 0 * * mon-sun", 0x7f},
		{"0 0 * * */2", 0x55}, {"0 0 * * 1-7/2", 0x2b},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_cmphex(parsed(cases[i].text).weekdays, ==, cases[i].weekdays);
}

static void
test_words(void)
{
	static const struct {
		const char *word;
		const char *means;
	} cases[] = {
		{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
		{"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
		{"@HOURLY", "0 * * * *"}, {" @daily\t", "0 0 * * *"}, {"\t0   0 * *\t* ", "0 0 * * *"},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		HfCron a = parsed(cases[i].word), b = parsed(cases[i].means);

		g_assert_cmphex(a.minutes, ==, b.minutes);
		g_assert_cmphex(a.hours, ==, b.hours);
		g_assert_cmphex(a.days, ==, b.days);
		g_assert_cmphex(a.months, ==, b.months);
		g_assert_cmphex(a.weekdays, ==, b.weekdays);
		g_assert_true(a.is_either_day == b.is_either_day);
	}
}

/* crontab(5): "either one" only where both are restricted; a field that begins with * is not. */
static void
test_days_combine_as_in_vixie_cron(void)
{
	static const struct {
		const char *text;
		unsigned day, weekday;
		bool fits;
	} cases[] = {
		{"0 0 1,15 * 5", 1, 2, true},   {"0 0 1,15 * 5", 2, 5, true},
		{"0 0 1,15 * 5", 2, 4, false},  {"0 0 13 * *", 13, 5, true},
		{"0 0 13 * *", 12, 5, false},   {"0 0 * * 5", 12, 5, true},
		{"0 0 * * 5", 12, 4, false},    {"0 0 */2 * 5", 3, 5, true},
		{"0 0 */2 * 5", 4, 5, false},   {"0 0 */2 * 5", 3, 4, false},
		{"0 0 8-14 * */7", 8, 0, true}, {"0 0 8-14 * */6", 8, 1, false},
		{"0 0 1-31 * 5", 12, 4, true},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		HfCron cron = parsed(cases[i].text);

		g_assert_true(hf_cron_has_day(&cron, 6, cases[i].day, cases[i].weekday) == cases[i].fits);
	}
}

static const struct {
	const char *text;
	const char *says[3];
} refused[] = {
	{"", {"it has 0 fields", "five are wanted"}},
	{"   ", {"it has 0 fields"}},
	{"0", {"it has 1 field and five"}},
	{"0 2 * *", {"it has 4 fields", "minute, hour, day of the month, month, weekday"}},
	{"0 0 2 * * *", {"it has 6 fields"}},
	{"60 2 * * *", {"minute \"60\"", "0 to 59"}},
	{"0 24 * * *", {"hour \"24\"", "0 to 23"}},
	{"0 0 0 * *", {"day of the month \"0\"", "1 to 31"}},
	{"0 0 32 * *", {"day of the month \"32\"", "1 to 31"}},
	{"0 0 * 0 *", {"month \"0\"", "1 to 12 or jan to dec"}},
	{"0 0 * 13 *", {"month \"13\"", "1 to 12"}},
	{"0 0 * * 8", {"weekday \"8\"", "0 to 7", "sun to sat"}},
	{"-1 0 * * *", {"minute \"-1\"", "0 to 59"}},
	{"99999999999999999999 0 * * *", {"minute", "0 to 59"}},
	{"1.5 0 * * *", {"minute \"1.5\"", ".5"}},
	{"x 0 * * *", {"minute \"x\"", "0 to 59"}},
	{"0 0 * foo *", {"month \"foo\"", "jan to dec"}},
	{"0 0 * january *", {"month \"january\"", "jan to dec"}},
	{"0 0 * mon *", {"month \"mon\"", "jan to dec"}},
	{"0 0 * * jan", {"weekday \"jan\"", "sun to sat"}},
	{"0 0 mon * *", {"day of the month \"mon\"", "1 to 31"}},
	{"0 0 ? * *", {"day of the month \"?\"", "1 to 31"}},
	{"0 0 L * *", {"day of the month \"L\"", "1 to 31"}},
	{"0 0 * * 5#3", {"weekday \"5#3\"", "#3"}},
	{"0 5-2 * * *", {"hour \"5-2\"", "lower to the higher"}},
	{"0 1- * * *", {"hour \"1-\"", "0 to 23"}},
	{"0 1,,2 * * *", {"hour \"1,,2\"", "0 to 23"}},
	{"0 1, * * *", {"hour \"1,\"", "0 to 23"}},
	{"0 1-2-3 * * *", {"hour \"1-2-3\"", "-3"}},
	{"0 ** * * *", {"hour \"**\""}},
	{"*/0 * * * *", {"minute \"*/0\"", "step 0", "1 to 59"}},
	{"*/90 * * * *", {"minute \"*/90\"", "step 90", "1 to 59"}},
	{"*/ * * * *", {"minute \"*/\""}},
	{"*/x * * * *", {"minute \"*/x\""}},
	{"5/15 * * * *", {"minute \"5/15\"", "\"5-59/15\""}},
	{"0 0 31 2 *", {"it would never come"}},
	{"0 0 30 feb */2", {"it would never come"}},
	{"0 0 31 2,4,6,9,11 *", {"it would never come"}},
	{"@reboot", {"@daily"}},
	{"@fortnightly", {"@daily"}},
	{"@daily 5", {"it has 2 fields"}},
	{"@daily 0 0 0 0", {"minute \"@daily\""}},
	{"0 2 * * *\n", {"weekday"}},
	{"\303\244 2 * * *", {"minute", "0 to 59"}},
};

static void
test_refused(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(GError) error = NULL;
	HfCron cron;

	g_assert_false(hf_cron_parse(refused[i].text, "DAILY_BACKUP_SCHEDULE", &cron, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_true(g_str_has_prefix(error->message, "DAILY_BACKUP_SCHEDULE \""));
	for (size_t j = 0; j < G_N_ELEMENTS(refused[i].says) && refused[i].says[j]; j++)
		if (!strstr(error->message, refused[i].says[j]))
			g_error("\"%s\" does not say: %s", error->message, refused[i].says[j]);
}

static void
test_29_february_comes(void)
{
	g_assert_cmphex(parsed("0 0 29 2 *").days, ==, bits(29, 29, 1));
	/* Either one is enough, so it comes on Mondays. */
	g_assert_true(parsed("0 0 31 2 1").is_either_day);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cron/lists-ranges-and-steps", test_lists_ranges_and_steps);
	g_test_add_func("/cron/names", test_names);
	g_test_add_func("/cron/sunday-is-0-and-7-and-ends-a-week", test_sunday_is_0_and_7_and_ends_a_week);
	g_test_add_func("/cron/words", test_words);
	g_test_add_func("/cron/days-combine-as-in-vixie-cron", test_days_combine_as_in_vixie_cron);
	g_test_add_func("/cron/29-february-comes", test_29_february_comes);
	for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
		g_autofree char *name = g_strdup_printf("/cron/refused/%02zu", i);

		g_test_add_data_func(name, GSIZE_TO_POINTER(i), test_refused);
	}
	return g_test_run();
}
