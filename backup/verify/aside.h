/*
 * backup/verify/aside.h -- a sink that hands what is written to an observer of its own in a thread: unpacking and scanning then go
 * on side by side, which is most of what level 2 does.
 *
 * The observer's error comes back with a later write, or at finish.
 */
#pragma once

#include "backup/stage/stage.h"

/* Takes observer, a chain without a further end.  Finish proves it, too. */
HfStage *hf_aside_new(HfStage *observer);
