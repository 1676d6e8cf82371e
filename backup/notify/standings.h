/*
 * backup/notify/standings.h -- the table of how each subject stands: its SQL.  All of it is called within hf_state_run().
 */
#pragma once

#include "backup/job/state-impl.h"
#include "backup/notify/event.h"

/* Of a subject that is not known: last is -1. */
bool hf_standings_get(HfState *state, const char *subject, HfStanding *standing_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Also forgets subjects that nothing was heard of for a year: sets are many. */
bool hf_standings_set(HfState *state, const char *subject, const HfStanding *standing, int64_t now_s,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;
