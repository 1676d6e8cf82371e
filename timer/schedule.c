#include "config.h"

#include "timer/schedule.h"

#define MINUTE_S 60
#define HOUR_S (60 * MINUTE_S)
#define DAY_S (24 * HOUR_S)

/* 0001-01-03 and 9998-12-31: a day or more within what GDateTime can say. */
#define FIRST_S INT64_C(-62135424000)
#define LAST_S INT64_C(253370678400)

/* 29 February on a given weekday is at most 40 years away: 2072 to 2112, since 2100 has none. */
#define SEARCH_DAYS (41 * 366)

typedef struct {
	unsigned month, day, weekday;
} Date;

/* Division that rounds down, for days before 1970. */
static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days and weekday_from_days. */
static Date
date_of(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t day_of_era = shifted - floor_div(shifted, 146097) * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) /
			      365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153; /* from March */

	return (Date){
		.month = (unsigned)(month < 10 ? month + 3 : month - 9),
		.day = (unsigned)(day_of_year - (153 * month + 2) / 5 + 1),
		.weekday = (unsigned)(days + 4 - floor_div(days + 4, 7) * 7),
	};
}

static bool
has_day(const HfCron *cron, int64_t days)
{
	Date date = date_of(days);

	return hf_cron_has_day(cron, date.month, date.day, date.weekday);
}

/* The bit nearest to from, itself included, in the direction of step; -1 where there is none below count. */
static int
find_bit(uint64_t bits, int from, int count, int step)
{
	for (; from >= 0 && from < count; from += step)
		if (bits >> from & 1)
			return from;
	return -1;
}

/* The same for the minutes of a day. */
static int
find_minute(const HfCron *cron, int minute, int step)
{
	int hour = find_bit(cron->hours, minute / 60, 24, step);
	int first = step > 0 ? 0 : 59;
	int found = hour == minute / 60 ? find_bit(cron->minutes, minute % 60, 60, step) : -1;

	if (hour >= 0 && found < 0) {
		hour = hour == minute / 60 ? find_bit(cron->hours, hour + step, 24, step) : hour;
		found = find_bit(cron->minutes, first, 60, step);
	}
	return hour < 0 ? -1 : hour * 60 + found;
}

/* The slot next to a local minute in the direction of step, itself included. */
static int64_t
find_slot(const HfCron *cron, int64_t local_s, int step)
{
	int64_t days = floor_div(local_s, DAY_S);
	int minute = (int)((local_s - days * DAY_S) / MINUTE_S);

	for (unsigned i = 0; i < SEARCH_DAYS; i++, days += step) {
		int found = has_day(cron, days) ? find_minute(cron, minute, step) : -1;

		if (found >= 0)
			return days * DAY_S + found * MINUTE_S;
		minute = step > 0 ? 0 : 24 * 60 - 1;
	}
	return HF_SCHEDULE_NEVER;
}

/* What fires after an instant are the slots later than all that the clock has shown up to then: see timer/zone.h. */
int64_t
hf_schedule_next(const HfCron *cron, const HfZone *zone, int64_t after_s)
{
	int64_t local_s, slot_s;

	if (after_s < FIRST_S || after_s > LAST_S)
		return HF_SCHEDULE_NEVER;
	local_s = hf_zone_latest_local(zone, after_s);
	slot_s = find_slot(cron, (floor_div(local_s, MINUTE_S) + 1) * MINUTE_S, 1);
	return slot_s == HF_SCHEDULE_NEVER || slot_s > LAST_S ? HF_SCHEDULE_NEVER
							      : hf_zone_instant(zone, slot_s);
}

int64_t
hf_schedule_last(const HfCron *cron, const HfZone *zone, int64_t until_s)
{
	int64_t slot_s;

	if (until_s < FIRST_S || until_s > LAST_S)
		return HF_SCHEDULE_NEVER;
	slot_s = find_slot(cron, hf_zone_latest_local(zone, until_s), -1);
	return slot_s == HF_SCHEDULE_NEVER || slot_s < FIRST_S ? HF_SCHEDULE_NEVER
							       : hf_zone_instant(zone, slot_s);
}

int64_t
hf_schedule_credible_mark(int64_t mark_s, int64_t now_s)
{
	return mark_s > now_s + DAY_S ? HF_SCHEDULE_NEVER : mark_s;
}
