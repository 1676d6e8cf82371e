/*
 * backup/catalog/mark.h -- a small JSON object beside a manifest: what was learnt of a set since it was stored (marks.h, hold.h).
 *
 * Where the set's names are encrypted, or this host is to encrypt them, a mark's are as well.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/store/store.h"
#include "common/json.h"

HfJson *hf_mark_begin(const char *format, const char *id, int64_t now_s);

/*
 * Stores object, which hf_mark_begin() began, under key; members that tell names are encrypted where they must be, and left out,
 * with a warning, where this host has nobody to encrypt them for.
 */
bool hf_mark_write(HfStore *store, const char *key, HfJson *object, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * CORRUPT, naming key, where it is no mark of this format.  *sealed_out is NULL, or why its names cannot be read here: g_free()
 * it.
 */
HfJson *hf_mark_read(HfStore *store, const char *key, const char *format, char **sealed_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;
