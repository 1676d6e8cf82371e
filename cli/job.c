#include "config.h"

#include "cli/job.h"
#include "backup/job/kind.h"
#include "backup/job/marks.h"
#include "backup/job/refresh.h"
#include "backup/job/run.h"
#include "backup/store/open.h"
#include "cli/job-parameters.h"
#include "cli/lease.h"
#include "cli/notify-after.h"
#include "cli/progress.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A list of all that prune removed may be long, and is in the log, too. */
#define RESULT_BYTES_MAX ((size_t)256 << 10)
#define SCHEDULE_PREFIX "schedule:"

/* ---- the end of it ---- */

static char *
result_text(const HfCli *cli)
{
	const char *text = json_object_to_json_string_ext(cli->reply, JSON_C_TO_STRING_PLAIN |
									      JSON_C_TO_STRING_NOSLASHESCAPE);

	return strlen(text) <= RESULT_BYTES_MAX ? g_strdup(text) : NULL;
}

static const char *
member_text(HfJson *object, const char *name)
{
	HfJson *value = NULL;

	return json_object_object_get_ex(object, name, &value) && json_object_is_type(value, json_type_string)
		       ? json_object_get_string(value)
		       : NULL;
}

static HfJobStatus
status_of(const GError *cause)
{
	if (!cause)
		return HF_JOB_DONE;
	return hf_error_is(cause, HF_ERROR_CANCELLED) ? HF_JOB_CANCELLED : HF_JOB_FAILED;
}

/* To the job's log, where standard error is something else and will have it from main.c. */
static void
log_error(const HfJobRun *run, const GError *cause)
{
	g_autofree char *message = hf_log_one_line(cause->message);
	g_autofree char *time = hf_clock_rfc3339(hf_clock_now_s());
	g_autofree char *line = g_strdup_printf("%s error: %s", time, message);

	hf_job_file_say(hf_job_run_file(run), line);
}

static void
end_run(HfCli *cli, HfJobRun *run, const GError *cause)
{
	g_autofree char *message = cause ? hf_log_one_line(cause->message) : NULL;
	g_autofree char *result = NULL;
	HfJobOutcome outcome = {
		.status = status_of(cause),
		.exit = cause ? (int)hf_cli_exit_of(cause) : (int)cli->exit,
		.error = message,
		.error_code = cause ? hf_error_word(cause) : NULL,
	};

	hf_cli_complete_reply(cli, cause);
	outcome.set_id = member_text(cli->reply, "set");
	outcome.file = member_text(cli->reply, "file");
	outcome.result = result = result_text(cli);
	if (cause)
		log_error(run, cause);
	hf_log_set_copy(-1);
	hf_job_run_end(run, &outcome);
}

/* ---- a run ---- */

/*
 * The backup is stored by then: what goes wrong with a list of it is no failure of the run.  The state's handle is the
 * ticker's meanwhile (backup/job/run.h), so this one has its own.
 */
static void
refresh_sets(HfCli *cli, const HfState *state)
{
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfStore) store = hf_store_open_settings(cli->settings, &trouble);
	g_autoptr(HfState) own = store ? hf_state_open(hf_state_folder(state), &trouble) : NULL;

	if (!own || !hf_refresh(own, store, true, &trouble))
		g_warning("the list of sets that the service shows is not up to date: %s", trouble->message);
}

static bool
is_stderr(const HfJobFile *file)
{
	struct stat own, said;

	return fstat(hf_job_file_fd(file), &own) == 0 && fstat(STDERR_FILENO, &said) == 0 &&
	       own.st_dev == said.st_dev && own.st_ino == said.st_ino;
}

/* The slot of a schedule's run is its mark, which was set with the job and cannot go on while it runs (marks.h). */
static void
take_slot(HfState *state, HfLeaseJob *lease)
{
	g_autoptr(GError) trouble = NULL;
	int64_t slot_s = 0;

	if (!g_str_has_prefix(lease->requested_by, SCHEDULE_PREFIX))
		return;
	if (!hf_marks_get(state, lease->requested_by + strlen(SCHEDULE_PREFIX), &slot_s, &trouble))
		g_warning("which slot this run is of is not known: %s", trouble->message);
	if (slot_s <= 0)
		return;
	lease->schedule = lease->requested_by + strlen(SCHEDULE_PREFIX);
	lease->slot_s = slot_s;
}

