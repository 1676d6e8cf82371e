/*
 * backup/store/put-impl.h -- for those who write a put; those who use one include put.h.
 *
 * The base checks the key and keeps the first error, which is the answer from then on.
 */
#pragma once

#include "backup/store/put.h"

typedef struct {
	bool (*object)(HfPut *self, const char *key, const HfObjectMeta *meta, GBytes *content,
		       GError **error);
	bool (*finish)(HfPut *self, GError **error);
	void (*clear)(HfPut *self); /* gives up what is in flight, frees what the struct holds */
} HfPutOps;

struct HfPut {
	const HfPutOps *ops;
	HfStore *store;       /* set by the base */
	HfPutOptions options; /* no member is zero */
	GError *ended;
};

/* Sets up the base of a put that was allocated zeroed. */
void hf_put_init(HfPut *self, const HfPutOps *ops, const HfPutOptions *options);
