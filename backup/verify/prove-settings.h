/*
 * backup/verify/prove-settings.h -- what the settings say of proofs.
 */
#pragma once

#include "backup/verify/prove.h"
#include "common/settings.h"

/*
 * Fills everything but level, from and progress; open_store goes by options itself, which therefore stays where it is.
 * *server_out is what VERIFY_DATABASE_URL names, or NULL; the caller owns it and keeps it as long as options.  Texts are
 * borrowed from settings.
 */
bool hf_prove_settings(const HfSettings *settings, HfProveOptions *options, HfPgTarget **server_out,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;
