/*
 * backup/job/replicas.h -- how far behind each replica is, as the last run that tried to bring it level saw it.
 *
 * A row may be lost with the state, or be of a replica whose settings are gone: who reads goes by the settings first.
 */
#pragma once

#include "backup/job/state.h"
#include "common/json.h"
#include "common/settings.h"

typedef struct {
	char *name;             /* "replica-1" */
	char *place;            /* "s3://bucket/prefix", a folder; NULL where it could not be opened */
	int64_t tried_s;        /* when a run last tried; 0: never */
	int64_t level_s;        /* when it was last seen to be level; 0: never */
	int64_t behind_since_s; /* 0: it is level; else when it was first seen not to be */
	uint64_t missing; /* sets that it lacks; where it was down, those that began since it was level */
	char *error;      /* why the last run did not bring it level; NULL where it did */
} HfReplicaState;

void hf_replica_state_free(HfReplicaState *replica);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfReplicaState, hf_replica_state_free)

/* Of HfReplicaState, all that there are rows of, by name. */
GPtrArray *hf_replicas_list(HfState *state, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The same for the replicas of the settings, in their order; one that no run has tried yet has a name alone.  What doctor, the status,
 * metrics and notifications tell.
 */
GPtrArray *hf_replicas_of(HfState *state, const HfSettings *settings,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * What a run saw.  It is level where error is NULL; level_s and behind_since_s are made of that, of now_s, and of what the row said
 * before.  place may be NULL: as before.
 */
typedef struct {
	const char *name, *place, *error;
	uint64_t missing;
	int64_t now_s;
} HfReplicaSeen;

bool hf_replicas_note(HfState *state, const HfReplicaSeen *seen, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* {"name", "place", "level": bool, "tried", "lastLevel", "behindSince" (RFC 3339), "missing", "error"}.  The caller owns it. */
HfJson *hf_replica_state_to_json(const HfReplicaState *replica);
