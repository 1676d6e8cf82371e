/* How long it takes to plan the retention of many sets: make bench/retention && bench/retention [SETS] */
#include "config.h"

#include "backup/catalog/retention.h"
#include "common/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define SETS 100000
#define ROUNDS 5

/* A database each hour and images each six, back from now; every hundredth was proved further. */
static HfSet *
make_set(unsigned number, int64_t now_s)
{
	HfSet *set = g_new0(HfSet, 1);

	set->started_s = now_s - (int64_t)number * 3600;
	set->id = hf_clock_set_id(set->started_s);
	set->kind = number % 6 ? "database" : "images";
	set->level = number % 100 ? 1 : 2;
	return set;
}

int
main(int argc, char **argv)
{
	const HfRetentionPolicy policy = {30, 10, 60, 52, 24, 10};
	unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : SETS;
	g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func((GDestroyNotify)hf_set_free);
	int64_t now_s = hf_clock_now_s();

	for (unsigned i = 0; i < count; i++)
		g_ptr_array_add(sets, make_set(i, now_s));
	for (int round = 0; round < ROUNDS; round++) {
		double started_s = hf_clock_monotonic_s();
		g_autoptr(HfRetentionPlan) plan = hf_retention_plan(sets, &policy, NULL, now_s);

		printf("%u sets planned in %.3f s, %u of them go\n", count,
		       hf_clock_monotonic_s() - started_s, plan->deletions);
	}
	return 0;
}
