/*
 * backup/job/progress.h -- what a run tells while it goes on.
 *
 * Another thread may read it at any time: the numbers are atomic, phase is an atomic pointer to a static string.
 */
#pragma once

#include <stdint.h>

typedef struct HfProgress HfProgress;
struct HfProgress {
	uint64_t bytes;             /* plain bytes so far */
	uint64_t estimated_bytes;   /* 0: not known */
	uint64_t objects;           /* images looked at so far; 0 for a database */
	uint64_t estimated_objects; /* 0: not known */
	const char *phase;          /* "connecting", "dumping", "globals", "images", "committing" */
	const HfProgress *beside;   /* NULL, or the other half of the run, which goes on at the same time */
};
