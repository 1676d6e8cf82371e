/*
 * cli/job.h -- a command as a job: the same on a shell and in a process that the service started.
 *
 * A command whose name is that of a kind of job (backup/job/kind.h) is claimed, has a record, progress and a log, and may
 * be cancelled from elsewhere.  On a shell that never stops a run: where the state cannot be used, a warning says so.
 */
#pragma once

#include "backup/job/job-file.h"
#include "backup/job/record.h"
#include "cli/command.h"

/* Runs command, as a job where it is a kind of one. */
bool hf_cli_run(HfCli *cli, const HfCommand *command, char **arguments, GError **error);

/*
 * Runs it as the job of this record, whose file this process holds; takes both.  The error is the command's own; the record
 * has its end by then.
 */
bool hf_cli_run_claimed(HfCli *cli, const HfCommand *command, char **arguments, HfState *state,
			HfJobRecord *record, HfJobFile *file, GError **error);
