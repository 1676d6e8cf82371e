/*
 * fcgi/service.h -- a request in, a reply out: authorised, then routed, then handled, noted and logged.
 *
 * Authorisation comes first, so that no route can forget it and whoever has no token learns nothing of what there is.  The
 * paths of the timer ("internal/...") want the internal token, which opens nothing else; nor does METRICS_TOKEN open more than
 * the metrics.
 */
#pragma once

#include "auth/auth.h"
#include "backup/job/start.h"
#include "backup/job/state.h"
#include "common/settings.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"
#include "fcgi/tool.h"
#include "timer/runs.h"

/* A reply as it was made last (made.h); it is sent again for as long as nobody wrote to the state. */
typedef struct {
	GBytes *body;
	GBytes *packed; /* the same by gzip: it is packed once and sent many times */
	char *etag;
	char *packed_etag;
	uint64_t version;
	int64_t until_s; /* what it says of running jobs and next runs is true up to here */
} HfMade;

typedef struct {
	const HfSettings *settings;    /* borrowed */
	const HfSecret *metrics_token; /* NULL: there is none.  Borrowed */
	HfAuth *auth;
	HfTool *tool;
	HfRuns *runs;
	HfState *state;   /* NULL where it could not be opened: see hf_service_state() */
	unsigned workers; /* in the pool */
	HfMade status;
	HfMade metrics;
	int64_t looked_elsewhere_s; /* when this worker last had other hosts' jobs looked for */
	int64_t refreshed_s;        /* when a refresh of the cached sets was started last */
	GPtrArray *audit;           /* lines that are not written yet */
	int64_t audit_since_s;      /* of the oldest of them */
	int64_t warned_s;           /* when a state that cannot be written was told of last */
} HfService;

/* Takes auth and tool.  USAGE where a setting of the schedule is wrong. */
HfService *hf_service_new(const HfSettings *settings, HfAuth *auth, HfTool *tool,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_service_free(HfService *service);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfService, hf_service_free)

/* Never fails: what goes wrong is a reply. */
HfReply *hf_service_answer(HfService *service, HfRequest *request);

/* Writes the audit lines that are due at now_s; how many ms later it has to be called again, -1: not before a request. */
int hf_service_idle(HfService *service, int64_t now_s);

/* The state, opened where it was not; NULL with an error where it cannot be.  Borrowed. */
HfState *hf_service_state(HfService *service, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* For hf_job_start(). */
HfJobProgram hf_service_program(const HfService *service);
