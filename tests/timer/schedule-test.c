#include "config.h"

#include "timer/schedule.h"
#include "common/clock.h"
#include "common/error.h"

static HfZone *
zone_of(const char *name)
{
	g_autoptr(GError) error = NULL;
	HfZone *zone = hf_zone_new(name, "TZ", &error);

	g_assert_no_error(error);
	return zone;
}

static HfCron
cron_of(const char *text)
{
	g_autoptr(GError) error = NULL;
	HfCron cron = {0};

	if (!hf_cron_parse(text, "SCHEDULE", &cron, &error))
		g_assert_no_error(error);
	return cron;
}

static int64_t
instant(const char *text)
{
	int64_t unix_s;

	g_assert_true(hf_clock_parse_rfc3339(text, &unix_s));
	return unix_s;
}

/* What fires after an instant, one after the other; and that each is the last one of its own moment. */
static void
check_chain(const char *expression, const char *zone_name, const char *after, const char *const *expected)
{
	HfCron cron = cron_of(expression);
	g_autoptr(HfZone) zone = zone_of(zone_name);
	int64_t at_s = instant(after);

	for (; *expected; expected++) {
		g_autofree char *text = NULL;
		int64_t next_s = hf_schedule_next(&cron, zone, at_s);

		text = hf_zone_format(zone, next_s);
		g_assert_cmpstr(text, ==, *expected);
		g_assert_cmpint(hf_schedule_last(&cron, zone, next_s), ==, next_s);
		g_assert_cmpint(hf_schedule_last(&cron, zone, next_s - 1), <=, at_s);
		at_s = next_s;
	}
}

#define CHAIN(expression, zone, after, ...) \
	check_chain(expression, zone, after, (const char *const[]){__VA_ARGS__, NULL})

/* The examples of crontab(5) (Vixie cron, as Debian ships it), in its words; 2024-01-01 is a Monday. */
static void
test_examples_of_crontab_5(void)
{
	/* "run five minutes after midnight, every day" */
	CHAIN("5 0 * * *", "UTC", "2024-01-01T00:05:00Z", "2024-01-02T00:05:00+00:00",
	      "2024-01-03T00:05:00+00:00");
	/* "run at 2:15pm on the first of every month" */
	CHAIN("15 14 1 * *", "UTC", "2024-01-01T14:15:00Z", "2024-02-01T14:15:00+00:00",
	      "2024-03-01T14:15:00+00:00");
	/* "run at 10 pm on weekdays" */
	CHAIN("0 22 * * 1-5", "UTC", "2024-01-04T22:00:00Z", "2024-01-05T22:00:00+00:00",
	      "2024-01-08T22:00:00+00:00");
	/* "run 23 minutes after midn, 2am, 4am ..., everyday" */
	CHAIN("23 0-23/2 * * *", "UTC", "2024-01-01T20:00:00Z", "2024-01-01T20:23:00+00:00",
	      "2024-01-01T22:23:00+00:00", "2024-01-02T00:23:00+00:00");
	/* "run at 5 after 4 every sunday" */
	CHAIN("5 4 * * sun", "UTC", "2024-01-01T00:00:00Z", "2024-01-07T04:05:00+00:00",
	      "2024-01-14T04:05:00+00:00");
	/* "4:30 am on the 1st and 15th of each month, plus every Friday" */
	CHAIN("30 4 1,15 * 5", "UTC", "2024-01-01T04:30:00Z", "2024-01-05T04:30:00+00:00",
	      "2024-01-12T04:30:00+00:00", "2024-01-15T04:30:00+00:00", "2024-01-19T04:30:00+00:00");
	/* The first Sunday of each month, the well-known way: a weekday that begins with * narrows the days. */
	CHAIN("0 3 1-7 * */7", "UTC", "2024-01-01T00:00:00Z", "2024-01-07T03:00:00+00:00",
	      "2024-02-04T03:00:00+00:00", "2024-03-03T03:00:00+00:00");
}

/* POSIX.1-2017, crontab, EXAMPLES: "0 0 1,15 * 1 would run on the first and fifteenth of each month, and every Monday". */
static void
test_examples_of_posix(void)
{
	CHAIN("0 0 1,15 * 1", "UTC", "2024-02-01T00:00:00Z", "2024-02-05T00:00:00+00:00",
	      "2024-02-12T00:00:00+00:00", "2024-02-15T00:00:00+00:00", "2024-02-19T00:00:00+00:00");
	CHAIN("0 0 * * 1", "UTC", "2024-01-01T00:00:00Z", "2024-01-08T00:00:00+00:00");
}

