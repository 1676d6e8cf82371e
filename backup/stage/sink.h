/*
 * backup/stage/sink.h -- ends of a chain that are not in a store, and the meter.
 */
#pragma once

#include "backup/stage/stage.h"

#include <stdint.h>

/* Throws everything away: what is in front of it checks. */
HfStage *hf_sink_null_new(void);

/* Writes to fd, which stays the caller's; name is for messages and copied.  Handles short writes and EINTR. */
HfStage *hf_sink_fd_new(int fd, const char *name);

/* Gathers at most limit_bytes in memory; one more is CORRUPT, since whoever wrote it knew the limit. */
HfStage *hf_sink_bytes_new(size_t limit_bytes);
GBytes *hf_sink_bytes_get(HfStage *sink); /* after finish; the caller owns the reference */

/* Adds what flows past to *bytes, atomically, so that another thread can show it; checks for cancellation.  Takes next. */
HfStage *hf_meter_new(HfStage *next, uint64_t *bytes);

/*
 * Passes on the plain bytes [skip, skip + length) of what comes and drops the rest; at finish CORRUPT where less
 * came.  For a range out of unpacked members.  Takes next.
 */
HfStage *hf_slice_new(HfStage *next, uint64_t skip, uint64_t length);
