#include "config.h"

#include "backup/store/traffic.h"

static HfTraffic all;

HfTraffic
hf_traffic(void)
{
	return (HfTraffic){__atomic_load_n(&all.requests, __ATOMIC_RELAXED),
			   __atomic_load_n(&all.retries, __ATOMIC_RELAXED)};
}

void
hf_traffic_count_request(void)
{
	__atomic_fetch_add(&all.requests, 1, __ATOMIC_RELAXED);
}

void
hf_traffic_count_retry(void)
{
	__atomic_fetch_add(&all.retries, 1, __ATOMIC_RELAXED);
}
