/*
 * backup/notify/note-impl.h -- reports that are a part of somebody else's transaction, for backup/job; and what they say.
 * The first two are called within hf_state_run().
 */
#pragma once

#include "backup/job/state-impl.h"
#include "backup/notify/note.h"

/* The job has just ended: once for each job.  Nothing where nobody wants to hear of its kind, or where it was cancelled. */
bool hf_note_job_end(HfState *state, const HfJobRecord *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * A schedule's run for slot_s is being started: reports a missed run where hf_note_is_missed().
 */
bool hf_note_scheduled(HfState *state, const char *schedule, int64_t slot_s,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* So long may a run be late without a word. */
#define HF_NOTE_LATE_S 900

/*
 * Whether a run for slot_s that is started at now_s was missed, rather than made to wait: there was a stretch of more than
 * HF_NOTE_LATE_S between the two in which none of jobs (HfJobRecord *, the newest first) ran.
 */
bool hf_note_is_missed(const GPtrArray *jobs, int64_t slot_s, int64_t now_s);

/* ---- job-message.c ---- */

/* What a job's end is; false where it is nothing to tell of. */
bool hf_job_event(const HfJobRecord *record, HfEvent *event_out);

/*
 * The message of it.  before is NULL, or the last job of the same kind that was done: what changed is told against it.
 */
HfMessage *hf_job_message(const HfJobRecord *record, HfEvent event, const HfJobRecord *before);

/* "backup full", or "verify SET"; g_free() it. */
char *hf_job_subject(const HfJobRecord *record);

/* ---- job-facts.c ---- */

/* When, how large, which level, what changed; result is NULL, or the record's (result.h). */
void hf_job_add_facts(HfMessage *message, const HfJobRecord *record, HfJson *result,
		      const HfJobRecord *before);
