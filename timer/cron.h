/*
 * timer/cron.h -- a five-field cron expression: which minutes of the calendar it means.
 *
 * "MINUTE HOUR DAY MONTH WEEKDAY", each a list of numbers, names (jan-dec, sun-sat), ranges and steps, or *; or one word
 * such as @daily.  It says nothing of time zones: see timer/schedule.h.
 *
 * Day and weekday are combined as Vixie cron does it (Debian's crontab(5)): where both are restricted, that is, where
 * neither begins with *, a day that fits either one fits; otherwise it must fit both, so that "*\/2" in one of them
 * narrows the other.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* A set bit is a value that fits: minutes 0-59, hours 0-23, days 1-31, months 1-12, weekdays 0 (Sunday) to 6. */
typedef struct {
	uint64_t minutes;
	uint32_t hours;
	uint32_t days;
	uint32_t months;
	uint32_t weekdays;
	bool is_either_day; /* day or weekday is enough */
} HfCron;

/*
 * USAGE quotes the expression, names the field and says what is allowed; what (a setting's name) stands before it.
 * An expression that never comes, such as 31 February, is refused as well.
 */
bool hf_cron_parse(const char *text, const char *what, HfCron *cron_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* month 1-12, day 1-31, weekday 0-6. */
bool hf_cron_has_day(const HfCron *cron, unsigned month, unsigned day, unsigned weekday);
