#include "config.h"

#include "backup/catalog/manifest-impl.h"
#include "backup/catalog/names.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* ---- the record ---- */

static void
image_archive_free(gpointer data)
{
	HfImageArchive *archive = data;

	g_free(archive->set_id);
	hf_archive_free(archive->archive);
	g_free(archive);
}

static void
piece_free(gpointer data)
{
	HfIndexPiece *piece = data;

	g_free(piece->key);
	g_free(piece);
}

static void
trouble_free(gpointer data)
{
	HfImageTrouble *trouble = data;

	g_free(trouble->key);
	g_free(trouble->reason);
	g_free(trouble);
}

HfImagesRecord *
hf_images_record_new(void)
{
	HfImagesRecord *record = g_new0(HfImagesRecord, 1);

	record->archives = g_ptr_array_new_with_free_func(image_archive_free);
	record->pieces = g_ptr_array_new_with_free_func(piece_free);
	record->troubles = g_ptr_array_new_with_free_func(trouble_free);
	return record;
}

HfImageArchive *
hf_images_record_add_archive(HfImagesRecord *record, unsigned number, const char *set_id)
{
	HfImageArchive *archive = g_new0(HfImageArchive, 1);

	archive->number = number;
	archive->links_from = number;
	archive->set_id = g_strdup(set_id);
	g_ptr_array_add(record->archives, archive);
	return archive;
}

/* Looked for from the end: most of what is asked for lies in the newest. */
HfImageArchive *
hf_images_record_archive(const HfImagesRecord *record, unsigned number)
{
	for (guint i = record->archives->len; i > 0; i--) {
		HfImageArchive *archive = g_ptr_array_index(record->archives, i - 1);

		if (archive->number == number)
			return archive;
	}
	return NULL;
}

void
hf_images_record_add_trouble(HfImagesRecord *record, const char *key, const char *reason)
{
	HfImageTrouble *trouble;

	record->troubled++;
	if (record->troubles->len == HF_IMAGE_TROUBLES_MAX)
		return;
	trouble = g_new0(HfImageTrouble, 1);
	trouble->key = g_strdup(key);
	trouble->reason = g_strdup(reason);
	g_ptr_array_add(record->troubles, trouble);
}

void
hf_images_record_free(HfImagesRecord *record)
{
	if (!record)
		return;
	g_free(record->source);
	g_free(record->base);
	g_free(record->full_reason);
	g_free(record->interrupted);
	g_ptr_array_unref(record->archives);
	hf_archive_free(record->index);
	g_ptr_array_unref(record->pieces);
	hf_archive_free(record->top);
	hf_archive_free(record->parity);
	hf_archive_free(record->dead);
	g_ptr_array_unref(record->troubles);
	hf_references_record_free(record->references);
	g_free(record);
}

uint64_t
hf_images_record_stored_bytes(const HfImagesRecord *record, const char *id)
{
	uint64_t bytes = hf_archive_stored_bytes(record->index) + hf_archive_stored_bytes(record->top) +
			 hf_archive_stored_bytes(record->parity) + hf_archive_stored_bytes(record->dead);

	if (record->references)
		bytes += hf_archive_stored_bytes(record->references->list);
	for (guint i = 0; i < record->archives->len; i++) {
		const HfImageArchive *archive = g_ptr_array_index(record->archives, i);

		if (strcmp(archive->set_id, id) == 0)
			bytes += hf_archive_stored_bytes(archive->archive);
	}
	return bytes;
}

/* ---- the counts: one table for both ways ---- */

static const struct {
	const char *name;
	size_t offset;
} counts[] = {
	{"objects", G_STRUCT_OFFSET(HfImagesRecord, objects)},
	{"bytes", G_STRUCT_OFFSET(HfImagesRecord, bytes)},
	{"added", G_STRUCT_OFFSET(HfImagesRecord, added)},
	{"changed", G_STRUCT_OFFSET(HfImagesRecord, changed)},
	{"deleted", G_STRUCT_OFFSET(HfImagesRecord, deleted)},
	{"unchanged", G_STRUCT_OFFSET(HfImagesRecord, unchanged)},
	{"troubled", G_STRUCT_OFFSET(HfImagesRecord, troubled)},
	{"dead_paths", G_STRUCT_OFFSET(HfImagesRecord, dead_paths)},
};

