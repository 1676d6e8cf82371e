/*
 * backup/catalog/sweep.h -- what lies in a store and belongs to no set any more, and how a set is deleted.
 *
 * An object goes only where all of this holds: it has a name of ours; its id has a claim and no manifest; the claim says
 * that the set was deleted, or it and all else of the id is older than two days (a run that was killed); no manifest refers to it.  Tarballs of
 * images stay, besides, while any younger claim shows a run in progress: it may be about to refer to them.  Without a
 * claim an archive may be a file of the earlier implementation, and is never touched.  The claim of a killed run stays
 * while there is no newer set: it is what shows that the last run failed, and prune deletes no set then.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/catalog/remove.h"

/* Where nothing of an id is younger, no run goes on with it: a part of 100 GiB takes less at 1 MB/s. */
#define HF_SWEEP_AGE_S (48 * 3600)

typedef struct {
	GPtrArray *keys;        /* of char *, to be removed; once that was done, what was */
	GArray *sizes;          /* of uint64_t, of these */
	GPtrArray *last;        /* of char *: claims, removed when all others are gone */
	uint64_t bytes;         /* of keys */
	uint64_t kept_archives; /* objects of deleted sets that newer sets refer to */
	char *running;          /* NULL, or the id of a run in progress, for which tarballs stay */
	char *unfinished;     /* NULL, or the id of the newest run that has no set: in progress, or killed */
	int64_t unfinished_s; /* when it began */
	GPtrArray *retained;  /* of HfRetained: what a lock kept when the plan was carried out */
} HfSweep;

/* Zero and NULL are what is common. */
typedef struct {
	const char *only_id; /* NULL: all sets, else that one */
	GHashTable *
		doomed; /* NULL, or ids (a set of char *) that are looked at as if they were deleted already */
	bool has_no_runs; /* somebody knows that no run is in progress anywhere: no claim is too young */
} HfSweepOptions;

/*
 * Looks at all manifests and at all names; removes nothing.  CORRUPT where a manifest cannot be read: what it refers to is
 * not known.  options may be NULL.
 */
HfSweep *hf_sweep_plan(HfStore *store, const HfSweepOptions *options, int64_t now_s,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes what the plan says.  Interrupted, it is made again and goes on. */
bool hf_sweep_run(HfStore *store, HfSweep *sweep, int64_t now_s, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_sweep_free(HfSweep *sweep);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfSweep, hf_sweep_free)

/*
 * Deletes a set: notes in its claim that it is deleted, removes the manifest, from when on the set does not exist, and
 * then all that nobody else needs; *sweep_out says what that was.  Interrupted after the manifest went, the next sweep
 * removes the rest.  CONFLICT where it is the only good set of its database or images, unless is_forced; and where it
 * is held, in any case.
 */
bool hf_set_delete(HfStore *store, const char *id, bool is_forced, HfSweep **sweep_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The first half of it, for one set that is not held: from then on the set does not exist, and a sweep removes the rest.  A
 * file of the earlier implementation is gone by that.  False in *is_deleted_out where it was held, or went, since it was
 * listed; what a lock keeps is added to retained.
 */
bool hf_set_unmake(HfStore *store, const HfSet *set, int64_t now_s, GPtrArray *retained, bool *is_deleted_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes the claim that says that the set is deleted: what is left of it stays for as long as others refer to it. */
bool hf_set_claim_deleted(HfStore *store, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;
