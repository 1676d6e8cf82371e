/*
 * backup/catalog/chain-impl.h -- what chain-read.c (what there is) and chain.c (what it means) share.
 */
#pragma once

#include "backup/catalog/chain.h"

/* An id of which there is a manifest, a record, or both. */
typedef struct {
	char *id;
	bool exists;        /* it has a manifest */
	bool is_bad;        /* of a wrong signature */
	char *sha256;       /* of the manifest */
	GArray *previous;   /* what the manifest names, where it may be believed; NULL: nothing */
	HfSigned is_signed; /* the manifest */
	int64_t started_s, finished_s;
	HfDeletion *deletion; /* NULL: no record, or one whose signature is wrong */
	bool is_recorded;     /* there is one, whatever it is worth */
	bool is_foreign; /* not signed, although older sets are, and no signed one names it: nothing that it says counts */
} HfChainNode;

struct HfChain {
	GHashTable *by_id;         /* id to HfChainNode */
	GPtrArray *nodes;          /* the same, the newest id first */
	bool is_checked;           /* there are keys to check signatures with */
	const char *oldest_signed; /* id, borrowed; NULL: none is */
};
