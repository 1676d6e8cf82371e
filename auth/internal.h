/*
 * auth/internal.h -- the token by which the timer and the service know each other.
 *
 * It is INTERNAL_TOKEN, else a random one in BACKUP_STATE_DIR/internal-token, made by whichever of the two comes first.
 * Links no more than common/, so that the timer stays small.
 */
#pragma once

#include "common/settings.h"

/*
 * USAGE where the one that is set is too short, or there is no folder; DENIED where others than its owner may read the
 * file.
 */
HfSecret *hf_internal_token(const HfSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;
