/*
 * backup/catalog/own-copy.h -- what this host keeps in the clear of the sets that it made with encrypted names.
 *
 * A host that only makes backups cannot read the last index, nor how many rows the tables had.  So it keeps both, and the manifest, in
 * hf_store_copies(), 0600, bound to the stored manifest by its SHA-256.  A copy may be lost at any time; the next run is then a
 * full one.  It is kept until a newer set of the same database, or the same source of images, is there.  Beginnings of a run use
 * it, nothing else does.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/store/store.h"

/* Before the commit: json is the manifest, stored the same as it will be stored.  A copy that cannot be kept is a warning. */
void hf_own_copy_keep(HfStore *store, const HfManifest *manifest, GBytes *json, GBytes *stored);

/* The manifest whose stored form is `stored`, with the copies of its archives; NULL where there is none. */
HfManifest *hf_own_copy_find(HfStore *store, const char *id, GBytes *stored);

/* After the commit: removes what the new set makes needless. */
void hf_own_copy_tidy(HfStore *store, const HfManifest *manifest, int64_t now_s);

/* Removes what is kept of a set that did not come to be. */
void hf_own_copy_forget(HfStore *store, const char *id);
