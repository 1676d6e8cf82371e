/*
 * backup/job/run.h -- a job's record while the job runs.
 *
 * A thread of its own writes how far the job is, twice a second at most, looks whether somebody asked it to stop, and
 * tends its log.  What cannot be written is warned about once: a job never fails because of its record.
 */
#pragma once

#include "backup/job/job-file.h"
#include "backup/job/progress.h"
#include "backup/job/record.h"

#define HF_JOB_WRITES_PER_S 2

typedef struct HfJobRun HfJobRun;

/* How far the job is, both halves of a full run added up; false where there is nothing to tell. */
typedef bool (*HfJobLook)(HfProgress *now_out);

/*
 * The process that calls this is the job from now on.  Takes file and record; state is borrowed, and belongs to the run
 * until its end.
 */
HfJobRun *hf_job_run_begin(HfState *state, HfJobFile *file, HfJobRecord *record, HfJobLook look);

/* What came of it; texts may be NULL and are copied. */
typedef struct {
	HfJobStatus status;
	int exit;
	const char *set_id, *file, *error, *error_code;
	const char *result;
} HfJobOutcome;

/* Writes the end, lets go of the job's file, and frees run.  NULL is fine. */
void hf_job_run_end(HfJobRun *run, const HfJobOutcome *outcome);

/* The job's log, borrowed. */
const HfJobFile *hf_job_run_file(const HfJobRun *run);
