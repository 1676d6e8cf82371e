#include "config.h"

#include "cli/commands.h"
#include "cli/help.h"
#include "common/log.h"

#include <stdio.h>
#include <string.h>

static char *
value_text(const HfSettings *settings, HfSettingId id)
{
	const char *text;

	if (hf_setting(id)->type == HF_TYPE_SECRET)
		return g_strdup(hf_settings_secret(settings, id) ? "set" : "-");
	text = hf_settings_text(settings, id);
	return text ? hf_log_one_line(text) : g_strdup(hf_settings_is_empty(settings, id) ? "empty" : "-");
}

static char *
origin_text(const HfSettings *settings, HfSettingId id)
{
	const char *origin = hf_settings_origin(settings, id);

	return origin ? g_strdup_printf(" (from %s)", origin) : g_strdup("");
}

static HfJson *
tell(const HfSettings *settings, HfSettingId id)
{
	const HfSetting *setting = hf_setting(id);
	HfJson *row = json_object_new_object();

	hf_json_add_text(row, "name", setting->name);
	hf_json_add_text(row, "alias", setting->alias);
	hf_json_add_text(row, "group", setting->group);
	hf_json_add_flag(row, "set", hf_settings_origin(settings, id) != NULL);
	if (setting->type == HF_TYPE_SECRET)
		hf_json_add_flag(row, "secret", true);
	else
		hf_json_add_text(row, "value", hf_settings_text(settings, id));
	hf_json_add_text(row, "origin", hf_settings_origin(settings, id));
	hf_json_add_text(row, "default", setting->default_value);
	hf_json_add_text(row, "help", setting->help);
	return row;
}

static void
say(const HfSettings *settings, HfSettingId id)
{
	const HfSetting *setting = hf_setting(id);
	g_autofree char *value = value_text(settings, id);
	g_autofree char *origin = origin_text(settings, id);

	if (id == 0 || strcmp(setting->group, hf_setting(id - 1)->group) != 0)
		printf("%s%s\n", id == 0 ? "" : "\n", setting->group);
	printf("  %-23s %s%s\n", setting->name, value, origin);
	hf_help_print_wrapped(setting->help, 6);
}

static bool
is_given(const HfSettings *settings, HfSettingId id)
{
	const char *origin = hf_settings_origin(settings, id);

	return origin && strcmp(origin, "default") != 0;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	HfJson *rows = json_object_new_array();

	(void)arguments;
	(void)error;
	hf_json_add(cli->reply, "settings", rows);
	for (HfSettingId id = 0; id < HF_SETTING_COUNT; id++) {
		if (!cli->wants_json && !cli->is_quiet &&
		    (!hf_setting_is_repeated(id) || is_given(cli->settings, id)))
			say(cli->settings, id);
		json_object_array_add(rows, tell(cli->settings, id));
	}
	return true;
}

const HfCommand hf_command_config = {
	"config",
	"",
	0,
	0,
	"print the settings and where they come from",
	"Prints each setting with its value and where that was read. Secrets are never shown.",
	NULL,
	false,
	run};
