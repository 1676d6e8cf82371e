/*
 * backup/catalog/manifest-private.h -- a manifest whose names are encrypted (private.h).
 *
 * What stays readable is what a listing, retention, the sweep, the guard's own bookkeeping and a proof by the stored bytes take:
 * times, counts, sizes, digests, and the keys of parts, which are made of the set's id.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/age/keyring.h"
#include "common/json.h"

/* The stored form of what hf_manifest_to_json() gives, where the keyring hides names; else json itself, another reference. */
GBytes *hf_manifest_hide(GBytes *json, const HfKeyring *keyring, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* For manifest.c: before and after the members are read. */
bool hf_manifest_reveal(HfJson *object, HfKeyring *keyring, HfManifest *manifest,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_manifest_blank(HfManifest *manifest);
/* Takes out of a sealed one's JSON what is not known. */
void hf_manifest_strip_json(HfJson *object, const HfManifest *manifest);
