/*
 * backup/job/lease-process.h -- which process of which machine holds a lease, and whether it has ended.
 */
#pragma once

#include "backup/job/lease-table.h"

/*
 * What tells one start of one machine, with one set of process numbers, from all others: the kernel's boot_id (random(4))
 * and the pid namespace (pid_namespaces(7)).  "" where it cannot be told.  g_free() it.
 */
char *hf_lease_machine(void);

/*
 * True only where the entry's job is one of this state folder and nobody holds its file (job-file.h): that says that its process
 * has ended also after this machine was started again.
 */
bool hf_lease_job_is_gone(const HfLeaseEntry *entry, const char *folder);

/* True only where the entry's process was one of ours and there is none of its number that began when it did. */
bool hf_lease_process_is_gone(const HfLeaseEntry *entry, const char *host, const char *machine);
