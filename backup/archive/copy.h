/*
 * backup/archive/copy.h -- keeps a copy of what flows past in a store of this host's own.
 *
 * Where names are encrypted, a host without an identity could not read the index that its next run goes on from.  So it keeps
 * its own in the clear (docs/design.md, section 3).  A copy may be lost at any time: where it cannot be written a warning says so,
 * and the stream goes on.
 */
#pragma once

#include "backup/archive/archive.h"

/* Copies under key; takes next and borrows copies. */
HfStage *hf_copy_new(HfStage *next, HfStore *copies, const char *key);

/* After finish: adds the copy to `into` as its next part.  False where there is none. */
bool hf_copy_record(const HfStage *copy, HfArchive *into);
