#include "config.h"

#include "backup/job/metrics.h"
#include "cli/commands.h"
#include "common/clock.h"
#include "common/error.h"
#include "timer/runs.h"

#include <stdio.h>
#include <string.h>

static struct {
	char *output;
} given;

/* node_exporter, another user, reads it: its textfile collector takes names that end in ".prom", and those whole. */
static bool
write_file(const char *path, const char *text, GError **error)
{
	g_autoptr(GError) cause = NULL;

	return g_file_set_contents_full(path, text, (gssize)strlen(text), G_FILE_SET_CONTENTS_CONSISTENT,
					0644, &cause) ||
	       hf_error_set(error, HF_ERROR_FAILED, "--output \"%s\": %s", path, cause->message);
}

static char *
make_text(const HfSettings *settings, GError **error)
{
	g_autoptr(HfRuns) runs = hf_runs_load(settings, error);
	g_autoptr(HfState)
		state = runs ? hf_state_open(hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR), error)
			     : NULL;
	HfMetricsSchedule schedules[HF_RUN_COUNT + 1] = {{0}};

	if (!state)
		return NULL;
	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		const HfRun *run = &runs->items[i];

		schedules[i] = (HfMetricsSchedule){run->name, run->is_enabled,
						   hf_run_next(runs, run, hf_clock_now_s())};
	}
	return hf_metrics_text(state, settings, schedules, NULL, error);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	g_autofree char *text = make_text(cli->settings, error);

	(void)arguments;
	if (!text)
		return false;
	if (given.output)
		return write_file(given.output, text, error);
	(void)fputs(text, stdout);
	return hf_cli_flush(error);
}

static GOptionEntry options[] = {{"output", 'o', 0, G_OPTION_ARG_FILENAME, &given.output,
				  "Write to FILE, which is replaced as a whole, instead of standard output",
				  "FILE"},
				 {0}};

const HfCommand hf_command_metrics = {
	"metrics",
	"",
	0,
	0,
	"print what Prometheus would scrape",
	"Prints what GET /api/backup/metrics answers, for hosts without the service: with --output into the "
	"folder of "
	"node_exporter's textfile collector, from cron or after each backup. It is read from this host's "
	"state, which each "
	"job of this host keeps up to date; the store is not asked.\n\n"
	"Alert rules and a Grafana board lie in deploy/prometheus and deploy/grafana.",
	options,
	true,
	run};
