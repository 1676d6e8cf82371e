/*
 * backup/catalog/sweep.h -- what lies in a store and belongs to no set any more, and how a set is deleted.
 *
 * An object goes only where all of this holds: it has a name of ours; its id has a claim and no manifest; the claim says
 * that the set was deleted, or it and all else of the id is older than two days (a run that was killed); no manifest refers to it.  Tarballs of
 * images stay, besides, while any younger claim shows a run in progress: it may be about to refer to them.  Without a
 * claim an archive may be a file of the earlier implementation, and is never touched.
 */
#pragma once

#include "backup/catalog/catalog.h"

/* Where nothing of an id is younger, no run goes on with it: a part of 100 GiB takes less at 1 MB/s. */
#define HF_SWEEP_AGE_S (48 * 3600)

typedef struct {
	GPtrArray *keys; /* of char *, to be removed */
	GPtrArray *last; /* of char *: claims, removed when all others are gone */
	uint64_t bytes;
	uint64_t kept_archives; /* objects of deleted sets that newer sets refer to */
	char *running;          /* NULL, or the id of a run in progress, for which tarballs stay */
} HfSweep;

/*
 * Looks at all manifests and at all names; removes nothing.  only_id NULL: of all sets, else of that one.  CORRUPT where
 * a manifest cannot be read: what it refers to is not known.
 */
HfSweep *hf_sweep_plan(HfStore *store, const char *only_id, int64_t now_s,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes what the plan says.  Interrupted, it is made again and goes on. */
bool hf_sweep_run(HfStore *store, const HfSweep *sweep, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_sweep_free(HfSweep *sweep);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfSweep, hf_sweep_free)

/*
 * Deletes a set: notes in its claim that it is deleted, removes the manifest, from when on the set does not exist, and
 * then all that nobody else needs; *sweep_out says what that was.  Interrupted after the manifest went, the next sweep
 * removes the rest.  CONFLICT where it is the only good set of its database or images, unless is_forced.
 */
bool hf_set_delete(HfStore *store, const char *id, bool is_forced, HfSweep **sweep_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;
