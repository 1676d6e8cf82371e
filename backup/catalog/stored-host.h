/*
 * backup/catalog/stored-host.h -- what this host is called in what anybody may read in the store: claims, leases, fences.
 */
#pragma once

#include "backup/store/store.h"

/*
 * Its name (hf_host_name()); where names are hidden, "host-" and eight hexadecimal digits that nobody can guess without the host's
 * /etc/machine-id: the same each time, so that hosts are told apart.  g_free() it.
 */
char *hf_stored_host(const HfStore *store);
