/*
 * backup/job/refresh.h -- looking at the store, and noting what is there in the state (cached-sets.h).
 */
#pragma once

#include "backup/job/state.h"
#include "backup/store/store.h"

/*
 * Lists the store and replaces the cached sets.  One refresh runs at a time on this host: where another one is running,
 * wants_own false gives CONFLICT at once; true waits for it to end, since what it lists may be older than what the caller
 * has just stored.
 */
bool hf_refresh(HfState *state, HfStore *store, bool wants_own, GError **error) G_GNUC_WARN_UNUSED_RESULT;
