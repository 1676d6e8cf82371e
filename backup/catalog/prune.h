/*
 * backup/catalog/prune.h -- carries a retention plan out, and sweeps what nobody needs.
 *
 * In this order: the sets are listed and planned; each set that goes is unmade (sweep.h), the oldest first; then one sweep
 * removes what no manifest refers to; then uploads that nobody finishes are given up.  Killed at any point it leaves every
 * set either whole or gone, and the next prune goes on.  Two at once do no harm.
 *
 * Only names of docs/format.md are ever removed, under the store's prefix.
 */
#pragma once

#include "backup/catalog/retention.h"
#include "backup/catalog/sweep.h"
#include "common/settings.h"

typedef struct {
	HfRetentionPolicy policy;
	const GPtrArray *
		failed; /* of HfFailedRun: what the history of jobs knows; NULL.  The store's own traces are added */
	int64_t now_s;
	bool is_dry;      /* look, and remove nothing */
	bool is_forced;   /* also where more than half of all sets go */
	bool has_no_runs; /* HfSweepOptions */
} HfPruneOptions;

typedef enum {
	HF_FATE_KEPT,
	HF_FATE_DOOMED,   /* it would go: the run is dry, or refused */
	HF_FATE_DELETED,  /* it went */
	HF_FATE_RETAINED, /* it would go, but is locked: lock says until when */
	HF_FATE_SPARED,   /* it was held, or deleted by somebody else, meanwhile */
} HfFate;

typedef struct {
	const HfDecision *decision; /* borrowed from the plan */
	HfFate fate;
	char *lock; /* NULL, or in words */
} HfPruneRow;

typedef struct {
	GPtrArray *sets; /* of HfSet: those that were listed */
	HfRetentionPlan *plan;
	GPtrArray *rows; /* of HfPruneRow, oldest set first */
	guint counts[HF_FATE_SPARED + 1];
	bool needs_force;       /* more than half of all sets would go, without those that are locked */
	bool is_refused;        /* and it was not forced: no set was deleted */
	HfSweep *sweep;         /* NULL where a damaged manifest forbids it: plan->stop says which */
	GPtrArray *unfinished;  /* of HfUnfinished, given up or, in a dry run, to be */
	char *unfinished_error; /* NULL, or why they could not be asked for */
	HfUpkeep upkeep;
} HfPrune;

HfPrune *hf_prune(HfStore *store, const HfPruneOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_prune_free(HfPrune *prune);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPrune, hf_prune_free)

/* What of the bytes of a deleted set's objects becomes of them in this store, for people; NULL: they are gone. */
char *hf_prune_upkeep_to_text(const HfUpkeep *upkeep);

HfRetentionPolicy hf_prune_policy(const HfSettings *settings);

/*
 * Prunes after a good backup, if PRUNE_AFTER_BACKUP says so.  It logs what it did; trouble is a warning there, since the
 * backup is good all the same.  failed as above.  NULL where nothing was done.
 */
HfPrune *hf_prune_after_backup(HfStore *store, const HfSettings *settings, const GPtrArray *failed);
