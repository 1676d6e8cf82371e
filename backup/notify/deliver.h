/*
 * backup/notify/deliver.h -- the process that delivers what is in the outbox.
 *
 * It is started by the begin and the end of a job, and by the service when the timer calls, and works by itself: no job
 * waits for it, and nothing that it meets fails one.  One does it at a time, the newest (turn.h), which begins with a try of all
 * that waits.  It stays as long as a message waits or a job runs, so that a job that is killed is told of, too.
 */
#pragma once

#include "backup/job/state.h"
#include "common/settings.h"

/* After the nth try that failed (n from 1 on) the next one is so long after; chance is from 0 up to 1. */
int64_t hf_deliver_pause_s(unsigned tries, double chance);

/*
 * Delivers until nothing waits and no job runs, or until a newer process does it; at once where nobody is to hear of
 * anything.  FAILED and TRANSIENT where the state cannot be used; CANCELLED.
 */
bool hf_deliver_run(HfState *state, const HfSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Whether all that is in the outbox was tried once, at least, or waits because its channel has just failed; true where that
 * cannot be seen.
 */
bool hf_deliver_is_tried(HfState *state);
