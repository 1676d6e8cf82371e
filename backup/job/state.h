/*
 * backup/job/state.h -- what this host notes about its runs: BACKUP_STATE_DIR/state.db, an SQLite database in WAL mode.
 *
 * It may be lost at any time, since what was backed up is read from the store.  So every call notices a file that was
 * removed or replaced under it and goes on with the one that is there, or with a new one; a damaged file is set aside as
 * state.db.damaged, with a warning, and made anew.  Several processes use it at once.
 *
 * A handle is used by one thread at a time, and must not be used in a forked child.
 *
 * All calls on a state fail with TRANSIENT where the same call may succeed later (somebody else holds the file, the disk
 * is full) and with FAILED where somebody has to act (no permission, a read-only file system, a schema newer than ours);
 * the message names the file and the remedy.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct HfState HfState;

/* Opens folder/state.db (0600); folder (0700) and file are made where they are absent. */
HfState *hf_state_open(const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* As it was given.  Borrowed. */
const char *hf_state_folder(const HfState *state);

/*
 * A number that is another one whenever anybody wrote since the last call, except to the audit trail: what was made of the
 * state may be kept as long as it stays.  Where the file cannot be read it is another one each time.
 */
uint64_t hf_state_version(HfState *state);

void hf_state_free(HfState *state);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfState, hf_state_free)
