#include "config.h"

#include "common/cancel.h"
#include "common/error.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Lock-free, so a signal handler may write them; threads may as well. */
static atomic_bool requested;
static atomic_bool is_deferring;
static atomic_bool noted;

int
hf_cancel_fd(void)
{
	static gsize descriptor;

	if (g_once_init_enter(&descriptor)) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		g_assert(fd > 0);
		g_once_init_leave(&descriptor, (gsize)fd);
	}
	return (int)descriptor;
}

void
hf_cancel_request(void)
{
	const uint64_t one = 1;

	if (is_deferring && !atomic_exchange(&noted, true))
		return;
	requested = true;
	(void)!write(hf_cancel_fd(), &one, sizeof one);
}

static void
on_signal(int number)
{
	(void)number;
	hf_cancel_request();
}

void
hf_cancel_install(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction ask = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	(void)hf_cancel_fd(); /* made here, since a handler must not */
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
		sigaction(numbers[i], &ask, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

bool
hf_cancel_is_requested(void)
{
	return requested;
}

bool
hf_cancel_check(GError **error)
{
	return !requested || hf_error_set(error, HF_ERROR_CANCELLED, "cancelled");
}

void
hf_cancel_defer(void)
{
	is_deferring = true;
}

bool
hf_cancel_is_noted(void)
{
	return noted;
}

void
hf_cancel_undefer(bool is_answered)
{
	is_deferring = false;
	if (atomic_exchange(&noted, false) && !is_answered)
		hf_cancel_request();
}

void
hf_cancel_reset(void)
{
	uint64_t count;

	is_deferring = false;
	noted = false;
	requested = false;
	(void)!read(hf_cancel_fd(), &count, sizeof count);
}
