/*
 * The timer's decisions under a simulated clock and a simulated service: years in milliseconds.
 */
#include "config.h"

#include "timer/plan.h"
#include "common/clock.h"

#include <string.h>

#define MINUTE_S 60
#define HOUR_S 3600
#define DAY_S 86400

/* The service as timer/plan.h describes it, and the world around. */
typedef struct {
	HfPlan *plan;
	int64_t now_s;
	bool is_down;         /* does not answer */
	bool loses_answers;   /* does what it is asked for, and nobody hears of it */
	int64_t busy_until_s; /* 409 */
	int64_t marks_s[HF_RUN_COUNT];
	GArray *started[HF_RUN_COUNT]; /* slots, of int64_t, in order */
	unsigned steps, asked, refused, silences;
	GRand *chance;
} World;

static HfRuns *
runs_of(const char *zone, const char *daily, const char *weekly)
{
	g_autofree char *tz = g_strconcat("TZ=", zone, NULL);
	g_autofree char *at = g_strconcat("DAILY_BACKUP_SCHEDULE=", daily ? daily : "0 2 * * *", NULL);
	g_autofree char *on = g_strconcat("WEEKLY_BACKUP_SCHEDULE=", weekly ? weekly : "0 3 * * 0", NULL);
	const char *environment[] = {tz,
				     at,
				     on,
				     daily ? "ENABLE_DAILY_BACKUP=true" : "A=",
				     weekly ? "ENABLE_WEEKLY_BACKUP=true" : "B=",
				     NULL};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfSettings) settings = hf_settings_load_from(environment, "/dev/null", &error);
	HfRuns *runs = settings ? hf_runs_load(settings, &error) : NULL;

	g_assert_no_error(error);
	return runs;
}

static int64_t
instant(const char *text)
{
	int64_t unix_s;

	g_assert_true(hf_clock_parse_rfc3339(text, &unix_s));
	return unix_s;
}

static World *
world_new(const char *now, const char *zone, const char *daily, const char *weekly)
{
	World *world = g_new0(World, 1);

	world->now_s = instant(now);
	world->plan = hf_plan_new(runs_of(zone, daily, weekly), world->now_s);
	world->chance = g_rand_new_with_seed(7);
	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		world->marks_s[i] = HF_SCHEDULE_NEVER;
		world->started[i] = g_array_new(FALSE, FALSE, sizeof(int64_t));
	}
	return world;
}

static void
world_free(World *world)
{
	hf_plan_free(world->plan);
	g_rand_free(world->chance);
	for (size_t i = 0; i < HF_RUN_COUNT; i++)
		g_array_unref(world->started[i]);
	g_free(world);
}

static unsigned
count(const World *world, size_t run)
{
	return world->started[run]->len;
}

static int64_t
started(const World *world, size_t run, guint i)
{
	g_assert_cmpuint(i, <, count(world, run));
	return g_array_index(world->started[run], int64_t, i);
}

static void
restart_timer(World *world, const char *zone, const char *daily, const char *weekly)
{
	hf_plan_free(world->plan);
	world->plan = hf_plan_new(runs_of(zone, daily, weekly), world->now_s);
}

static void
set_clock(World *world, int64_t now_s)
{
	world->now_s = now_s;
	hf_plan_clock_was_set(world->plan, now_s);
}

static void
ask(World *world)
{
	world->asked++;
	if (world->is_down) {
		world->silences++;
		hf_plan_ask_failed(world->plan, world->now_s, g_rand_double(world->chance));
	} else {
		hf_plan_told(world->plan, world->marks_s, world->now_s);
	}
}

