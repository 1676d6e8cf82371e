/*
 * timer/runs.h -- the scheduled runs, as the settings have them: what runs, whether, and when.
 */
#pragma once

#include "common/settings.h"
#include "timer/schedule.h"

#define HF_RUN_COUNT 2

typedef struct {
	const char *name;       /* "daily": in requests to the service, and of its mark */
	const char *what;       /* for people: "database, new and changed images" */
	const char *enabled_by; /* the setting's name */
	bool is_enabled;
	char *expression; /* as it was given */
	HfCron cron;
} HfRun;

typedef struct {
	HfZone *zone;
	HfRun items[HF_RUN_COUNT]; /* daily, weekly */
} HfRuns;

/* USAGE names the setting that is wrong; an expression is checked even where its run is not enabled. */
HfRuns *hf_runs_load(const HfSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* When it runs next; 0 where it is not enabled, or never comes. */
int64_t hf_run_next(const HfRuns *runs, const HfRun *run, int64_t now_s);

void hf_runs_free(HfRuns *runs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfRuns, hf_runs_free)
