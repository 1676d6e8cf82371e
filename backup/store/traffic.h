/*
 * backup/store/traffic.h -- how many requests this process has sent to object stores, whichever they were.
 *
 * Counted from the start of the process, by all threads: who wants a run's share takes the difference.
 */
#pragma once

#include <stdint.h>

typedef struct {
	uint64_t requests; /* each try counts */
	uint64_t retries;  /* of these, the tries after a first one that failed */
} HfTraffic;

HfTraffic hf_traffic(void);

void hf_traffic_count_request(void);
void hf_traffic_count_retry(void);
