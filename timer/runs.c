#include "config.h"

#include "timer/runs.h"

static const struct {
	const char *name;
	const char *what;
	HfSettingId enable, expression;
} table[HF_RUN_COUNT] = {
	{"daily", "database, new and changed images", HF_SET_ENABLE_DAILY_BACKUP,
	 HF_SET_DAILY_BACKUP_SCHEDULE},
	{"weekly", "database, all images, then verified", HF_SET_ENABLE_WEEKLY_BACKUP,
	 HF_SET_WEEKLY_BACKUP_SCHEDULE},
};

HfRuns *
hf_runs_load(const HfSettings *settings, GError **error)
{
	g_autoptr(HfRuns) runs = g_new0(HfRuns, 1);

	runs->zone = hf_zone_new(hf_settings_text(settings, HF_SET_TZ), "TZ", error);
	if (!runs->zone)
		return NULL;
	for (size_t i = 0; i < HF_RUN_COUNT; i++) {
		HfRun *run = &runs->items[i];

		run->name = table[i].name;
		run->what = table[i].what;
		run->enabled_by = hf_setting(table[i].enable)->name;
		run->is_enabled = hf_settings_flag(settings, table[i].enable);
		run->expression = g_strdup(hf_settings_text(settings, table[i].expression));
		if (!hf_cron_parse(run->expression, hf_setting(table[i].expression)->name, &run->cron, error))
			return NULL;
	}
	return g_steal_pointer(&runs);
}

int64_t
hf_run_next(const HfRuns *runs, const HfRun *run, int64_t now_s)
{
	int64_t next_s = run->is_enabled ? hf_schedule_next(&run->cron, runs->zone, now_s)
					 : HF_SCHEDULE_NEVER;

	return next_s == HF_SCHEDULE_NEVER ? 0 : next_s;
}

void
hf_runs_free(HfRuns *runs)
{
	if (!runs)
		return;
	hf_zone_free(runs->zone);
	for (size_t i = 0; i < HF_RUN_COUNT; i++)
		g_free(runs->items[i].expression);
	g_free(runs);
}
