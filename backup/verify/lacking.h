/*
 * backup/verify/lacking.h -- telling what a scratch server lacks from what is wrong with a set.
 */
#pragma once

#include "backup/verify/restored.h"

/*
 * Whether failure, of a restore, says something about the scratch server and nothing about the set; then it is added to
 * proof->unproved, all extensions that are lacking by name.
 */
bool hf_lacking_note(const HfRestored *restored, const GError *failure, HfProof *proof);
