#include "config.h"

#include "backup/job/lease-table.h"
#include "backup/job/kind.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

#define FORMAT_NAME "holdfast-leases"
#define FORMAT_VERSION 1
#define TEXT_BYTES_MAX 256
#define SLOTS_MAX 16
#define LOST_MAX 16
#define SECONDS_MIN 1
#define SECONDS_MAX 86400

/* ---- memory ---- */

void
hf_lease_entry_free(HfLeaseEntry *entry)
{
	if (!entry)
		return;
	g_free(entry->nonce);
	g_free(entry->host);
	g_free(entry->machine);
	g_free(entry->job);
	g_free(entry->kind);
	g_free(entry->by);
	g_free(entry->lost_to);
	g_free(entry->phase);
	g_free(entry);
}

HfLeaseEntry *
hf_lease_entry_copy(const HfLeaseEntry *entry)
{
	HfLeaseEntry *copy = g_memdup2(entry, sizeof *entry);

	copy->nonce = g_strdup(entry->nonce);
	copy->host = g_strdup(entry->host);
	copy->machine = g_strdup(entry->machine);
	copy->job = g_strdup(entry->job);
	copy->kind = g_strdup(entry->kind);
	copy->by = g_strdup(entry->by);
	copy->lost_to = g_strdup(entry->lost_to);
	copy->phase = g_strdup(entry->phase);
	return copy;
}

static void
slot_free(gpointer data)
{
	HfLeaseSlot *slot = data;

	g_free(slot->schedule);
	g_free(slot->host);
	g_free(slot->job);
	g_free(slot);
}

static void
lost_free(gpointer data)
{
	HfLeaseLost *lost = data;

	g_free(lost->nonce);
	g_free(lost->host);
	g_free(lost);
}

HfLeaseTable *
hf_lease_table_new(void)
{
	HfLeaseTable *table = g_new0(HfLeaseTable, 1);

	table->entries = g_ptr_array_new_with_free_func((GDestroyNotify)hf_lease_entry_free);
	table->slots = g_ptr_array_new_with_free_func(slot_free);
	table->lost = g_ptr_array_new_with_free_func(lost_free);
	return table;
}

void
hf_lease_table_free(HfLeaseTable *table)
{
	if (!table)
		return;
	g_ptr_array_unref(table->entries);
	g_ptr_array_unref(table->slots);
	g_ptr_array_unref(table->lost);
	g_free(table);
}

/* ---- looking ---- */

HfLeaseEntry *
hf_lease_table_find(const HfLeaseTable *table, const char *nonce)
{
	for (guint i = 0; i < table->entries->len; i++) {
		HfLeaseEntry *entry = table->entries->pdata[i];

		if (strcmp(entry->nonce, nonce) == 0)
			return entry;
	}
	return NULL;
}

HfLeaseSlot *
hf_lease_table_slot(const HfLeaseTable *table, const char *schedule)
{
	for (guint i = 0; i < table->slots->len; i++) {
		HfLeaseSlot *slot = table->slots->pdata[i];

		if (strcmp(slot->schedule, schedule) == 0)
			return slot;
	}
	return NULL;
}

void
hf_lease_table_set_slot(HfLeaseTable *table, const HfLeaseSlot *slot)
{
	HfLeaseSlot *known = hf_lease_table_slot(table, slot->schedule);

	if (!known && table->slots->len >= SLOTS_MAX)
		return;
	if (!known) {
		known = g_new0(HfLeaseSlot, 1);
		known->schedule = g_strdup(slot->schedule);
		g_ptr_array_add(table->slots, known);
	}
	known->slot_s = slot->slot_s;
	g_free(known->host);
	g_free(known->job);
	known->host = g_strdup(slot->host);
	known->job = g_strdup(slot->job);
}

void
hf_lease_table_add_lost(HfLeaseTable *table, const char *nonce, const char *host)
{
	HfLeaseLost *lost = g_new0(HfLeaseLost, 1);

	lost->nonce = g_strdup(nonce);
	lost->host = g_strdup(host);
	g_ptr_array_add(table->lost, lost);
	if (table->lost->len > LOST_MAX)
		g_ptr_array_remove_index(table->lost, 0);
}

