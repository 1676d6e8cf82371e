#include "config.h"

#include "cli/images.h"
#include "common/clock.h"
#include "common/error.h"
#include "backup/stage/digest.h"

#include <stdio.h>
#include <string.h>

static HfManifest *
find_latest(HfStore *store, GError **error)
{
	g_autoptr(GPtrArray) sets = hf_catalog_list(store, error);
	HfSet *best = NULL;

	if (!sets)
		return NULL;
	for (guint i = 0; i < sets->len; i++) {
		HfSet *set = g_ptr_array_index(sets, i);

		if (set->is_damaged || !set->manifest->images || !set->manifest->images->index)
			continue;
		if (!best || best->status != HF_SET_COMPLETE || set->status == HF_SET_COMPLETE)
			best = set;
	}
	if (!best) {
		hf_error_set(error, HF_ERROR_NOT_FOUND,
			     "\"%s\" holds no set with images: \"holdfast backup images\" makes one",
			     hf_store_location(store));
		return NULL;
	}
	if (best->status != HF_SET_COMPLETE)
		g_warning("no set of images is complete: taking the partial one \"%s\"", best->id);
	return hf_catalog_open_names(store, best, error) ? g_steal_pointer(&best->manifest) : NULL;
}

static HfManifest *
find_by_name(HfStore *store, const char *id, GError **error)
{
	g_autoptr(HfSet) set = hf_catalog_find(store, id, error);

	if (!set)
		return NULL;
	if (set->is_damaged) {
		hf_error_set(error, HF_ERROR_CORRUPT, "set \"%s\" is damaged: %s", set->id, set->trouble);
		return NULL;
	}
	return g_steal_pointer(&set->manifest);
}

static HfManifest *
find(HfStore *store, const char *id, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	HfManifest *manifest;
	int64_t time_s;

	if (strcmp(id, "latest") == 0)
		return find_latest(store, error);
	if (strlen(id) != HF_SET_ID_LEN || !hf_clock_parse_set_id(id, &time_s))
		return find_by_name(store, id, error);
	manifest = hf_catalog_read_manifest(store, id, &trouble);
	if (hf_error_is(trouble, HF_ERROR_NOT_FOUND))
		return find_by_name(store, id, error);
	/* Signatures are checked and it has none: whether it may be believed is seen beside all others. */
	if (manifest && manifest->is_signed == HF_SIGNED_NO) {
		hf_manifest_free(manifest);
		return find_by_name(store, id, error);
	}
	if (trouble)
		g_propagate_prefixed_error(error, g_steal_pointer(&trouble), "set \"%s\" is damaged: ", id);
	return manifest;
}

HfManifest *
hf_cli_find_images(HfStore *store, const char *id, GError **error)
{
	g_autoptr(HfManifest) manifest = find(store, id, error);

	if (manifest && (!manifest->images || !manifest->images->index)) {
		hf_error_set(error, HF_ERROR_NOT_FOUND,
			     "set \"%s\" holds no images that can be read one by one", manifest->id);
		return NULL;
	}
	return manifest && hf_manifest_check_names(manifest, error) ? g_steal_pointer(&manifest) : NULL;
}

HfJson *
hf_cli_image_json(const HfManifest *manifest, const HfImage *image)
{
	const HfImageArchive *place = hf_images_record_archive(manifest->images, image->archive);
	g_autofree char *modified = hf_clock_rfc3339(image->modified_s);
	HfJson *object = json_object_new_object();
	char hex[HF_SHA256_HEX_LEN + 1];

	hf_json_add_bytes(object, "key", image->key);
	hf_json_add_number(object, "bytes", image->bytes);
	hf_json_add_text(object, "modified", modified);
	if (image->trouble) {
		hf_json_add_text(object, "trouble", image->trouble);
		return object;
	}
	for (size_t i = 0; i < HF_SHA256_BYTES; i++)
		g_snprintf(hex + 2 * i, 3, "%02x", image->sha256[i]);
	hf_json_add_text(object, "type", image->meta.content_type);
	hf_json_add_text(object, "sha256", hex);
	hf_json_add_text(object, "set", place ? place->set_id : NULL);
	return object;
}

void
hf_cli_print_line(HfJson *object)
{
	printf("%s\n", json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
								      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
