/*
 * backup/job/match-references.h -- which images rows name, against which images a set holds.
 */
#pragma once

#include "backup/catalog/catalog.h"
#include "backup/source/postgres.h"

/*
 * Reads the keys that rows name (backup/source/references.h) and merges them with the index that the writer has stored;
 * fills manifest->images->references, and stores the list of what differs, if anything does.
 */
bool hf_match_references(HfSetWriter *writer, HfStore *store, HfPostgres *postgres, const char *sql,
			 HfManifest *manifest, GError **error) G_GNUC_WARN_UNUSED_RESULT;
