/*
 * backup/catalog/replicate.h -- brings a second store level with the first: docs/design.md, section 6, "Replicas".
 *
 * One merged listing of both says what is missing; nothing is read where nothing is.  A set that is missing is brought the
 * newest first: a claim, the archives that its manifest names, those of earlier sets among them, the manifest last and only if
 * absent, then its marks.  So a set exists at the replica when all of it is there, and a run that was interrupted is gone on
 * with by the next: what was copied is not copied again.  Objects of a set that lack there, or have another size, are mended.
 *
 * Bytes that pass through here are compared with the size and the SHA-256 that the manifest gives before they become visible.
 * Where both stores are one server's, it copies by itself, and only the size is seen.
 *
 * Nothing is ever written to, or removed from, the first store.
 */
#pragma once

#include "backup/catalog/retention.h"
#include "backup/job/progress.h"

typedef struct {
	HfRetentionPolicy policy; /* of the replica: what it would delete is not brought */
	const GPtrArray *failed;  /* of HfFailedRun: as for hf_prune(); NULL */
	int64_t now_s;
	bool prunes;          /* delete there what its policy does not keep, once it is level */
	bool is_first;        /* it was never seen to be level: make sure that it is another place */
	bool is_dry;          /* look, and write nothing */
	HfProgress *progress; /* NULL: not wanted */
} HfReplicateOptions;

/* What came of it. */
typedef struct {
	GPtrArray *copied;   /* of char *: sets, and files of the earlier implementation, that were brought */
	GPtrArray *mended;   /* of char *: an object each, and what was wrong with it */
	GPtrArray *troubles; /* of char *: a set each that could not be brought, and why */
	GPtrArray *deleted;  /* of char *: sets that the replica's own retention removed */
	char *stop;          /* NULL, or why retention removes nothing there */
	uint64_t objects, bytes;   /* copied */
	uint64_t copied_by_server; /* objects of these whose bytes did not pass through here */
	unsigned sets;             /* that the store holds and the replica is to hold */
	unsigned missing;          /* of these, what the replica does not hold now */
	bool is_level;
} HfReplication;

/*
 * Brings replica level with store.  result says how far it came, also on failure: then the replica, or the store, could not be used
 * at all.  What is wrong with one set alone is among the troubles, and the others are brought.  USAGE where both are one place.
 */
bool hf_replicate(HfStore *store, HfStore *replica, const HfReplicateOptions *options, HfReplication *result,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* An empty result: what hf_replicate() begins with, for who reports a replica that could not even be opened. */
void hf_replication_begin(HfReplication *result);
void hf_replication_clear(HfReplication *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfReplication, hf_replication_clear)
