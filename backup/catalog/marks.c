#include "config.h"

#include "backup/catalog/mark.h"
#include "backup/catalog/marks.h"
#include "backup/catalog/names.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/json.h"

#include <string.h>

#define LEVEL_MAX 4

HfProof *
hf_proof_new(int level)
{
	HfProof *proof = g_new0(HfProof, 1);

	proof->level = level;
	proof->differences = g_ptr_array_new_with_free_func(g_free);
	proof->unproved = g_ptr_array_new_with_free_func(g_free);
	return proof;
}

void
hf_proof_add_difference(HfProof *proof, const char *format, ...)
{
	va_list args;

	if (proof->difference_count++ >= HF_MARKS_LISTED_MAX)
		return;
	va_start(args, format);
	g_ptr_array_add(proof->differences, g_strdup_vprintf(format, args));
	va_end(args);
}

void
hf_proof_add_unproved(HfProof *proof, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	g_ptr_array_add(proof->unproved, g_strdup_vprintf(format, args));
	va_end(args);
}

void
hf_proof_free(HfProof *proof)
{
	if (!proof)
		return;
	g_free(proof->server_version);
	g_free(proof->error);
	g_ptr_array_unref(proof->differences);
	g_ptr_array_unref(proof->unproved);
	g_free(proof);
}

/* ---- writing ---- */

/* Lines for people, out of names that may be any bytes. */
static void
add_lines(HfJson *object, const char *name, const GPtrArray *lines)
{
	HfJson *array;

	if (lines->len == 0)
		return;
	array = json_object_new_array();
	for (guint i = 0; i < lines->len; i++) {
		g_autofree char *line = g_utf8_make_valid(lines->pdata[i], -1);

		json_object_array_add(array, json_object_new_string(line));
	}
	hf_json_add(object, name, array);
}

static void
add_unless_zero(HfJson *object, const char *name, uint64_t number)
{
	if (number > 0)
		hf_json_add_number(object, name, number);
}

static uint64_t
to_milliseconds(double seconds)
{
	return (uint64_t)(MAX(seconds, 0) * 1000);
}

static HfJson *
proof_to_json(const char *id, const HfProof *proof)
{
	HfJson *object = hf_mark_begin("holdfast-proof", id, proof->at_s);

	hf_json_add_number(object, "level", (uint64_t)proof->level);
	if (proof->has_failed)
		hf_json_add_flag(object, "failed", true);
	if (proof->is_drill)
		hf_json_add_flag(object, "drill", true);
	hf_json_add_number(object, "milliseconds", to_milliseconds(proof->duration_s));
	add_unless_zero(object, "recover_milliseconds", to_milliseconds(proof->recover_s));
	hf_json_add_text(object, "server_version", proof->server_version);
	add_unless_zero(object, "tables", proof->tables);
	add_unless_zero(object, "rows", proof->rows);
	add_unless_zero(object, "objects", proof->objects);
	hf_json_add_bytes(object, "error", proof->error);
	add_unless_zero(object, "difference_count", proof->difference_count);
	add_lines(object, "differences", proof->differences);
	add_lines(object, "unproved", proof->unproved);
	return object;
}

static bool
check_id(const char *id, GError **error)
{
	int64_t time_s;

	return (strlen(id) == HF_SET_ID_LEN && hf_clock_parse_set_id(id, &time_s)) ||
	       hf_error_set(error, HF_ERROR_USAGE, "\"%s\" is not the id of a set", id);
}

/* Of its level and below: a level holds what the lower ones hold. */
static bool
remove_failed(HfStore *store, const char *id, int level, GError **error)
{
	g_auto(GStrv) keys = g_new0(char *, LEVEL_MAX + 1);

	for (int i = 1; i <= level; i++)
		keys[i - 1] = hf_name_failed_proof(id, i);
	return hf_store_remove(store, (const char *const *)keys, error);
}

