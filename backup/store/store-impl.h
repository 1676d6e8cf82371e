/*
 * backup/store/store-impl.h -- for those who write a store; those who use one include store.h.
 *
 * A store is a struct whose first member is an HfStore.  store.c checks arguments (a key is 1 to 1,024 bytes of UTF-8
 * or any other bytes but NUL) and dispatches; the rules of store.h are the implementation's to keep.
 */
#pragma once

#include "backup/store/expect-impl.h"
#include "backup/store/fetch.h"
#include "backup/store/put.h"
#include "backup/store/store.h"
#include "backup/store/upkeep.h"

typedef struct {
	HfListing *(*list)(HfStore *self, const char *prefix, const char *start_after, GError **error);
	bool (*read)(HfStore *self, const char *key, HfRange range, HfStage *into, GError **error);
	HfStage *(*write)(HfStore *self, const char *key, const HfObjectMeta *meta, GError **error);
	bool (*create)(HfStore *self, const char *key, GBytes *bytes, GError **error);
	bool (*replace)(HfStore *self, const char *key, GBytes *bytes, const char *etag, GError **error);
	bool (*get)(HfStore *self, const char *key, size_t limit_bytes, GBytes **bytes_out, char **etag_out,
		    GError **error);
	bool (*probe)(HfStore *self, const char *key, HfConditions *found_out, GError **error);
	bool (*remove)(HfStore *self, const char *const *keys, GError **error);
	/* Both NULL: it copies nothing by itself.  from is a store of the same ops. */
	bool (*can_copy)(const HfStore *self, const HfStore *from);
	bool (*copy)(HfStore *self, HfStore *from, const char *key, uint64_t bytes, GError **error);
	HfFetch *(*fetch_new)(HfStore *self, const HfFetchOptions *options); /* fetch-impl.h */
	HfPut *(*put_new)(HfStore *self, const HfPutOptions *options);       /* put-impl.h */
	bool (*takes_key)(const HfStore *self, const char *key,
			  GError **error); /* NULL: whatever hf_store_check_key() takes */
	/* upkeep.h, where the arguments are explained; each may be NULL: there is nothing of that kind */
	GPtrArray *(*unfinished)(HfStore *self, const char *prefix, int64_t before_s, GError **error);
	bool (*abandon)(HfStore *self, const HfUnfinished *unfinished, GError **error);
	bool (*upkeep)(HfStore *self, HfUpkeep *upkeep_out, GError **error);
	bool (*lock)(HfStore *self, const char *key, HfObjectLock *lock_out, GError **error);
	bool is_distant; /* a read takes a round trip, and fetch_new() has several at once: see expect.h */
	void (*clear)(
		HfStore *
			self); /* frees what the struct holds; the struct, location and endpoint are freed by store.c */
} HfStoreOps;

struct HfStore {
	const HfStoreOps *ops;
	char *location;
	HfKeyring *keyring;   /* see hf_store_keyring() */
	HfStore *copies;      /* see hf_store_copies() */
	bool borrows_keyring; /* a store in front of another one has that one's, and its copies */
	bool is_steadfast;    /* see hf_store_set_steadfast() */
	HfExpected *expected; /* see expect.h; NULL: nothing */
	char *endpoint;       /* see hf_store_endpoint(); set by the implementation, freed by store.c */
};

typedef struct {
	bool (*next)(HfListing *self, const HfObject **object_out, GError **error);
	void (*clear)(HfListing *self);
} HfListingOps;

struct HfListing {
	const HfListingOps *ops;
};

/* Sets up the base of a store that was allocated zeroed; takes location. */
void hf_store_init(HfStore *self, const HfStoreOps *ops, char *location);

/* USAGE for a key that no store takes. */
bool hf_store_check_key(const char *key, GError **error);
