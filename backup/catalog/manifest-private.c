#include "config.h"

#include "backup/catalog/manifest-private.h"
#include "backup/catalog/private.h"
#include "common/error.h"

#include <string.h>

#define ID "id"

/* "signature", "previous" and "metrics" hold digests, ids and numbers. */
static const char *const public_members[] = {"format",
					     "version",
					     ID,
					     "kind",
					     "status",
					     "level",
					     "started",
					     "finished",
					     "program",
					     "previous",
					     "metrics",
					     "database.tables",
					     "database.rows",
					     "database.archive",
					     "database.globals",
					     "database.index",
					     "images.base",
					     "images.objects",
					     "images.bytes",
					     "images.added",
					     "images.changed",
					     "images.deleted",
					     "images.unchanged",
					     "images.troubled",
					     "images.dead_paths",
					     "images.archives",
					     "images.index",
					     "images.top",
					     "images.parity",
					     "images.dead",
					     "images.references.named",
					     "images.references.missing",
					     "images.references.unnamed",
					     "images.references.list",
					     NULL};

GBytes *
hf_manifest_hide(GBytes *json, const HfKeyring *keyring, GError **error)
{
	gsize len;
	const char *text = g_bytes_get_data(json, &len);
	g_autoptr(HfJson) object = NULL;
	char *hidden;

	if (!hf_keyring_hides_names(keyring))
		return g_bytes_ref(json);
	object = hf_json_parse(text, len, error);
	if (!object || !hf_private_hide(object, public_members, ID, keyring, error))
		return NULL;
	hidden = g_strconcat(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
									    JSON_C_TO_STRING_SPACED |
									    JSON_C_TO_STRING_NOSLASHESCAPE),
			     "\n", NULL);
	return g_bytes_new_take(hidden, strlen(hidden));
}

/* ---- what is not known ---- */

/* What a reader wants in any case; the value is taken away again by hf_manifest_blank(). */
static void
stand_in(HfJson *object, const char *name, HfJson *value)
{
	if (json_object_object_get_ex(object, name, NULL))
		json_object_put(value);
	else
		hf_json_add(object, name, value);
}

static void
stand_in_images(HfJson *images)
{
	static const char *const arrays[] = {"missing_keys", "unnamed_keys"};
	HfJson *references = json_object_object_get(images, "references");

	stand_in(images, "source", json_object_new_string(""));
	stand_in(images, "troubles", json_object_new_array());
	stand_in(images, "pieces", json_object_new_array());
	for (size_t i = 0; json_object_is_type(references, json_type_object) && i < G_N_ELEMENTS(arrays); i++)
		stand_in(references, arrays[i], json_object_new_array());
}

bool
hf_manifest_reveal(HfJson *object, HfKeyring *keyring, HfManifest *manifest, GError **error)
{
	HfJson *database, *images;

	manifest->hides_names = hf_private_is_in(object);
	if (!hf_private_reveal(object, ID, keyring, &manifest->sealed, error))
		return false;
	if (!manifest->sealed)
		return true;
	database = json_object_object_get(object, "database");
	images = json_object_object_get(object, "images");
	if (json_object_is_type(database, json_type_object)) {
		stand_in(database, "name", json_object_new_string(""));
		if (!json_object_object_get_ex(database, "globals", NULL))
			stand_in(database, "globals_absent", json_object_new_string(""));
	}
	if (json_object_is_type(images, json_type_object))
		stand_in_images(images);
	return true;
}

void
hf_manifest_blank(HfManifest *manifest)
{
	if (!manifest->sealed)
		return;
	if (manifest->database) {
		g_clear_pointer(&manifest->database->name, g_free);
		g_clear_pointer(&manifest->database->globals_absent, g_free);
	}
	if (manifest->images)
		g_clear_pointer(&manifest->images->source, g_free);
}

void
hf_manifest_strip_json(HfJson *object, const HfManifest *manifest)
{
	if (!manifest->sealed)
		return;
	(void)hf_private_strip(object, public_members);
	hf_json_add_flag(object, "sealed", true);
}

bool
hf_manifest_check_names(const HfManifest *manifest, GError **error)
{
	return !manifest->sealed || hf_error_set(error, HF_ERROR_DENIED, "the names in set \"%s\": %s",
						 manifest->id, manifest->sealed);
}
