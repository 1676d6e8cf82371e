#include "config.h"

#include "backup/job/lease-keeper.h"
#include "backup/job/refresh.h"
#include "backup/store/open.h"
#include "cli/commands.h"
#include "cli/job-parameters.h"
#include "cli/job.h"
#include "common/cancel.h"
#include "common/error.h"

/*
 * What the service starts.  The command itself is the one that a person would give: see job-parameters.h.
 */

/* Its parameters may be wrong, and it may have been cancelled before it began: that is how it ends then. */
static bool
run_words(HfCli *cli, const char *parameters, const HfCommand *command, GError **error)
{
	g_auto(GStrv) arguments = NULL;

	if (!hf_cancel_check(error))
		return false;
	arguments = hf_job_parameters_parse(command, parameters, error);
	return arguments && command->run(cli, arguments, error);
}

/* What stands for the command in the run: the parameters are parsed inside it, so that their faults are the job's. */
static struct {
	const HfCommand *command;
	const char *parameters;
} wanted;

static bool
run_wanted(HfCli *cli, char **arguments, GError **error)
{
	(void)arguments;
	return run_words(cli, wanted.parameters, wanted.command, error);
}

static bool
run_record(HfCli *cli, HfState *state, HfJobRecord *record, HfJobFile *file, GError **error)
{
	g_auto(GStrv) words = g_strsplit(record->kind, " ", -1);
	g_autofree char *parameters = g_steal_pointer(&record->parameters);
	size_t used = 0;
	HfCommand command;
	g_autoptr(GError) cause = NULL;

	wanted.command = hf_command_find(words, &used, error);
	if (!wanted.command) {
		hf_job_record_free(record);
		hf_job_file_free(file);
		return false;
	}
	wanted.parameters = parameters;
	command = *wanted.command;
	command.run = run_wanted;
	record->parameters = hf_job_parameters_without_passwords(parameters);
	if (record->is_cancel_requested)
		hf_cancel_request();
	/* The job's log, which is our standard error, and its record have the error by then. */
	if (!hf_cli_run_claimed(cli, &command, (char *[]){NULL}, state, record, file, &cause))
		cli->exit = hf_cli_exit_of(cause);
	return true;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	const char *folder = hf_settings_text(cli->settings, HF_SET_BACKUP_STATE_DIR);
	g_autoptr(HfState) state = hf_state_open(folder, error);
	g_autoptr(HfJobRecord) record = state ? hf_jobs_find(state, arguments[0], error) : NULL;
	HfJobFile *file;

	if (!record)
		return false;
	if (record->status != HF_JOB_QUEUED)
		return hf_error_set(error, HF_ERROR_CONFLICT, "job \"%s\" is %s: it is run once", record->id,
				    hf_job_status_word(record->status));
	file = hf_job_file_adopt(folder, record->id, error);
	return file && run_record(cli, state, g_steal_pointer(&record), file, error);
}

const HfCommand hf_command_run_job = {
	"run-job",
	"ID",
	1,
	1,
	"run a job that was claimed",
	"Runs a queued job, once. The service starts it.",
	NULL,
	false,
	run,
};

static struct {
	gboolean is_light;
} refresh_given;

static bool
run_refresh(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfState)
		state = hf_state_open(hf_settings_text(cli->settings, HF_SET_BACKUP_STATE_DIR), error);
	g_autoptr(HfStore) store = state ? hf_store_open_settings(cli->settings, error) : NULL;
	g_autoptr(GError) cause = NULL;
	g_autoptr(GError) trouble = NULL;

	(void)arguments;
	if (!store)
		return false;
	if (refresh_given.is_light)
		return hf_lease_refresh(cli->settings, store, error);
	if (!hf_lease_refresh(cli->settings, store, &trouble))
		g_info("the other hosts' jobs are not known: %s", trouble->message);
	/* Another one is as good as ours. */
	if (hf_refresh(state, store, false, &cause) || hf_error_is(cause, HF_ERROR_CONFLICT))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

static GOptionEntry refresh_options[] = {{"leases", 0, 0, G_OPTION_ARG_NONE, &refresh_given.is_light,
					  "Look at the other hosts' jobs alone", NULL},
					 {0}};

const HfCommand hf_command_refresh = {
	"refresh",
	"",
	0,
	0,
	"look at the store, and note what is there",
	"Lists the store and replaces the list that the service shows. Where another one does it, nothing is "
	"done.",
	refresh_options,
	false,
	run_refresh,
};