static void
test_a_slot_in_a_spring_gap_fires_right_after_it(void)
{
	/* Berlin, 2024-03-31: 02:00 CET is followed by 03:00 CEST. */
	CHAIN("30 2 * * *", "Europe/Berlin", "2024-03-29T12:00:00Z", "2024-03-30T02:30:00+01:00",
	      "2024-03-31T03:00:00+02:00", "2024-04-01T02:30:00+02:00");
	CHAIN("0 2 * * *", "Europe/Berlin", "2024-03-30T12:00:00Z", "2024-03-31T03:00:00+02:00",
	      "2024-04-01T02:00:00+02:00");
	/* Those that fall together are one. */
	CHAIN("*/20 1-3 * * *", "Europe/Berlin", "2024-03-31T00:30:00Z", "2024-03-31T01:40:00+01:00",
	      "2024-03-31T03:00:00+02:00", "2024-03-31T03:20:00+02:00");
	/* Half an hour, Lord Howe Island, 2024-10-06: 02:00 is followed by 02:30. */
	CHAIN("15 2 * * *", "Australia/Lord_Howe", "2024-10-05T12:00:00Z", "2024-10-06T02:30:00+11:00",
	      "2024-10-07T02:15:00+11:00");
	/* Midnight itself, Santiago de Chile, 2024-09-08: 00:00 is followed by 01:00. */
	CHAIN("@daily", "America/Santiago", "2024-09-07T12:00:00Z", "2024-09-08T01:00:00-03:00",
	      "2024-09-09T00:00:00-03:00");
	/* A whole day: Samoa had no 2011-12-30. */
	CHAIN("0 2 * * *", "Pacific/Apia", "2011-12-29T11:00:00Z", "2011-12-29T02:00:00-10:00",
	      "2011-12-31T00:00:00+14:00", "2011-12-31T02:00:00+14:00");
}

static void
test_a_slot_in_an_autumn_overlap_fires_the_first_time_only(void)
{
	/* Berlin, 2024-10-27: 03:00 CEST is followed by 02:00 CET. */
	CHAIN("30 2 * * *", "Europe/Berlin", "2024-10-26T12:00:00Z", "2024-10-27T02:30:00+02:00",
	      "2024-10-28T02:30:00+01:00");
	CHAIN("*/30 * * * *", "Europe/Berlin", "2024-10-27T00:00:00Z", "2024-10-27T02:30:00+02:00",
	      "2024-10-27T03:00:00+01:00");
	/* Started in the second hour, at 02:10 CET: 02:30 was there already. */
	CHAIN("30 2 * * *", "Europe/Berlin", "2024-10-27T01:10:00Z", "2024-10-28T02:30:00+01:00");
	/* Midnight: Havana, 2024-11-03: 01:00 is followed by 00:00. */
	CHAIN("@daily", "America/Havana", "2024-11-02T12:00:00Z", "2024-11-03T00:00:00-04:00",
	      "2024-11-04T00:00:00-05:00");
	/* Over midnight: Casey station, 2010-03-05: 02:00 was followed by 23:00 of the day before. */
	CHAIN("30 23,1 * * *", "Antarctica/Casey", "2010-03-04T00:00:00Z", "2010-03-04T23:30:00+11:00",
	      "2010-03-05T01:30:00+11:00", "2010-03-05T23:30:00+08:00");
}

