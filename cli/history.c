#include "config.h"

#include "backup/job/failed-runs.h"
#include "backup/job/kind.h"
#include "backup/job/record.h"
#include "cli/history.h"

GPtrArray *
hf_cli_failed_runs(const HfSettings *settings)
{
	g_autoptr(HfState) state = hf_state_open(hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR), NULL);

	return state ? hf_jobs_failed_runs(state) : g_ptr_array_new();
}

/* Jobs that run are among the newest: a run takes less time than so many jobs. */
#define LOOKED_AT 100

char *
hf_cli_reading_job(const HfSettings *settings, bool ignores_replication)
{
	g_autoptr(HfState) state = hf_state_open(hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR), NULL);
	g_autoptr(GPtrArray) jobs = state ? hf_jobs_list(state, NULL, LOOKED_AT, NULL) : NULL;

	for (guint i = 0; jobs && i < jobs->len; i++) {
		const HfJobRecord *job = jobs->pdata[i];
		const HfJobKind *kind = hf_job_kind_find(job->kind);

		if (ignores_replication && kind && (kind->takes & HF_JOB_REPLICATES))
			continue;
		/* Also one that is queued: its process is on its way. */
		if (!hf_job_status_is_end(job->status) && kind && (kind->takes & HF_JOB_READS))
			return g_strdup(job->id);
	}
	return NULL;
}
