/*
 * backup/job/marks.h -- up to which slot a schedule has been started.
 *
 * A slot is the Unix time that a schedule fires at.  hf_jobs_claim() advances a mark together with the job that it is
 * for; where the state is lost, a mark is, too, and the timer begins with the next slot.
 */
#pragma once

#include "backup/job/state.h"

/* *slot_s_out is 0 where the schedule has no mark. */
bool hf_marks_get(HfState *state, const char *name, int64_t *slot_s_out,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sets it, also back; 0 takes it away. */
bool hf_marks_set(HfState *state, const char *name, int64_t slot_s, GError **error) G_GNUC_WARN_UNUSED_RESULT;
