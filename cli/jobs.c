#include "config.h"

#include "backup/job/elsewhere.h"
#include "backup/job/record.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/log.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define LISTED_DEFAULT 20
#define FOLLOW_MS 500 /* as often as a job writes */

static struct {
	gboolean wants_log, wants_follow, wants_cancel;
	gint limit;
} given = {.limit = LISTED_DEFAULT};

/* ---- words ---- */

static char *
took(const HfJobRecord *record, int64_t now_s)
{
	bool has_ended = hf_job_status_is_end(record->status);

	if (record->started_s == 0)
		return g_strdup("-");
	return hf_text_duration(has_ended ? (double)record->duration_ms / 1000
					  : (double)MAX(now_s - record->started_s, 0));
}

/* "dumping, 1.2 GiB of about 3.0 GiB, 98 MiB/s", or what came of it. */
static char *
progress_text(const HfJobRecord *record)
{
	g_autofree char *bytes = hf_text_bytes(record->bytes);
	g_autofree char *estimate = hf_text_bytes(record->estimated_bytes);
	g_autofree char *rate = hf_text_bytes(record->bytes_per_s);
	g_autofree char *objects = hf_text_count(record->objects);
	g_autoptr(GString) text = g_string_new(record->phase ? record->phase : "starting");

	if (record->objects > 0)
		g_string_append_printf(text, ", %s objects", objects);
	if (record->bytes > 0)
		g_string_append_printf(text, ", %s", bytes);
	if (record->estimated_bytes > record->bytes)
		g_string_append_printf(text, " of about %s", estimate);
	if (record->bytes_per_s > 0)
		g_string_append_printf(text, ", %s/s", rate);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *
outcome_text(const HfJobRecord *record)
{
	if (record->status == HF_JOB_RUNNING)
		return progress_text(record);
	return g_strdup(record->error ? record->error : record->set_id ? record->set_id : "");
}

static const char *
status_text(const HfJobRecord *record)
{
	if (record->status == HF_JOB_DONE && record->exit == HF_EXIT_SUSPECT)
		return "partial";
	return record->is_cancel_requested && !hf_job_status_is_end(record->status)
		       ? "stopping"
		       : hf_job_status_word(record->status);
}

/* ---- the list ---- */

/* What other hosts run, as far as this one saw it last: its own jobs and the service look. */
static bool
add_elsewhere(HfCli *cli, HfState *state, HfGrid *grid)
{
	int64_t as_of_s, now_s = hf_clock_now_s();
	g_autoptr(GPtrArray) others = hf_jobs_elsewhere(state, &as_of_s);
	HfJson *elsewhere = json_object_new_array();

	for (guint i = 0; i < others->len; i++) {
		const HfLeaseEntry *entry = others->pdata[i];
		g_autofree char *duration = hf_text_duration((double)MAX(now_s - entry->since_s, 0));
		g_autofree char *age = hf_text_duration((double)MAX(now_s - as_of_s, 0));
		g_autofree char *where = g_strdup_printf("on host %s, seen %s ago%s%s", entry->host, age,
							 entry->phase && *entry->phase ? ": " : "",
							 entry->phase ? entry->phase : "");

		hf_grid_add(grid, (const char *const[]){*entry->job ? entry->job : "-", entry->kind,
							"running", duration, entry->by, where});
		json_object_array_add(elsewhere, hf_lease_entry_to_job(entry, now_s));
	}
	hf_json_add(cli->reply, "elsewhere", elsewhere);
	return others->len > 0;
}

static bool
list(HfCli *cli, HfState *state, GError **error)
{
	g_autoptr(GPtrArray) records = hf_jobs_list(state, NULL, (unsigned)given.limit, error);
	g_autoptr(HfGrid) grid = hf_grid_new("lllrll");
	g_autofree char *text = NULL;
	int64_t now_s = hf_clock_now_s();
	bool has_others;
	HfJson *jobs;

	if (!records)
		return false;
	jobs = json_object_new_array();
	hf_json_add(cli->reply, "jobs", jobs);
	hf_grid_add(grid, (const char *const[]){"JOB", "KIND", "STATUS", "TOOK", "BY", ""});
	for (guint i = 0; i < records->len; i++) {
		const HfJobRecord *record = records->pdata[i];
		g_autofree char *duration = took(record, now_s);
		g_autofree char *outcome = outcome_text(record);

		hf_grid_add(grid, (const char *const[]){record->id, record->kind, status_text(record),
							duration, record->requested_by, outcome});
		json_object_array_add(jobs, hf_job_record_to_json(record, now_s));
	}
	has_others = add_elsewhere(cli, state, grid);
	text = hf_grid_to_text(grid);
	hf_cli_say(cli, "%s",
		   json_object_array_length(jobs) > 0 || has_others
			   ? text
			   : "no job yet: \"holdfast backup full\" makes the first\n");
	return true;
}

/* ---- one job ---- */

static void
say_time(const HfCli *cli, const char *what, int64_t time_s)
{
	g_autofree char *text = hf_clock_rfc3339(time_s);

	if (time_s > 0)
		hf_cli_say(cli, "%-9s %s\n", what, text);
}

static void
say_line(const HfCli *cli, const char *what, const char *text)
{
	g_autofree char *line = text ? hf_log_one_line(text) : NULL;

	if (line)
		hf_cli_say(cli, "%-9s %s\n", what, line);
}

static void
tell(HfCli *cli, const HfJobRecord *record)
{
	g_autoptr(HfJson) object = hf_job_record_to_json(record, hf_clock_now_s());

	json_object_object_foreach(object, name, value) hf_json_add(cli->reply, name, json_object_get(value));
}

static void
show(HfCli *cli, const HfJobRecord *record)
{
	g_autofree char *duration = took(record, hf_clock_now_s());
	g_autofree char *progress = record->phase ? progress_text(record) : NULL;

	say_line(cli, "job", record->id);
	say_line(cli, "kind", record->kind);
	if (strcmp(record->parameters, "{}") != 0)
		say_line(cli, "asked for", record->parameters);
	say_line(cli, "by", record->requested_by);
	say_line(cli, "status", status_text(record));
	say_time(cli, "created", record->created_s);
	say_time(cli, "started", record->started_s);
	say_time(cli, "finished", record->finished_s);
	if (record->started_s > 0)
		say_line(cli, "took", duration);
	if (record->status != HF_JOB_DONE)
		say_line(cli, hf_job_status_is_end(record->status) ? "got to" : "progress", progress);
	say_line(cli, "set", record->set_id);
	say_line(cli, "file", record->file);
	say_line(cli, "error", record->error);
	if (record->status == HF_JOB_RUNNING && record->pid > 0)
		hf_cli_say(cli, "process   %ld\n", (long)record->pid);
	tell(cli, record);
}

/* ---- the log ---- */

static bool
print_log(const HfCli *cli, HfState *state, const char *id, uint64_t *after, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	if (!hf_jobs_log(state, id, *after, text, after, error))
		return false;
	if (cli->wants_json)
		hf_json_add_bytes(cli->reply, "log", text->str);
	else if (!cli->is_quiet)
		(void)fwrite(text->str, 1, text->len, stdout);
	(void)fflush(stdout);
	return true;
}

/* The end is read before the log, so that what was said last is in it. */
static bool
follow(HfCli *cli, HfState *state, const char *id, GError **error)
{
	uint64_t after = 0;

	for (;;) {
		g_autoptr(HfJobRecord) record = hf_jobs_find(state, id, error);
		struct pollfd stop = {.fd = hf_cancel_fd(), .events = POLLIN};

		if (!record || !print_log(cli, state, id, &after, error))
			return false;
		if (hf_job_status_is_end(record->status)) {
			hf_cli_say(cli, "job %s is %s\n", id, status_text(record));
			cli->exit = (HfExit)record->exit;
			return true;
		}
		(void)poll(&stop, 1, FOLLOW_MS);
		if (!hf_cancel_check(error))
			return false;
	}
}

/* ---- the command ---- */

static char *
whole_id(HfState *state, const char *id, GError **error)
{
	g_autoptr(GPtrArray) records = NULL;

	if (strcmp(id, "latest") != 0)
		return g_strdup(id);
	records = hf_jobs_list(state, NULL, 1, error);
	if (records && records->len == 0)
		hf_error_set(error, HF_ERROR_NOT_FOUND, "there is no job yet");
	return records && records->len > 0 ? g_strdup(((const HfJobRecord *)records->pdata[0])->id) : NULL;
}

static bool
cancel(HfCli *cli, HfState *state, const char *id, GError **error)
{
	if (!hf_jobs_cancel(state, id, error))
		return false;
	hf_cli_say(cli, "job %s was asked to stop: \"holdfast jobs %s\" says when it has\n", id, id);
	hf_json_add_text(cli->reply, "id", id);
	return true;
}

static bool
run_one(HfCli *cli, HfState *state, const char *name, GError **error)
{
	g_autofree char *id = whole_id(state, name, error);
	g_autoptr(HfJobRecord) record = NULL;
	uint64_t after = 0;

	if (!id)
		return false;
	if (given.wants_cancel)
		return cancel(cli, state, id, error);
	if (given.wants_follow)
		return follow(cli, state, id, error);
	record = hf_jobs_find(state, id, error);
	if (!record)
		return false;
	if (given.wants_log)
		return print_log(cli, state, id, &after, error);
	show(cli, record);
	return true;
}

static bool
check_given(const HfCli *cli, const char *id, GError **error)
{
	if (given.wants_log + given.wants_follow + given.wants_cancel > 1)
		return hf_error_set(error, HF_ERROR_USAGE, "--log, --follow and --cancel exclude each other");
	if (!id && (given.wants_log || given.wants_follow || given.wants_cancel))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "which job? name one of \"holdfast jobs\", or \"latest\"");
	if (cli->wants_json && given.wants_follow)
		return hf_error_set(error, HF_ERROR_USAGE, "--follow goes on printing: leave --json out");
	if (given.limit < 1 || given.limit > HF_JOBS_KEPT)
		return hf_error_set(error, HF_ERROR_USAGE, "--limit %d: 1 to %d is wanted", given.limit,
				    HF_JOBS_KEPT);
	return true;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	const char *id = arguments[0];
	g_autoptr(HfState) state = NULL;

	if (!check_given(cli, id, error))
		return false;
	state = hf_state_open(hf_settings_text(cli->settings, HF_SET_BACKUP_STATE_DIR), error);
	if (!state)
		return false;
	return id ? run_one(cli, state, id, error) : list(cli, state, error);
}

