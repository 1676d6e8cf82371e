/*
 * backup/store/fetch.h -- many objects of a store, read in parallel and handed out in the order they were asked for.
 *
 * A small object comes whole, in memory; a large one is streamed by the caller when its turn comes.  What is handed out
 * is always one version of the object: one that changes while it is read is read again, a few times, and then is an
 * error of its own (CONFLICT), as is one that vanished (NOT_FOUND), is forbidden or in cold storage (DENIED).  Such an
 * error belongs to the object; the fetch goes on.
 */
#pragma once

#include "backup/store/store.h"

typedef struct HfFetch HfFetch;

/* Zero means the default, which is written behind each. */
typedef struct {
	size_t memory_bytes; /* 24 MiB: whole objects held at a time; more wait for their turn.  See large_bytes */
	size_t large_bytes; /* 4 MiB: a larger object is streamed.  The next one may be read beyond memory_bytes */
	unsigned connections; /* 16 kept-alive connections; a folder reads one after the other */
} HfFetchOptions;

/* One object's outcome.  All of it is borrowed until the next hf_fetch_next(). */
typedef struct {
	const char *key;
	const GError *error; /* NULL, or why it could not be read; nothing else is set then */
	HfObjectMeta meta;
	const char *etag; /* of the version that was read */
	int64_t modified_s;
	uint64_t bytes;
	GBytes *content; /* NULL for a large object: hf_fetch_stream() it */
} HfFetched;

/* options may be NULL.  Borrows store, which must not be used otherwise while the fetch is open. */
HfFetch *hf_fetch_new(HfStore *store, const HfFetchOptions *options);

/*
 * Asks for an object as it was listed; what is needed of it is copied.  Cheap; never blocks.  An object that has another
 * size or version by now comes as it is now.
 */
void hf_fetch_ask(HfFetch *fetch, const HfObject *object);

/* How many were asked for and not yet handed out: the caller keeps this bounded (a thousand is plenty). */
size_t hf_fetch_pending(const HfFetch *fetch);

/*
 * The next object in the order of asking, or NULL where nothing is pending.  False only for what ends the whole
 * fetch: cancelled; bucket or folder gone; keys that are wrong or have expired; an endpoint that is dead after all
 * retries.  What was complete before that is handed out first; the error stays the answer.
 */
bool hf_fetch_next(HfFetch *fetch, const HfFetched **fetched_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Streams the large object that hf_fetch_next() has just handed out into the chain: exactly fetched->bytes bytes of
 * the version named by fetched->etag.  CONFLICT where it changed or vanished meanwhile: what was written by then is
 * less than fetched->bytes, and the caller must make up for it or give up the chain.
 */
bool hf_fetch_stream(HfFetch *fetch, HfStage *into, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_fetch_free(HfFetch *fetch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfFetch, hf_fetch_free)
