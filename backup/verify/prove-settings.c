#include "config.h"

#include "backup/verify/prove-settings.h"
#include "backup/restore/run.h"
#include "backup/source/dump-settings.h"
#include "backup/store/replica.h"
#include "common/error.h"

static HfStore *
open_store(gpointer data, GError **error)
{
	const HfProveOptions *options = data;

	return hf_store_open_from(options->settings, options->from, error);
}

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
	options->jobs = hf_restore_default_jobs();
	options->dump = hf_dump_settings(settings);
	options->open_store = open_store;
	options->open_data = options;
	options->settings = settings;
	return true;
}
