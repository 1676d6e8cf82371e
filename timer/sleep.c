#include "config.h"

#include "timer/sleep.h"
#include "common/clock.h"
#include "common/error.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct HfSleep {
	int timer_fd;
	int signal_fd;
};

HfSleep *
hf_sleep_new(GError **error)
{
	g_autoptr(HfSleep) sleep = g_new0(HfSleep, 1);
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sleep->timer_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	sleep->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (sleep->timer_fd < 0 || sleep->signal_fd < 0 || sigprocmask(SIG_BLOCK, &signals, NULL) != 0) {
		hf_error_errno(error, "make a timer");
		return NULL;
	}
	return g_steal_pointer(&sleep);
}

void
hf_sleep_free(HfSleep *sleep)
{
	if (!sleep)
		return;
	if (sleep->timer_fd >= 0)
		close(sleep->timer_fd);
	if (sleep->signal_fd >= 0)
		close(sleep->signal_fd);
	g_free(sleep);
}

int
hf_sleep_signal_fd(const HfSleep *sleep)
{
	return sleep->signal_fd;
}

/*
 * Armed for ever, too: that the clock is set is then still seen.  That it is set before this call is seen by whoever looks
 * at the clock afterwards.
 */
static bool
arm(const HfSleep *sleep, int64_t unix_s)
{
	/* What the kernel's nanoseconds hold ends in 2262. */
	struct itimerspec when = {.it_value.tv_sec = (time_t)MIN(unix_s, INT64_C(9214646400))};

	return timerfd_settime(sleep->timer_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) ==
	       0;
}

/* A timer that cannot be read because the clock was set says so with ECANCELED. */
static HfWoke
read_timer(const HfSleep *sleep)
{
	uint64_t count;
	ssize_t n = read(sleep->timer_fd, &count, sizeof count);

	return n < 0 && errno == ECANCELED ? HF_WOKE_CLOCK_SET : HF_WOKE_TIME;
}

static HfWoke
read_signal(const HfSleep *sleep)
{
	struct signalfd_siginfo info;
	HfWoke woke = HF_WOKE_TIME;

	while (read(sleep->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo != SIGHUP)
			return HF_WOKE_STOP;
		woke = HF_WOKE_RELOAD;
	}
	return woke;
}

HfWoke
hf_sleep_until(HfSleep *sleep, int64_t unix_s)
{
	struct pollfd fds[] = {{.fd = sleep->signal_fd, .events = POLLIN},
			       {.fd = sleep->timer_fd, .events = POLLIN}};
	int64_t before_s = hf_clock_now_s();

	/* ECANCELED here means that the clock was set since the timer was last read. */
	if (!arm(sleep, unix_s) && errno == ECANCELED)
		return HF_WOKE_CLOCK_SET;
	/* Set back just before the timer was armed: what was computed by the clock of then is worth nothing. */
	if (hf_clock_now_s() < before_s)
		return HF_WOKE_CLOCK_SET;
	if (poll(fds, G_N_ELEMENTS(fds), -1) < 0)
		return HF_WOKE_TIME;
	if (fds[0].revents)
		return read_signal(sleep);
	return fds[1].revents ? read_timer(sleep) : HF_WOKE_TIME;
}
