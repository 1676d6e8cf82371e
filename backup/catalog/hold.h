/*
 * backup/catalog/hold.h -- a set that somebody wants to keep is held: until it is released nothing deletes it, neither
 * prune nor delete, with --force or without.
 *
 * A hold is an object beside the manifest, backup_T.hold.json (docs/format.md, "Holds"): one listing shows it.  A file of
 * the earlier implementation is held by the time in its name, and with it every other file of that time.
 */
#pragma once

#include "backup/catalog/catalog.h"

#define HF_HOLD_REASON_MAX 1000 /* bytes */

/* Holds the set; held already, it gets the new reason.  reason may be NULL.  USAGE where it has no time in its name. */
bool hf_hold_set(HfStore *store, const HfSet *set, const char *reason, int64_t now_s,
		 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* CONFLICT where it is not held. */
bool hf_hold_release(HfStore *store, const HfSet *set, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Why set id is held; NULL where nothing was said, and where the object cannot be understood, which holds as well.  Fails
 * only where the store does.
 */
bool hf_hold_read_reason(HfStore *store, const char *id, char **reason_out,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;
