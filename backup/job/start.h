/*
 * backup/job/start.h -- a job as a process of its own, which outlives whoever started it.
 *
 * The process has a session of its own, no terminal and no descriptor of ours: what it says goes to its log.  The
 * working folder and the environment are kept, since settings may be relative and come from there.
 */
#pragma once

#include "backup/job/record.h"

typedef struct {
	const char *program;  /* the path of holdfast; NULL: beside our own executable */
	const char *env_file; /* NULL, or what --env-file names */
} HfJobProgram;

/*
 * Claims a job and starts `holdfast run-job ID`; see hf_jobs_claim() for what may come of that.  A program that cannot be
 * executed is FAILED, and so is the job then; its schedule's mark is set back.
 */
bool hf_job_start(HfState *state, const HfJobRequest *request, const HfJobProgram *program, char **id_out,
		  char **running_id_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Starts `holdfast refresh`, which replaces the cached sets; what it says goes to our standard error.  It ends at once
 * where another one is running.
 */
bool hf_refresh_start(const HfJobProgram *program, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Starts `holdfast notify --deliver`, which sends what is in the outbox (backup/notify/deliver.h) and goes on until nothing
 * waits; what it says goes to folder/notify.log.  It takes the place of one that is at work.
 */
bool hf_deliver_start(const HfJobProgram *program, const char *folder,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for the other hosts' jobs alone (lease-seen.h), which is one request. */
bool hf_refresh_leases_start(const HfJobProgram *program, GError **error) G_GNUC_WARN_UNUSED_RESULT;
