/*
 * backup/catalog/reference-list.h -- the stored list of references that differ: JSON lines in byte order of key.
 */
#pragma once

#include "backup/catalog/manifest.h"

bool hf_reference_write(HfStage *into, HfReferenceKind kind, const char *key, GError **error);

typedef bool (*HfReferenceFunc)(void *context, HfReferenceKind kind, const char *key, GError **error);

/* Reads the whole list of a set, a line at a time; nothing where nothing differs.  CORRUPT names the object. */
bool hf_reference_list_read(HfStore *store, const HfManifest *manifest, HfReferenceFunc take, void *context,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;
