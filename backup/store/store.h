/*
 * backup/store/store.h -- where backups go to and come from: a folder or an S3 bucket.
 *
 * A store holds objects under keys.  Keys are relative to where the store was opened (a bucket's prefix, a folder) and
 * are bytes: nothing is normalised.  An object becomes visible whole or not at all.  A source or a destination of
 * images is a store, too.
 *
 * A store may be used by one thread at a time.
 */
#pragma once

#include "backup/stage/stage.h"

#include <stdint.h>

typedef struct HfStore HfStore;
typedef struct HfListing HfListing;
typedef struct HfKeyring HfKeyring; /* backup/age/keyring.h */

typedef struct {
	const char *key;
	uint64_t bytes;
	const char *etag;   /* opaque, without quotes; NULL where the store has none.  Never a digest */
	int64_t modified_s; /* Unix time */
} HfObject;

/* What is kept beside the bytes.  NULL members are left out; user maps names to values (char * to char *). */
typedef struct {
	const char *content_type;
	const char *cache_control;
	const char *content_disposition;
	const char *content_encoding;
	GHashTable *user;
} HfObjectMeta;

/* A range of an object.  length HF_TO_END reads up to the end. */
#define HF_TO_END UINT64_MAX
typedef struct {
	uint64_t offset;
	uint64_t length;
} HfRange;
#define HF_WHOLE ((HfRange){0, HF_TO_END})

/* Where the store is, for messages and RESTORE.txt: "s3://bucket/prefix" or an absolute path.  Borrowed. */
const char *hf_store_location(const HfStore *store);

/* The URL that awscli needs as --endpoint-url to reach the store; NULL where it needs none.  Borrowed. */
const char *hf_store_endpoint(const HfStore *store);

/*
 * The keys that archives in this store are written and read with; NULL: nothing is encrypted.  Objects themselves are
 * never touched by them, only backup/archive/ looks.  set takes keyring; the getter's is borrowed.
 */
void hf_store_set_keyring(HfStore *store, HfKeyring *keyring);
HfKeyring *hf_store_keyring(const HfStore *store);

/*
 * Lists the objects whose key begins with prefix and is greater than start_after, in byte order of key.  Both may be
 * NULL.  The listing holds a page at a time.  It borrows store.
 */
HfListing *hf_store_list(HfStore *store, const char *prefix, const char *start_after,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Puts the next object into *object_out, or NULL at the end.  The object is borrowed until the next call. */
bool hf_listing_next(HfListing *listing, const HfObject **object_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_listing_free(HfListing *listing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfListing, hf_listing_free)

/*
 * Writes range of the object into the chain and leaves the chain open.  A connection that dies in the middle is taken
 * up again at the byte it had reached, from the same version of the object.  NOT_FOUND where there is no such key;
 * CORRUPT where fewer bytes come than the range or the object's size says; USAGE for a range beyond the end.
 */
bool hf_store_read(HfStore *store, const char *key, HfRange range, HfStage *into,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * A stage that stores what is written into it under key, replacing what is there.  Finish makes it visible, whole and
 * durable, and checks that the store holds as many bytes as were written; free without finish leaves nothing behind.
 * meta may be NULL and is read only during the call.  The stage borrows store.
 */
HfStage *hf_store_write(HfStore *store, const char *key, const HfObjectMeta *meta,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Stores a small object only if the key is free: the commit point.  CONFLICT where it is not. */
bool hf_store_create(HfStore *store, const char *key, GBytes *bytes,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Replaces a small object only if its etag still is etag.  CONFLICT where it is not. */
bool hf_store_replace(HfStore *store, const char *key, GBytes *bytes, const char *etag,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Whether objects of from can be copied without their bytes coming here: both are buckets of one server, opened with one
 * access key.
 */
bool hf_store_can_copy(const HfStore *store, const HfStore *from);

/*
 * Has the server copy the object of this key and size from that store, where hf_store_can_copy().  What is seen is that the copy
 * has as many bytes; for what they are the server vouches.
 */
bool hf_store_copy(HfStore *store, HfStore *from, const char *key, uint64_t bytes,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Reads a small object whole, with the etag that hf_store_replace() wants.  NOT_FOUND where there is none, CORRUPT where
 * it has more than limit_bytes.
 */
bool hf_store_get(HfStore *store, const char *key, size_t limit_bytes, GBytes **bytes_out, char **etag_out,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the two conditions above are worth in a store: some servers, and file systems, pass over them in silence. */
typedef struct {
	bool has_create;
	bool has_replace;
} HfConditions;

/* Finds that out with a small object of this key, which must be free, and which is gone afterwards. */
bool hf_store_probe(HfStore *store, const char *key, HfConditions *found_out,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * From now on get, create and replace on this handle go out although a stop was asked for, and give up early: a lease must
 * be kept while a job that was stopped puts away its uploads, and be given back at its end.
 */
void hf_store_set_steadfast(HfStore *store);

/* Whether an object of this key can be in the store at all: a folder has no place for "a//b" or "..".  Else USAGE. */
bool hf_store_takes_key(const HfStore *store, const char *key, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes the keys (NULL-terminated).  A key that is not there is not an error.  The first refusal is the error. */
bool hf_store_remove(HfStore *store, const char *const *keys, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_store_free(HfStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfStore, hf_store_free)
