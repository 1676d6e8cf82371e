#include "config.h"

#include "backup/notify/note-impl.h"
#include "backup/notify/result.h"
#include "common/clock.h"
#include "common/text.h"

#include <string.h>

static void
add_when(HfMessage *message, const HfJobRecord *record)
{
	g_autofree char *started = hf_clock_rfc3339(record->started_s);
	g_autofree char *took = hf_text_duration((double)record->duration_ms / 1000);
	g_autofree char *text = NULL;

	if (record->started_s > 0)
		text = g_strdup_printf("%s, took %s", started, took);
	hf_message_add_fact(message, "When", text);
}

static void
add_size(HfMessage *message, HfJson *result)
{
	g_autofree char *stored = NULL;
	g_autofree char *plain = NULL;
	g_autofree char *text = NULL;
	uint64_t stored_bytes, plain_bytes;

	if (!hf_result_number(result, "stored_bytes", &stored_bytes))
		return;
	stored = hf_text_bytes(stored_bytes);
	if (hf_result_number(result, "plain_bytes", &plain_bytes)) {
		plain = hf_text_bytes(plain_bytes);
		text = g_strdup_printf("%s stored; the dump is %s long", stored, plain);
	} else {
		text = g_strdup_printf("%s stored", stored);
	}
	hf_message_add_fact(message, "Size", text);
	hf_json_add_number(message->data, "storedBytes", stored_bytes);
}

static void
add_level(HfMessage *message, HfJson *result)
{
	g_autofree char *text = NULL;
	uint64_t level, wanted;

	if (!hf_result_number(result, "level", &level))
		return;
	text = g_strdup_printf("%d of 4, %s", (int)MIN(level, 4), hf_text_level((int)MIN(level, 4)));
	if (hf_result_number(result, "wanted", &wanted) && wanted > level) {
		g_autofree char *reached = g_steal_pointer(&text);

		text = g_strdup_printf("%s; %d was asked for", reached, (int)MIN(wanted, 4));
	}
	hf_message_add_fact(message, "Level", text);
	hf_json_add_number(message->data, "level", level);
}

static void
add_database(HfMessage *message, HfJson *result)
{
	g_autofree char *tables_text = NULL;
	g_autofree char *rows_text = NULL;
	g_autofree char *text = NULL;
	uint64_t tables, rows;

	if (!hf_result_text(result, "database") || !hf_result_number(result, "tables", &tables) ||
	    !hf_result_number(result, "rows", &rows))
		return;
	tables_text = hf_text_count(tables);
	rows_text = hf_text_count(rows);
	text = g_strdup_printf("\"%s\": %s tables, %s rows", hf_result_text(result, "database"), tables_text,
			       rows_text);
	hf_message_add_fact(message, "Database", text);
}

static void
add_images(HfMessage *message, HfJson *result)
{
	HfJson *images = hf_result_object(result, "images");
	g_autofree char *objects_text = NULL;
	g_autofree char *bytes_text = NULL;
	g_autofree char *text = NULL;
	uint64_t objects, bytes;

	if (!hf_result_number(images, "objects", &objects) || !hf_result_number(images, "bytes", &bytes))
		return;
	objects_text = hf_text_count(objects);
	bytes_text = hf_text_bytes(bytes);
	text = g_strdup_printf("%s, %s", objects_text, bytes_text);
	hf_message_add_fact(message, "Images", text);
}

/* ---- what changed ---- */

static void
append_part(GString *text, const char *part)
{
	g_string_append_printf(text, "%s%s", text->len > 0 ? "; " : "", part);
}

/* "+1,204 rows", "-1.2 MiB stored", and nothing where either is not known. */
static void
append_change(GString *text, const char *what, HfJson *now, HfJson *before)
{
	bool is_bytes = g_str_has_suffix(what, "_bytes");
	uint64_t new_value, old_value, difference;
	g_autofree char *amount = NULL;
	g_autofree char *part = NULL;

	if (!hf_result_number(now, what, &new_value) || !hf_result_number(before, what, &old_value))
		return;
	difference = new_value > old_value ? new_value - old_value : old_value - new_value;
	amount = is_bytes ? hf_text_bytes(difference) : hf_text_count(difference);
	if (difference == 0)
		part = g_strdup_printf("as many %s", is_bytes ? "bytes stored" : what);
	else
		part = g_strdup_printf("%s%s %s", new_value > old_value ? "+" : "-", amount,
				       is_bytes ? "stored" : what);
	append_part(text, part);
}

static void
append_images(GString *text, HfJson *images)
{
	static const struct {
		const char *name, *word;
	} counts[] = {{"added", "new"}, {"changed", "changed"}, {"deleted", "deleted"}};
	g_autoptr(GString) part = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
		g_autofree char *amount = NULL;
		uint64_t count;

		if (!hf_result_number(images, counts[i].name, &count))
			return;
		amount = hf_text_count(count);
		g_string_append_printf(part, "%s%s %s", i == 0 ? "images: " : ", ", amount, counts[i].word);
	}
	append_part(text, part->str);
}

static void
add_changes(HfMessage *message, HfJson *result, const HfJobRecord *before)
{
	g_autoptr(HfJson) old = before ? hf_result_parse(before->result) : NULL;
	g_autoptr(GString) text = g_string_new(NULL);

	append_change(text, "tables", result, old);
	append_change(text, "rows", result, old);
	append_change(text, "stored_bytes", result, old);
	append_images(text, hf_result_object(result, "images"));
	hf_message_add_fact(message, "Since the last", text->str);
}

void
hf_job_add_facts(HfMessage *message, const HfJobRecord *record, HfJson *result, const HfJobRecord *before)
{
	add_when(message, record);
	add_size(message, result);
	add_level(message, result);
	add_database(message, result);
	add_images(message, result);
	if (g_str_has_prefix(record->kind, "backup "))
		add_changes(message, result, before);
}
