#include "config.h"

#include "backup/catalog/own-copy.h"
#include "backup/age/keyring.h"
#include "backup/catalog/names.h"
#include "backup/stage/sink.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/json.h"

#include <string.h>

#define FORMAT_NAME "holdfast-copy"
#define ENCRYPTED_SUFFIX ".age"

/* A manifest, and a line for each part of its indexes. */
#define COPY_BYTES_MAX ((size_t)6 << 20)

/* What has no manifest and is older is of a run that was killed: docs/format.md, "Deleting and sweeping". */
#define ABANDONED_S ((int64_t)48 * 3600)

/* The archives of a set that tell names; NULL where it has none of the kind. */
enum {
	ARCHIVES_MAX = 5
};

static void
list_archives(const HfManifest *manifest, HfArchive *archives_out[ARCHIVES_MAX])
{
	const HfImagesRecord *images = manifest->images;

	memset(archives_out, 0, ARCHIVES_MAX * sizeof *archives_out);
	if (manifest->database)
		archives_out[0] = manifest->database->index;
	if (!images)
		return;
	archives_out[1] = images->index;
	archives_out[2] = images->top;
	archives_out[3] = images->dead;
	archives_out[4] = images->references ? images->references->list : NULL;
}

static void
to_digest(GBytes *bytes, char hex_out[HF_SHA256_HEX_LEN + 1])
{
	g_autofree char *hex = g_compute_checksum_for_bytes(G_CHECKSUM_SHA256, bytes);

	g_strlcpy(hex_out, hex, HF_SHA256_HEX_LEN + 1);
}

/* ---- keeping ---- */

static HfJson *
copies_to_json(const HfManifest *manifest)
{
	HfJson *object = json_object_new_object();
	HfArchive *archives[ARCHIVES_MAX];

	list_archives(manifest, archives);
	for (int i = 0; i < ARCHIVES_MAX; i++) {
		const HfArchive *copy = archives[i] ? archives[i]->copy : NULL;

		for (guint j = 0; copy && j < copy->parts->len; j++) {
			const HfPart *part = g_ptr_array_index(copy->parts, j);

			hf_json_add_text(object, part->key, part->sha256);
		}
	}
	return object;
}

static bool
store_text(HfStore *copies, const char *key, const char *text, GError **error)
{
	g_autoptr(HfStage) stage = hf_store_write(copies, key, NULL, error);

	return stage && hf_stage_write(stage, text, strlen(text), error) && hf_stage_finish(stage, error);
}

void
hf_own_copy_keep(HfStore *store, const HfManifest *manifest, GBytes *json, GBytes *stored)
{
	HfStore *copies = hf_store_copies(store);
	g_autoptr(HfJson) object = json_object_new_object();
	g_autofree char *key = hf_name_manifest(manifest->id);
	g_autoptr(GError) trouble = NULL;
	char digest[HF_SHA256_HEX_LEN + 1];
	HfJson *plain;
	gsize len;
	const char *text = g_bytes_get_data(json, &len);

	if (!copies || !hf_keyring_hides_names(hf_store_keyring(store)))
		return;
	to_digest(stored, digest);
	hf_json_add_text(object, "format", FORMAT_NAME);
	hf_json_add_number(object, "version", 1);
	hf_json_add_text(object, "set", manifest->id);
	hf_json_add_text(object, "sha256", digest);
	hf_json_add(object, "copies", copies_to_json(manifest));
	plain = hf_json_parse(text, len, &trouble);
	if (plain) {
		hf_json_add(object, "manifest", plain);
		if (store_text(copies, key, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN),
			       &trouble))
			return;
	}
	g_warning("what the next run goes on from is not kept on this host: %s", trouble->message);
}

/* ---- finding ---- */

static HfJson *
read_copy(HfStore *copies, const char *id, GError **error)
{
	g_autofree char *key = hf_name_manifest(id);
	g_autoptr(HfStage) sink = hf_sink_bytes_new(COPY_BYTES_MAX);
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(HfJson) object = NULL;
	const char *format, *text;
	gsize len;

	if (!hf_store_read(copies, key, HF_WHOLE, sink, error) || !hf_stage_finish(sink, error))
		return NULL;
	bytes = hf_sink_bytes_get(sink);
	text = g_bytes_get_data(bytes, &len);
	object = hf_json_parse(text ? text : "", len, error);
	if (!object || !hf_json_get_text(object, "format", &format, error))
		return NULL;
	if (strcmp(format, FORMAT_NAME) == 0)
		return g_steal_pointer(&object);
	hf_error_set(error, HF_ERROR_CORRUPT, "it is no " FORMAT_NAME);
	return NULL;
}

static HfManifest *
parse_copy(HfJson *object, const char *id, GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	HfJson *manifest;
	const char *text;

	if (!hf_json_get_object(object, "manifest", &manifest, error))
		return NULL;
	text = json_object_to_json_string_ext(manifest, JSON_C_TO_STRING_PLAIN);
	bytes = g_bytes_new(text, strlen(text));
	return hf_manifest_parse(bytes, id, NULL, error);
}

