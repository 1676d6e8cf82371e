/*
 * fcgi/loop.h -- the one loop of a worker: accept, read, answer, write; one request at a time.
 *
 * It alone knows FastCGI.  TERM, INT, USR1 and HUP are blocked but while it waits, since a signal in the middle of an
 * upload cuts the body off in silence (docs/facts.md): the request in hand is finished, then the loop ends.
 */
#pragma once

#include "fcgi/peers.h"
#include "fcgi/service.h"

/* Serves a listening unix socket until a signal ends it.  FAILED where the socket cannot be used. */
bool hf_loop_run(HfService *service, const HfPeers *peers, int listener,
		 GError **error) G_GNUC_WARN_UNUSED_RESULT;