static void
fire(World *world, const HfPlanStep *step)
{
	int64_t mark_s = hf_schedule_credible_mark(world->marks_s[step->run], world->now_s);
	bool is_reached = mark_s != HF_SCHEDULE_NEVER && step->slot_s <= mark_s;
	bool is_busy = world->now_s < world->busy_until_s;

	g_assert_cmpint(step->slot_s, <=, world->now_s);
	if (!world->is_down && !is_busy && !is_reached) {
		world->marks_s[step->run] = step->slot_s;
		g_array_append_val(world->started[step->run], step->slot_s);
	}
	world->refused += is_reached;
	world->silences += world->is_down;
	if (world->is_down || is_busy || world->loses_answers)
		hf_plan_fire_failed(world->plan, step->run, world->now_s, g_rand_double(world->chance));
	else
		hf_plan_fired(world->plan, step->run, step->slot_s);
}

/* Lets time pass; the timer wakes just when it said. */
static void
live_until(World *world, int64_t end_s)
{
	for (;;) {
		HfPlanStep step = hf_plan_step(world->plan, world->now_s);

		world->steps++;
		g_assert_cmpuint(world->steps, <, 1000000);
		if (step.kind == HF_PLAN_ASK) {
			ask(world);
		} else if (step.kind == HF_PLAN_FIRE) {
			fire(world, &step);
		} else if (step.until_s >= end_s) {
			world->now_s = end_s;
			return;
		} else {
			/* A timer that does not get ahead is a busy loop. */
			g_assert_cmpint(step.until_s, >, world->now_s);
			world->now_s = step.until_s;
		}
	}
}

static void
live_for(World *world, int64_t seconds)
{
	live_until(world, world->now_s + seconds);
}

/* ---- ordinary life ---- */

static void
test_ten_years_of_nights(void)
{
	World *world = world_new("2020-01-01T12:00:00Z", "Europe/Berlin", "30 2 * * *", "0 3 * * 0");

	live_until(world, instant("2030-01-01T12:00:00Z"));
	g_assert_cmpuint(count(world, 0), ==, 3653);
	g_assert_cmpuint(count(world, 1), ==, 522);
	for (guint i = 1; i < count(world, 0); i++)
		g_assert_cmpint(started(world, 0, i), >, started(world, 0, i - 1));
	/* One look and one wait for each, and one question at the start: nothing between fires. */
	g_assert_cmpuint(world->asked, ==, 1);
	g_assert_cmpuint(world->refused, ==, 0);
	g_assert_cmpuint(world->steps, <=, 2 * (3653 + 522) + 3);
	world_free(world);
}

static void
test_nothing_is_enabled_and_nothing_is_asked(void)
{
	World *world = world_new("2024-01-01T00:00:00Z", "UTC", NULL, NULL);

	live_for(world, 1000 * DAY_S);
	g_assert_cmpuint(world->steps, ==, 1);
	g_assert_cmpuint(world->asked, ==, 0);
	g_assert_cmpint(hf_plan_step(world->plan, world->now_s).until_s, ==, INT64_MAX);
	world_free(world);
}

static void
test_a_new_host_waits_for_its_first_slot(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	live_for(world, 10 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 0);
	live_for(world, 10 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 1);
	g_assert_cmpint(started(world, 0, 0), ==, instant("2024-01-16T02:00:00Z"));
	world_free(world);
}

/* ---- what was missed ---- */

static void
test_what_was_missed_while_the_host_was_down_runs_once(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	live_for(world, DAY_S);
	world->now_s += 5 * DAY_S;
	restart_timer(world, "UTC", "0 2 * * *", NULL);
	live_for(world, MINUTE_S);
	g_assert_cmpuint(count(world, 0), ==, 2);
	g_assert_cmpint(started(world, 0, 1), ==, instant("2024-01-21T02:00:00Z"));
	live_for(world, DAY_S);
	g_assert_cmpuint(count(world, 0), ==, 3);
	world_free(world);
}

/* A laptop that was asleep: the same process, and its wait ends late. */
static void
test_what_was_missed_while_the_host_slept_runs_once(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", "0 3 * * 0");

	live_for(world, DAY_S);
	world->now_s += 10 * DAY_S;
	live_for(world, MINUTE_S);
	g_assert_cmpuint(count(world, 0), ==, 2);
	g_assert_cmpuint(count(world, 1), ==, 1);
	world_free(world);
}

