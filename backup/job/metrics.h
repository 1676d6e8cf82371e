/*
 * backup/job/metrics.h -- what this host knows of its backups, as metrics for Prometheus.
 *
 * All of it is read from the state; no store is asked.  Moments are told as Unix times, never as ages, so that the text
 * stays true until somebody writes to the state, or the next scheduled run has come.  Series of what never was are
 * absent.  docs/metrics.md describes each name.
 */
#pragma once

#include "backup/job/state.h"
#include "common/settings.h"

/* A schedule, as the settings have it; what it is made of is not the state's business. */
typedef struct {
	const char *name; /* also of its mark (marks.h) */
	bool is_enabled;
	int64_t next_s; /* 0: never */
} HfMetricsSchedule;

/*
 * The whole text; settings name the replicas, and schedules are closed by one without a name.  *is_running_out, which may be NULL, tells that a job is
 * open: what the text says of it changes by itself.  g_free() it.
 */
char *hf_metrics_text(HfState *state, const HfSettings *settings, const HfMetricsSchedule *schedules,
		      bool *is_running_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
