/*
 * backup/job/failed-runs.h -- which backups failed last, as the history of jobs knows it: nothing is pruned after them.
 */
#pragma once

#include "backup/catalog/retention.h"
#include "backup/job/record.h"

/*
 * Of HfFailedRun: for the database and for images the last backup that ended, if it failed or was interrupted.  One that
 * somebody cancelled is none, and neither are jobs of other kinds.  Empty where the history cannot be read: it may be lost at any time.
 */
GPtrArray *hf_jobs_failed_runs(HfState *state);