const char *
hf_lease_table_taker(const HfLeaseTable *table, const char *nonce)
{
	for (guint i = 0; i < table->lost->len; i++) {
		const HfLeaseLost *lost = table->lost->pdata[i];

		if (strcmp(lost->nonce, nonce) == 0)
			return lost->host;
	}
	return NULL;
}

static HfJobKind
bits_of(const HfLeaseEntry *entry)
{
	const HfJobKind *kind = hf_job_kind_find(entry->kind);
	const HfJobKind *prune = hf_job_kind_find("prune");
	HfJobKind bits = {.takes = ~0U, .excludes = ~0U};

	if (kind)
		bits = *kind;
	if (entry->is_removing) {
		bits.takes |= prune->takes;
		bits.excludes |= prune->excludes;
	}
	return bits;
}

bool
hf_lease_entries_conflict(const HfLeaseEntry *one, const HfLeaseEntry *other)
{
	HfJobKind mine = bits_of(one), theirs = bits_of(other);

	return (mine.takes & theirs.excludes) != 0 || (mine.excludes & theirs.takes) != 0;
}

/* ---- JSON out ---- */

static HfJson *
entry_to_json(const HfLeaseEntry *entry)
{
	HfJson *object = json_object_new_object();
	g_autofree char *since = hf_clock_rfc3339(entry->since_s);

	hf_json_add_text(object, "nonce", entry->nonce);
	hf_json_add_text(object, "host", entry->host);
	hf_json_add_text(object, "machine", entry->machine);
	hf_json_add_number(object, "pid", (uint64_t)MAX(entry->pid, 0));
	hf_json_add_number(object, "ticks", entry->ticks);
	hf_json_add_text(object, "job", entry->job);
	hf_json_add_text(object, "kind", entry->kind);
	hf_json_add_text(object, "by", entry->by);
	hf_json_add_text(object, "since", since);
	hf_json_add_number(object, "seconds", entry->seconds);
	hf_json_add_number(object, "beat", entry->beat);
	if (entry->is_removing)
		hf_json_add_flag(object, "removing", true);
	hf_json_add_text(object, "lost_to", entry->lost_to);
	if (!entry->phase)
		return object;
	hf_json_add_text(object, "phase", entry->phase);
	hf_json_add_number(object, "bytes", entry->bytes);
	hf_json_add_number(object, "estimated_bytes", entry->estimated_bytes);
	hf_json_add_number(object, "objects", entry->objects);
	hf_json_add_number(object, "estimated_objects", entry->estimated_objects);
	return object;
}

static HfJson *
slot_to_json(const HfLeaseSlot *slot)
{
	HfJson *object = json_object_new_object();

	hf_json_add_text(object, "schedule", slot->schedule);
	hf_json_add_number(object, "slot", (uint64_t)MAX(slot->slot_s, 0));
	hf_json_add_text(object, "host", slot->host);
	hf_json_add_text(object, "job", slot->job);
	return object;
}

static HfJson *
lost_to_json(const HfLeaseLost *lost)
{
	HfJson *object = json_object_new_object();

	hf_json_add_text(object, "nonce", lost->nonce);
	hf_json_add_text(object, "host", lost->host);
	return object;
}

HfJson *
hf_lease_table_to_json(const HfLeaseTable *table)
{
	HfJson *object = json_object_new_object();
	HfJson *entries = json_object_new_array();
	HfJson *slots = json_object_new_array();
	HfJson *lost = json_object_new_array();

	hf_json_add_text(object, "format", FORMAT_NAME);
	hf_json_add_number(object, "version", FORMAT_VERSION);
	hf_json_add_number(object, "writes", table->writes);
	for (guint i = 0; i < table->entries->len; i++)
		json_object_array_add(entries, entry_to_json(table->entries->pdata[i]));
	for (guint i = 0; i < table->slots->len; i++)
		json_object_array_add(slots, slot_to_json(table->slots->pdata[i]));
	for (guint i = 0; i < table->lost->len; i++)
		json_object_array_add(lost, lost_to_json(table->lost->pdata[i]));
	hf_json_add(object, "leases", entries);
	hf_json_add(object, "slots", slots);
	hf_json_add(object, "lost", lost);
	return object;
}

