#include "config.h"

#include "common/cancel.h"
#include "fcgi/deadline.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t shut_fd = -1;
static volatile sig_atomic_t is_cancelling;
static volatile sig_atomic_t is_past;

/* Only what signal-safety(7) allows. */
static void
on_alarm(int number)
{
	int kept = errno;

	(void)number;
	is_past = 1;
	if (shut_fd >= 0)
		(void)shutdown(shut_fd, SHUT_RDWR);
	if (is_cancelling)
		hf_cancel_request();
	errno = kept;
}

void
hf_deadline_install(void)
{
	struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

	(void)hf_cancel_fd(); /* made here, since a handler must not */
	sigaction(SIGALRM, &act, NULL);
}

void
hf_deadline_shut(int fd, unsigned seconds)
{
	is_past = 0;
	shut_fd = fd;
	(void)alarm(seconds);
}

void
hf_deadline_cancel(unsigned seconds)
{
	is_past = 0;
	is_cancelling = 1;
	(void)alarm(seconds);
}

bool
hf_deadline_clear(void)
{
	(void)alarm(0);
	shut_fd = -1;
	if (is_cancelling && is_past)
		hf_cancel_reset();
	is_cancelling = 0;
	return is_past;
}
