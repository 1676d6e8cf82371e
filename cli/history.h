/*
 * cli/history.h -- what the history of jobs says to whoever prunes.
 */
#pragma once

#include "common/settings.h"

/* hf_jobs_failed_runs() of the state of these settings; empty where that cannot be opened, which was said before. */
GPtrArray *hf_cli_failed_runs(const HfSettings *settings);

/*
 * The id of a job of this host that is reading sets now (a restore, a proof), or NULL.  ignores_replication is for who prunes a replica:
 * who brings replicas level reads the store alone.  g_free() it.
 */
char *hf_cli_reading_job(const HfSettings *settings, bool ignores_replication);