bool
hf_catalog_record_proof(HfStore *store, const char *id, const HfProof *proof, GError **error)
{
	g_autoptr(HfJson) object = NULL;
	g_autofree char *accepted = hf_name_accepted(id);
	g_autofree char *key = proof->has_failed ? hf_name_failed_proof(id, proof->level)
						 : hf_name_proof(id, proof->level);

	if (!check_id(id, error))
		return false;
	object = proof_to_json(id, proof);
	if (proof->has_failed)
		return hf_mark_write(store, key, object, error) &&
		       hf_store_remove(store, (const char *const[]){accepted, NULL}, error);
	/* The manifest itself is the record of level 1. */
	return (proof->level == 1 || hf_mark_write(store, key, object, error)) &&
	       remove_failed(store, id, proof->level, error);
}

bool
hf_catalog_record_level(HfStore *store, const char *id, int level, int64_t now_s, double duration_s,
			GError **error)
{
	g_autoptr(HfProof) proof = hf_proof_new(level);

	proof->at_s = now_s;
	proof->duration_s = duration_s;
	return hf_catalog_record_proof(store, id, proof, error);
}

bool
hf_marks_write_suspect(HfStore *store, const HfManifest *manifest, GError **error)
{
	g_autoptr(HfJson) object = hf_mark_begin("holdfast-suspect", manifest->id, manifest->finished_s);
	g_autofree char *key = hf_name_suspect(manifest->id);
	g_autoptr(GPtrArray) listed = g_ptr_array_new();

	hf_json_add_text(object, "against", manifest->alarms_against);
	hf_json_add_number(object, "reason_count", manifest->alarms->len);
	for (guint i = 0; i < MIN(manifest->alarms->len, HF_MARKS_LISTED_MAX); i++)
		g_ptr_array_add(listed, manifest->alarms->pdata[i]);
	add_lines(object, "reasons", listed);
	return hf_mark_write(store, key, object, error);
}

bool
hf_catalog_accept(HfStore *store, const HfSet *set, const char *by, int64_t now_s, GError **error)
{
	g_autoptr(HfJson) object = NULL;
	g_autofree char *key = hf_name_accepted(set->id);

	if (set->is_damaged || set->is_adopted || (!set->is_suspect && set->status == HF_SET_COMPLETE))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "set \"%s\" is neither suspect nor partial: there is nothing to accept",
				    set->id);
	if (!check_id(set->id, error))
		return false;
	object = hf_mark_begin("holdfast-accepted", set->id, now_s);
	hf_json_add_bytes(object, "by", by);
	hf_json_add_bytes(object, "what", set->suspect_reason);
	return hf_mark_write(store, key, object, error);
}

/* ---- reading ---- */

/* Members of a proof that others may have written: what is of another type counts as absent. */
static uint64_t
number_of(HfJson *object, const char *name)
{
	uint64_t number = 0;

	return hf_json_get_number(object, name, &number, NULL) ? number : 0;
}

static char *
text_of(HfJson *object, const char *name)
{
	const char *text = NULL;

	return hf_json_find_text(object, name, &text, NULL) ? g_strdup(text) : NULL;
}

static bool
flag_of(HfJson *object, const char *name)
{
	return json_object_get_boolean(json_object_object_get(object, name));
}

static void
read_lines(HfJson *object, const char *name, GPtrArray *lines)
{
	HfJson *array;

	if (!hf_json_get_array(object, name, &array, NULL))
		return;
	for (size_t i = 0; i < json_object_array_length(array) && i < HF_MARKS_LISTED_MAX; i++) {
		HfJson *line = json_object_array_get_idx(array, i);

		if (json_object_is_type(line, json_type_string))
			g_ptr_array_add(lines, g_strdup(json_object_get_string(line)));
	}
}

