/*
 * tests/backup/job/images-world.h -- what the tests of images share: a source in memory, a backup folder, and the proof
 * that a set is its source.
 */
#pragma once

#include "backup/catalog/image-index.h"
#include "backup/job/backup-images.h"
#include "tests/lib/fixture.h"
#include "tests/lib/memstore.h"

/* A source, a backup store, and what the runs use. */
typedef struct {
	Fixture *fixture;
	HfStore *source;
	HfBackupImages options;
} World;

World *world_new(void);
void world_free(World *world);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(World, world_free)

/* An object of the source. */
void world_put(World *world, const char *key, const char *text);

/* Keys that are hard to keep as files, each an object with itself as content. */
#define WORLD_ODD_KEYS 25
extern const char *const world_odd_keys[WORLD_ODD_KEYS];
void world_put_odd_keys(World *world);

/* A run that must succeed. */
HfManifest *world_backup(World *world);

/* RESTORE.txt of the set makes exactly the source's objects; each is found and read alone, too. */
void world_assert_is_source(const World *world, const HfManifest *manifest);

/* Runs a script that must succeed and say nothing on stderr; its output. */
char *world_shell(const char *script);
