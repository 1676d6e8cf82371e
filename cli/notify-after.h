/*
 * cli/notify-after.h -- what a job does so that people hear of it.  None of it fails a job, or does anything where no
 * channel is configured.
 */
#pragma once

#include "backup/job/record.h"
#include "cli/command.h"

/* Before it runs: the heartbeat, and the process that will notice if the job is killed. */
void hf_cli_announce(const HfCli *cli, HfState *state, const HfJobRecord *record);

/* After its end was recorded: who delivers is started. */
void hf_cli_deliver(const HfCli *cli, HfState *state);

/*
 * On a shell: waits until each message was tried once, at most half a minute, since in a container, or under a systemd
 * unit, nothing outlives us.  A stop that was asked for ends it.
 */
void hf_cli_await_delivery(const HfCli *cli, HfState *state);
