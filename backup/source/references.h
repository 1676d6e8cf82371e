/*
 * backup/source/references.h -- the keys of images that rows name, read in the dump's own snapshot.
 *
 * IMAGE_REFERENCES_SQL is a query whose one column holds keys as the images' store has them (below IMAGES_PREFIX).  It
 * runs inside the read-only transaction that holds the snapshot; the server sorts the keys by their UTF-8 bytes and
 * drops duplicates and NULLs (rows without an image), so that they can be merged with an index in constant memory.
 */
#pragma once

#include "backup/source/postgres.h"

/*
 * Whether the query can be run at all, before anything is backed up: USAGE that names the setting where the server
 * refuses it, or where it gives more than one column.
 */
bool hf_references_check(HfPostgres *postgres, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct HfReferences HfReferences;

/* Begins to read.  Borrows postgres, of which nothing else may be asked meanwhile. */
HfReferences *hf_references_open(HfPostgres *postgres, const char *sql,
				 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The next key in byte order, or NULL at the end; borrowed until the next call. */
bool hf_references_next(HfReferences *references, const char **key_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_references_free(HfReferences *references);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfReferences, hf_references_free)
