/*
 * timer/service.h -- the two things that the timer asks of the service, over the pool's socket and with the internal token
 * (docs/design.md, "HTTP").
 */
#pragma once

#include "common/settings.h"
#include "timer/runs.h"

typedef struct HfService HfService;

/* The token is read again for each request, so it may be made, or changed, while the timer runs. */
HfService *hf_service_new(HfSettings *settings /* taken */, int stop_fd /* see HfFcgiRequest */);
void hf_service_free(HfService *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfService, hf_service_free)

/*
 * The marks of all runs; HF_SCHEDULE_NEVER where there is none.  TRANSIENT where nobody answers or the service cannot now
 * (503), FAILED with its own words where it answers something else, CANCELLED.
 */
bool hf_service_ask(HfService *service, const HfRuns *runs, int64_t marks_s[HF_RUN_COUNT],
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Starts the run for a slot.  *job_out is the job's id, or NULL where the slot had been started already; g_free() it.
 * CONFLICT where another job runs, and as above.
 */
bool hf_service_fire(HfService *service, const HfRun *run, int64_t slot_s, char **job_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;