static void
test_the_pool_is_down_when_it_fires(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	live_until(world, instant("2024-01-16T01:00:00Z"));
	world->is_down = true;
	live_for(world, 3 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 0);
	/* Growing pauses: two hours of them are no hundred tries. */
	g_assert_cmpuint(world->silences, >, 40);
	g_assert_cmpuint(world->silences, <, 100);
	world->is_down = false;
	live_for(world, HF_PLAN_LONGEST_PAUSE_S * 5 / 4 + 1);
	g_assert_cmpuint(count(world, 0), ==, 1);
	live_for(world, 12 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 1);
	world_free(world);
}

static void
test_the_pool_is_down_for_days_from_the_start(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", "0 3 * * 0");

	world->is_down = true;
	live_for(world, 9 * DAY_S);
	world->is_down = false;
	live_for(world, HOUR_S);
	/* One of each, although nine nights were missed; the older slot first. */
	g_assert_cmpuint(count(world, 0), ==, 1);
	g_assert_cmpuint(count(world, 1), ==, 1);
	g_assert_cmpint(started(world, 0, 0), ==, instant("2024-01-24T02:00:00Z"));
	g_assert_cmpint(started(world, 1, 0), ==, instant("2024-01-21T03:00:00Z"));
	world_free(world);
}

static void
test_an_answer_that_is_lost_starts_nothing_twice(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	world->loses_answers = true;
	live_until(world, instant("2024-01-16T02:10:00Z"));
	g_assert_cmpuint(count(world, 0), ==, 1);
	world->loses_answers = false;
	live_for(world, 12 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 1);
	g_assert_cmpuint(world->refused, >, 0);
	world_free(world);
}

static void
test_a_kill_between_request_and_answer_starts_nothing_twice(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	live_until(world, instant("2024-01-16T02:00:00Z"));
	world->loses_answers = true;
	live_for(world, 1);
	g_assert_cmpuint(count(world, 0), ==, 1);
	world->loses_answers = false;
	restart_timer(world, "UTC", "0 2 * * *", NULL);
	live_for(world, 12 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 1);
	world_free(world);
}

static void
test_another_job_runs_so_it_waits_its_turn(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	world->busy_until_s = instant("2024-01-16T05:00:00Z");
	live_until(world, instant("2024-01-16T04:59:59Z"));
	g_assert_cmpuint(count(world, 0), ==, 0);
	live_for(world, HF_PLAN_LONGEST_PAUSE_S * 5 / 4 + 2);
	g_assert_cmpuint(count(world, 0), ==, 1);
	world_free(world);
}

static void
test_pauses_grow_and_are_never_nothing(void)
{
	HfPlan *plan = hf_plan_new(runs_of("UTC", "* * * * *", NULL), 0);
	static const double chances[] = {0, 0.5, 0.999999};

	for (size_t i = 0; i < G_N_ELEMENTS(chances); i++) {
		int64_t before_s = 0;

		hf_plan_clock_was_set(plan, 0);
		for (unsigned failures = 0; failures < 100; failures++) {
			int64_t pause_s;

			hf_plan_ask_failed(plan, 0, chances[i]);
			pause_s = hf_plan_step(plan, 0).until_s;
			g_assert_cmpint(pause_s, >=, MAX(before_s, 1));
			g_assert_cmpint(pause_s, <=, HF_PLAN_LONGEST_PAUSE_S * 5 / 4);
			before_s = pause_s;
		}
		g_assert_cmpint(before_s, >=, HF_PLAN_LONGEST_PAUSE_S * 3 / 4);
	}
	hf_plan_free(plan);
}

/* ---- clocks that are set ---- */

static void
test_an_hour_back_runs_nothing_again(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	live_until(world, instant("2024-01-16T02:30:00Z"));
	set_clock(world, instant("2024-01-16T01:30:00Z"));
	live_for(world, 12 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 1);
	g_assert_cmpuint(world->refused, ==, 0);
	live_for(world, DAY_S);
	g_assert_cmpuint(count(world, 0), ==, 2);
	world_free(world);
}

