/*
 * auth/metrics-token.h -- METRICS_TOKEN, which opens the metrics and nothing else.
 */
#pragma once

#include "common/settings.h"

/*
 * *token_out is borrowed from settings; NULL where it is not set.  USAGE where it is too short, or the same as
 * INTERNAL_TOKEN: whoever scrapes could then start backups.
 */
bool hf_metrics_token(const HfSettings *settings, const HfSecret **token_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;
