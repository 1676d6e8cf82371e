/*
 * cli/lease.h -- a command under a lease in the store, where its job needs one.
 */
#pragma once

#include "backup/job/lease-keeper.h"
#include "cli/command.h"

/*
 * Runs command while this host has the lease of job.  Where the slot of its schedule is another host's, nothing is run and all
 * is well: the reply says whose.  Where the lease was lost meanwhile that is the error, in place of what it led to.
 */
bool hf_cli_run_leased(HfCli *cli, const HfCommand *command, char **arguments, const HfLeaseJob *job,
		       GError **error);

/* Whether the job that runs now may delete sets besides; else *why_not_out, to be freed, says who reads them. */
bool hf_cli_lease_may_remove(char **why_not_out);
