/*
 * backup/catalog/fence.h -- what keeps a run whose lease was taken over from committing and from deleting.
 *
 * Who takes over makes the run's manifest itself: a fence, stored under the manifest's key, only if that is free.  The
 * store decides which of the two is first, and the other one is refused for good; no clock has a say.  A fence is no set:
 * nothing lists it, and a sweep takes it away later (docs/format.md, "Leases").
 *
 * The other half is the guard of this process: before what cannot be taken back it is asked whether the lease is still ours.
 */
#pragma once

#include "backup/store/store.h"

/* A fence stays so long, with the claim beside it: whoever slept longer has lost its lease, too, and looks before it commits. */
#define HF_FENCE_AGE_S (INT64_C(30) * 86400)

/* Who took over from whom; all borrowed. */
typedef struct {
	const char *host;       /* which took over */
	const char *owner_host; /* whose lease it was */
	const char *owner_job;
	int64_t at_s;
} HfFence;

/* Whether a manifest's bytes are a fence; *host_out, which may be NULL, is who made it: g_free() it. */
bool hf_fence_is(GBytes *bytes, char **host_out);

/* What the manifest's key of a set holds: *is_fence_out is false for a manifest, and where there is nothing. */
bool hf_fence_find(HfStore *store, const char *id, bool *is_fence_out, char **host_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Fences every run that claimed its id under this tag and has not committed.  What has a manifest, or a fence, already stays
 * as it is, so it may be done again.
 */
bool hf_fence_runs(HfStore *store, const char *tag, const HfFence *fence,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ---- the guard ---- */

typedef enum {
	HF_FENCE_LOOK, /* by our own clock, as long as the lease cannot have been taken over */
	HF_FENCE_ASK,  /* the store is asked */
} HfFenceCare;

/* CONFLICT where the lease was lost. */
typedef bool (*HfFenceGuard)(void *data, HfFenceCare care, GError **error);

/* Sets the process's guard, and the tag that its claims carry, which is copied.  NULLs take them away. */
void hf_fence_set_guard(HfFenceGuard guard, void *data, const char *tag);

/* Without a guard all is well. */
bool hf_fence_check(HfFenceCare care, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What our claims carry, or NULL.  Borrowed. */
const char *hf_fence_tag(void);
