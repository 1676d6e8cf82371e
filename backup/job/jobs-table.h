/*
 * backup/job/jobs-table.h -- the table of jobs: its SQL.  All of it is called within hf_state_run(), except where it says
 * otherwise, and knows nothing of processes.
 */
#pragma once

#include "backup/job/record.h"
#include "backup/job/state-impl.h"

typedef enum {
	HF_CANCEL_NONE = 0,
	HF_CANCEL_SIGNALLED = 1,
	HF_CANCEL_UNSIGNALLED = 2, /* the job has to look for itself */
} HfJobCancel;

typedef struct {
	const char *id; /* NULL: all; for find: wanted */
	const char *before_id;
	const char *kind;
	unsigned takes; /* 0: whatever they take */
	bool is_open;   /* only such as have not ended */
	bool is_done;   /* only such as ended as DONE */
	unsigned limit;
} HfJobsQuery;

/* Of HfJobRecord, the newest first. */
GPtrArray *hf_jobs_table_select(HfState *state, const HfJobsQuery *query,
				GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * All of them, the newest first, with kind, status, exit, times, duration and bytes alone: what a job says at its end may be
 * long.
 */
GPtrArray *hf_jobs_table_brief(HfState *state, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The id of an open job that may not run beside one that takes and excludes this; NULL without an error: none. */
HfJobRecord *hf_jobs_table_in_the_way(HfState *state, unsigned takes, unsigned excludes, GError **error);

/* Inserts the record, or replaces all of it but what says who is to stop. */
bool hf_jobs_table_save(HfState *state, const HfJobRecord *record, HfJobCancel *cancel_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ends a job that has not ended; one that has is left as it is, and *is_ended_here_out is false. */
bool hf_jobs_table_interrupt(HfState *state, const char *id, int64_t now_s, bool *is_ended_here_out,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

bool hf_jobs_table_cancel(HfState *state, const char *id, HfJobCancel cancel,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Forgets all that have ended but the newest ones. */
bool hf_jobs_table_trim(HfState *state, unsigned kept, GError **error) G_GNUC_WARN_UNUSED_RESULT;
