/*
 * tests/backup/catalog/prune-world.h -- sets of any age in a folder, and in front of it a store that locks and fails.
 */
#pragma once

#include "backup/catalog/prune.h"
#include "tests/lib/fixture.h"

#define DAY INT64_C(86400)

typedef struct {
	HfStore base;
	HfStore *behind;
	GHashTable *locked; /* keys that may not be removed */
	int64_t locked_until_s;
	bool has_lock;        /* what the bucket says of itself */
	bool denies_unlocked; /* refuses what is not locked, too */
	int removals_left;    /* then it fails; -1: never */
} Guard;

typedef struct {
	Fixture *fixture;
	Guard guard;
	int64_t now_s;
	HfPruneOptions options; /* 30 days */
} World;

World *world_new(void);
void world_free(World *world);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

/* A set of a database of so many days ago; its id. */
char *add_set(World *world, int days);
HfPrune *prune(World *world);
void put(World *world, const char *key, const char *text);
bool has_file(World *world, const char *key);
bool has_set(World *world, const char *id);
char *dump_key(const char *id);
/* The row of a set that was listed. */
const HfPruneRow *row_of(const HfPrune *done, const char *id);
HfSet *find_set(World *world, const char *id);
void hold(World *world, const char *id, const char *reason);
