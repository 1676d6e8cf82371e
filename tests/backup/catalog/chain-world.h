/*
 * tests/backup/catalog/chain-world.h -- sets of any age in a folder, signed or not, and hands that take them away and put them back.
 */
#pragma once

#include "backup/age/keyring.h"
#include "backup/catalog/chain.h"
#include "tests/lib/fixture.h"

#define DAY INT64_C(86400)

typedef struct {
	Fixture *fixture;
	HfSignKey *key; /* NULL: nothing is signed */
	int64_t now_s;
} World;

World *world_new(bool is_signed);
void world_free(World *world);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

/* What signs from now on, and what counts beside it; either may be NULL. */
void trust(World *world, const HfSignKey *signs, const HfSignKey *trusted);

/* A set of so many days ago; its id. */
char *add(World *world, int days);

/* All troubles in one text; lost_s as hf_chain_troubles() takes it. */
char *troubles_with(World *world, int64_t lost_s);
void assert_fine(World *world);
/* Exactly one trouble, which names the set and says so. */
void assert_trouble(World *world, const char *id, const char *says);

/* Of the object "backup_<id><rest>". */
void take_away(World *world, const char *id, const char *rest);
GBytes *copy_of(World *world, const char *id, const char *rest);
void put(World *world, const char *id, const char *rest, GBytes *bytes);

/* As its owner does it. */
void delete_set(World *world, const char *id);
HfManifest *read_set(World *world, const char *id, GError **error);
/* Another name for the database in the manifest. */
void change_a_byte(World *world, const char *id, const char *unused);
