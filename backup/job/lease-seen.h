/*
 * backup/job/lease-seen.h -- the leases as this host saw them last: BACKUP_STATE_DIR/leases.json, which may be lost at any time.
 *
 * A lease is taken over when this host has itself seen its beat unchanged for as long as it holds, by a clock of its own
 * that is never set: what other hosts' clocks say, and the store's, does not count.  Processes hand on what they saw in
 * the file, so that a host need not sit and watch.  The service shows other hosts' jobs from it.
 */
#pragma once

#include "backup/job/lease-table.h"

typedef struct HfLeaseSeen HfLeaseSeen;

/*
 * What the file says; nothing where there is none, it is damaged, or folder is NULL.  clock names what times were measured
 * with (hf_lease_clock_name()): those of another one are not taken over.
 */
HfLeaseSeen *hf_lease_seen_load(const char *folder, const char *clock);
void hf_lease_seen_free(HfLeaseSeen *seen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfLeaseSeen, hf_lease_seen_free)

/*
 * Notes a table that was read: asked for at before_s, and there at after_s, by the clock.  A beat that was not known is
 * watched from after_s on.
 */
void hf_lease_seen_look(HfLeaseSeen *seen, const HfLeaseTable *table, double before_s, double after_s);

/* How long the beat of this entry is known to have stayed the same. */
double hf_lease_seen_silent_s(const HfLeaseSeen *seen, const HfLeaseEntry *entry);

/* Whether it has been silent long enough to be taken over. */
bool hf_lease_seen_is_over(const HfLeaseSeen *seen, const HfLeaseEntry *entry);

/* Writes the file; a folder that takes none is not told about, since nothing depends on it. */
void hf_lease_seen_save(const HfLeaseSeen *seen, const char *folder, int64_t now_s);

/* Where that is, in a state folder.  g_free() it. */
char *hf_lease_seen_path(const char *folder);

/* For those who show it: the entries that are alive as far as is known, borrowed, and when the store was looked at; 0: never. */
GPtrArray *hf_lease_seen_alive(const HfLeaseSeen *seen, int64_t now_s);
int64_t hf_lease_seen_as_of_s(const HfLeaseSeen *seen);

/* ---- the clock ---- */

/* Seconds since this machine started, the time that it slept among them (clock_gettime(2), CLOCK_BOOTTIME). */
double hf_lease_clock_s(void);

/* Which start of which machine that is; where processes have clocks of their own (time_namespaces(7)), that as well. g_free() it. */
char *hf_lease_clock_name(void);
