#include "config.h"

#include "backup/catalog/reference-list.h"
#include "backup/catalog/lines.h"
#include "backup/catalog/manifest-impl.h"
#include "backup/catalog/names.h"
#include "common/error.h"

#include <string.h>

/* A key of 1 GB, the most that a row can hold, is no key; a long one is escaped, each byte to six at most. */
#define LINE_BYTES_MAX ((size_t)16 << 20)

static const char *const kind_names[] = {
	[HF_REFERENCE_MISSING] = "missing",
	[HF_REFERENCE_UNNAMED] = "unnamed",
};

/* ---- the record ---- */

HfReferencesRecord *
hf_references_record_new(void)
{
	HfReferencesRecord *record = g_new0(HfReferencesRecord, 1);

	for (size_t i = 0; i < HF_REFERENCE_KINDS; i++)
		record->keys[i] = g_ptr_array_new_with_free_func(g_free);
	return record;
}

void
hf_references_record_free(HfReferencesRecord *record)
{
	if (!record)
		return;
	for (size_t i = 0; i < HF_REFERENCE_KINDS; i++)
		g_ptr_array_unref(record->keys[i]);
	hf_archive_free(record->list);
	g_free(record);
}

void
hf_references_record_add(HfReferencesRecord *record, HfReferenceKind kind, const char *key)
{
	record->counts[kind]++;
	if (record->keys[kind]->len < HF_REFERENCES_LISTED_MAX)
		g_ptr_array_add(record->keys[kind], g_strdup(key));
}

static HfJson *
keys_to_json(const GPtrArray *keys)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < keys->len; i++) {
		HfJson *item = json_object_new_object();

		hf_json_add_bytes(item, "key", keys->pdata[i]);
		json_object_array_add(array, item);
	}
	return array;
}

HfJson *
hf_references_record_to_json(const HfReferencesRecord *record)
{
	HfJson *object = json_object_new_object();

	hf_json_add_number(object, "named", record->named);
	for (size_t i = 0; i < HF_REFERENCE_KINDS; i++) {
		g_autofree char *keys = g_strconcat(kind_names[i], "_keys", NULL);

		hf_json_add_number(object, kind_names[i], record->counts[i]);
		hf_json_add(object, keys, keys_to_json(record->keys[i]));
	}
	if (record->list)
		hf_json_add(object, "list", hf_archive_to_json(record->list));
	return object;
}

static bool
parse_keys(HfJson *object, size_t kind, HfReferencesRecord *record, GError **error)
{
	g_autofree char *name = g_strconcat(kind_names[kind], "_keys", NULL);
	HfJson *array;

	if (!hf_json_get_number(object, kind_names[kind], &record->counts[kind], error) ||
	    !hf_json_get_array(object, name, &array, error))
		return false;
	for (size_t i = 0; i < json_object_array_length(array); i++) {
		char *key;

		if (!hf_json_get_bytes(json_object_array_get_idx(array, i), "key", &key, error))
			return false;
		g_ptr_array_add(record->keys[kind], key);
	}
	return true;
}

HfReferencesRecord *
hf_references_record_parse(HfJson *object, const char *id, GError **error)
{
	const HfNaming naming = {id, HF_IMAGES_PREFIX, HF_EXT_REFERENCES};
	g_autoptr(HfReferencesRecord) record = hf_references_record_new();
	HfJson *list;

	if (!hf_json_get_number(object, "named", &record->named, error) ||
	    !hf_json_find_object(object, "list", &list, error))
		return NULL;
	for (size_t i = 0; i < HF_REFERENCE_KINDS; i++)
		if (!parse_keys(object, i, record, error))
			return NULL;
	if (list && !hf_archive_get_json(object, "list", &naming, &record->list, error))
		return NULL;
	return g_steal_pointer(&record);
}

/* ---- the list ---- */

bool
hf_reference_write(HfStage *into, HfReferenceKind kind, const char *key, GError **error)
{
	g_autoptr(HfJson) object = json_object_new_object();
	const char *text;

	hf_json_add_bytes(object, kind_names[kind], key);
	text = json_object_to_json_string_ext(object,
					      JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	return hf_stage_write(into, text, strlen(text), error) && hf_stage_write(into, "\n", 1, error);
}

typedef struct {
	HfReferenceFunc take;
	void *context;
} Reading;

static bool
take_line(void *context, const char *line, size_t len, GError **error)
{
	const Reading *reading = context;
	g_autoptr(HfJson) object = hf_json_parse(line, len, error);

	if (!object)
		return false;
	for (size_t i = 0; i < HF_REFERENCE_KINDS; i++) {
		g_autofree char *key = NULL;

		if (!hf_json_find_bytes(object, kind_names[i], &key, error))
			return false;
		if (key)
			return reading->take(reading->context, (HfReferenceKind)i, key, error);
	}
	return hf_error_set(error, HF_ERROR_CORRUPT, "a line names no key");
}

bool
hf_reference_list_read(HfStore *store, const HfManifest *manifest, HfReferenceFunc take, void *context,
		       GError **error)
{
	Reading reading = {take, context};
	const HfArchive *list = manifest->images->references->list;
	g_autoptr(HfStage) lines = hf_lines_new(LINE_BYTES_MAX, take_line, &reading);

	return !list || (hf_archive_read(store, list, lines, error) && hf_stage_finish(lines, error));
}
