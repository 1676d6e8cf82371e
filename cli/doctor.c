#include "config.h"

#include "backup/archive/archive.h"
#include "cli/commands.h"
#include "cli/doctor.h"
#include "common/cancel.h"
#include "common/log.h"

#include <stdio.h>
#include <unistd.h>

void
hf_doctor_report(HfDoctor *doctor, HfMark mark, const char *check, const char *format, ...)
{
	static const char *const marks[] = {"ok", "warn", "FAIL"};
	static const char *const words[] = {"ok", "warn", "fail"};
	g_autofree char *message = NULL;
	g_autofree char *line = NULL;
	HfJson *row = json_object_new_object();
	va_list args;

	va_start(args, format);
	message = g_strdup_vprintf(format, args);
	va_end(args);
	line = hf_log_one_line(message);
	hf_cli_say(doctor->cli, "%-5s %-12s %s\n", marks[mark], check, line);
	(void)fflush(stdout);
	hf_json_add_text(row, "check", check);
	hf_json_add_text(row, "mark", words[mark]);
	hf_json_add_text(row, "message", line);
	json_object_array_add(doctor->checks, row);
	doctor->warnings += mark == HF_MARK_WARN;
	doctor->failures += mark == HF_MARK_FAIL;
}

static void
check_settings(HfDoctor *doctor)
{
	const HfSettings *settings = doctor->cli->settings;
	g_autoptr(GError) error = NULL;
	HfCompression compression;
	unsigned set = 0;

	for (HfSettingId id = 0; id < HF_SETTING_COUNT; id++)
		set += g_strcmp0(hf_settings_origin(settings, id), "default") != 0 &&
		       hf_settings_origin(settings, id) != NULL;
	if (!hf_compression_parse(hf_settings_text(settings, HF_SET_BACKUP_COMPRESSION), &compression,
				  &error))
		hf_doctor_report(doctor, HF_MARK_FAIL, "settings", "%s", error->message);
	else
		hf_doctor_report(doctor, HF_MARK_OK, "settings",
				 "%u are set; \"holdfast config\" shows them all", set);
}

/* It is made when it is first needed, so what counts is the nearest folder that exists. */
static void
check_state_dir(HfDoctor *doctor)
{
	const char *folder = hf_settings_text(doctor->cli->settings, HF_SET_BACKUP_STATE_DIR);
	g_autofree char *existing = g_strdup(folder);

	if (!folder) {
		hf_doctor_report(doctor, HF_MARK_WARN, "state", "no folder for it: set BACKUP_STATE_DIR");
		return;
	}
	while (access(existing, F_OK) != 0 && existing[0] && existing[1]) {
		char *parent = g_path_get_dirname(existing);

		g_free(existing);
		existing = parent;
	}
	if (access(existing, W_OK | X_OK) == 0)
		hf_doctor_report(doctor, HF_MARK_OK, "state", "\"%s\" can be written to", folder);
	else
		hf_doctor_report(doctor, HF_MARK_WARN, "state",
				 "\"%s\" cannot be written to: change its owner, or set BACKUP_STATE_DIR",
				 folder);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	HfDoctor doctor = {.cli = cli, .checks = json_object_new_array()};

	(void)arguments;
	hf_json_add(cli->reply, "checks", doctor.checks);
	check_settings(&doctor);
	hf_doctor_check_database(&doctor);
	hf_doctor_check_store(&doctor);
	hf_doctor_check_replicas(&doctor);
	check_state_dir(&doctor);
	hf_doctor_check_schedule(&doctor);
	hf_doctor_check_tokens(&doctor);
	hf_doctor_check_notify(&doctor);
	if (!hf_cancel_check(error))
		return false;
	hf_json_add_number(cli->reply, "warnings", doctor.warnings);
	hf_json_add_number(cli->reply, "failures", doctor.failures);
	if (doctor.failures > 0)
		cli->exit = doctor.has_wrong_settings ? HF_EXIT_USAGE : HF_EXIT_FAILED;
	return true;
}

const HfCommand hf_command_doctor = {
	"doctor",
	"",
	0,
	0,
	"check everything a backup needs",
	"Checks settings, database login and rights, pg_dump, the store (a small object is written, read, "
	"listed and "
	"removed), the keys that sign, whether a set was taken away or put back, free space and the last "
	"good set: a line each, with what to do about it. The exit status "
	"is 1 where "
	"a check failed.",
	NULL,
	false,
	run};
