#include "config.h"

#include "backup/job/elsewhere.h"
#include "backup/job/lease-seen.h"
#include "backup/job/record.h"
#include "common/clock.h"

#include <sys/stat.h>

/* By its id, and not by its host's name: two machines may have the same. */
static bool
is_own(HfState *state, const HfLeaseEntry *entry)
{
	g_autoptr(HfJobRecord) record = *entry->job ? hf_jobs_find(state, entry->job, NULL) : NULL;

	return record != NULL;
}

GPtrArray *
hf_jobs_elsewhere(HfState *state, int64_t *as_of_s_out)
{
	g_autofree char *clock = hf_lease_clock_name();
	g_autoptr(HfLeaseSeen) seen = hf_lease_seen_load(hf_state_folder(state), clock);
	g_autoptr(GPtrArray) alive = hf_lease_seen_alive(seen, hf_clock_now_s());
	GPtrArray *elsewhere = g_ptr_array_new_with_free_func((GDestroyNotify)hf_lease_entry_free);

	*as_of_s_out = hf_lease_seen_as_of_s(seen);
	for (guint i = 0; i < alive->len; i++)
		if (!is_own(state, alive->pdata[i]))
			g_ptr_array_add(elsewhere, hf_lease_entry_copy(alive->pdata[i]));
	return elsewhere;
}

/* The file is renamed to its place: another time or another inode. */
uint64_t
hf_jobs_elsewhere_version(const HfState *state)
{
	g_autofree char *path = hf_lease_seen_path(hf_state_folder(state));
	struct stat info;

	if (stat(path, &info) != 0)
		return 0;
	return (uint64_t)info.st_mtim.tv_sec * 1000000000 + (uint64_t)info.st_mtim.tv_nsec +
	       (uint64_t)info.st_ino;
}
