#include "config.h"

#include "auth/bearer.h"
#include "auth/metrics-token.h"
#include "common/error.h"

bool
hf_metrics_token(const HfSettings *settings, const HfSecret **token_out, GError **error)
{
	const HfSecret *token = hf_settings_secret(settings, HF_SET_METRICS_TOKEN);
	const HfSecret *internal = hf_settings_secret(settings, HF_SET_INTERNAL_TOKEN);

	if (token && hf_secret_len(token) < HF_BEARER_LEN_MIN)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "METRICS_TOKEN: %d letters or more are wanted (openssl rand -hex 32)",
				    HF_BEARER_LEN_MIN);
	if (token && internal && hf_secret_equal(token, internal))
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"METRICS_TOKEN is the same as INTERNAL_TOKEN, which opens more: make one of its own "
			"(openssl rand -hex 32)");
	*token_out = token;
	return true;
}