static void
test_forth_over_a_slot_runs_it_once(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	set_clock(world, instant("2024-01-16T08:00:00Z"));
	live_for(world, MINUTE_S);
	g_assert_cmpuint(count(world, 0), ==, 1);
	/* And back: it is not run when its time comes again. */
	set_clock(world, instant("2024-01-15T12:02:00Z"));
	live_for(world, DAY_S);
	g_assert_cmpuint(count(world, 0), ==, 1);
	live_for(world, DAY_S);
	g_assert_cmpuint(count(world, 0), ==, 2);
	world_free(world);
}

static void
test_a_clock_that_was_years_ahead_does_not_stop_backups(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", "0 3 * * 0");

	live_for(world, DAY_S);
	set_clock(world, instant("2034-06-01T12:00:00Z"));
	live_for(world, HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 2);
	set_clock(world, instant("2024-01-16T14:00:00Z"));
	live_for(world, 5 * DAY_S);
	g_assert_cmpuint(count(world, 0), ==, 2 + 5);
	/* The same where the timer is started only then. */
	set_clock(world, instant("2034-06-01T12:00:00Z"));
	live_for(world, HOUR_S);
	world->now_s = instant("2024-02-01T12:00:00Z");
	restart_timer(world, "UTC", "0 2 * * *", "0 3 * * 0");
	live_for(world, 5 * DAY_S);
	g_assert_cmpuint(count(world, 0), ==, 7 + 1 + 5);
	world_free(world);
}

/* A host without a clock of its own starts in 1970, or where it was switched off, and learns the time later. */
static void
test_a_clock_that_begins_in_1970_runs_nothing_of_it(void)
{
	World *world = world_new("1970-01-01T00:00:30Z", "Europe/Berlin", "0 2 * * *", NULL);

	world->marks_s[0] = instant("2024-01-16T01:00:00Z");
	live_for(world, 20);
	set_clock(world, instant("2024-01-16T12:00:00Z"));
	live_for(world, 10 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 0);
	live_for(world, 10 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 1);
	world_free(world);
}

static void
test_a_service_that_lost_its_state_runs_nothing_again(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	live_for(world, DAY_S);
	world->marks_s[0] = HF_SCHEDULE_NEVER;
	set_clock(world, world->now_s - 5);
	live_for(world, 12 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 1);
	live_for(world, 12 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 2);
	world_free(world);
}

static void
test_other_settings_take_effect_and_marks_stay(void)
{
	World *world = world_new("2024-01-15T12:00:00Z", "UTC", "0 2 * * *", NULL);

	live_for(world, DAY_S);
	hf_plan_replace_runs(world->plan, runs_of("UTC", "0 20 * * *", "0 3 * * 2"), world->now_s);
	live_for(world, 7 * HOUR_S);
	/* Yesterday's 20:00 lies before the mark, and the weekly run was not enabled this morning, which was a Tuesday. */
	g_assert_cmpuint(count(world, 0), ==, 1);
	g_assert_cmpuint(count(world, 1), ==, 0);
	live_for(world, 2 * HOUR_S);
	g_assert_cmpuint(count(world, 0), ==, 2);
	live_for(world, 7 * DAY_S);
	g_assert_cmpuint(count(world, 1), ==, 1);
	world_free(world);
}

/*
 * Whatever happens: never twice, and nothing is lost.  Clocks are set by up to half a day here, the pool goes and comes, is
 * busy, loses answers, the timer is killed.
 */
static void
misfortune(World *world, GRand *chance)
{
	int64_t other_s = world->now_s + g_rand_int_range(chance, -DAY_S / 2, DAY_S / 2);

	switch (g_rand_int_range(chance, 0, 6)) {
	case 0:
		/* More than a day back is another matter: see above. */
		if (MAX(world->marks_s[0], world->marks_s[1]) <= other_s + DAY_S)
			set_clock(world, other_s);
		break;
	case 1:
		world->is_down = !world->is_down;
		break;
	case 2:
		world->busy_until_s = world->now_s + g_rand_int_range(chance, 0, 3 * HOUR_S);
		break;
	case 3:
		world->loses_answers = !world->loses_answers;
		break;
	case 4:
		restart_timer(world, "Europe/Berlin", "30 2 * * *", "0 3 * * 0");
		break;
	default:
		live_for(world, DAY_S);
	}
}

