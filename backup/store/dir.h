/*
 * backup/store/dir.h -- a folder as a store.
 *
 * Each object is a file below the folder, its key the path.  A file is written under a temporary name in the folder of
 * its key, synced, and renamed; the folder is synced after it.  A temporary file of a process that was killed is held by
 * no lock, and is removed by the next writer in that folder.  The temporary names are never listed.
 */
#pragma once

#include "backup/store/store.h"

/*
 * Opens folder; it is made (mode 0700, parents too) at the first write, not here, so that listing a store which does
 * not exist yet is empty.  Keys that would leave the folder ("..", a leading "/", an empty part) are USAGE.
 */
HfStore *hf_dir_open(const char *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;