GBytes *
hf_lease_table_to_bytes(const HfLeaseTable *table)
{
	g_autoptr(HfJson) object = hf_lease_table_to_json(table);
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
									  JSON_C_TO_STRING_NOSLASHESCAPE);

	return g_bytes_new(text, strlen(text));
}

/* ---- JSON in ---- */

static bool
get_text(HfJson *object, const char *name, char **text_out, GError **error)
{
	const char *text;

	if (!hf_json_get_text(object, name, &text, error))
		return false;
	if (strlen(text) > TEXT_BYTES_MAX)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" has more than %d bytes", name,
				    TEXT_BYTES_MAX);
	*text_out = g_strdup(text);
	return true;
}

static bool
get_number(HfJson *object, const char *name, uint64_t *number_out, GError **error)
{
	return hf_json_get_number(object, name, number_out, error) &&
	       (*number_out <= INT64_MAX ||
		hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" is too large", name));
}

static bool
get_flag(HfJson *object, const char *name)
{
	HfJson *value = NULL;

	return json_object_object_get_ex(object, name, &value) &&
	       json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

static bool
read_texts(HfJson *object, HfLeaseEntry *entry, GError **error)
{
	g_autofree char *since = NULL;

	if (!get_text(object, "nonce", &entry->nonce, error) ||
	    !get_text(object, "host", &entry->host, error) ||
	    !get_text(object, "machine", &entry->machine, error) ||
	    !get_text(object, "job", &entry->job, error) || !get_text(object, "kind", &entry->kind, error) ||
	    !get_text(object, "by", &entry->by, error) || !get_text(object, "since", &since, error))
		return false;
	if (!hf_clock_parse_rfc3339(since, &entry->since_s))
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"since\" is no time");
	return (strlen(entry->nonce) == 32 && strspn(entry->nonce, "0123456789abcdef") == 32) ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "\"nonce\" is not 32 hexadecimal digits");
}

static bool
read_progress(HfJson *object, HfLeaseEntry *entry, GError **error)
{
	if (!json_object_object_get_ex(object, "phase", NULL))
		return true;
	return get_text(object, "phase", &entry->phase, error) &&
	       get_number(object, "bytes", &entry->bytes, error) &&
	       get_number(object, "estimated_bytes", &entry->estimated_bytes, error) &&
	       get_number(object, "objects", &entry->objects, error) &&
	       get_number(object, "estimated_objects", &entry->estimated_objects, error);
}

static bool
read_entry(HfJson *object, HfLeaseEntry *entry, GError **error)
{
	uint64_t pid, seconds;

	if (!read_texts(object, entry, error) || !get_number(object, "pid", &pid, error) ||
	    !get_number(object, "ticks", &entry->ticks, error) ||
	    !get_number(object, "seconds", &seconds, error) ||
	    !get_number(object, "beat", &entry->beat, error))
		return false;
	if (seconds < SECONDS_MIN || seconds > SECONDS_MAX)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"seconds\" is out of bounds");
	entry->pid = (int64_t)pid;
	entry->seconds = (unsigned)seconds;
	entry->is_removing = get_flag(object, "removing");
	if (json_object_object_get_ex(object, "lost_to", NULL) &&
	    !get_text(object, "lost_to", &entry->lost_to, error))
		return false;
	return read_progress(object, entry, error);
}

static bool
read_slot(HfJson *object, HfLeaseSlot *slot, GError **error)
{
	uint64_t number;

	if (!get_text(object, "schedule", &slot->schedule, error) ||
	    !get_number(object, "slot", &number, error) || !get_text(object, "host", &slot->host, error) ||
	    !get_text(object, "job", &slot->job, error))
		return false;
	slot->slot_s = (int64_t)number;
	return true;
}

/* Adds what it makes of item to the table at once, so that all of it is freed with that. */
typedef bool (*ReadItem)(HfJson *item, HfLeaseTable *table, GError **error);

static bool
add_entry(HfJson *item, HfLeaseTable *table, GError **error)
{
	HfLeaseEntry *entry = g_new0(HfLeaseEntry, 1);

	g_ptr_array_add(table->entries, entry);
	return read_entry(item, entry, error);
}