static void
test_rare_days_are_found(void)
{
	CHAIN("0 0 29 2 *", "UTC", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00+00:00");
	CHAIN("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00+00:00");
	/* On a Sunday, past 2100, which is no leap year. */
	CHAIN("0 0 29 2 */7", "UTC", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00+00:00");
}

static void
test_a_wall_of_years_has_an_end(void)
{
	HfCron cron = cron_of("* * * * *");
	g_autoptr(HfZone) zone = zone_of("Europe/Berlin");
	static const int64_t beyond[] = {INT64_MIN, INT64_MIN + 1, -62135596800, 253402300799, INT64_MAX};

	for (size_t i = 0; i < G_N_ELEMENTS(beyond); i++) {
		g_assert_cmpint(hf_schedule_next(&cron, zone, beyond[i]), ==, HF_SCHEDULE_NEVER);
		g_assert_cmpint(hf_schedule_last(&cron, zone, beyond[i]), ==, HF_SCHEDULE_NEVER);
	}
	g_assert_cmpint(hf_schedule_next(&cron, zone, 0), ==, 60);
	g_assert_cmpint(hf_schedule_next(&cron, zone, -1), ==, 0);
	g_assert_cmpint(hf_schedule_last(&cron, zone, -1), ==, -60);
}

/* Any expression, against a walk over the minutes of a calendar that GLib keeps. */
static void
check_against_a_walk(const char *expression, const HfZone *utc, int64_t from_s)
{
	HfCron cron = cron_of(expression);
	int64_t next_s = hf_schedule_next(&cron, utc, from_s);
	int64_t end_s = from_s + 10 * 86400;

	for (int64_t at_s = (from_s / 60 + 1) * 60; at_s < end_s; at_s += 60) {
		g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(at_s);
		bool fits = (cron.minutes >> g_date_time_get_minute(time) & 1) &&
			    (cron.hours >> g_date_time_get_hour(time) & 1) &&
			    hf_cron_has_day(&cron, (unsigned)g_date_time_get_month(time),
					    (unsigned)g_date_time_get_day_of_month(time),
					    (unsigned)g_date_time_get_day_of_week(time) % 7);

		g_assert_true(fits == (at_s == next_s));
		if (fits)
			next_s = hf_schedule_next(&cron, utc, at_s);
	}
}

static void
test_any_expression_fires_as_a_walk_over_the_calendar_does(void)
{
	static const char *const minutes[] = {"*", "0", "*/7", "13,14,59", "50-59/3"};
	static const char *const hours[] = {"*", "0", "23", "*/5", "1-3,22"};
	static const char *const days[] = {"* * *", "1 * *", "*/3 * 1-5", "28-31 2,3 0", "31 * fri", "* 2 *"};
	g_autoptr(HfZone) utc = zone_of("UTC");
	g_autoptr(GRand) chance = g_rand_new_with_seed(20240229);

	for (unsigned i = 0; i < 60; i++) {
		g_autofree char *expression = g_strdup_printf(
			"%s %s %s", minutes[g_rand_int_range(chance, 0, G_N_ELEMENTS(minutes))],
			hours[g_rand_int_range(chance, 0, G_N_ELEMENTS(hours))],
			days[g_rand_int_range(chance, 0, G_N_ELEMENTS(days))]);

		check_against_a_walk(expression, utc,
				     instant("2024-02-20T00:00:00Z") +
					     g_rand_int_range(chance, 0, 20 * 86400));
	}
}

static void
test_zones_that_are_none_are_refused(void)
{
	static const char *const names[] = {
		"",       "Europe/Berln", "Mars", "../../etc/passwd", "/etc/passwd", ":",
		"Europe", "\xff\xfe",     "/",    "zone.tab",         "  UTC"};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(HfZone) zone = hf_zone_new(names[i], "TZ", &error);

		if (zone)
			g_error("\"%s\" was taken for a zone", names[i]);
		g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
		g_assert_true(g_str_has_prefix(error->message, "TZ \""));
	}
}

static void
test_zones_in_all_their_spellings(void)
{
	static const struct {
		const char *name;
		int summer_s;
	} cases[] = {
		{"UTC", 0},
		{"Etc/UTC", 0},
		{":Europe/Berlin", 7200},
		{"Europe/Berlin", 7200},
		{"Asia/Kathmandu", 20700},
		{"CET-1CEST,M3.5.0,M10.5.0/3", 7200},
		{"EST5EDT", -14400},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(HfZone) zone = zone_of(cases[i].name);

		g_assert_cmpint(hf_zone_offset_s(zone, instant("2024-07-01T00:00:00Z")), ==,
				cases[i].summer_s);
	}
}

static void
test_a_mark_in_the_future_counts_for_a_day(void)
{
	g_assert_cmpint(hf_schedule_credible_mark(1000, 2000), ==, 1000);
	g_assert_cmpint(hf_schedule_credible_mark(2000 + 86400, 2000), ==, 2000 + 86400);
	g_assert_cmpint(hf_schedule_credible_mark(2001 + 86400, 2000), ==, HF_SCHEDULE_NEVER);
	g_assert_cmpint(hf_schedule_credible_mark(HF_SCHEDULE_NEVER, 2000), ==, HF_SCHEDULE_NEVER);
	g_assert_cmpint(hf_schedule_credible_mark(INT64_MAX, 2000), ==, HF_SCHEDULE_NEVER);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/schedule/examples-of-crontab-5", test_examples_of_crontab_5);
	g_test_add_func("/schedule/examples-of-posix", test_examples_of_posix);
	g_test_add_func("/schedule/a-slot-in-a-spring-gap-fires-right-after-it",
			test_a_slot_in_a_spring_gap_fires_right_after_it);
	g_test_add_func("/schedule/a-slot-in-an-autumn-overlap-fires-the-first-time-only",
			test_a_slot_in_an_autumn_overlap_fires_the_first_time_only);
	g_test_add_func("/schedule/rare-days-are-found", test_rare_days_are_found);
	g_test_add_func("/schedule/a-wall-of-years-has-an-end", test_a_wall_of_years_has_an_end);
	g_test_add_func("/schedule/any-expression-fires-as-a-walk-over-the-calendar-does",
			test_any_expression_fires_as_a_walk_over_the_calendar_does);
	g_test_add_func("/schedule/a-mark-in-the-future-counts-for-a-day",
			test_a_mark_in_the_future_counts_for_a_day);
	g_test_add_func("/zone/those-that-are-none-are-refused", test_zones_that_are_none_are_refused);
	g_test_add_func("/zone/in-all-their-spellings", test_zones_in_all_their_spellings);
	return g_test_run();
}
