/*
 * backup/verify/scratch-folder.h -- a private folder that is gone afterwards, whatever happens.
 *
 * A file in it is locked as long as its process lives.  A run that was killed leaves a folder with a free lock, which the
 * next one that makes a folder in the same place removes, together with a server that might still run in it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct HfScratchFolder HfScratchFolder;

/* base: SCRATCH_DIR; NULL: TMPDIR, or /var/tmp, which is on a disk where /tmp often is memory. */
const char *hf_scratch_base(const char *base);

/*
 * Makes base/holdfast-scratch-XXXXXX.  user: SCRATCH_USER; the user that servers run as where we are root; NULL:
 * postgres, or nobody.  Others are not needed, and user is not looked at.  USAGE where base is no folder, or that user does
 * not exist or cannot enter base.
 */
HfScratchFolder *hf_scratch_folder_new(const char *base, const char *user,
				       GError **error) G_GNUC_WARN_UNUSED_RESULT;

const char *hf_scratch_folder_path(const HfScratchFolder *folder);

/* NULL where we are not root, and servers run as ourselves. */
const char *hf_scratch_folder_user(const HfScratchFolder *folder);
gid_t hf_scratch_folder_gid(const HfScratchFolder *folder);

/* Makes a folder in it that belongs to that user, mode 0700; its path, g_free() it. */
char *hf_scratch_folder_make(const HfScratchFolder *folder, const char *name,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* FAILED with both numbers and the remedy where less than needed_bytes are free in it; what_for is for the message. */
bool hf_scratch_folder_check_space(const char *base, uint64_t needed_bytes, const char *what_for,
				   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes all of it. */
void hf_scratch_folder_free(HfScratchFolder *folder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfScratchFolder, hf_scratch_folder_free)