static HfProof *
read_proof(HfStore *store, const char *key, int level, GError **error)
{
	g_autofree char *sealed = NULL;
	g_autoptr(HfJson) object = hf_mark_read(store, key, "holdfast-proof", &sealed, error);
	HfProof *proof;
	g_autofree char *at = NULL;

	if (!object)
		return NULL;
	proof = hf_proof_new(level);
	proof->has_failed = flag_of(object, "failed");
	proof->is_drill = flag_of(object, "drill");
	proof->duration_s = (double)number_of(object, "milliseconds") / 1000;
	proof->recover_s = (double)number_of(object, "recover_milliseconds") / 1000;
	proof->server_version = text_of(object, "server_version");
	proof->tables = number_of(object, "tables");
	proof->rows = number_of(object, "rows");
	proof->objects = number_of(object, "objects");
	if (!hf_json_find_bytes(object, "error", &proof->error, NULL))
		proof->error = NULL;
	if (sealed && proof->has_failed)
		proof->error = g_strdup_printf("what differed: %s", sealed);
	proof->difference_count = number_of(object, "difference_count");
	read_lines(object, "differences", proof->differences);
	read_lines(object, "unproved", proof->unproved);
	at = text_of(object, "at");
	if (!at || !hf_clock_parse_rfc3339(at, &proof->at_s))
		proof->at_s = 0;
	return proof;
}

/* One that cannot be read for what it holds says so itself; a store that fails is an error. */
static bool
add_proof(HfStore *store, const char *key, int level, GPtrArray *proofs, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	HfProof *proof = read_proof(store, key, level, &trouble);

	if (!proof && !hf_error_is(trouble, HF_ERROR_CORRUPT)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	if (!proof) {
		proof = hf_proof_new(level);
		proof->error = g_strdup(trouble->message);
	}
	g_ptr_array_add(proofs, proof);
	return true;
}

GPtrArray *
hf_catalog_read_proofs(HfStore *store, const HfSet *set, GError **error)
{
	g_autoptr(GPtrArray) proofs = g_ptr_array_new_with_free_func((GDestroyNotify)hf_proof_free);

	for (int level = 2; level <= LEVEL_MAX; level++) {
		g_autofree char *key = hf_name_proof(set->id, level);

		if ((set->proofs & (1U << level)) && !add_proof(store, key, level, proofs, error))
			return NULL;
	}
	if (set->failed_level > 0) {
		g_autofree char *key = hf_name_failed_proof(set->id, set->failed_level);

		if (!add_proof(store, key, set->failed_level, proofs, error))
			return NULL;
	}
	return g_steal_pointer(&proofs);
}

/* The first reason, and how many more there are. */
static char *
alarm_line(HfStore *store, const char *id)
{
	g_autofree char *key = hf_name_suspect(id);
	g_autoptr(GError) trouble = NULL;
	g_autofree char *sealed = NULL;
	g_autoptr(HfJson) object = hf_mark_read(store, key, "holdfast-suspect", &sealed, &trouble);
	g_autoptr(GPtrArray) reasons = g_ptr_array_new_with_free_func(g_free);
	uint64_t count;

	if (!object)
		return g_strdup_printf("why it is suspect cannot be read: %s", trouble->message);
	if (sealed)
		return g_strdup_printf("it lost something, and what: %s", sealed);
	read_lines(object, "reasons", reasons);
	if (reasons->len == 0)
		return g_strdup_printf("\"%s\" does not say why it is suspect", key);
	count = MAX(number_of(object, "reason_count"), reasons->len);
	if (count == 1)
		return g_strdup(reasons->pdata[0]);
	return g_strdup_printf("%s, and %" G_GUINT64_FORMAT " more", (char *)reasons->pdata[0], count - 1);
}

static char *
failure_line(HfStore *store, const char *id, int level)
{
	g_autofree char *key = hf_name_failed_proof(id, level);
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfProof) proof = read_proof(store, key, level, &trouble);

	return g_strdup_printf("the proof of level %d failed: %s", level,
			       !proof         ? trouble->message
			       : proof->error ? proof->error
					      : "it does not say why");
}

char *
hf_marks_reason(HfStore *store, const char *id, bool has_suspect, int failed_level)
{
	g_autofree char *alarm = has_suspect ? alarm_line(store, id) : NULL;
	g_autofree char *failure = failed_level > 0 ? failure_line(store, id, failed_level) : NULL;

	return g_strdup_printf("%s%s%s", alarm ? alarm : "", alarm && failure ? "; " : "",
			       failure ? failure : "");
}
