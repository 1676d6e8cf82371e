/*
 * backup/verify/guard.h -- a set that is about to be committed, compared with the newest ones before it (shrink.h).
 */
#pragma once

#include "backup/catalog/catalog.h"

/*
 * Fills manifest->alarms and alarms_against; a set with alarms is committed as suspect.  Everything but the manifest
 * is stored already.  percent 0: the default.  What cannot be compared, since the store fails or an older set is damaged, is
 * a warning: a good backup is not thrown away because a question about it had no answer.
 */
void hf_guard(HfStore *store, HfManifest *manifest, unsigned percent);
