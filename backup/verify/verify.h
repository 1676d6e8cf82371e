/*
 * backup/verify/verify.h -- seeing for oneself that a stored set is what was stored (docs/design.md, section 5).
 *
 * Level 1: every object that the manifest names is in the store with its size, and so is RESTORE.txt; nothing is read.
 * Level 2: everything is read back: digests agree, all of it unpacks, the dump and the globals parse to their closing
 * lines, the index parses, and the scan of what was read has the index's tables, rows, bytes and digests.  For images see
 * verify-images.h.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/job/backup-database.h"

/*
 * Whether level 2 sees only what is stored: the set is encrypted and the store has no key to it.  Its objects then have the
 * recorded digests, and the indexes, which are not encrypted, parse; nothing is decrypted.
 */
bool hf_verify_is_sealed(const HfStore *store, const HfManifest *manifest);

/*
 * Proves set to be of level (1 or 2) and records it beside the manifest; an adopted file has no manifest, and nothing
 * is recorded for it.  progress may be NULL; its bytes count what was unpacked.  CORRUPT or NOT_FOUND names the object.
 */
bool hf_verify(HfStore *store, const HfSet *set, int level, HfProgress *progress,
	       GError **error) G_GNUC_WARN_UNUSED_RESULT;
