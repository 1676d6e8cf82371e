/*
 * backup/job/lease-keeper.h -- a job's lease while the job runs.
 *
 * A thread of its own gives signs of life, through a store handle of its own, also while the job is being stopped.  Where
 * the lease is lost it asks the job to stop; and what cannot be taken back is refused from then on by the guard of
 * backup/catalog/fence.h, which the keeper is.  One keeper at a time in a process.
 */
#pragma once

#include "backup/job/lease.h"
#include "backup/job/run.h"
#include "common/settings.h"

typedef struct HfLeaseKeeper HfLeaseKeeper;

typedef struct {
	const char *job;  /* NULL where the run is not recorded */
	const char *kind; /* see kind.h */
	const char *requested_by;
	const char *schedule; /* NULL, or the job is this slot's of it */
	int64_t slot_s;
	HfJobLook look; /* how far the job is; NULL: not told */
} HfLeaseJob;

/* Whether others were in the way; all of it is g_free()d by hf_lease_met_clear(). */
typedef struct {
	bool is_slot_taken;  /* the slot is another host's: there is nothing to do */
	HfLeaseEntry *other; /* NULL: nobody.  Set beside the error CONFLICT, too */
} HfLeaseMet;
void hf_lease_met_clear(HfLeaseMet *met);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfLeaseMet, hf_lease_met_clear)

/*
 * Takes the lease.  Whoever was asked for by a person fails with CONFLICT where another host's job is in the way; a schedule's
 * run, and a job that only reads sets, wait for its end, and the first looks then whether that was its slot's.
 *
 * Where the store can have no leases, or LEASES is off, what is given keeps none: a warning says so, unless the job only reads.
 * With LEASES=required that is an error.  NULL without an error: the slot is taken.
 */
HfLeaseKeeper *hf_lease_keep(const HfSettings *settings, const HfLeaseJob *job, HfLeaseMet *met_out,
			     GError **error);

/* Whether sets may be deleted by this job as well, behind its backup; else *why_not_out says who reads them. */
bool hf_lease_keeper_may_remove(HfLeaseKeeper *keeper, char **why_not_out);

/* The error of a lease that was lost, or NULL.  Borrowed. */
const GError *hf_lease_keeper_lost(const HfLeaseKeeper *keeper);

/* Gives the lease back.  NULL is fine. */
void hf_lease_keeper_free(HfLeaseKeeper *keeper);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfLeaseKeeper, hf_lease_keeper_free)

/* Looks at the leases of the store and notes them in the state folder, for the service. */
bool hf_lease_refresh(const HfSettings *settings, HfStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* LEASES=off, or one of the other words; USAGE for any other. */
typedef enum {
	HF_LEASES_AUTO,
	HF_LEASES_REQUIRED,
	HF_LEASES_OFF
} HfLeaseMode;
bool hf_lease_mode(const HfSettings *settings, HfLeaseMode *mode_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;
