/*
 * backup/verify/restored.h -- a set's database, restored into a scratch server and looked at (levels 3 and 4).
 */
#pragma once

#include "backup/catalog/marks.h"
#include "backup/job/progress.h"
#include "backup/verify/prove.h"
#include "backup/verify/scratch.h"

typedef struct {
	HfStore *store;
	HfManifest *manifest;
	const GPtrArray *tables; /* of HfTable, from the index; NULL: not known */
	HfScratch *scratch;
	const HfProveOptions *options;
	HfProgress *progress;
	uint64_t *bytes; /* plain bytes that went by; added to, atomically */
} HfRestored;

/*
 * Roles first, where the cluster is its own, then the dump, as `holdfast restore database` does.  proof->recover_s is how long
 * that took.  *is_unproved_out: it failed for what the scratch server lacks (an extension, a role, space), which says nothing
 * about the set; proof->unproved names it, and what else was not proved on the way.
 */
bool hf_restored_fill(const HfRestored *restored, HfProof *proof, bool *is_unproved_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Counts every table's rows; what differs becomes a difference of proof. */
bool hf_restored_count(const HfRestored *restored, HfProof *proof, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Dumps the scratch database through the same scan; what differs becomes a difference of proof. */
bool hf_restored_dump(const HfRestored *restored, HfProof *proof, GError **error) G_GNUC_WARN_UNUSED_RESULT;
