#include "config.h"

#include "backup/catalog/sweep-records.h"
#include "common/error.h"

#include <string.h>

typedef struct {
	char *key;
	HfName name;
	uint64_t bytes;
	int64_t modified_s;
} Record;

struct HfRecords {
	GPtrArray *records; /* of Record: records and their signatures */
	GHashTable *there;  /* ids of sets that are there */
	GHashTable *needed; /* ids that somebody names */
	GQueue *todo;       /* of ids, borrowed from needed, whose records are to be looked at */
};

static void
record_free(gpointer data)
{
	g_free(((Record *)data)->key);
	g_free(data);
}

HfRecords *
hf_records_new(void)
{
	HfRecords *records = g_new0(HfRecords, 1);

	records->records = g_ptr_array_new_with_free_func(record_free);
	records->there = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	records->needed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	records->todo = g_queue_new();
	return records;
}

void
hf_records_free(HfRecords *records)
{
	if (!records)
		return;
	g_ptr_array_unref(records->records);
	g_hash_table_unref(records->there);
	g_queue_free(records->todo);
	g_hash_table_unref(records->needed);
	g_free(records);
}

void
hf_records_note(HfRecords *records, const HfObject *object, const HfName *name)
{
	Record *record = g_new0(Record, 1);

	*record = (Record){g_strdup(object->key), *name, object->bytes, object->modified_s};
	g_ptr_array_add(records->records, record);
}

static void
note_links(HfRecords *records, const GArray *links)
{
	for (guint i = 0; links && i < links->len; i++) {
		const char *name = g_array_index(links, HfLink, i).id;
		char *id;

		/* Adding it again would free the key that todo holds. */
		if (g_hash_table_contains(records->needed, name))
			continue;
		id = g_strdup(name);
		g_hash_table_add(records->needed, id);
		g_queue_push_tail(records->todo, id);
	}
}

void
hf_records_note_manifest(HfRecords *records, const HfManifest *manifest)
{
	g_hash_table_add(records->there, g_strdup(manifest->id));
	note_links(records, manifest->previous);
}

static bool
has_record(const HfRecords *records, const char *id)
{
	for (guint i = 0; i < records->records->len; i++)
		if (strcmp(((const Record *)records->records->pdata[i])->name.id, id) == 0)
			return true;
	return false;
}

/* What a needed record leads to is needed as well; one that is worth nothing leads nowhere. */
static bool
follow(HfRecords *records, HfStore *store, GError **error)
{
	const char *id;

	while ((id = g_queue_pop_head(records->todo))) {
		g_autoptr(GError) trouble = NULL;
		g_autoptr(HfDeletion) deletion = NULL;

		if (!has_record(records, id))
			continue;
		deletion = hf_deletion_read(store, id, &trouble);
		if (deletion) {
			note_links(records, deletion->previous);
		} else if (!hf_error_is(trouble, HF_ERROR_NOT_FOUND) &&
			   !hf_error_is(trouble, HF_ERROR_CORRUPT)) {
			g_propagate_error(error, g_steal_pointer(&trouble));
			return false;
		}
	}
	return true;
}

bool
hf_records_unneeded(HfRecords *records, HfStore *store, const HfRecordsLimits *limits, HfRecordsFunc add,
		    gpointer context, GError **error)
{
	if (!follow(records, store, error))
		return false;
	for (guint i = 0; i < records->records->len; i++) {
		const Record *record = records->records->pdata[i];

		if (!g_hash_table_contains(records->there, record->name.id) &&
		    !g_hash_table_contains(records->needed, record->name.id) &&
		    record->name.time_s <= limits->newest_set_s && record->modified_s < limits->before_s)
			add(record->key, record->bytes, context);
	}
	return true;
}