static const uint64_t *
count_of(const HfImagesRecord *record, size_t i)
{
	return (const uint64_t *)(gconstpointer)((const char *)record + counts[i].offset);
}

/* ---- out ---- */

static HfJson *
archives_to_json(const HfImagesRecord *record)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < record->archives->len; i++) {
		const HfImageArchive *archive = g_ptr_array_index(record->archives, i);
		HfJson *item = json_object_new_object();

		hf_json_add_number(item, "number", archive->number);
		hf_json_add_text(item, "set", archive->set_id);
		hf_json_add_number(item, "live_objects", archive->live_objects);
		hf_json_add_number(item, "live_bytes", archive->live_bytes);
		if (archive->links_from != archive->number)
			hf_json_add_number(item, "links_from", archive->links_from);
		hf_json_add(item, "archive", hf_archive_to_json(archive->archive));
		json_object_array_add(array, item);
	}
	return array;
}

static HfJson *
pieces_to_json(const GPtrArray *pieces)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < pieces->len; i++) {
		const HfIndexPiece *piece = g_ptr_array_index(pieces, i);
		HfJson *item = json_object_new_object();

		hf_json_add_bytes(item, "key", piece->key);
		hf_json_add_number(item, "offset", piece->offset);
		json_object_array_add(array, item);
	}
	return array;
}

static HfJson *
troubles_to_json(const GPtrArray *troubles)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < troubles->len; i++) {
		const HfImageTrouble *trouble = g_ptr_array_index(troubles, i);
		HfJson *item = json_object_new_object();

		hf_json_add_bytes(item, "key", trouble->key);
		hf_json_add_bytes(item, "reason", trouble->reason);
		json_object_array_add(array, item);
	}
	return array;
}

HfJson *
hf_images_record_to_json(const HfImagesRecord *record)
{
	HfJson *object = json_object_new_object();

	hf_json_add_bytes(object, "source", record->source);
	hf_json_add_text(object, "base", record->base);
	hf_json_add_bytes(object, "full_reason", record->full_reason);
	hf_json_add_bytes(object, "interrupted", record->interrupted);
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		hf_json_add_number(object, counts[i].name, *count_of(record, i));
	hf_json_add(object, "troubles", troubles_to_json(record->troubles));
	hf_json_add(object, "archives", archives_to_json(record));
	hf_json_add(object, "index", hf_archive_to_json(record->index));
	hf_json_add(object, "pieces", pieces_to_json(record->pieces));
	if (record->top)
		hf_json_add(object, "top", hf_archive_to_json(record->top));
	if (record->parity)
		hf_json_add(object, "parity", hf_archive_to_json(record->parity));
	if (record->dead)
		hf_json_add(object, "dead", hf_archive_to_json(record->dead));
	if (record->references)
		hf_json_add(object, "references", hf_references_record_to_json(record->references));
	return object;
}

/* ---- in ---- */

typedef bool (*ParseItem)(HfJson *item, HfImagesRecord *record, GError **error);

static bool
parse_array(HfJson *object, const char *name, ParseItem parse, HfImagesRecord *record, GError **error)
{
	HfJson *array;

	if (!hf_json_get_array(object, name, &array, error))
		return false;
	for (size_t i = 0; i < json_object_array_length(array); i++)
		if (!parse(json_object_array_get_idx(array, i), record, error)) {
			g_prefix_error(error, "\"%s\": ", name);
			return false;
		}
	return true;
}

static bool
parse_number(HfJson *item, const HfImagesRecord *record, unsigned *number_out, GError **error)
{
	uint64_t number;

	if (!hf_json_get_number(item, "number", &number, error))
		return false;
	*number_out = (unsigned)number;
	return (number <= UINT32_MAX && !hf_images_record_archive(record, *number_out)) ||
	       hf_error_set(error, HF_ERROR_CORRUPT,
			    "number %" G_GUINT64_FORMAT " comes twice or is too large", number);
}

