/*
 * common/host.h -- what this host is called in what it stores: claims, leases, holds, manifests.
 */
#pragma once

/* The system's name, or the one that was set.  Static. */
const char *hf_host_name(void);

/*
 * Another name from now on (HOLDFAST_HOST_NAME): once, before other threads are started.  NULL: the system's.  What is
 * no letter, digit, dot, dash or underscore becomes an underscore; at most 64 bytes are kept.
 */
void hf_host_set_name(const char *name);
