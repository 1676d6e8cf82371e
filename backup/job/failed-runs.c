#include "config.h"

#include "backup/job/failed-runs.h"

#include <string.h>

/* As far back as jobs are kept. */
#define JOBS_SEEN 1000

static HfFailedRun *
run_of(const HfJobRecord *job)
{
	HfFailedRun *run = g_new0(HfFailedRun, 1);

	run->what = g_strdup_printf("job %s (%s) %s%s%s", job->id, job->kind, hf_job_status_word(job->status),
				    job->error ? ": " : "", job->error ? job->error : "");
	run->at_s = job->started_s ? job->started_s : job->created_s;
	return run;
}

/* Which half a backup of this kind is to have. */
static bool
has_half(const char *kind, HfHalf half)
{
	return strcmp(kind, "backup full") == 0 ||
	       strcmp(kind, half == HF_HALF_DATABASE ? "backup database" : "backup images") == 0;
}

/* The last one of either half decides; a failed one stands for those halves that it is the last of. */
static void
look(const HfJobRecord *job, bool *is_decided, GPtrArray *failed)
{
	bool is_failure = job->status == HF_JOB_FAILED || job->status == HF_JOB_INTERRUPTED;
	HfFailedRun *run = NULL;

	/* Another job was in the way, or another host had the schedule's slot: this one was none. */
	if ((is_failure && g_strcmp0(job->error_code, "conflict") == 0) || (!is_failure && !job->set_id))
		return;
	if (!is_failure && job->status != HF_JOB_DONE)
		return;
	for (HfHalf half = 0; half < HF_HALVES; half++) {
		if (is_decided[half] || !has_half(job->kind, half))
			continue;
		is_decided[half] = true;
		if (!is_failure)
			continue;
		run = run ? run : run_of(job);
		run->of[half] = true;
	}
	if (run)
		g_ptr_array_add(failed, run);
}

GPtrArray *
hf_jobs_failed_runs(HfState *state)
{
	GPtrArray *failed = g_ptr_array_new_with_free_func((GDestroyNotify)hf_failed_run_free);
	g_autoptr(GPtrArray) jobs = hf_jobs_list(state, NULL, JOBS_SEEN, NULL);
	bool is_decided[HF_HALVES] = {false, false};

	for (guint i = 0; jobs && i < jobs->len; i++)
		look(jobs->pdata[i], is_decided, failed);
	return failed;
}
