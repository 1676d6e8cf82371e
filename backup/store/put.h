/*
 * backup/store/put.h -- many objects into a store, written in parallel: the other side of fetch.h.
 */
#pragma once

#include "backup/store/store.h"

typedef struct HfPut HfPut;

/* Zero means the default, which is written behind each. */
typedef struct {
	size_t memory_bytes;  /* 24 MiB of content in flight */
	unsigned connections; /* 16; a folder writes one after the other */
} HfPutOptions;

/*
 * options may be NULL.  Borrows store.  Between two calls the store may be used otherwise, by the same thread: an object
 * that is larger than memory_bytes is best written by hf_store_write().  In a folder, what is made while a put is open
 * has the modes that the umask allows, for the application that reads it may be another user; else it is private.
 */
HfPut *hf_put_new(HfStore *store, const HfPutOptions *options);

/*
 * Hands over one whole object; waits while memory_bytes are in flight.  meta is read only during the call.  An
 * object that the store refuses is the error of this or a later call, naming its key: nothing is passed over silently.
 */
bool hf_put_object(HfPut *put, const char *key, const HfObjectMeta *meta, GBytes *content,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * A stage that stores one large object, as hf_store_write() does; before it begins, all that was handed over is stored.
 * Nothing is handed over before it is finished or freed.
 */
HfStage *hf_put_stream(HfPut *put, const char *key, const HfObjectMeta *meta,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Waits until all that was handed over is stored; in a folder, durable: what was put there is synced only here. */
bool hf_put_finish(HfPut *put, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Without finish, what is in flight is given up; objects that were stored already stay. */
void hf_put_free(HfPut *put);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPut, hf_put_free)
