/*
 * timer/schedule.h -- when a cron expression fires in a time zone, as pure functions of instants (Unix seconds).
 *
 * A slot is a minute of the local calendar that the expression means.  Every slot fires exactly once, at the first
 * instant at which the local clock shows it or a later time: a slot in a spring gap right at the gap's end, one in an
 * autumn overlap the first time only.  Slots that fall onto one instant (several in one gap) are one firing, so firings
 * are strictly increasing, and a firing's instant names it: it is what marks are kept of.
 */
#pragma once

#include "timer/cron.h"
#include "timer/zone.h"

/* No instant: no mark yet; before the first or after the last that can be told (the years 1 to 9998). */
#define HF_SCHEDULE_NEVER INT64_MIN

/* The first firing after an instant. */
int64_t hf_schedule_next(const HfCron *cron, const HfZone *zone, int64_t after_s);

/* The last firing up to and including an instant. */
int64_t hf_schedule_last(const HfCron *cron, const HfZone *zone, int64_t until_s);

/*
 * What a kept mark (the last firing that was run) is worth now: itself, or HF_SCHEDULE_NEVER.  A mark in the future
 * means that the clock was set back since.  Up to a day, the mark stands, so that nothing runs twice; beyond that the
 * clock was wrong when the mark was made, and believing it could stop all backups for years.
 */
int64_t hf_schedule_credible_mark(int64_t mark_s, int64_t now_s);
