/*
 * timer/sleep.h -- waiting for a time of day without a wake-up in between: until that time, until the clock is set, or until
 * a signal comes.
 *
 * A timerfd on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET (timerfd_create(2)), which ends a wait also where the host was
 * suspended, and a signalfd for INT, TERM and HUP, which are blocked from hf_sleep_new() on.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct HfSleep HfSleep;

typedef enum {
	HF_WOKE_TIME,      /* it is time, or may be */
	HF_WOKE_CLOCK_SET, /* somebody set the clock */
	HF_WOKE_RELOAD,    /* HUP */
	HF_WOKE_STOP,      /* INT, TERM */
} HfWoke;

HfSleep *hf_sleep_new(GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_sleep_free(HfSleep *sleep);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfSleep, hf_sleep_free)

/* Readable while a signal is pending: for what must not go on then. */
int hf_sleep_signal_fd(const HfSleep *sleep);

/* INT64_MAX: for ever.  Returns at once where a signal is pending. */
HfWoke hf_sleep_until(HfSleep *sleep, int64_t unix_s);
