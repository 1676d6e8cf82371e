#include "config.h"

#include "timer/daemon.h"
#include "auth/internal.h"
#include "common/clock.h"
#include "common/error.h"
#include "timer/notify.h"
#include "timer/plan.h"
#include "timer/service.h"
#include "timer/sleep.h"

#include <string.h>

typedef struct {
	const char *env_file;
	HfSleep *sleep;
	HfService *service;
	HfPlan *plan;
	bool is_silent; /* the pool does not answer, and that was said */
	/* What was last said of each run, and of asking for the marks; NULL: all is well. */
	char *troubles[HF_RUN_COUNT + 1];
	char *status; /* as systemd was told */
} Daemon;

#define ASKING HF_RUN_COUNT

/* ---- what is said ---- */

/* Says a trouble unless it was the last thing said about the same. */
static void
say_trouble(Daemon *daemon, size_t about, const char *words)
{
	if (g_strcmp0(daemon->troubles[about], words) == 0)
		return;
	if (words)
		g_warning("%s", words);
	g_free(daemon->troubles[about]);
	daemon->troubles[about] = g_strdup(words);
}

static void
note_answer(Daemon *daemon)
{
	if (daemon->is_silent)
		g_message("the pool answers again");
	daemon->is_silent = false;
}

/* True where error means that nobody answered. */
static bool
note_silence(Daemon *daemon, const GError *error)
{
	if (!hf_error_is(error, HF_ERROR_TRANSIENT)) {
		note_answer(daemon);
		return false;
	}
	if (!daemon->is_silent)
		g_warning("the pool does not answer, it is tried again until it does: %s", error->message);
	daemon->is_silent = true;
	return true;
}

/* "daily 2024-01-16T02:00:00+01:00, weekly ..." */
static char *
next_runs(const Daemon *daemon, int64_t now_s)
{
	GString *text = g_string_new(NULL);
	const HfRuns *runs = hf_plan_runs(daemon->plan);

	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		int64_t next_s = hf_plan_next(daemon->plan, i, now_s);
		g_autofree char *when = NULL;

		if (next_s == HF_SCHEDULE_NEVER)
			continue;
		when = hf_zone_format(runs->zone, next_s);
		g_string_append_printf(text, "%s%s %s", text->len > 0 ? ", " : "", runs->items[i].name, when);
	}
	return g_string_free(text, FALSE);
}

static void
say_schedule(const Daemon *daemon)
{
	g_autofree char *next = next_runs(daemon, hf_clock_now_s());
	const HfRuns *runs = hf_plan_runs(daemon->plan);

	if (*next)
		g_message("next runs: %s (%s)", next, hf_zone_name(runs->zone));
	else
		g_message("nothing is scheduled: set %s or %s to true and send HUP, or start again; waiting",
			  runs->items[0].enabled_by, runs->items[1].enabled_by);
}

static void
tell_systemd(Daemon *daemon)
{
	g_autofree char *next = next_runs(daemon, hf_clock_now_s());
	g_autofree char *status = g_strdup_printf("STATUS=%s%s%s",
						  daemon->is_silent ? "The pool does not answer. " : "",
						  *next ? "Next runs: " : "Nothing is scheduled", next);

	if (g_strcmp0(status, daemon->status) == 0)
		return;
	hf_notify(status);
	g_free(daemon->status);
	daemon->status = g_steal_pointer(&status);
}

/* ---- the settings ---- */

static bool
has_enabled(const HfRuns *runs)
{
	for (size_t i = 0; i < HF_RUN_COUNT; i++)
		if (runs->items[i].is_enabled)
			return true;
	return false;
}

/* What would fail at each firing is an error at once: no place for the token, or one that others may read. */
static bool
check_token(const HfSettings *settings, const HfRuns *runs, GError **error)
{
	g_autoptr(HfSecret) token = NULL;

	if (!has_enabled(runs))
		return true;
	token = hf_internal_token(settings, error);
	return token != NULL;
}

static bool
load(Daemon *daemon, GError **error)
{
	g_autoptr(HfSettings) settings = hf_settings_load(daemon->env_file, error);
	g_autoptr(HfRuns) runs = settings ? hf_runs_load(settings, error) : NULL;

	if (!runs || !check_token(settings, runs, error))
		return false;
	g_clear_pointer(&daemon->service, hf_service_free);
	daemon->service = hf_service_new(g_steal_pointer(&settings), hf_sleep_signal_fd(daemon->sleep));
	if (daemon->plan)
		hf_plan_replace_runs(daemon->plan, g_steal_pointer(&runs), hf_clock_now_s());
	else
		daemon->plan = hf_plan_new(g_steal_pointer(&runs), hf_clock_now_s());
	return true;
}

