#include "config.h"

#include "backup/job/kind.h"

#define BOTH (HF_JOB_DATABASE | HF_JOB_IMAGES)

/*
 * Prune counts what all sets refer to, so no set may come meanwhile, and nobody may be reading what goes.  Deleting one
 * set is safe beside a run (backup/catalog/sweep.h), but not beside who reads sets.
 */
static const HfJobKind kinds[] = {
	{"backup full", BOTH, BOTH, true},
	{"backup database", HF_JOB_DATABASE, HF_JOB_DATABASE, true},
	{"backup images", HF_JOB_IMAGES, HF_JOB_IMAGES, true},
	{"verify", HF_JOB_READS, 0, true},
	{"drill", HF_JOB_READS, 0, true},
	{"restore database", HF_JOB_READS, 0, false},
	{"restore images", HF_JOB_READS, 0, false},
	{"replicate", HF_JOB_READS | HF_JOB_REPLICATES, HF_JOB_REPLICATES, false},
	{"prune", HF_JOB_REMOVES, BOTH | HF_JOB_READS | HF_JOB_REMOVES, true},
	{"delete", HF_JOB_REMOVES, HF_JOB_READS | HF_JOB_REMOVES, true},
};

const HfJobKind *
hf_job_kinds(size_t *count_out)
{
	*count_out = G_N_ELEMENTS(kinds);
	return kinds;
}

const HfJobKind *
hf_job_kind_find(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (g_strcmp0(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

unsigned
hf_job_source(const char *source)
{
	if (g_strcmp0(source, "database") == 0)
		return HF_JOB_DATABASE;
	return g_strcmp0(source, "images") == 0 ? HF_JOB_IMAGES : 0;
}
