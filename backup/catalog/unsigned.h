/*
 * backup/catalog/unsigned.h -- which sets without a signature may be believed where signatures are checked.
 *
 * Those that a signed set names by their digest, itself or through others, are as good as signed.  Those older than every signed
 * one are of the time before signing, and nothing is known of them.  Any other has lost its signature, or never was ours.
 */
#pragma once

#include "backup/catalog/catalog.h"

/* sets: of HfSet.  Those that may not be believed become damaged, unless that is bypassed. */
void hf_unsigned_judge(const GPtrArray *sets, bool is_bypassed);
