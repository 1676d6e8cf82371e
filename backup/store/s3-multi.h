/*
 * backup/store/s3-multi.h -- many requests at once, over kept-alive connections, by one thread.
 *
 * A job is one request that is sent until it succeeds, fails for good, or was tried often enough.  A job that waits for
 * its next try holds up no other.  Everything happens inside hf_s3_multi_step(), on the caller's thread: the hooks, too.
 */
#pragma once

#include "backup/store/s3-request.h"

typedef struct HfS3Multi HfS3Multi;
typedef struct HfS3Job HfS3Job;

/* A struct of the owner's begins with this, zeroed. */
struct HfS3Job {
	HfS3Request request; /* as it is to be sent next; borrows as HfS3Request says */
	/* NULL, or called before the same job is tried again: the request may be changed, and tries set to 0. */
	void (*again)(HfS3Job *self);
	/*
	 * It is over: error is NULL on success, else why.  Both are borrowed.  The job may be added again here, or freed;
	 * it is never called for a job that was taken out.
	 */
	void (*end)(HfS3Job *self, const HfS3Reply *reply, const GError *error);

	/* The rest is the multi's. */
	HfS3Transfer *transfer; /* NULL while it waits */
	unsigned tries;
	int64_t due_us; /* of g_get_monotonic_time(): not to be sent before */
	GList link;     /* in HfS3Multi.waiting or .running */
};

HfS3Multi *hf_s3_multi_new(HfS3Client *client, unsigned connections);

/* Queues the job; it is signed and sent by a later step. */
void hf_s3_multi_add(HfS3Multi *multi, HfS3Job *job);

/* True where a job that is added now would be sent at once. */
bool hf_s3_multi_has_room(const HfS3Multi *multi);

/* Jobs on their way; those that wait for their next try are not counted. */
unsigned hf_s3_multi_running(const HfS3Multi *multi);

/*
 * Moves bytes, ends jobs, sends those that are due.  With waits, it returns only when something happened, however
 * small.  False when a stop was asked for, or the system has no descriptor left to wait with.
 */
bool hf_s3_multi_step(HfS3Multi *multi, bool waits, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Gives up the job where it is; does nothing where it was never added or has ended. */
void hf_s3_multi_take_out(HfS3Multi *multi, HfS3Job *job);

/* All jobs have ended or were taken out. */
void hf_s3_multi_free(HfS3Multi *multi);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfS3Multi, hf_s3_multi_free)
