/*
 * timer/plan.h -- what the timer does next.
 *
 * Decisions alone: the clock and chance are passed in, and nothing here sleeps, asks or prints.  The caller does what
 * hf_plan_step() says, reports what came of it, and asks again.
 *
 * The service keeps a mark for each run, the last firing that it started or took for started, and refuses what is not
 * beyond it, so a request that is repeated, by a timer that was killed or lost the answer, never runs twice.  The timer
 * asks for the marks at its start and whenever the clock was set, and fires the last firing that is beyond a mark: of all
 * that was missed one.  Without a mark (a new host, or a state that was lost) only what comes due after the timer's start
 * is fired.  A clock that is set back: see hf_schedule_credible_mark().
 */
#pragma once

#include "timer/runs.h"

/* A pause doubles from the first to the longest, and is then longer or shorter by a quarter, by chance. */
#define HF_PLAN_FIRST_PAUSE_S 2
#define HF_PLAN_LONGEST_PAUSE_S 120

typedef struct HfPlan HfPlan;

typedef enum {
	HF_PLAN_WAIT, /* until until_s, or for ever (INT64_MAX) */
	HF_PLAN_ASK,  /* the service for its marks: then hf_plan_told() or hf_plan_ask_failed() */
	HF_PLAN_FIRE, /* the run for slot_s: then hf_plan_fired() or hf_plan_fire_failed() */
} HfPlanKind;

typedef struct {
	HfPlanKind kind;
	int64_t until_s;
	size_t run;
	int64_t slot_s;
} HfPlanStep;

/* Takes runs. */
HfPlan *hf_plan_new(HfRuns *runs, int64_t now_s);
void hf_plan_free(HfPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPlan, hf_plan_free)

/* Borrowed. */
const HfRuns *hf_plan_runs(const HfPlan *plan);

HfPlanStep hf_plan_step(const HfPlan *plan, int64_t now_s);

/* When a run fires next, whatever is being retried; HF_SCHEDULE_NEVER where it is not enabled. */
int64_t hf_plan_next(const HfPlan *plan, size_t run, int64_t now_s);

/* The service's marks; HF_SCHEDULE_NEVER where there is none. */
void hf_plan_told(HfPlan *plan, const int64_t marks_s[HF_RUN_COUNT], int64_t now_s);
/* It did not answer; chance is from 0 up to 1. */
void hf_plan_ask_failed(HfPlan *plan, int64_t now_s, double chance);

/* The slot was started, now or earlier. */
void hf_plan_fired(HfPlan *plan, size_t run, int64_t slot_s);
/* It was not, or nobody knows: the same again, after a pause. */
void hf_plan_fire_failed(HfPlan *plan, size_t run, int64_t now_s, double chance);

/* The clock was set: the marks are asked for, and what was being retried is tried at once. */
void hf_plan_clock_was_set(HfPlan *plan, int64_t now_s);

/* Other settings; takes runs.  What is known of marks stays. */
void hf_plan_replace_runs(HfPlan *plan, HfRuns *runs, int64_t now_s);
