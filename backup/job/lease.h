/*
 * backup/job/lease.h -- a job's lease in the store: taken, kept, taken over, given back.
 *
 * What there is lies in one object (lease-table.h), which is changed by replacing what was read, if it is still that.
 * An entry is its job's as long as it is in there and nobody has marked it as lost.  It is marked when it was silent for as
 * long as it holds (lease-seen.h); then the runs of its job are fenced in the store (backup/catalog/fence.h), and only
 * then is it replaced.  Whoever dies in between leaves a marked entry, which the next one goes on with.
 *
 * The store, the clock, randomness and the pauses are passed in.  A lost reply is no trouble: what is stored is read again,
 * and the nonce tells whose it is.  A lease is used by one thread at a time.
 */
#pragma once

#include "backup/job/lease-seen.h"
#include "backup/store/store.h"

typedef struct HfLease HfLease;

typedef struct {
	double (*now_s)(void *data); /* see hf_lease_clock_s() */
	int64_t (*wall_s)(
		void *data); /* Unix time, for people, and to tell a slot that lies far in the future */
	void (*random)(void *data, void *buf, size_t len);
	void (*pause)(void *data, unsigned ms);
	bool (*is_gone)(void *data, const HfLeaseEntry *entry); /* a process of this host, and it has ended */
	void *data;
} HfLeaseWorld;

typedef struct {
	const char *host, *machine, *job, *kind, *by; /* see HfLeaseEntry */
	int64_t pid;
	uint64_t ticks;
	unsigned seconds;
	const char *schedule; /* NULL, or the lease is taken together with this slot of it */
	int64_t slot_s;
} HfLeaseWish;

/* Borrows store, world and seen; the wish is copied. */
HfLease *hf_lease_new(HfStore *store, const HfLeaseWorld *world, HfLeaseSeen *seen, const HfLeaseWish *wish);
void hf_lease_free(HfLease *lease); /* gives nothing back */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfLease, hf_lease_free)

typedef enum {
	HF_LEASE_OURS,
	HF_LEASE_IN_THE_WAY, /* by hf_lease_other() */
	HF_LEASE_SLOT_TAKEN, /* of which hf_lease_other() has host and job, and kind where it goes on */
} HfLeaseVerdict;

/*
 * Tries once to take it, and takes over what is over.  USAGE where the store does not heed conditions (hf_store_probe());
 * CORRUPT where its object of leases cannot be read; CONFLICT where there is no end of others who change it.
 */
bool hf_lease_try(HfLease *lease, HfLeaseVerdict *verdict_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whom the last try met.  Borrowed, and NULL where it met nobody. */
const HfLeaseEntry *hf_lease_other(const HfLease *lease);

/* A sign of life, with how far the job is (NULL: not told).  CONFLICT where the lease was lost; that stays so. */
typedef struct HfProgress HfProgress;
bool hf_lease_beat(HfLease *lease, const HfProgress *progress, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether nobody can have taken it over yet, by our own clock alone; and whether it is known to be lost. */
bool hf_lease_is_sure(const HfLease *lease);
bool hf_lease_is_lost(const HfLease *lease);

/*
 * A job that goes on to prune excludes more than it did.  *granted_out is false where others are in the way of that
 * (hf_lease_other()); nothing has changed then.
 */
bool hf_lease_widen(HfLease *lease, bool *granted_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Gives it back.  One that was lost, or never ours, is none. */
bool hf_lease_release(HfLease *lease, GError **error) G_GNUC_WARN_UNUSED_RESULT;

const char *hf_lease_nonce(const HfLease *lease);

/* What is there, read once and noted in seen: for those who only look.  No object is no lease. */
bool hf_lease_look(HfStore *store, const HfLeaseWorld *world, HfLeaseSeen *seen,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;
