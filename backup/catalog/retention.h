/*
 * backup/catalog/retention.h -- which sets stay and which go: one pure function of (sets, policy, failed runs, now).
 *
 * A set stays if any rule keeps it (docs/design.md, section 6, has the definitions).  Rules that count, count sets that
 * are good, and each half of them by itself: a database and images do not push each other out, and a full set counts for
 * both.  Whatever the policy says, the newest good set of each half stays, and the newest at the highest level that any
 * reached.  Where anything is wrong nothing goes at all: stop says what, and what to do.
 *
 * The plan does not depend on the order of the sets, and once it was carried out, planning again deletes nothing more.
 */
#pragma once

#include "backup/catalog/catalog.h"

typedef struct {
	unsigned days; /* BACKUP_RETENTION_DAYS; 0: no set stays for its age */
	unsigned last, daily, weekly, monthly, yearly;
} HfRetentionPolicy;

typedef enum {
	HF_HALF_DATABASE,
	HF_HALF_IMAGES,
	HF_HALVES,
} HfHalf;

/* A run that left no set.  It stops pruning until there is a set that began after it, with a half that it was to have. */
typedef struct {
	char *what;         /* in words: "the run of set 2024-01-15_02-00-00 has not ended, or was killed" */
	int64_t at_s;       /* when it began */
	bool of[HF_HALVES]; /* neither: not known, and any set will do */
} HfFailedRun;

void hf_failed_run_free(HfFailedRun *run);

/* Why a set stays.  One of a half is true of the database, of the images, or both. */
typedef enum {
	HF_KEEP_HELD = 1 << 0,
	HF_KEEP_DAMAGED = 1 << 1, /* what cannot be read is not thrown away by age */
	HF_KEEP_FUTURE = 1 << 2,  /* a clock was wrong, and nobody knows which */
	HF_KEEP_NEWEST = 1 << 3,  /* of a half */
	HF_KEEP_HIGHEST = 1 << 4, /* of a half */
	HF_KEEP_ONLY = 1 << 5,    /* of a half: none is good, and this is the newest */
	HF_KEEP_AGE = 1 << 6,
	HF_KEEP_LAST = 1 << 7, /* of a half; these are of the policy */
	HF_KEEP_DAILY = 1 << 8,
	HF_KEEP_WEEKLY = 1 << 9,
	HF_KEEP_MONTHLY = 1 << 10,
	HF_KEEP_YEARLY = 1 << 11,
	HF_KEEP_STOPPED = 1 << 12, /* the rules would delete it, but pruning is stopped */
} HfKeep;

typedef struct {
	const HfSet *set; /* borrowed */
	unsigned keep;    /* HfKeep bits; 0: it goes */
	unsigned of[HF_HALVES];
	char *why; /* in words */
} HfDecision;

typedef struct {
	GPtrArray *decisions; /* of HfDecision, oldest set first */
	char *stop;           /* NULL, or why nothing goes, with the remedy */
	bool is_off;          /* the policy has no rule at all, and every set stays: stop says so */
	guint deletions;
	bool needs_force; /* more than half of all sets would go */
} HfRetentionPlan;

/*
 * Plans.  sets is of HfSet, in any order, and outlives the plan; failed is of HfFailedRun, NULL where none is known.  A set
 * that begins after now_s is of the future: it stays, and counts for nothing.
 */
HfRetentionPlan *hf_retention_plan(const GPtrArray *sets, const HfRetentionPolicy *policy,
				   const GPtrArray *failed, int64_t now_s);
void hf_retention_plan_free(HfRetentionPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfRetentionPlan, hf_retention_plan_free)

bool hf_set_has_half(const HfSet *set, HfHalf half);

/* "held", "newest", "daily", ...: what stands in JSON for one bit.  Static. */
const char *hf_keep_word(HfKeep keep);
