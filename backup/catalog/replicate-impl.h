/*
 * backup/catalog/replicate-impl.h -- between the files that bring a replica level: replicate.c (which sets, in which order),
 * replicate-compare.c (what is missing), replicate-set.c (one set) and replicate-copy.c (one object).
 */
#pragma once

#include "backup/catalog/names.h"
#include "backup/catalog/replicate.h"

/* ---- what is missing ---- */

/* An id, as the listings of both stores show it. */
typedef struct {
	char id[20];
	bool in_store, in_replica; /* has a manifest there */
	bool has_claim;            /* in the store */
	bool has_later_part;       /* in the store */
	bool differs;    /* something of it lacks at the replica, is of another size, or is an older mark */
	bool is_doubted; /* a proof of it failed at the replica, and not in the store */
	bool is_wanted;
	uint64_t missing_bytes;
	int64_t time_s;
} HfReplicaSet;

/* An object of the store, of a size that the replica's is not of. */
typedef struct {
	char *key;
	uint64_t bytes;
	HfName name;
	bool is_there; /* another object of this key */
} HfReplicaObject;

typedef struct {
	GHashTable *sets; /* id to HfReplicaSet */
	GPtrArray *files; /* of HfReplicaObject: of the earlier implementation */
	GPtrArray
		*left_overs; /* of HfReplicaObject: tarballs whose sets are gone; others may refer to them */
	int64_t oldest_only_s; /* when the oldest set of the replica began that the store does not have; else G_MAXINT64 */
} HfReplicaLook;

HfReplicaLook *hf_replica_look(HfStore *store, HfStore *replica, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_replica_look_free(HfReplicaLook *look);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfReplicaLook, hf_replica_look_free)

/* Whether the replica's mark of this name stands for something else than the store's; either may be NULL: there is none. */
bool hf_replica_mark_differs(const HfName *name, const HfObject *ours, const HfObject *its);

/* ---- bringing ---- */

typedef struct {
	HfStore *store, *replica;
	const HfReplicateOptions *options;
	HfReplicaLook *look;
	HfReplication *result;
	bool server_copies; /* both stores are one server's */
} HfReplicating;

/* The phase that a progress bar shows; static. */
void hf_replicate_phase(const HfReplicating *work, const char *phase);

/* A small object, whole. */
GBytes *hf_replicate_read(HfStore *store, const char *key, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The size of the object that is there; *is_there_out false where none is. */
bool hf_replicate_size(HfStore *store, const char *key, bool *is_there_out, uint64_t *bytes_out,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What an object is to be; sha256 "" where it was never recorded. */
typedef struct {
	const char *key;
	uint64_t bytes;
	const char *sha256;
	bool is_streamed; /* also where the server could copy it: then its digest is seen */
} HfReplicaPart;

/* Copies it, whatever is there. */
bool hf_replicate_copy(const HfReplicating *work, const HfReplicaPart *part,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads the replica's own: false without an error in *agrees_out where it is not what it is to be. */
bool hf_replicate_check(const HfReplicating *work, const HfReplicaPart *part, bool *agrees_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Stores a small object of the replica, replacing what is there. */
bool hf_replicate_put(const HfReplicating *work, const char *key, GBytes *bytes,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Brings one set, or mends it.  CORRUPT, NOT_FOUND and CONFLICT are about this set alone. */
bool hf_replicate_set(const HfReplicating *work, HfReplicaSet *set, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes the marks of a set that both have the same, but for those that a proof at the replica left. */
bool hf_replicate_marks(const HfReplicating *work, const HfReplicaSet *set,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
