/*
 * backup/archive/borrow.h -- the end of a chain that writes into a chain of somebody else's.
 *
 * The other chain is neither finished nor freed by it, so several short chains (one a part) can feed one long one.
 */
#pragma once

#include "backup/stage/stage.h"

/* into is borrowed; *has_failed, which may be NULL, becomes true when into fails: the trouble is then behind us. */
HfStage *hf_borrow_new(HfStage *into, bool *has_failed);
