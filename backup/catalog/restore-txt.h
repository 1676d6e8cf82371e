/*
 * backup/catalog/restore-txt.h -- the file beside a set that says how to restore it without Holdfast.
 *
 * It is a POSIX shell script and a text for people at once: docs/format.md, "RESTORE.txt".
 */
#pragma once

#include "backup/catalog/manifest.h"

/* The text for this set in this store; the manifest has a database, images, or both. */
GBytes *hf_restore_txt(const HfStore *store, const HfManifest *manifest);

/*
 * The readable text of a set whose names are encrypted: it says how to decrypt the other one, which is stored as `sealed`, and
 * does it.
 */
GBytes *hf_restore_txt_sealed(const HfStore *store, const char *id, GBytes *sealed);