static bool
add_slot(HfJson *item, HfLeaseTable *table, GError **error)
{
	HfLeaseSlot *slot = g_new0(HfLeaseSlot, 1);

	g_ptr_array_add(table->slots, slot);
	return read_slot(item, slot, error);
}

static bool
add_lost(HfJson *item, HfLeaseTable *table, GError **error)
{
	HfLeaseLost *lost = g_new0(HfLeaseLost, 1);

	g_ptr_array_add(table->lost, lost);
	return get_text(item, "nonce", &lost->nonce, error) && get_text(item, "host", &lost->host, error);
}

static bool
read_list(HfJson *object, const char *name, HfLeaseTable *table, ReadItem read, GError **error)
{
	HfJson *items;

	if (!hf_json_get_array(object, name, &items, error))
		return false;
	if (json_object_array_length(items) > HF_LEASES_MAX)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" has too many items", name);
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		HfJson *item = json_object_array_get_idx(items, i);

		if (!json_object_is_type(item, json_type_object))
			return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" holds what is no object", name);
		if (!read(item, table, error))
			return false;
	}
	return true;
}

HfLeaseTable *
hf_lease_table_from_json(HfJson *object, GError **error)
{
	g_autoptr(HfLeaseTable) table = hf_lease_table_new();
	const char *format;
	uint64_t version;

	if (!hf_json_get_text(object, "format", &format, error) ||
	    !get_number(object, "version", &version, error) ||
	    !get_number(object, "writes", &table->writes, error))
		return NULL;
	if (strcmp(format, FORMAT_NAME) != 0 || version != FORMAT_VERSION) {
		hf_error_set(error, HF_ERROR_CORRUPT,
			     "it is not \"" FORMAT_NAME
			     "\" of version %d: hosts that share a store run the same "
			     "holdfast",
			     FORMAT_VERSION);
		return NULL;
	}
	if (!read_list(object, "leases", table, add_entry, error) ||
	    !read_list(object, "slots", table, add_slot, error) ||
	    !read_list(object, "lost", table, add_lost, error))
		return NULL;
	return g_steal_pointer(&table);
}

HfLeaseTable *
hf_lease_table_parse(const char *text, size_t len, GError **error)
{
	g_autoptr(HfJson) object = hf_json_parse(text, len, error);

	if (!object)
		return NULL;
	if (!json_object_is_type(object, json_type_object)) {
		hf_error_set(error, HF_ERROR_CORRUPT, "it is no object");
		return NULL;
	}
	return hf_lease_table_from_json(object, error);
}

/* ---- as a job ---- */

static HfJson *
progress_to_json(const HfLeaseEntry *entry)
{
	HfJson *progress = json_object_new_object();

	hf_json_add_text(progress, "phase", entry->phase);
	hf_json_add_number(progress, "bytes", entry->bytes);
	if (entry->estimated_bytes > 0)
		hf_json_add_number(progress, "estimatedBytes", entry->estimated_bytes);
	if (entry->objects > 0 || entry->estimated_objects > 0)
		hf_json_add_number(progress, "objects", entry->objects);
	if (entry->estimated_objects > 0)
		hf_json_add_number(progress, "estimatedObjects", entry->estimated_objects);
	return progress;
}

HfJson *
hf_lease_entry_to_job(const HfLeaseEntry *entry, int64_t now_s)
{
	HfJson *object = json_object_new_object();
	g_autofree char *since = hf_clock_rfc3339(entry->since_s);

	hf_json_add_text(object, "id", entry->job);
	hf_json_add_text(object, "kind", entry->kind);
	hf_json_add_text(object, "status", "running");
	hf_json_add_text(object, "host", entry->host);
	hf_json_add_text(object, "requestedBy", entry->by);
	/* Which it has nothing of here; a job has them. */
	hf_json_add(object, "parameters", json_object_new_object());
	hf_json_add_text(object, "created", since);
	hf_json_add_text(object, "started", since);
	/* By two hosts' clocks. */
	hf_json_add(object, "duration", json_object_new_int64(MAX(now_s - entry->since_s, 0)));
	if (entry->phase)
		hf_json_add(object, "progress", progress_to_json(entry));
	return object;
}
