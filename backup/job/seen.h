/*
 * backup/job/seen.h -- the newest set that this host ever saw in a store.
 *
 * Every set but the newest is named by another one (backup/catalog/chain.h).  That the newest was taken away is noticed only by
 * whoever remembers it: the state does, until it is lost.
 */
#pragma once

#include "backup/job/state.h"
#include "backup/store/store.h"

/*
 * ids: of char *, of the sets that have a manifest, oldest first.  Where the newest one that was seen so far is not among them, and
 * no record says that it was deleted, it is lost, and stays so until it is forgotten.
 */
bool hf_seen_update(HfState *state, HfStore *store, const GPtrArray *ids,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The lost set's id as a time; 0 where none is. */
bool hf_seen_lost(HfState *state, const HfStore *store, int64_t *lost_s_out,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Somebody knows why it is gone.  NOT_FOUND where set id is not the lost one. */
bool hf_seen_forget(HfState *state, const HfStore *store, const char *id,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;
