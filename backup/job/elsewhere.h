/*
 * backup/job/elsewhere.h -- the jobs of other hosts that use the same store, as this host saw them last (lease-seen.h).
 */
#pragma once

#include "backup/job/lease-table.h"
#include "backup/job/state.h"

/*
 * Those that were alive then, of HfLeaseEntry; this host's own are left out.  *as_of_s_out is when the store was looked at;
 * 0: never.
 */
GPtrArray *hf_jobs_elsewhere(HfState *state, int64_t *as_of_s_out);

/* Another number whenever that may have changed. */
uint64_t hf_jobs_elsewhere_version(const HfState *state);