static void
test_whatever_happens(void)
{
	g_autoptr(GRand) chance = g_rand_new_with_seed(42);
	unsigned total = 0;

	for (unsigned life = 0; life < 50; life++) {
		World *world = world_new("2024-03-20T12:00:00Z", "Europe/Berlin", "30 2 * * *", "0 3 * * 0");

		world->marks_s[0] = world->marks_s[1] = world->now_s;
		for (unsigned i = 0; i < 60; i++) {
			misfortune(world, chance);
			live_for(world, g_rand_int_range(chance, 1, DAY_S / 2));
		}
		world->is_down = world->loses_answers = false;
		live_for(world, 2 * DAY_S);
		for (size_t run = 0; run < HF_RUN_COUNT; run++) {
			const HfRun *item = &hf_plan_runs(world->plan)->items[run];

			for (guint i = 1; i < count(world, run); i++)
				g_assert_cmpint(started(world, run, i), >, started(world, run, i - 1));
			g_assert_cmpint(
				world->marks_s[run], >=,
				hf_schedule_last(&item->cron, hf_plan_runs(world->plan)->zone, world->now_s));
			total += count(world, run);
		}
		world_free(world);
	}
	g_assert_cmpuint(total, >, 50 * 8);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*test)(void);
	} tests[] = {
		{"/plan/ten-years-of-nights", test_ten_years_of_nights},
		{"/plan/nothing-is-enabled-and-nothing-is-asked",
		 test_nothing_is_enabled_and_nothing_is_asked},
		{"/plan/a-new-host-waits-for-its-first-slot", test_a_new_host_waits_for_its_first_slot},
		{"/plan/what-was-missed-while-the-host-was-down-runs-once",
		 test_what_was_missed_while_the_host_was_down_runs_once},
		{"/plan/what-was-missed-while-the-host-slept-runs-once",
		 test_what_was_missed_while_the_host_slept_runs_once},
		{"/plan/the-pool-is-down-when-it-fires", test_the_pool_is_down_when_it_fires},
		{"/plan/the-pool-is-down-for-days-from-the-start",
		 test_the_pool_is_down_for_days_from_the_start},
		{"/plan/an-answer-that-is-lost-starts-nothing-twice",
		 test_an_answer_that_is_lost_starts_nothing_twice},
		{"/plan/a-kill-between-request-and-answer-starts-nothing-twice",
		 test_a_kill_between_request_and_answer_starts_nothing_twice},
		{"/plan/another-job-runs-so-it-waits-its-turn", test_another_job_runs_so_it_waits_its_turn},
		{"/plan/pauses-grow-and-are-never-nothing", test_pauses_grow_and_are_never_nothing},
		{"/plan/an-hour-back-runs-nothing-again", test_an_hour_back_runs_nothing_again},
		{"/plan/forth-over-a-slot-runs-it-once", test_forth_over_a_slot_runs_it_once},
		{"/plan/a-clock-that-was-years-ahead-does-not-stop-backups",
		 test_a_clock_that_was_years_ahead_does_not_stop_backups},
		{"/plan/a-clock-that-begins-in-1970-runs-nothing-of-it",
		 test_a_clock_that_begins_in_1970_runs_nothing_of_it},
		{"/plan/a-service-that-lost-its-state-runs-nothing-again",
		 test_a_service_that_lost_its_state_runs_nothing_again},
		{"/plan/other-settings-take-effect-and-marks-stay",
		 test_other_settings_take_effect_and_marks_stay},
		{"/plan/whatever-happens", test_whatever_happens},
	};

	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add_func(tests[i].name, tests[i].test);
	return g_test_run();
}
