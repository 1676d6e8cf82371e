#include "config.h"

#include "backup/verify/prove-settings.h"
#include "common/error.h"

bool
hf_prove_settings(const HfSettings *settings, HfProveOptions *options, HfPgTarget **server_out,
		  GError **error)
{
	const HfSecret *url = hf_settings_secret(settings, HF_SET_VERIFY_DATABASE_URL);

	*server_out = NULL;
	if (url) {
		*server_out = hf_pg_target_parse(hf_secret_bytes(url), error);
		if (!*server_out) {
			g_prefix_error(error, "VERIFY_DATABASE_URL: ");
			return false;
		}
	}
	options->bin_dir = hf_settings_text(settings, HF_SET_DB_BIN_DIR);
	options->scratch_dir = hf_settings_text(settings, HF_SET_SCRATCH_DIR);
	options->scratch_user = hf_settings_text(settings, HF_SET_SCRATCH_USER);
	options->server = *server_out;
	return true;
}
