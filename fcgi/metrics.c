#include "config.h"

#include "backup/job/cached-sets.h"
#include "backup/job/metrics.h"
#include "common/clock.h"
#include "common/exposition.h"
#include "fcgi/catalogue.h"
#include "fcgi/handlers.h"
#include "fcgi/made.h"

#include <string.h>

/* Whoever scrapes does not wait for a store: where it was never looked at, that is begun, and the text says so. */
static void
look(HfService *service, HfState *state)
{
	int64_t as_of_s = 0;

	if (hf_cached_sets_when(state, &as_of_s, NULL))
		hf_catalogue_look(service, as_of_s);
}

/* closed by one without a name. */
static void
take_schedules(const HfRuns *runs, int64_t now_s, HfMetricsSchedule schedules_out[HF_RUN_COUNT + 1])
{
	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		const HfRun *run = &runs->items[i];

		schedules_out[i] = (HfMetricsSchedule){run->name, run->is_enabled,
						       hf_run_next(runs, run, now_s)};
	}
	schedules_out[HF_RUN_COUNT] = (HfMetricsSchedule){0};
}

static char *
make(HfService *service, HfState *state, GError **error)
{
	HfMetricsSchedule schedules[HF_RUN_COUNT + 1];
	int64_t now_s = hf_clock_now_s();
	bool is_running = false;
	char *text;

	take_schedules(service->runs, now_s, schedules);
	text = hf_metrics_text(state, service->settings, schedules, &is_running, error);
	service->metrics.until_s = now_s + (is_running ? HF_MADE_RUNNING_S : HF_MADE_S);
	for (const HfMetricsSchedule *schedule = schedules; schedule->name; schedule++)
		if (schedule->next_s > 0)
			service->metrics.until_s = MIN(service->metrics.until_s, schedule->next_s);
	return text;
}

static bool
update(HfService *service, GError **error)
{
	HfState *state = hf_service_state(service, error);
	uint64_t version = state ? hf_state_version(state) : 0;
	g_autoptr(GBytes) body = NULL;
	char *text;

	if (!state)
		return false;
	look(service, state);
	if (hf_made_is_current(&service->metrics, version, hf_clock_now_s()))
		return true;
	text = make(service, state, error);
	if (!text)
		return false;
	body = g_bytes_new_take(text, strlen(text));
	/* The version as it was before: what was written meanwhile makes the next reply. */
	hf_made_keep(&service->metrics, body, version);
	return true;
}

HfReply *
hf_handle_metrics(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	g_autoptr(GError) error = NULL;

	(void)arguments;
	if (!update(service, &error))
		return hf_reply_error(error, route->failure);
	return hf_made_reply(&service->metrics, request, HF_EXPOSITION_TYPE);
}
