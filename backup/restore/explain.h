/*
 * backup/restore/explain.h -- what the words of a failed restore mean.
 */
#pragma once

#include "common/error.h"

/* NULL where nothing better is known than the words; globals_hint, which may be NULL, is the one for a missing role. */
const char *hf_restore_remedy(const char *words, const char *globals_hint);

HfError hf_restore_code(const char *words);
