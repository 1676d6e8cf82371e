#include "config.h"

#include "cli/notify-after.h"
#include "backup/job/start.h"
#include "backup/notify/configured.h"
#include "backup/notify/deliver.h"
#include "backup/notify/note.h"
#include "common/cancel.h"
#include "common/clock.h"

#include <poll.h>

#define AWAIT_S 30
#define LOOK_MS 50

void
hf_cli_deliver(const HfCli *cli, HfState *state)
{
	const HfJobProgram program = {.env_file = cli->env_file};
	g_autoptr(GError) error = NULL;

	if (hf_notify_is_configured(cli->settings) &&
	    !hf_deliver_start(&program, hf_state_folder(state), &error))
		g_warning("messages cannot be delivered: %s", error->message);
}

void
hf_cli_announce(const HfCli *cli, HfState *state, const HfJobRecord *record)
{
	g_autoptr(GError) error = NULL;

	if (hf_settings_secret(cli->settings, HF_SET_HEARTBEAT_URL) &&
	    !hf_notify_started(state, record, &error))
		g_warning("the heartbeat is not told that the job begins: %s", error->message);
	hf_cli_deliver(cli, state);
}

void
hf_cli_await_delivery(const HfCli *cli, HfState *state)
{
	double until_s = hf_clock_monotonic_s() + AWAIT_S;

	if (!hf_notify_is_configured(cli->settings))
		return;
	while (hf_clock_monotonic_s() < until_s && !hf_deliver_is_tried(state)) {
		struct pollfd stop = {.fd = hf_cancel_fd(), .events = POLLIN};

		if (poll(&stop, 1, LOOK_MS) > 0)
			return;
	}
}
