/*
 * fcgi/waiters.h -- how many workers of the pool wait for a backup, counted across processes.
 *
 * A place is a lock on one byte of BACKUP_STATE_DIR/waiting: it is free again when its process ends, however that was.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* As many places as half of the pool, at least one. */
unsigned hf_waiters_places(unsigned workers);

/*
 * Takes a place: a descriptor to be closed, which frees it; -1 where none is free, or the file cannot be used: whoever
 * asked is then told to come back later.
 */
int hf_waiters_enter(const char *folder, unsigned places);
