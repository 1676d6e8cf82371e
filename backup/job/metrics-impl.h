/*
 * backup/job/metrics-impl.h -- between the files that write metrics, one for what each is about.
 *
 * A new subject is one function more here, and one line in metrics.c.
 */
#pragma once

#include "backup/job/metrics.h"
#include "common/exposition.h"
#include "common/settings.h"

/* The sets as they were last seen. */
bool hf_metrics_add_sets(HfState *state, GString *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The jobs that are kept; *is_running_out where one is open. */
bool hf_metrics_add_jobs(HfState *state, GString *text, bool *is_running_out,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The replicas that the settings name. */
bool hf_metrics_add_replicas(HfState *state, const HfSettings *settings, GString *text,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What is to be told, and has not been. */
bool hf_metrics_add_outbox(HfState *state, GString *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;
