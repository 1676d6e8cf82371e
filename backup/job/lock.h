/*
 * backup/job/lock.h -- one run of a source at a time on this host.
 *
 * A lock is a file in the state folder that its holder keeps locked (flock); it ends with the process, however that
 * ends.  The file stays: removing it would let two processes hold two files of one name.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct HfLock HfLock;

/*
 * Takes folder/name.lock; the folder is made (0700).  CONFLICT says whose process holds it.  Where the file cannot be made
 * (no permission, a read-only or full disk) a warning says so, and what is given guards nothing.
 */
HfLock *hf_lock_take(const char *folder, const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_lock_free(HfLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfLock, hf_lock_free)
