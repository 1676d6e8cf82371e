#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/catalog.h"
#include "backup/catalog/fence.h"
#include "backup/catalog/names.h"
#include "backup/catalog/own-copy.h"
#include "backup/stage/sink.h"
#include "backup/store/expect.h"
#include "common/error.h"

/* A part takes some 200 bytes of a manifest: room for 20,000 of them, twice what an S3 upload has. */
#define MANIFEST_BYTES_MAX ((size_t)4 << 20)

void
hf_catalog_expect(HfStore *store, const HfObject *object)
{
	HfNameKind kind = hf_name_read(object->key).kind;

	if (kind == HF_NAME_MANIFEST ||
	    (kind == HF_NAME_SIGNATURE && hf_keyring_trusted(hf_store_keyring(store))))
		hf_store_expect(store, object);
}

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
static GBytes *
read_checked(HfStore *store, const char *id, HfSigned *is_signed_out, GError **error)
{
	g_autofree char *key = hf_name_manifest(id);
	g_autoptr(GBytes) json = hf_catalog_read_manifest_bytes(store, id, error);

	if (!json)
		return NULL;
	if (hf_signed_check(store, key, json, is_signed_out, error))
		return g_steal_pointer(&json);
	g_prefix_error(error, "manifest of set \"%s\": ", id);
	return NULL;
}

/* Notes of a manifest that was read what is not a part of it; NULL stays NULL. */
static HfManifest *
note(HfManifest *manifest, GBytes *json, HfSigned is_signed)
{
	if (manifest) {
		manifest->is_signed = is_signed;
		g_free(manifest->sha256);
		manifest->sha256 = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, json);
	}
	return manifest;
}

HfManifest *
hf_catalog_read_manifest(HfStore *store, const char *id, GError **error)
{
	HfSigned is_signed;
	g_autoptr(GBytes) json = read_checked(store, id, &is_signed, error);

	return json ? note(hf_manifest_parse(json, id, hf_store_keyring(store), error), json, is_signed)
		    : NULL;
}

HfManifest *
hf_catalog_read_known(HfStore *store, const char *id, GError **error)
{
	HfSigned is_signed;
	g_autoptr(GBytes) json = read_checked(store, id, &is_signed, error);
	HfManifest *known = json ? hf_own_copy_find(store, id, json) : NULL;

	if (!json)
		return NULL;
	return note(known ? known : hf_manifest_parse(json, id, hf_store_keyring(store), error), json,
		    is_signed);
}

HfManifest *
hf_catalog_read_listed(HfStore *store, const char *id, GError **error)
{
	HfKeyring *keyring = hf_store_keyring(store);
	HfSigned is_signed;
	g_autoptr(GBytes) json = read_checked(store, id, &is_signed, error);

	return json ? note(hf_manifest_parse(json, id, hf_keyring_is_quick(keyring) ? keyring : NULL, error),
			   json, is_signed)
		    : NULL;
}