static GOptionEntry options[] = {
	{"log", 0, 0, G_OPTION_ARG_NONE, &given.wants_log,
	 "Print what the job said, at most the last 256 KiB", NULL},
	{"follow", 'f', 0, G_OPTION_ARG_NONE, &given.wants_follow,
	 "Print what it says until it has ended, and exit as it did", NULL},
	{"cancel", 0, 0, G_OPTION_ARG_NONE, &given.wants_cancel, "Ask the job to stop", NULL},
	{"limit", 0, 0, G_OPTION_ARG_INT, &given.limit, "List so many, the newest (20)", "N"},
	{0}};

const HfCommand hf_command_jobs = {
	"jobs",
	"[ID]",
	0,
	1,
	"list what ran on this host and runs on others, show a job, or stop one",
	"Without ID, lists the newest jobs: backups, verifications, restores and what was removed, by the "
	"service, by its "
	"schedule and on a shell. With ID, or \"latest\", shows one of them.\n\n"
	"A job that was killed, or went down with the host, is interrupted. One that is asked to stop ends "
	"as soon as it "
	"has aborted its uploads, and leaves no half of a backup behind. The newest 1,000 jobs are kept, in "
	"BACKUP_STATE_DIR; backups do not depend on it.",
	options,
	false,
	run};