static void
reload(Daemon *daemon)
{
	g_autofree char *reloading = g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT,
						     g_get_monotonic_time());
	g_autoptr(GError) error = NULL;

	hf_notify(reloading);
	if (load(daemon, &error))
		say_schedule(daemon);
	else
		g_warning("the settings were not taken, the old ones stay: %s", error->message);
	hf_notify("READY=1");
	g_clear_pointer(&daemon->status, g_free);
}

/* ---- the work ---- */

static void
ask(Daemon *daemon)
{
	int64_t marks_s[HF_RUN_COUNT] = {HF_SCHEDULE_NEVER, HF_SCHEDULE_NEVER};
	g_autoptr(GError) error = NULL;
	g_autofree char *words = NULL;

	if (hf_service_ask(daemon->service, hf_plan_runs(daemon->plan), marks_s, &error)) {
		note_answer(daemon);
		say_trouble(daemon, ASKING, NULL);
		hf_plan_told(daemon->plan, marks_s, hf_clock_now_s());
		return;
	}
	if (hf_error_is(error, HF_ERROR_CANCELLED))
		return;
	if (!note_silence(daemon, error)) {
		words = g_strdup_printf("the service did not say what ran last: %s", error->message);
		say_trouble(daemon, ASKING, words);
	}
	/* It does not know.  It refuses what ran already all the same, and no run is to be lost for that. */
	if (hf_error_is(error, HF_ERROR_FAILED))
		hf_plan_told(daemon->plan, marks_s, hf_clock_now_s());
	else
		hf_plan_ask_failed(daemon->plan, hf_clock_now_s(), g_random_double());
}

static void
fire_failed(Daemon *daemon, const HfPlanStep *step, const GError *error)
{
	const char *name = hf_plan_runs(daemon->plan)->items[step->run].name;
	g_autofree char *words = NULL;

	if (hf_error_is(error, HF_ERROR_CANCELLED))
		return;
	hf_plan_fire_failed(daemon->plan, step->run, hf_clock_now_s(), g_random_double());
	if (note_silence(daemon, error))
		return;
	/* Whose turn it is may change from one try to the next: that is not worth a line each. */
	if (hf_error_is(error, HF_ERROR_CONFLICT))
		words = g_strdup_printf("the %s run waits until another job is done", name);
	else
		words = g_strdup_printf("the %s run is not started, it is tried again: %s", name,
					error->message);
	say_trouble(daemon, step->run, words);
}

static void
fire(Daemon *daemon, const HfPlanStep *step)
{
	const HfRuns *runs = hf_plan_runs(daemon->plan);
	const HfRun *run = &runs->items[step->run];
	g_autofree char *when = hf_zone_format(runs->zone, step->slot_s);
	g_autofree char *job = NULL;
	g_autoptr(GError) error = NULL;

	if (!hf_service_fire(daemon->service, run, step->slot_s, &job, &error)) {
		fire_failed(daemon, step, error);
		return;
	}
	note_answer(daemon);
	say_trouble(daemon, step->run, NULL);
	hf_plan_fired(daemon->plan, step->run, step->slot_s);
	if (job)
		g_message("the %s run of %s is started: job %s", run->name, when, job);
	else
		g_message("the %s run of %s had been started already", run->name, when);
}

/* False where it is to end. */
static bool
wait_until(Daemon *daemon, int64_t until_s)
{
	tell_systemd(daemon);
	switch (hf_sleep_until(daemon->sleep, until_s)) {
	case HF_WOKE_TIME:
		return true;
	case HF_WOKE_CLOCK_SET:
		g_message("the clock was set");
		hf_plan_clock_was_set(daemon->plan, hf_clock_now_s());
		return true;
	case HF_WOKE_RELOAD:
		reload(daemon);
		return true;
	case HF_WOKE_STOP:
		return false;
	}
	return false;
}

static void
work(Daemon *daemon)
{
	for (;;) {
		int64_t now_s = hf_clock_now_s();
		HfPlanStep step = hf_plan_step(daemon->plan, now_s);
		/* A signal that ended a request is looked at before the next one is begun. */
		int64_t until_s = step.kind == HF_PLAN_WAIT ? step.until_s : now_s;

		if (step.kind == HF_PLAN_ASK)
			ask(daemon);
		else if (step.kind == HF_PLAN_FIRE)
			fire(daemon, &step);
		if (!wait_until(daemon, until_s))
			return;
	}
}

bool
hf_daemon_run(const char *env_file, GError **error)
{
	g_autoptr(HfSleep) sleep = hf_sleep_new(error);
	Daemon daemon = {.env_file = env_file, .sleep = sleep};
	bool is_good = sleep && load(&daemon, error);

	if (is_good) {
		say_schedule(&daemon);
		hf_notify("READY=1");
		work(&daemon);
		hf_notify("STOPPING=1");
	}
	hf_plan_free(daemon.plan);
	hf_service_free(daemon.service);
	for (size_t i = 0; i < G_N_ELEMENTS(daemon.troubles); i++)
		g_free(daemon.troubles[i]);
	g_free(daemon.status);
	return is_good;
}
