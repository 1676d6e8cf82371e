/*
 * tests/backup/catalog/replica-world.h -- two folders, one to be brought level with the other, and in front of each a store
 * that counts and fails.
 */
#pragma once

#include "backup/catalog/replicate.h"
#include "tests/lib/fixture.h"

#define DAY INT64_C(86400)

typedef struct {
	HfStore base;
	HfStore *behind;
	unsigned lists, reads, writes, removals;
	int writes_left; /* then they fail with code; -1: never */
	int code;
	bool denies_removal;
} Watch;

typedef struct {
	Fixture *store, *replica;
	Watch ours, its;
	HfReplicateOptions options; /* everything stays, and nothing is pruned */
	HfReplication result;       /* of the last run */
} Pair;

Pair *pair_new(void);
void pair_free(Pair *pair);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pair, pair_free)

/* A set of a database in this store, of so many days ago; its id. */
char *pair_set(const Pair *pair, const Fixture *where, int days);

/* Brings it level, which must not fail; or fails with this code. */
void pair_run(Pair *pair);
void pair_fail(Pair *pair, int code);

bool pair_has(const Fixture *where, const char *key);
void pair_put(const Fixture *where, const char *key, const char *text);
/* Cuts the file to so many bytes, or writes over its first ones. */
void pair_cut(const Fixture *where, const char *key, long bytes);
void pair_spoil(const Fixture *where, const char *key);
void pair_remove(const Fixture *where, const char *key);
/* All files of a folder with their contents, but for RESTORE.txt: g_free() it. */
char *pair_contents(const Fixture *where);
/* Ids of the sets that exist, joined by blanks. */
char *pair_ids(const Fixture *where);
char *pair_dump_key(const char *id);
