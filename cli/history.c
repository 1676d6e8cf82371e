#include "config.h"

#include "backup/job/failed-runs.h"
#include "cli/history.h"

GPtrArray *
hf_cli_failed_runs(const HfSettings *settings)
{
	g_autoptr(HfState) state = hf_state_open(hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR), NULL);

	return state ? hf_jobs_failed_runs(state) : g_ptr_array_new();
}