/* All parts or none. */
static void
attach(HfArchive *archive, HfJson *copies)
{
	g_autoptr(HfArchive) copy = NULL;

	if (!archive || !archive->is_encrypted)
		return;
	copy = hf_archive_new(archive->compression);
	copy->plain_bytes = archive->plain_bytes;
	for (guint i = 0; i < archive->parts->len; i++) {
		const HfPart *part = g_ptr_array_index(archive->parts, i);
		g_autofree char *key = g_strdup(part->key);
		const char *sha256;

		if (g_str_has_suffix(key, ENCRYPTED_SUFFIX))
			key[strlen(key) - strlen(ENCRYPTED_SUFFIX)] = '\0';
		if (!hf_json_get_text(copies, key, &sha256, NULL))
			return;
		hf_archive_add_part(copy, key, part->packed_bytes, sha256);
	}
	archive->copy = g_steal_pointer(&copy);
}

static HfManifest *
find(HfStore *copies, const char *id, GBytes *stored, GError **error)
{
	g_autoptr(HfJson) object = read_copy(copies, id, error);
	g_autoptr(HfManifest) manifest = NULL;
	HfArchive *archives[ARCHIVES_MAX];
	char digest[HF_SHA256_HEX_LEN + 1];
	const char *recorded;
	HfJson *parts;

	if (!object || !hf_json_get_text(object, "sha256", &recorded, error) ||
	    !hf_json_get_object(object, "copies", &parts, error))
		return NULL;
	to_digest(stored, digest);
	if (strcmp(digest, recorded) != 0) {
		hf_error_set(error, HF_ERROR_CORRUPT, "the stored manifest is another one");
		return NULL;
	}
	manifest = parse_copy(object, id, error);
	if (!manifest)
		return NULL;
	list_archives(manifest, archives);
	for (int i = 0; i < ARCHIVES_MAX; i++)
		attach(archives[i], parts);
	manifest->hides_names = true;
	return g_steal_pointer(&manifest);
}

HfManifest *
hf_own_copy_find(HfStore *store, const char *id, GBytes *stored)
{
	HfStore *copies = hf_store_copies(store);
	g_autoptr(GError) trouble = NULL;
	HfManifest *manifest;

	if (!copies)
		return NULL;
	manifest = find(copies, id, stored, &trouble);
	if (!manifest && !hf_error_is(trouble, HF_ERROR_NOT_FOUND))
		g_warning("this host's copy of set \"%s\" in \"%s\" is of no use: %s", id,
			  hf_store_location(copies), trouble->message);
	return manifest;
}

/* ---- removing ---- */

/* What there is, as a map of ids to lists of keys; NULL where it cannot be listed. */
static GHashTable *
list_copies(HfStore *copies, GError **error)
{
	g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
							    (GDestroyNotify)g_ptr_array_unref);
	g_autoptr(HfListing) listing = hf_store_list(copies, NULL, NULL, error);
	const HfObject *object;

	if (!listing)
		return NULL;
	do {
		HfName name;
		GPtrArray *keys;

		if (!hf_listing_next(listing, &object, error))
			return NULL;
		name = object ? hf_name_read(object->key) : (HfName){0};
		if (!name.is_own)
			continue;
		keys = g_hash_table_lookup(found, name.id);
		if (!keys) {
			keys = g_ptr_array_new_with_free_func(g_free);
			g_hash_table_insert(found, g_strdup(name.id), keys);
		}
		g_ptr_array_add(keys, g_strdup(object->key));
	} while (object);
	return g_steal_pointer(&found);
}

static void
remove_keys(HfStore *copies, GPtrArray *keys)
{
	g_autoptr(GError) trouble = NULL;

	g_ptr_array_add(keys, NULL);
	if (!hf_store_remove(copies, (const char *const *)keys->pdata, &trouble))
		g_warning("a copy that is of no use any more could not be removed: %s", trouble->message);
}

/* Each half of it is in the new set as well. */
static bool
is_superseded(const HfManifest *old, const HfManifest *now)
{
	if (old->database && (!now->database || g_strcmp0(old->database->name, now->database->name) != 0))
		return false;
	return !old->images || (now->images && g_strcmp0(old->images->source, now->images->source) == 0);
}

static bool
is_needless(HfStore *copies, const char *id, const HfManifest *now, int64_t now_s)
{
	g_autoptr(HfJson) object = NULL;
	g_autoptr(HfManifest) manifest = NULL;
	int64_t begun_s;

	if (strcmp(id, now->id) >= 0)
		return false;
	object = read_copy(copies, id, NULL);
	manifest = object ? parse_copy(object, id, NULL) : NULL;
	if (manifest)
		return is_superseded(manifest, now);
	return hf_clock_parse_set_id(id, &begun_s) && begun_s < now_s - ABANDONED_S;
}

void
hf_own_copy_tidy(HfStore *store, const HfManifest *manifest, int64_t now_s)
{
	HfStore *copies = hf_store_copies(store);
	g_autoptr(GHashTable) found = copies ? list_copies(copies, NULL) : NULL;
	GHashTableIter iter;
	gpointer id, keys;

	if (!found)
		return;
	g_hash_table_iter_init(&iter, found);
	while (g_hash_table_iter_next(&iter, &id, &keys))
		if (is_needless(copies, id, manifest, now_s))
			remove_keys(copies, keys);
}

void
hf_own_copy_forget(HfStore *store, const char *id)
{
	HfStore *copies = hf_store_copies(store);
	g_autoptr(GHashTable) found = copies ? list_copies(copies, NULL) : NULL;
	GPtrArray *keys = found ? g_hash_table_lookup(found, id) : NULL;

	if (keys)
		remove_keys(copies, keys);
}
