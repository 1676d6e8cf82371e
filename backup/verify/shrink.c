#include "config.h"

#include "backup/verify/shrink.h"
#include "backup/source/scan.h"

#include <string.h>

static void alarm_line(GPtrArray *alarms, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
alarm_line(GPtrArray *alarms, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(alarms, g_strdup_vprintf(format, args));
	va_end(args);
}

/* A quotient instead of a product: bytes times a hundred may not fit. */
static bool
has_shrunk(uint64_t before, uint64_t now, uint64_t floor, unsigned percent)
{
	return now < before && before - now >= floor &&
	       (double)(before - now) / (double)before * 100 > (double)percent;
}

static bool
compare(const char *what, const char *unit, uint64_t before, uint64_t now, uint64_t floor, unsigned percent,
	GPtrArray *alarms)
{
	if (!has_shrunk(before, now, floor, percent))
		return false;
	alarm_line(alarms, "%s: %" G_GUINT64_FORMAT " %s instead of %" G_GUINT64_FORMAT " (-%.0f %%)", what,
		   now, unit, before, (double)(before - now) / (double)before * 100);
	return true;
}

/* ---- tables ---- */

static GHashTable *
by_name(const GPtrArray *tables)
{
	GHashTable *table = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < tables->len; i++)
		g_hash_table_insert(table, ((HfTable *)tables->pdata[i])->name, tables->pdata[i]);
	return table;
}

static bool
compare_table(const HfTable *before, const HfTable *now, unsigned percent, GPtrArray *alarms)
{
	g_autofree char *what = g_strdup_printf("table %s", before->name);

	if (!now && before->rows == 0)
		return false;
	if (!now) {
		alarm_line(alarms, "%s is gone: it had %" G_GUINT64_FORMAT " row(s)", what, before->rows);
		return true;
	}
	return compare(what, "rows", before->rows, now->rows, HF_SHRINK_ROWS_MIN, percent, alarms) ||
	       compare(what, "bytes", before->bytes, now->bytes, HF_SHRINK_TABLE_BYTES_MIN, percent, alarms);
}

static void
sum(const GPtrArray *tables, uint64_t *rows_out, uint64_t *bytes_out)
{
	*rows_out = *bytes_out = 0;
	for (guint i = 0; i < tables->len; i++) {
		const HfTable *table = tables->pdata[i];

		*rows_out += table->rows;
		*bytes_out += table->bytes;
	}
}

void
hf_shrink_tables(const GPtrArray *before, const GPtrArray *now, unsigned percent, GPtrArray *alarms)
{
	g_autoptr(GHashTable) known = by_name(now);
	uint64_t rows_before, rows_now, bytes_before, bytes_now;
	bool has_alarm = false;

	for (guint i = 0; i < before->len; i++) {
		const HfTable *table = before->pdata[i];

		has_alarm |= compare_table(table, g_hash_table_lookup(known, table->name), percent, alarms);
	}
	if (has_alarm)
		return;
	/* Many small tables may lose much together. */
	sum(before, &rows_before, &bytes_before);
	sum(now, &rows_now, &bytes_now);
	if (!compare("all tables together", "rows", rows_before, rows_now, HF_SHRINK_ROWS_MIN, percent,
		     alarms))
		compare("all tables together", "bytes", bytes_before, bytes_now, HF_SHRINK_TABLE_BYTES_MIN,
			percent, alarms);
}

/* ---- images ---- */

void
hf_shrink_images(const HfImagesRecord *before, const HfImagesRecord *now, unsigned percent, GPtrArray *alarms)
{
	/* Behind the last key that an interrupted run read, its view is an older set's. */
	if (before->interrupted || now->interrupted)
		return;
	if (compare("images", "objects", before->objects + before->troubled, now->objects + now->troubled,
		    HF_SHRINK_OBJECTS_MIN, percent, alarms))
		return;
	/* How large the objects are that could not be read is not known. */
	if (now->troubled == 0)
		compare("images", "bytes", before->bytes, now->bytes, HF_SHRINK_IMAGE_BYTES_MIN, percent,
			alarms);
}

/* ---- references ---- */

static const char *
find_new(const HfReferencesRecord *before, const HfReferencesRecord *now)
{
	const GPtrArray *old_keys = before->keys[HF_REFERENCE_MISSING];
	const GPtrArray *keys = now->keys[HF_REFERENCE_MISSING];
	g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);

	for (guint i = 0; i < old_keys->len; i++)
		g_hash_table_add(known, old_keys->pdata[i]);
	for (guint i = 0; i < keys->len; i++)
		if (!g_hash_table_contains(known, keys->pdata[i]))
			return keys->pdata[i];
	return NULL;
}

/* Only the first keys are named in a manifest: where there are more, one more of them is seen by the number alone. */
void
hf_shrink_references(const HfReferencesRecord *before, const HfReferencesRecord *now, GPtrArray *alarms)
{
	uint64_t missing = now->counts[HF_REFERENCE_MISSING];
	uint64_t known = before ? before->counts[HF_REFERENCE_MISSING] : 0;
	bool are_all_named = missing <= HF_REFERENCES_LISTED_MAX && known <= HF_REFERENCES_LISTED_MAX;
	const GPtrArray *keys = now->keys[HF_REFERENCE_MISSING];
	const char *key = before && are_all_named ? find_new(before, now) : NULL;

	if (missing == 0 || (missing <= known && !key))
		return;
	if (!key && keys->len > 0)
		key = keys->pdata[0];
	alarm_line(alarms,
		   "%" G_GUINT64_FORMAT " image(s) that rows name are missing, %" G_GUINT64_FORMAT
		   " before%s%s%s",
		   missing, known, key ? ": \"" : "", key ? key : "", key ? "\"" : "");
}
