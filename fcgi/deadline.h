/*
 * fcgi/deadline.h -- what may not take for ever: one deadline at a time, kept by SIGALRM.
 *
 * A socket's own timeouts bound one read or write, so a peer that sends a byte now and then would never meet them.
 */
#pragma once

#include <stdbool.h>

/* Once, before the first deadline. */
void hf_deadline_install(void);

/* After so many seconds the socket is shut down: reads see its end, writes fail. */
void hf_deadline_shut(int fd, unsigned seconds);

/* After so many seconds hf_cancel_request() is called: who reads from a child gives up. */
void hf_deadline_cancel(unsigned seconds);

/* Ends it; true where it had passed.  A cancel is forgotten. */
bool hf_deadline_clear(void);
