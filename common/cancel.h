/*
 * common/cancel.h -- being asked to stop.
 *
 * INT, TERM and HUP set a flag; whoever moves bytes looks at it between two pieces and fails with CANCELLED, so that
 * the ordinary error path aborts uploads, kills children and removes temporary files.  A second INT is not special:
 * nothing is ever left half-done because somebody was impatient.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Installs the handlers, once, in the main thread, before other threads are started.  SIGPIPE is ignored as well. */
void hf_cancel_install(void);

/* Asks to stop, as a signal would.  For tests and for a job's cancel. */
void hf_cancel_request(void);

bool hf_cancel_is_requested(void);

/* False with CANCELLED when a stop was asked for. */
bool hf_cancel_check(GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A descriptor that is readable for ever once a stop was asked for: for poll() beside others.  Never read from it. */
int hf_cancel_fd(void);

/*
 * For who can commit what is complete instead of losing it: the next request is only noted, and nobody else sees it; one
 * more is a request as ever.  hf_cancel_is_noted() tells.  hf_cancel_undefer() ends this: a request that was noted
 * is in force from then on, or forgotten where is_answered says that what it asked for is done.
 */
void hf_cancel_defer(void);
bool hf_cancel_is_noted(void);
void hf_cancel_undefer(bool is_answered);

/* Forgets a request: for tests, and for a service whose single piece of work was asked to stop. */
void hf_cancel_reset(void);
