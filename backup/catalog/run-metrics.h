/*
 * backup/catalog/run-metrics.h -- what a run cost, as its set's manifest keeps it: time, phases, memory, requests.
 *
 * It is measured from when the set's id was claimed to just before the manifest is written.  Nothing depends on it: a
 * set without it is as good.
 */
#pragma once

#include "common/json.h"

/* More than any run of ours has: bounds what a manifest can make us hold. */
#define HF_RUN_PHASES_MAX 64

typedef struct {
	char *name;
	uint64_t ms;
} HfRunPhase;

typedef struct {
	uint64_t duration_ms;
	uint64_t cpu_ms;            /* of this program and of the children that it waited for */
	uint64_t peak_memory_bytes; /* resident, of this program alone; 0: not known */
	uint64_t plain_bytes;       /* that were read from the source and stored, before compression */
	uint64_t bytes_per_s;       /* the same by the duration */
	uint64_t requests;          /* to object stores, each try counted; 0 where there are folders alone */
	uint64_t retries;           /* of these, the tries after a first one that failed */
	GPtrArray *phases; /* of HfRunPhase, in the order in which they ended; those of two halves overlap */
	/* Of a run that goes on; not stored. */
	double begun_s, phase_begun_s;
	uint64_t begun_cpu_ms, begun_requests, begun_retries;
	char *phase; /* NULL: none yet */
} HfRunMetrics;

/* Measures from now on. */
HfRunMetrics *hf_run_metrics_begin(void);

/* The next phase begins; name is copied, and NULL only ends the last one.  metrics may be NULL. */
void hf_run_metrics_phase(HfRunMetrics *metrics, const char *name);

/* Takes over the phases of the other half of the run, which went on at the same time.  Both may be NULL. */
void hf_run_metrics_join(HfRunMetrics *metrics, HfRunMetrics *half);

/* The run is over: fills all that stands in the manifest. */
void hf_run_metrics_end(HfRunMetrics *metrics, uint64_t plain_bytes);

/* The JSON of docs/format.md. */
HfJson *hf_run_metrics_to_json(const HfRunMetrics *metrics);
HfRunMetrics *hf_run_metrics_parse(HfJson *object, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_run_metrics_free(HfRunMetrics *metrics);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfRunMetrics, hf_run_metrics_free)
