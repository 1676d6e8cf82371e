#include "config.h"

#include "backup/catalog/deletion.h"
#include "backup/age/keyring.h"
#include "backup/catalog/catalog.h"
#include "backup/catalog/manifest-impl.h"
#include "backup/catalog/names.h"
#include "backup/stage/sink.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/host.h"

#include <string.h>

#define FORMAT_NAME "holdfast-deletion"
#define FORMAT_VERSION 1
/* A link takes some 110 bytes. */
#define DELETION_BYTES_MAX ((size_t)1 << 20)

void
hf_deletion_free(HfDeletion *deletion)
{
	if (!deletion)
		return;
	g_free(deletion->id);
	g_free(deletion->sha256);
	g_clear_pointer(&deletion->previous, g_array_unref);
	g_free(deletion->host);
	g_free(deletion);
}

/* ---- out ---- */

static GBytes *
to_json(const HfDeletion *deletion)
{
	g_autoptr(HfJson) object = json_object_new_object();
	g_autofree char *at = hf_clock_rfc3339(deletion->at_s);
	char *text;

	hf_json_add_text(object, "format", FORMAT_NAME);
	hf_json_add_number(object, "version", FORMAT_VERSION);
	hf_json_add_text(object, "set", deletion->id);
	hf_json_add_text(object, "sha256", deletion->sha256);
	hf_json_add_text(object, "at", at);
	hf_json_add_bytes(object, "host", deletion->host);
	hf_links_to_json(object, deletion->previous);
	text = g_strconcat(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN), "\n", NULL);
	return g_bytes_new_take(text, strlen(text));
}

bool
hf_deletion_write(HfStore *store, const HfDeletion *deletion, GError **error)
{
	const HfKeyring *keyring = hf_store_keyring(store);
	g_autofree char *key = hf_name_deletion(deletion->id);
	g_autoptr(GBytes) json = to_json(deletion);
	g_autoptr(HfStage) stage = NULL;

	if (hf_keyring_trusted(keyring) && !hf_keyring_signing_key(keyring))
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"SIGNING_PUBLIC_KEYS is set and SIGNING_KEY_FILE is not: what is deleted "
			"without a signature would look as if somebody had taken it away, so set it, "
			"or delete where it is set");
	if (!hf_signed_write(store, key, json, deletion->at_s, error))
		return false;
	stage = hf_store_write(store, key, NULL, error);
	return stage && hf_stage_write(stage, g_bytes_get_data(json, NULL), g_bytes_get_size(json), error) &&
	       hf_stage_finish(stage, error);
}

/* A record of an earlier set goes once nobody names that set: so what it led to is named instead. */
static bool
add_previous(HfStore *store, const HfLink *link, GArray *previous, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfDeletion) before = hf_deletion_read(store, link->id, &trouble);

	if (trouble && !hf_error_is(trouble, HF_ERROR_NOT_FOUND) && !hf_error_is(trouble, HF_ERROR_CORRUPT)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	if (!before && !hf_links_find(previous, link->id) && previous->len < HF_LINKS_MAX)
		hf_links_add(previous, link->id, link->sha256);
	for (guint i = 0; before && i < before->previous->len; i++) {
		const HfLink *older = &g_array_index(before->previous, HfLink, i);

		if (!hf_links_find(previous, older->id) && previous->len < HF_LINKS_MAX)
			hf_links_add(previous, older->id, older->sha256);
	}
	return true;
}

bool
hf_deletion_record(HfStore *store, const char *id, int64_t now_s, GError **error)
{
	g_autoptr(GBytes) json = hf_catalog_read_manifest_bytes(store, id, error);
	g_autoptr(HfManifest) manifest = json ? hf_manifest_parse(json, id, NULL, NULL) : NULL;
	g_autoptr(HfDeletion) deletion = g_new0(HfDeletion, 1);

	if (!json)
		return false;
	deletion->id = g_strdup(id);
	deletion->sha256 = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, json);
	deletion->at_s = now_s;
	deletion->host = g_strdup(hf_host_name());
	deletion->previous = hf_links_new();
	for (guint i = 0; manifest && manifest->previous && i < manifest->previous->len; i++)
		if (!add_previous(store, &g_array_index(manifest->previous, HfLink, i), deletion->previous,
				  error))
			return false;
	return hf_deletion_write(store, deletion, error);
}

/* ---- in ---- */

static bool
parse(HfJson *object, HfDeletion *deletion, GError **error)
{
	const char *format, *set, *sha256, *at;
	uint64_t version;

	if (!hf_json_get_text(object, "format", &format, error) ||
	    !hf_json_get_number(object, "version", &version, error) ||
	    !hf_json_get_text(object, "set", &set, error) ||
	    !hf_json_get_text(object, "sha256", &sha256, error) ||
	    !hf_json_get_text(object, "at", &at, error) ||
	    !hf_json_find_bytes(object, "host", &deletion->host, error) ||
	    !hf_links_parse(object, &deletion->previous, error))
		return false;
	if (strcmp(format, FORMAT_NAME) != 0 || version != FORMAT_VERSION || strcmp(set, deletion->id) != 0 ||
	    !hf_is_sha256(sha256) || !hf_clock_parse_rfc3339(at, &deletion->at_s))
		return hf_error_set(error, HF_ERROR_CORRUPT, "it is no record of this set");
	deletion->sha256 = g_strdup(sha256);
	if (!deletion->previous)
		deletion->previous = hf_links_new();
	return true;
}

HfDeletion *
hf_deletion_parse(GBytes *json, const char *id, GError **error)
{
	g_autoptr(HfDeletion) deletion = g_new0(HfDeletion, 1);
	gsize len;
	const char *text = g_bytes_get_data(json, &len);
	g_autoptr(HfJson) object = hf_json_parse(text ? text : "", len, error);

	deletion->id = g_strdup(id);
	if (object && parse(object, deletion, error))
		return g_steal_pointer(&deletion);
	g_prefix_error(error, "record that set \"%s\" was deleted: ", id);
	return NULL;
}

HfDeletion *
hf_deletion_read(HfStore *store, const char *id, GError **error)
{
	g_autofree char *key = hf_name_deletion(id);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(DELETION_BYTES_MAX);
	g_autoptr(GBytes) json = NULL;
	HfDeletion *deletion;
	HfSigned is_signed;

	if (!hf_store_read(store, key, HF_WHOLE, sink, error) || !hf_stage_finish(sink, error))
		return NULL;
	json = hf_sink_bytes_get(sink);
	if (!hf_signed_check(store, key, json, &is_signed, error))
		return NULL;
	deletion = hf_deletion_parse(json, id, error);
	if (deletion)
		deletion->is_signed = is_signed;
	return deletion;
}
