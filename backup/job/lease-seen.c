#include "config.h"

#include "backup/job/lease-seen.h"
#include "common/error.h"

#include <string.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "leases.json"
#define FORMAT_NAME "holdfast-leases-seen"
/* The observer waits a little longer than the owner counts on: their clocks need not run alike. */
#define GRACE_PARTS 8

typedef struct {
	uint64_t beat;
	double first_s; /* when it was seen first */
	double last_s;  /* up to when it is known to have stayed */
} Watch;

struct HfLeaseSeen {
	char *clock;
	GHashTable *watches; /* nonce to Watch */
	HfLeaseTable *table; /* NULL: never */
	int64_t as_of_s;
};

void
hf_lease_seen_free(HfLeaseSeen *seen)
{
	if (!seen)
		return;
	g_free(seen->clock);
	g_hash_table_unref(seen->watches);
	hf_lease_table_free(seen->table);
	g_free(seen);
}

static void
add_watch(GHashTable *watches, const char *nonce, const Watch *watch)
{
	g_hash_table_replace(watches, g_strdup(nonce), g_memdup2(watch, sizeof *watch));
}

/* ---- the file ---- */

static bool
read_watches(HfLeaseSeen *seen, HfJson *array, GError **error)
{
	for (size_t i = 0; i < json_object_array_length(array) && i < HF_LEASES_MAX; i++) {
		HfJson *item = json_object_array_get_idx(array, i);
		const char *nonce;
		uint64_t first_ms, last_ms;
		Watch watch;

		if (!json_object_is_type(item, json_type_object) ||
		    !hf_json_get_text(item, "nonce", &nonce, error) ||
		    !hf_json_get_number(item, "beat", &watch.beat, error) ||
		    !hf_json_get_number(item, "first_ms", &first_ms, error) ||
		    !hf_json_get_number(item, "last_ms", &last_ms, error))
			return false;
		watch.first_s = (double)first_ms / 1000;
		watch.last_s = (double)last_ms / 1000;
		add_watch(seen->watches, nonce, &watch);
	}
	return true;
}

static bool
read_document(HfLeaseSeen *seen, HfJson *document, GError **error)
{
	const char *format, *clock;
	HfJson *table, *watches;
	uint64_t as_of_s;

	if (!json_object_is_type(document, json_type_object) ||
	    !hf_json_get_text(document, "format", &format, error) || strcmp(format, FORMAT_NAME) != 0 ||
	    !hf_json_get_text(document, "clock", &clock, error) ||
	    !hf_json_get_number(document, "as_of", &as_of_s, error) ||
	    !hf_json_get_object(document, "table", &table, error) ||
	    !hf_json_get_array(document, "watches", &watches, error))
		return false;
	seen->table = hf_lease_table_from_json(table, error);
	seen->as_of_s = (int64_t)MIN(as_of_s, (uint64_t)INT64_MAX);
	return seen->table && (strcmp(clock, seen->clock) != 0 || read_watches(seen, watches, error));
}

char *
hf_lease_seen_path(const char *folder)
{
	return g_build_filename(folder, FILE_NAME, NULL);
}

HfLeaseSeen *
hf_lease_seen_load(const char *folder, const char *clock)
{
	HfLeaseSeen *seen = g_new0(HfLeaseSeen, 1);
	g_autofree char *path = folder ? hf_lease_seen_path(folder) : NULL;
	g_autofree char *text = NULL;
	g_autoptr(HfJson) document = NULL;
	g_autoptr(GError) trouble = NULL;
	gsize len;

	seen->clock = g_strdup(clock);
	seen->watches = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (!path || !g_file_get_contents(path, &text, &len, NULL))
		return seen;
	document = hf_json_parse(text, len, &trouble);
	if (document && read_document(seen, document, &trouble))
		return seen;
	/* As if it were not there. */
	g_hash_table_remove_all(seen->watches);
	g_clear_pointer(&seen->table, hf_lease_table_free);
	seen->as_of_s = 0;
	return seen;
}

