#include "config.h"

#include "backup/catalog/run-metrics.h"
#include "backup/store/traffic.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>
#include <sys/resource.h>

#define NAME_BYTES_MAX 64

/* ---- measuring ---- */

static uint64_t
ms_of(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000 + (uint64_t)time->tv_usec / 1000;
}

static uint64_t
cpu_ms(void)
{
	struct rusage own = {0}, children = {0};

	(void)getrusage(RUSAGE_SELF, &own);
	(void)getrusage(RUSAGE_CHILDREN, &children);
	return ms_of(&own.ru_utime) + ms_of(&own.ru_stime) + ms_of(&children.ru_utime) +
	       ms_of(&children.ru_stime);
}

/* proc(5), VmHWM; not getrusage()'s, which passes through exec from whoever started us. */
static uint64_t
peak_memory_bytes(void)
{
	g_autofree char *text = NULL;
	const char *line;

	if (!g_file_get_contents("/proc/self/status", &text, NULL, NULL))
		return 0;
	line = strstr(text, "\nVmHWM:");
	return line ? g_ascii_strtoull(line + strlen("\nVmHWM:"), NULL, 10) * 1024 : 0;
}

static uint64_t
passed_ms(double since_s)
{
	return (uint64_t)(MAX(hf_clock_monotonic_s() - since_s, 0) * 1000);
}

static void
free_phase(gpointer data)
{
	HfRunPhase *phase = data;

	g_free(phase->name);
	g_free(phase);
}

static HfRunMetrics *
metrics_new(void)
{
	HfRunMetrics *metrics = g_new0(HfRunMetrics, 1);

	metrics->phases = g_ptr_array_new_with_free_func(free_phase);
	return metrics;
}

/* A phase that comes again goes on: no name stands twice. */
static void
add_phase(HfRunMetrics *metrics, const char *name, uint64_t ms)
{
	HfRunPhase *phase;

	for (guint i = 0; i < metrics->phases->len; i++) {
		phase = metrics->phases->pdata[i];
		if (strcmp(phase->name, name) == 0) {
			phase->ms += ms;
			return;
		}
	}
	phase = g_new0(HfRunPhase, 1);
	*phase = (HfRunPhase){g_strdup(name), ms};
	g_ptr_array_add(metrics->phases, phase);
}

HfRunMetrics *
hf_run_metrics_begin(void)
{
	HfRunMetrics *metrics = metrics_new();
	HfTraffic traffic = hf_traffic();

	metrics->begun_s = hf_clock_monotonic_s();
	metrics->begun_cpu_ms = cpu_ms();
	metrics->begun_requests = traffic.requests;
	metrics->begun_retries = traffic.retries;
	return metrics;
}

void
hf_run_metrics_phase(HfRunMetrics *metrics, const char *name)
{
	if (!metrics)
		return;
	if (metrics->phase && metrics->phases->len < HF_RUN_PHASES_MAX)
		add_phase(metrics, metrics->phase, passed_ms(metrics->phase_begun_s));
	g_free(metrics->phase);
	metrics->phase = g_strdup(name);
	metrics->phase_begun_s = hf_clock_monotonic_s();
}

void
hf_run_metrics_join(HfRunMetrics *metrics, HfRunMetrics *half)
{
	if (!metrics || !half)
		return;
	hf_run_metrics_phase(half, NULL);
	for (guint i = 0; i < half->phases->len && metrics->phases->len < HF_RUN_PHASES_MAX; i++) {
		const HfRunPhase *phase = half->phases->pdata[i];

		add_phase(metrics, phase->name, phase->ms);
	}
}

void
hf_run_metrics_end(HfRunMetrics *metrics, uint64_t plain_bytes)
{
	HfTraffic traffic = hf_traffic();

	hf_run_metrics_phase(metrics, NULL);
	metrics->duration_ms = passed_ms(metrics->begun_s);
	metrics->cpu_ms = cpu_ms() - metrics->begun_cpu_ms;
	metrics->peak_memory_bytes = peak_memory_bytes();
	metrics->plain_bytes = plain_bytes;
	metrics->bytes_per_s = (uint64_t)((double)plain_bytes * 1000 / (double)MAX(metrics->duration_ms, 1));
	metrics->requests = traffic.requests - metrics->begun_requests;
	metrics->retries = traffic.retries - metrics->begun_retries;
}

void
hf_run_metrics_free(HfRunMetrics *metrics)
{
	if (!metrics)
		return;
	g_ptr_array_unref(metrics->phases);
	g_free(metrics->phase);
	g_free(metrics);
}

/* ---- JSON ---- */

HfJson *
hf_run_metrics_to_json(const HfRunMetrics *metrics)
{
	HfJson *object = json_object_new_object();
	HfJson *phases = json_object_new_array();

	hf_json_add_number(object, "duration_ms", metrics->duration_ms);
	hf_json_add_number(object, "cpu_ms", metrics->cpu_ms);
	hf_json_add_number(object, "peak_memory_bytes", metrics->peak_memory_bytes);
	hf_json_add_number(object, "plain_bytes", metrics->plain_bytes);
	hf_json_add_number(object, "bytes_per_second", metrics->bytes_per_s);
	hf_json_add_number(object, "requests", metrics->requests);
	hf_json_add_number(object, "retries", metrics->retries);
	for (guint i = 0; i < metrics->phases->len; i++) {
		const HfRunPhase *phase = metrics->phases->pdata[i];
		HfJson *item = json_object_new_object();

		hf_json_add_text(item, "name", phase->name);
		hf_json_add_number(item, "ms", phase->ms);
		json_object_array_add(phases, item);
	}
	hf_json_add(object, "phases", phases);
	return object;
}

static bool
parse_phase(HfJson *item, HfRunMetrics *metrics, GError **error)
{
	const char *name;
	uint64_t ms;

	if (!hf_json_get_text(item, "name", &name, error) || !hf_json_get_number(item, "ms", &ms, error))
		return false;
	if (strlen(name) > NAME_BYTES_MAX)
		return hf_error_set(error, HF_ERROR_CORRUPT, "a phase's name is longer than %d bytes",
				    NAME_BYTES_MAX);
	add_phase(metrics, name, ms);
	return true;
}

HfRunMetrics *
hf_run_metrics_parse(HfJson *object, GError **error)
{
	g_autoptr(HfRunMetrics) metrics = metrics_new();
	HfJson *phases;

	if (!hf_json_get_number(object, "duration_ms", &metrics->duration_ms, error) ||
	    !hf_json_get_number(object, "cpu_ms", &metrics->cpu_ms, error) ||
	    !hf_json_get_number(object, "peak_memory_bytes", &metrics->peak_memory_bytes, error) ||
	    !hf_json_get_number(object, "plain_bytes", &metrics->plain_bytes, error) ||
	    !hf_json_get_number(object, "bytes_per_second", &metrics->bytes_per_s, error) ||
	    !hf_json_get_number(object, "requests", &metrics->requests, error) ||
	    !hf_json_get_number(object, "retries", &metrics->retries, error))
		return NULL;
	if (!hf_json_get_array(object, "phases", &phases, error))
		return NULL;
	if (json_object_array_length(phases) > HF_RUN_PHASES_MAX) {
		hf_error_set(error, HF_ERROR_CORRUPT, "more than %d phases", HF_RUN_PHASES_MAX);
		return NULL;
	}
	for (size_t i = 0; i < json_object_array_length(phases); i++)
		if (!parse_phase(json_object_array_get_idx(phases, i), metrics, error))
			return NULL;
	return g_steal_pointer(&metrics);
}