bool
hf_cli_run_claimed(HfCli *cli, const HfCommand *command, char **arguments, HfState *state,
		   HfJobRecord *record, HfJobFile *file, GError **error)
{
	const HfJobKind *kind = hf_job_kind_find(command->name);
	g_autoptr(GError) cause = NULL;
	g_autofree char *id = NULL;
	g_autofree char *requested_by = NULL;
	HfLeaseJob lease;
	HfJobRun *run;

	if (!is_stderr(file))
		hf_log_set_copy(hf_job_file_fd(file));
	id = g_strdup(record->id);
	requested_by = g_strdup(record->requested_by);
	lease = (HfLeaseJob){
		.job = id, .kind = command->name, .requested_by = requested_by, .look = hf_progress_look};
	take_slot(state, &lease);
	hf_cli_announce(cli, state, record);
	run = hf_job_run_begin(state, file, record, hf_progress_look);
	if (hf_cli_run_leased(cli, command, arguments, &lease, &cause) && kind && kind->is_changing)
		refresh_sets(cli, state);
	end_run(cli, run, cause);
	hf_cli_deliver(cli, state);
	if (!cause)
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

/* ---- on a shell ---- */

static void
warn_unrecorded(const GError *trouble)
{
	g_warning("this run is not recorded: %s", trouble->message);
}

/* False with an error where another job is in the way; without a record where the state cannot be used. */
static bool
claim(HfState *state, const HfCommand *command, char **arguments, HfJobRecord **record_out,
      HfJobFile **file_out, GError **error)
{
	g_autofree char *parameters = hf_job_parameters_of(command, arguments);
	g_autofree char *user = g_strdup_printf("cli:%s", g_get_user_name());
	const HfJobRequest request = {.kind = command->name, .parameters = parameters, .requested_by = user};
	g_autoptr(GError) trouble = NULL;
	g_autofree char *id = NULL;
	g_autofree char *running = NULL;

	if (hf_jobs_claim(state, &request, &id, file_out, &running, &trouble)) {
		*record_out = hf_jobs_find(state, id, &trouble);
		if (!*record_out) {
			warn_unrecorded(trouble);
			g_clear_pointer(file_out, hf_job_file_free);
		}
		return true;
	}
	if (!running) {
		warn_unrecorded(trouble);
		return true;
	}
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

static bool
run_as_job(HfCli *cli, const HfCommand *command, char **arguments, GError **error)
{
	const char *folder = hf_settings_text(cli->settings, HF_SET_BACKUP_STATE_DIR);
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfState) state = hf_state_open(folder, &trouble);
	const HfLeaseJob unrecorded = {
		.kind = command->name, .requested_by = "cli", .look = hf_progress_look};
	HfJobRecord *record = NULL;
	HfJobFile *file = NULL;
	bool is_good;

	if (!state)
		warn_unrecorded(trouble);
	else if (!claim(state, command, arguments, &record, &file, error))
		return false;
	if (!record)
		return hf_cli_run_leased(cli, command, arguments, &unrecorded, error);
	is_good = hf_cli_run_claimed(cli, command, arguments, state, record, file, error);
	hf_cli_await_delivery(cli, state);
	return is_good;
}

/* What only looks is no job. */
static bool
is_dry(const HfCommand *command)
{
	for (const GOptionEntry *option = command->options; option && option->long_name; option++)
		if (strcmp(option->long_name, "dry-run") == 0 && option->arg == G_OPTION_ARG_NONE)
			return *(gboolean *)option->arg_data;
	return false;
}

bool
hf_cli_run(HfCli *cli, const HfCommand *command, char **arguments, GError **error)
{
	if (!hf_job_kind_find(command->name) || is_dry(command))
		return command->run(cli, arguments, error);
	return run_as_job(cli, command, arguments, error);
}
