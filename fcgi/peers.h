/*
 * fcgi/peers.h -- who may connect: nginx's user and the timer's, by what the kernel says of the peer.
 *
 * Whoever can connect can claim any header and address, so the socket's mode is not all that stands before it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct HfPeers HfPeers;

/* names are of users, separated by blanks or commas; our own user and root are let in besides.  Unknown ones are warned of. */
HfPeers *hf_peers_new(const char *names);

/* True where the other end of a connected unix socket may be served; else *why_out says who it is: g_free() it. */
bool hf_peers_allow(const HfPeers *peers, int fd, char **why_out);

void hf_peers_free(HfPeers *peers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPeers, hf_peers_free)
