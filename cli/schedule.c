#include "config.h"

#include "backup/job/marks.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"
#include "timer/runs.h"

#include <unistd.h>

#define COUNT_MAX 1000

static struct {
	int count;
} given = {.count = 3};

/* The state, where there is one that may be used; what is shown of it is not worth an error. */
static HfState *
open_state(const HfSettings *settings)
{
	const char *folder = hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR);
	g_autofree char *path = folder ? g_build_filename(folder, "state.db", NULL) : NULL;

	return path && access(path, R_OK | W_OK) == 0 ? hf_state_open(folder, NULL) : NULL;
}

/* NEVER where there is none, or nobody knows. */
static int64_t
mark_of(HfState *state, const HfRun *run)
{
	int64_t slot_s = 0;

	return state && hf_marks_get(state, run->name, &slot_s, NULL) && slot_s > 0 ? slot_s
										    : HF_SCHEDULE_NEVER;
}

/* ---- what is told of one moment ---- */

static HfJson *
moment_to_json(const HfZone *zone, int64_t unix_s)
{
	HfJson *moment = json_object_new_object();
	g_autofree char *utc = hf_clock_rfc3339(unix_s);
	g_autofree char *local = hf_zone_format(zone, unix_s);

	hf_json_add_text(moment, "utc", utc);
	hf_json_add_text(moment, "local", local);
	return moment;
}

static void
add_row(HfGrid *grid, const char *first, const HfZone *zone, int64_t unix_s)
{
	g_autofree char *utc = hf_clock_rfc3339(unix_s);
	g_autofree char *local = hf_zone_format(zone, unix_s);
	const char *cells[] = {first, local, utc};

	hf_grid_add(grid, cells);
}

/* ---- one run ---- */

static void
show_run(HfCli *cli, const HfRuns *runs, const HfRun *run, int64_t mark_s)
{
	g_autoptr(HfGrid) grid = hf_grid_new("lll");
	HfJson *row = json_object_new_object(), *next = json_object_new_array();
	g_autofree char *text = NULL;
	int64_t at_s = hf_clock_now_s();

	for (int i = 0; run->is_enabled && i < given.count; i++) {
		at_s = hf_schedule_next(&run->cron, runs->zone, at_s);
		if (at_s == HF_SCHEDULE_NEVER)
			break;
		add_row(grid, i == 0 ? "  next" : "  ", runs->zone, at_s);
		json_object_array_add(next, moment_to_json(runs->zone, at_s));
	}
	if (mark_s != HF_SCHEDULE_NEVER)
		add_row(grid, "  last", runs->zone, mark_s);
	text = hf_grid_to_text(grid);
	if (run->is_enabled)
		hf_cli_say(cli, "%s  %s  (%s)\n%s", run->name, run->expression, run->what, text);
	else
		hf_cli_say(cli, "%s  %s  not enabled: set %s to true\n%s", run->name, run->expression,
			   run->enabled_by, text);
	hf_json_add_text(row, "name", run->name);
	hf_json_add_text(row, "schedule", run->expression);
	hf_json_add_flag(row, "enabled", run->is_enabled);
	hf_json_add(row, "next", next);
	if (mark_s != HF_SCHEDULE_NEVER)
		hf_json_add(row, "last", moment_to_json(runs->zone, mark_s));
	hf_json_add(cli->reply, run->name, row);
}

static bool
run_schedule(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfRuns) runs = NULL;
	g_autoptr(HfState) state = NULL;

	(void)arguments;
	if (given.count < 1 || given.count > COUNT_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "-n %d: 1 to %d are wanted", given.count,
				    COUNT_MAX);
	runs = hf_runs_load(cli->settings, error);
	if (!runs)
		return false;
	state = open_state(cli->settings);
	hf_json_add_text(cli->reply, "timezone", hf_zone_name(runs->zone));
	hf_cli_say(cli, "time zone %s\n", hf_zone_name(runs->zone));
	for (size_t i = 0; i < HF_RUN_COUNT; i++)
		show_run(cli, runs, &runs->items[i], mark_of(state, &runs->items[i]));
	return true;
}

void
hf_doctor_check_schedule(HfDoctor *doctor)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfRuns) runs = hf_runs_load(doctor->cli->settings, &error);
	bool is_any = runs && (runs->items[0].is_enabled || runs->items[1].is_enabled);

	if (!runs) {
		hf_doctor_report(doctor, HF_MARK_FAIL, "schedule", "%s", error->message);
		doctor->has_wrong_settings = true;
	} else {
		hf_doctor_report(doctor, HF_MARK_OK, "schedule",
				 is_any ? "enabled: \"holdfast schedule\" shows the next runs"
					: "not enabled: ENABLE_DAILY_BACKUP, ENABLE_WEEKLY_BACKUP");
	}
}

static GOptionEntry options[] = {{"count", 'n', 0, G_OPTION_ARG_INT, &given.count,
				  "how many runs of each schedule are shown (3)", "N"},
				 {0}};

const HfCommand hf_command_schedule = {
	"schedule",
	"",
	0,
	0,
	"show when the next scheduled backups run",
	"Shows the next runs of each schedule in TZ's time and in UTC, and the last one that was started, "
	"where this "
	"host's state can be read. Runs are started by holdfast-timer, which asks the pool of holdfast-fcgi "
	"for them; "
	"what was missed while either was down runs once when both are back.\n\n"
	"A time that the clock skips in spring runs right after the gap; one that comes twice in autumn runs "
	"the first "
	"time only.",
	options,
	false,
	run_schedule};
