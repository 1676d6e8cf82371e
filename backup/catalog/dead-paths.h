/*
 * backup/catalog/dead-paths.h -- the paths that a set's archives bring although no live object has them.
 *
 * Whoever extracts the archives of an incremental set with stock tar removes them afterwards.  One path a line, in
 * byte order of their keys; a key has two paths at most: itself, and its escaped form.
 */
#pragma once

#include "backup/catalog/manifest.h"

/* Which of its paths; a set of flags. */
typedef enum {
	HF_DEAD_PLAIN = 1,   /* the key itself */
	HF_DEAD_ESCAPED = 2, /* hf_tarball_path(key, true) */
} HfDeadPaths;

typedef struct {
	const char *key;
	unsigned paths; /* HfDeadPaths */
} HfDead;

/* Writes the paths of a key into the chain. */
bool hf_dead_write(HfStage *into, const HfDead *dead, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct HfDeadReader HfDeadReader;

/* Reads the list of a set, which has one.  Borrows both. */
HfDeadReader *hf_dead_open(HfStore *store, const HfManifest *manifest);
/* The next key, or NULL at the end; borrowed until the next call.  CORRUPT as hf_image_index_next(). */
bool hf_dead_next(HfDeadReader *reader, const HfDead **dead_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_dead_free(HfDeadReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfDeadReader, hf_dead_free)
