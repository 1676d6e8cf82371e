#include "config.h"

#include "cli/lease.h"
#include "common/error.h"

/* Of the job that this process is. */
static HfLeaseKeeper *keeper;

/* "elsewhere": {"host", "job", "kind", "since"}. */
static void
tell_other(HfCli *cli, const HfLeaseEntry *other)
{
	HfJson *object = json_object_new_object();

	hf_json_add_text(object, "host", other->host);
	hf_json_add_text(object, "job", other->job);
	hf_json_add_text(object, "kind", other->kind);
	hf_json_add(cli->reply, "elsewhere", object);
}

static void
say_taken(HfCli *cli, const HfLeaseJob *job, const HfLeaseEntry *other)
{
	g_message("schedule \"%s\": host \"%s\" has started this run already, as job %s: there is nothing to "
		  "do",
		  job->schedule, other->host, other->job);
	hf_json_add_flag(cli->reply, "already", true);
}

static bool
run_kept(HfCli *cli, const HfCommand *command, char **arguments, GError **error)
{
	g_autoptr(GError) cause = NULL;
	bool is_done = command->run(cli, arguments, &cause);
	const GError *lost = hf_lease_keeper_lost(keeper);

	if (is_done) {
		if (lost)
			g_warning("%s", lost->message);
		return true;
	}
	/* What the command failed with follows from it: it was asked to stop, or refused to commit. */
	if (lost)
		g_propagate_error(error, g_error_copy(lost));
	else
		g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

bool
hf_cli_run_leased(HfCli *cli, const HfCommand *command, char **arguments, const HfLeaseJob *job,
		  GError **error)
{
	g_auto(HfLeaseMet) met = {0};
	g_autoptr(GError) cause = NULL;
	bool is_done;

	keeper = hf_lease_keep(cli->settings, job, &met, &cause);
	if (met.other && (!keeper || met.is_slot_taken))
		tell_other(cli, met.other);
	if (!keeper && !cause) {
		say_taken(cli, job, met.other);
		return true;
	}
	if (!keeper) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	is_done = run_kept(cli, command, arguments, error);
	g_clear_pointer(&keeper, hf_lease_keeper_free);
	return is_done;
}

bool
hf_cli_lease_may_remove(char **why_not_out)
{
	return hf_lease_keeper_may_remove(keeper, why_not_out);
}
