/*
 * timer/daemon.h -- the timer as a process: does what timer/plan.h decides, and says what came of it.
 *
 * One line a change: that the pool does not answer is said once, and once that it answers again.  HUP re-reads the env file
 * (the environment of a process stays what it was); where the settings in it are wrong, that is said and the old ones
 * stay.  TERM and INT end at once, also in the middle of a request.  Where nothing is enabled it says so and waits, so that
 * a HUP can enable something.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Until TERM or INT.  env_file as in hf_settings_load(). */
bool hf_daemon_run(const char *env_file, GError **error) G_GNUC_WARN_UNUSED_RESULT;
