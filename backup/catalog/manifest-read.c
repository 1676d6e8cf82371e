#include "config.h"

#include "backup/catalog/catalog.h"
#include "backup/catalog/fence.h"
#include "backup/catalog/names.h"
#include "backup/stage/sink.h"
#include "common/error.h"

/* A part takes some 200 bytes of a manifest: room for 20,000 of them, twice what an S3 upload has. */
#define MANIFEST_BYTES_MAX ((size_t)4 << 20)

GBytes *
hf_catalog_read_manifest_bytes(HfStore *store, const char *id, GError **error)
{
	g_autofree char *key = hf_name_manifest(id);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(MANIFEST_BYTES_MAX);

	g_autoptr(GBytes) bytes = NULL;

	if (!hf_store_read(store, key, HF_WHOLE, sink, error) || !hf_stage_finish(sink, error))
		return NULL;
	bytes = hf_sink_bytes_get(sink);
	if (!hf_fence_is(bytes, NULL))
		return g_steal_pointer(&bytes);
	hf_error_set(error, HF_ERROR_NOT_FOUND,
		     "there is no set \"%s\": its run lost its lease, and another host fenced it", id);
	return NULL;
}

/* The signature first: what it does not cover is not even parsed. */
HfManifest *
hf_catalog_read_manifest(HfStore *store, const char *id, GError **error)
{
	g_autofree char *key = hf_name_manifest(id);
	g_autoptr(GBytes) json = hf_catalog_read_manifest_bytes(store, id, error);
	HfManifest *manifest;
	HfSigned is_signed;

	if (!json)
		return NULL;
	if (!hf_signed_check(store, key, json, &is_signed, error)) {
		g_prefix_error(error, "manifest of set \"%s\": ", id);
		return NULL;
	}
	manifest = hf_manifest_parse(json, id, error);
	if (manifest) {
		manifest->is_signed = is_signed;
		manifest->sha256 = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, json);
	}
	return manifest;
}