static HfJson *
watches_to_json(const HfLeaseSeen *seen)
{
	HfJson *array = json_object_new_array();
	GHashTableIter iter;
	gpointer nonce, value;

	g_hash_table_iter_init(&iter, seen->watches);
	while (g_hash_table_iter_next(&iter, &nonce, &value)) {
		const Watch *watch = value;
		HfJson *item = json_object_new_object();

		hf_json_add_text(item, "nonce", nonce);
		hf_json_add_number(item, "beat", watch->beat);
		hf_json_add_number(item, "first_ms", (uint64_t)(watch->first_s * 1000));
		hf_json_add_number(item, "last_ms", (uint64_t)(watch->last_s * 1000));
		json_object_array_add(array, item);
	}
	return array;
}

void
hf_lease_seen_save(const HfLeaseSeen *seen, const char *folder, int64_t now_s)
{
	g_autoptr(HfJson) document = json_object_new_object();
	g_autofree char *path = folder ? hf_lease_seen_path(folder) : NULL;
	g_autofree char *temporary = NULL;
	const char *text;

	if (!path || !seen->table)
		return;
	hf_json_add_text(document, "format", FORMAT_NAME);
	hf_json_add_text(document, "clock", seen->clock);
	hf_json_add_number(document, "as_of", (uint64_t)MAX(now_s, 0));
	hf_json_add(document, "watches", watches_to_json(seen));
	hf_json_add(document, "table", hf_lease_table_to_json(seen->table));
	text = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN);
	temporary = g_strdup_printf("%s.%ld", path, (long)getpid());
	/* Renamed whole, and not synced: it may be lost. */
	if (!g_file_set_contents_full(temporary, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL) ||
	    rename(temporary, path) != 0)
		(void)unlink(temporary);
}

/* ---- watching ---- */

void
hf_lease_seen_look(HfLeaseSeen *seen, const HfLeaseTable *table, double before_s, double after_s)
{
	g_autoptr(GHashTable) watches = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(HfJson) json = hf_lease_table_to_json(table);

	for (guint i = 0; i < table->entries->len; i++) {
		const HfLeaseEntry *entry = table->entries->pdata[i];
		const Watch *known = g_hash_table_lookup(seen->watches, entry->nonce);
		Watch watch = {.beat = entry->beat, .first_s = after_s, .last_s = after_s};

		/* It was so when the reply of the first look came, and when this one was asked for. */
		if (known && known->beat == entry->beat && known->first_s <= before_s) {
			watch.first_s = known->first_s;
			watch.last_s = MAX(known->last_s, before_s);
		}
		add_watch(watches, entry->nonce, &watch);
	}
	g_hash_table_unref(seen->watches);
	seen->watches = g_steal_pointer(&watches);
	hf_lease_table_free(seen->table);
	seen->table = hf_lease_table_from_json(json, NULL);
}

double
hf_lease_seen_silent_s(const HfLeaseSeen *seen, const HfLeaseEntry *entry)
{
	const Watch *watch = g_hash_table_lookup(seen->watches, entry->nonce);

	return watch && watch->beat == entry->beat ? watch->last_s - watch->first_s : 0;
}

bool
hf_lease_seen_is_over(const HfLeaseSeen *seen, const HfLeaseEntry *entry)
{
	double limit_s = entry->seconds + (double)entry->seconds / GRACE_PARTS;

	return hf_lease_seen_silent_s(seen, entry) >= limit_s;
}

int64_t
hf_lease_seen_as_of_s(const HfLeaseSeen *seen)
{
	return seen->as_of_s;
}

GPtrArray *
hf_lease_seen_alive(const HfLeaseSeen *seen, int64_t now_s)
{
	GPtrArray *alive = g_ptr_array_new();

	for (guint i = 0; seen->table && i < seen->table->entries->len; i++) {
		HfLeaseEntry *entry = seen->table->entries->pdata[i];
		int64_t age_s = now_s - seen->as_of_s;

		if (!entry->lost_to && !hf_lease_seen_is_over(seen, entry) && age_s >= 0 &&
		    age_s <= 2 * (int64_t)entry->seconds)
			g_ptr_array_add(alive, entry);
	}
	return alive;
}

/* ---- the clock ---- */

double
hf_lease_clock_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

char *
hf_lease_clock_name(void)
{
	g_autofree char *boot = NULL;
	g_autofree char *own = g_file_read_link("/proc/self/ns/time", NULL);

	if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL))
		boot = g_strdup("");
	return g_strdup_printf("%s %s", g_strchomp(boot), own ? own : "");
}