static bool
parse_links_from(HfJson *item, HfImageArchive *archive, GError **error)
{
	uint64_t links_from;

	if (!json_object_object_get_ex(item, "links_from", NULL))
		return true;
	if (!hf_json_get_number(item, "links_from", &links_from, error))
		return false;
	archive->links_from = (unsigned)links_from;
	return links_from <= archive->number ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "links_from is the number of a newer archive");
}

static bool
parse_archive_item(HfJson *item, HfImagesRecord *record, GError **error)
{
	HfNaming naming = {NULL, HF_IMAGES_PREFIX, HF_EXT_TARBALL};
	HfImageArchive *archive;
	unsigned number;
	const char *set_id;
	int64_t time_s;

	if (!parse_number(item, record, &number, error) || !hf_json_get_text(item, "set", &set_id, error))
		return false;
	if (strlen(set_id) != HF_SET_ID_LEN || !hf_clock_parse_set_id(set_id, &time_s))
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"%.40s\" is not the id of a set", set_id);
	naming.id = set_id;
	archive = hf_images_record_add_archive(record, number, set_id);
	return parse_links_from(item, archive, error) &&
	       hf_json_get_number(item, "live_objects", &archive->live_objects, error) &&
	       hf_json_get_number(item, "live_bytes", &archive->live_bytes, error) &&
	       hf_archive_get_json(item, "archive", &naming, &archive->archive, error);
}

static bool
parse_piece(HfJson *item, HfImagesRecord *record, GError **error)
{
	HfIndexPiece *piece = g_new0(HfIndexPiece, 1);

	g_ptr_array_add(record->pieces, piece);
	return hf_json_get_bytes(item, "key", &piece->key, error) &&
	       hf_json_get_number(item, "offset", &piece->offset, error);
}

static bool
parse_trouble(HfJson *item, HfImagesRecord *record, GError **error)
{
	HfImageTrouble *trouble = g_new0(HfImageTrouble, 1);

	g_ptr_array_add(record->troubles, trouble);
	return hf_json_get_bytes(item, "key", &trouble->key, error) &&
	       hf_json_get_bytes(item, "reason", &trouble->reason, error);
}

static bool
find_archive(HfJson *object, const char *member, const HfNaming *naming, HfArchive **archive_out,
	     GError **error)
{
	HfJson *value;

	return hf_json_find_object(object, member, &value, error) &&
	       (!value || hf_archive_get_json(object, member, naming, archive_out, error));
}

static bool
find_references(HfJson *object, const char *id, HfImagesRecord *record, GError **error)
{
	HfJson *value;

	if (!hf_json_find_object(object, "references", &value, error))
		return false;
	if (!value)
		return true;
	record->references = hf_references_record_parse(value, id, error);
	if (!record->references)
		g_prefix_error(error, "\"references\": ");
	return record->references != NULL;
}

bool
hf_images_record_parse(HfJson *object, const char *id, HfImagesRecord *record, GError **error)
{
	const HfNaming index = {id, HF_IMAGES_PREFIX, HF_EXT_INDEX};
	const HfNaming top = {id, HF_IMAGES_PREFIX, HF_EXT_TOP};
	const HfNaming parity = {id, HF_IMAGES_PREFIX, HF_EXT_PARITY};
	const HfNaming dead = {id, HF_IMAGES_PREFIX, HF_EXT_DEAD};
	const char *base;

	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		if (!hf_json_get_number(object, counts[i].name, G_STRUCT_MEMBER_P(record, counts[i].offset),
					error))
			return false;
	if (!hf_json_get_bytes(object, "source", &record->source, error) ||
	    !hf_json_find_text(object, "base", &base, error) ||
	    !hf_json_find_bytes(object, "full_reason", &record->full_reason, error) ||
	    !hf_json_find_bytes(object, "interrupted", &record->interrupted, error))
		return false;
	record->base = g_strdup(base);
	return parse_array(object, "troubles", parse_trouble, record, error) &&
	       parse_array(object, "archives", parse_archive_item, record, error) &&
	       parse_array(object, "pieces", parse_piece, record, error) &&
	       hf_archive_get_json(object, "index", &index, &record->index, error) &&
	       find_archive(object, "top", &top, &record->top, error) &&
	       find_archive(object, "parity", &parity, &record->parity, error) &&
	       find_archive(object, "dead", &dead, &record->dead, error) &&
	       find_references(object, id, record, error);
}
