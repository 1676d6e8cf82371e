/*
 * backup/verify/prove.h -- proving a set to be of a level, 1 to 4, by all that the lower ones see and what it adds
 * (docs/design.md, section 5); and what came of it, beside the manifest.
 */
#pragma once

#include "backup/catalog/marks.h"
#include "backup/job/progress.h"
#include "backup/restore/pool.h"
#include "backup/source/postgres.h"
#include "common/settings.h"

typedef struct {
	int level;                /* 1 to 4 */
	const char *bin_dir;      /* DB_BIN_DIR, or NULL */
	const char *scratch_dir;  /* SCRATCH_DIR, or NULL */
	const char *scratch_user; /* SCRATCH_USER, or NULL */
	const HfPgTarget *server; /* VERIFY_DATABASE_URL, or NULL: a cluster of its own */
	unsigned jobs;            /* connections that restore; 0 and 1: psql alone */
	HfPgDumpOptions dump;     /* how the restored database is dumped, to be compared */
	HfStoreOpener open_store; /* wanted where jobs is more than 1 */
	gpointer open_data;
	const HfSettings *settings; /* what open_store goes by, where hf_prove_settings() set it */
	const char *from;           /* "replica-1": the replica that store is; NULL: it is the store itself */
	HfProgress *progress;       /* NULL: not wanted */
} HfProveOptions;

/* What of plain bytes goes by at that level, for a progress bar. */
uint64_t hf_prove_estimate(const HfManifest *manifest, int level);

/*
 * Proves.  *proof_out says what was reached, and is set unless nothing was begun: proof->level is below options->level, without
 * an error, where something that is not the set's fault was in the way (no server program, no space, an extension that the
 * scratch server lacks); proof->unproved says what.
 *
 * False where the set was seen not to be what it was (CORRUPT or NOT_FOUND names the object; FAILED: it cannot be restored):
 * that is recorded, too, and the set is suspect from then on.  USAGE, CANCELLED and TRANSIENT record nothing.
 */
bool hf_prove(HfStore *store, const HfSet *set, const HfProveOptions *options, HfProof **proof_out,
	      GError **error) G_GNUC_WARN_UNUSED_RESULT;
