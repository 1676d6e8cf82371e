#include "config.h"

#include "timer/plan.h"

/* What is being tried again. */
typedef struct {
	unsigned failures;
	int64_t at_s; /* not before; INT64_MIN: at once */
} Retry;

typedef struct {
	int64_t mark_s;  /* HF_SCHEDULE_NEVER: none */
	int64_t since_s; /* without a mark, what is later than this is due */
	Retry retry;
} State;

struct HfPlan {
	HfRuns *runs;
	State states[HF_RUN_COUNT];
	bool wants_marks;
	Retry ask;
};

HfPlan *
hf_plan_new(HfRuns *runs, int64_t now_s)
{
	HfPlan *plan = g_new0(HfPlan, 1);

	plan->runs = runs;
	for (size_t i = 0; i < HF_RUN_COUNT; i++)
		plan->states[i] = (State){.mark_s = HF_SCHEDULE_NEVER, .since_s = now_s};
	hf_plan_clock_was_set(plan, now_s);
	return plan;
}

void
hf_plan_free(HfPlan *plan)
{
	if (!plan)
		return;
	hf_runs_free(plan->runs);
	g_free(plan);
}

const HfRuns *
hf_plan_runs(const HfPlan *plan)
{
	return plan->runs;
}

/* ---- trying again ---- */

static void
retry_now(Retry *retry)
{
	*retry = (Retry){.at_s = INT64_MIN};
}

static void
retry_later(Retry *retry, int64_t now_s, double chance)
{
	int64_t pause_s = HF_PLAN_FIRST_PAUSE_S;

	for (unsigned i = 0; i < retry->failures && pause_s < HF_PLAN_LONGEST_PAUSE_S; i++)
		pause_s = MIN(pause_s * 2, HF_PLAN_LONGEST_PAUSE_S);
	retry->failures++;
	/* At least a second, or the same would be tried again within this one. */
	retry->at_s = now_s + MAX((int64_t)((double)pause_s * (0.75 + chance / 2)), 1);
}

/* ---- what to do ---- */

/* Up to here, all has been started. */
static int64_t
done_until(const State *state, int64_t now_s)
{
	int64_t mark_s = hf_schedule_credible_mark(state->mark_s, now_s);

	return mark_s == HF_SCHEDULE_NEVER ? state->since_s : mark_s;
}

int64_t
hf_plan_next(const HfPlan *plan, size_t run, int64_t now_s)
{
	const HfRun *item = &plan->runs->items[run];

	if (!item->is_enabled)
		return HF_SCHEDULE_NEVER;
	return hf_schedule_next(&item->cron, plan->runs->zone,
				MAX(now_s, done_until(&plan->states[run], now_s)));
}

/* What a run has to do, on its own. */
static HfPlanStep
step_of(const HfPlan *plan, size_t run, int64_t now_s)
{
	const HfRun *item = &plan->runs->items[run];
	const State *state = &plan->states[run];
	int64_t next_s = hf_plan_next(plan, run, now_s);
	int64_t due_s = item->is_enabled ? hf_schedule_last(&item->cron, plan->runs->zone, now_s)
					 : HF_SCHEDULE_NEVER;

	if (due_s == HF_SCHEDULE_NEVER || due_s <= done_until(state, now_s))
		return (HfPlanStep){.kind = HF_PLAN_WAIT,
				    .until_s = next_s == HF_SCHEDULE_NEVER ? INT64_MAX : next_s};
	if (now_s < state->retry.at_s)
		return (HfPlanStep){.kind = HF_PLAN_WAIT, .until_s = state->retry.at_s};
	return (HfPlanStep){.kind = HF_PLAN_FIRE, .run = run, .slot_s = due_s};
}

/* Firing goes before waiting, and the older slot before the other. */
static bool
is_sooner(const HfPlanStep *a, const HfPlanStep *b)
{
	if (a->kind != b->kind)
		return a->kind == HF_PLAN_FIRE;
	return a->kind == HF_PLAN_FIRE ? a->slot_s < b->slot_s : a->until_s < b->until_s;
}

HfPlanStep
hf_plan_step(const HfPlan *plan, int64_t now_s)
{
	HfPlanStep best = {.kind = HF_PLAN_WAIT, .until_s = INT64_MAX};
	bool is_anything_enabled = false;

	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		HfPlanStep step = step_of(plan, i, now_s);

		is_anything_enabled = is_anything_enabled || plan->runs->items[i].is_enabled;
		if (is_sooner(&step, &best))
			best = step;
	}
	if (!plan->wants_marks || !is_anything_enabled)
		return best;
	/* Without the marks nobody knows what is due. */
	if (now_s < plan->ask.at_s)
		return (HfPlanStep){.kind = HF_PLAN_WAIT, .until_s = plan->ask.at_s};
	return (HfPlanStep){.kind = HF_PLAN_ASK};
}

/* ---- what came of it ---- */

void
hf_plan_told(HfPlan *plan, const int64_t marks_s[HF_RUN_COUNT], int64_t now_s)
{
	plan->wants_marks = false;
	retry_now(&plan->ask);
	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		State *state = &plan->states[i];

		/* The service may have lost its state meanwhile: what is known here counts as well. */
		state->mark_s = MAX(hf_schedule_credible_mark(marks_s[i], now_s),
				    hf_schedule_credible_mark(state->mark_s, now_s));
	}
}

void
hf_plan_ask_failed(HfPlan *plan, int64_t now_s, double chance)
{
	retry_later(&plan->ask, now_s, chance);
}

void
hf_plan_fired(HfPlan *plan, size_t run, int64_t slot_s)
{
	plan->states[run].mark_s = slot_s;
	retry_now(&plan->states[run].retry);
}

void
hf_plan_fire_failed(HfPlan *plan, size_t run, int64_t now_s, double chance)
{
	retry_later(&plan->states[run].retry, now_s, chance);
}

void
hf_plan_clock_was_set(HfPlan *plan, int64_t now_s)
{
	plan->wants_marks = true;
	retry_now(&plan->ask);
	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		State *state = &plan->states[i];
		bool had_mark = state->mark_s != HF_SCHEDULE_NEVER;

		state->mark_s = hf_schedule_credible_mark(state->mark_s, now_s);
		/* Where a mark turned out to be of a wrong clock, all up to now counts as done. */
		if (state->mark_s == HF_SCHEDULE_NEVER)
			state->since_s = had_mark ? now_s : MIN(state->since_s, now_s);
		retry_now(&state->retry);
	}
}

void
hf_plan_replace_runs(HfPlan *plan, HfRuns *runs, int64_t now_s)
{
	for (size_t i = 0; i < HF_RUN_COUNT; i++)
		if (!plan->runs->items[i].is_enabled)
			plan->states[i].since_s = now_s;
	hf_runs_free(plan->runs);
	plan->runs = runs;
	hf_plan_clock_was_set(plan, now_s);
}
