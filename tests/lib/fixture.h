/*
 * tests/lib/fixture.h -- a temporary folder with a store in it, a store that fails on demand, and dumps to put there.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/store/dir.h"
#include "backup/store/store-impl.h"

typedef struct {
	char *folder;
	HfStore *store;
} Fixture;

Fixture *fixture_new(void);
void fixture_free(Fixture *fixture); /* and everything in the folder */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fixture, fixture_free)

/*
 * Stores, reads (as text), counts the files of the folder, temporary ones included; but not records of deletions, which stay
 * longer than what they are of (backup/catalog/sweep-records.h).
 */
void fixture_put(const Fixture *fixture, const char *key, const char *bytes, size_t len);
GBytes *fixture_get(const Fixture *fixture, const char *key);
unsigned fixture_files(const Fixture *fixture);
char *fixture_path(const Fixture *fixture, const char *key);

/* A store in front of another whose writes fail with FAILED after so many bytes in all; it borrows behind. */
HfStore *failing_store_new(HfStore *behind, uint64_t after_bytes);

/* A plain dump of `tables` tables with `rows` rows each, as pg_dump writes it. */
char *fixture_dump(unsigned tables, unsigned rows);

/* Stores a whole set made of that dump; its manifest. */
HfManifest *fixture_set(HfStore *store, const HfArchiveOptions *options, const char *dump, int64_t now_s,
			GError **error);
