#include "config.h"

#include "backup/job/cached-sets.h"
#include "backup/job/state-impl.h"
#include "common/error.h"
#include "common/json.h"

#include <string.h>

static const char clear_sql[] = "DELETE FROM sets";
static const char add_sql[] = "INSERT INTO sets (position, id, kind, level, status, started_s, bytes, flags, "
			      "trouble, suspect_reason, files,"
			      " manifest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
static const char seen_sql[] = "INSERT INTO sets_seen (one, as_of_s) VALUES (1, ?1)"
			       " ON CONFLICT (one) DO UPDATE SET as_of_s = ?1";
static const char when_sql[] = "SELECT as_of_s FROM sets_seen";
#define SELECT "SELECT id, kind, level, status, started_s, bytes, flags, trouble, suspect_reason, files"
static const char list_sql[] = SELECT ", NULL FROM sets ORDER BY position";
static const char find_sql[] = SELECT ", manifest FROM sets WHERE id = ?1 ORDER BY position LIMIT 1";

enum {
	IS_ADOPTED = 1 << 0,
	IS_DAMAGED = 1 << 1,
	IS_HELD = 1 << 2,
	IS_SUSPECT = 1 << 3,
	IS_ACCEPTED = 1 << 4,
	SIGNED_SHIFT = 5, /* a number of 3 bits: the place in signed_words and 1; 0: none */
};

static const char *const signed_words[] = {"unchecked", "no", "yes", "bad"};

/* ---- a set ---- */

static void
free_file(gpointer data)
{
	HfCachedFile *file = data;

	g_free(file->key);
	g_free(file);
}

HfCachedSet *
hf_cached_set_new(const char *id)
{
	HfCachedSet *set = g_new0(HfCachedSet, 1);

	set->id = g_strdup(id);
	set->files = g_ptr_array_new_with_free_func(free_file);
	return set;
}

void
hf_cached_set_add_file(HfCachedSet *set, const char *key, uint64_t bytes, int64_t modified_s,
		       const char *type)
{
	HfCachedFile *file = g_new0(HfCachedFile, 1);

	*file = (HfCachedFile){g_strdup(key), bytes, modified_s, type};
	g_ptr_array_add(set->files, file);
}

void
hf_cached_set_free(HfCachedSet *set)
{
	if (!set)
		return;
	g_free(set->id);
	g_free(set->kind);
	g_free(set->status);
	g_free(set->is_signed);
	g_free(set->trouble);
	g_free(set->suspect_reason);
	g_ptr_array_unref(set->files);
	g_free(set->manifest);
	g_free(set);
}

static void
free_set(gpointer set)
{
	hf_cached_set_free(set);
}

/* ---- files as JSON ---- */

static char *
files_to_text(const GPtrArray *files)
{
	g_autoptr(HfJson) array = json_object_new_array();

	for (guint i = 0; i < files->len; i++) {
		const HfCachedFile *file = files->pdata[i];
		HfJson *object = json_object_new_object();

		hf_json_add_bytes(object, "key", file->key);
		hf_json_add_number(object, "bytes", file->bytes);
		hf_json_add_number(object, "modified", (uint64_t)MAX(file->modified_s, 0));
		hf_json_add_text(object, "type", file->type);
		json_object_array_add(array, object);
	}
	return g_strdup(json_object_to_json_string_ext(array, JSON_C_TO_STRING_PLAIN));
}

static bool
add_file_from(HfCachedSet *set, HfJson *object, GError **error)
{
	g_autofree char *key = NULL;
	const char *type;
	uint64_t bytes, modified_s;

	if (!hf_json_get_bytes(object, "key", &key, error) ||
	    !hf_json_get_number(object, "bytes", &bytes, error) ||
	    !hf_json_get_number(object, "modified", &modified_s, error) ||
	    !hf_json_get_text(object, "type", &type, error))
		return false;
	hf_cached_set_add_file(set, key, bytes, (int64_t)modified_s,
			       strcmp(type, "images") == 0 ? "images" : "database");
	return true;
}

static bool
files_from_text(HfCachedSet *set, const char *text, GError **error)
{
	g_autoptr(HfJson) array = hf_json_parse(text, strlen(text), error);

	if (!array)
		return false;
	for (size_t i = 0; json_object_is_type(array, json_type_array) && i < json_object_array_length(array);
	     i++)
		if (!add_file_from(set, json_object_array_get_idx(array, i), error))
			return false;
	return true;
}

/* ---- writing ---- */

static int
signed_flags(const char *word)
{
	for (size_t i = 0; i < G_N_ELEMENTS(signed_words); i++)
		if (g_strcmp0(word, signed_words[i]) == 0)
			return ((int)i + 1) << SIGNED_SHIFT;
	return 0;
}

static char *
signed_word(int flags)
{
	size_t place = (size_t)(flags >> SIGNED_SHIFT) & 7;

	return place >= 1 && place <= G_N_ELEMENTS(signed_words) ? g_strdup(signed_words[place - 1]) : NULL;
}

static int
flags_of(const HfCachedSet *set)
{
	return (set->is_adopted ? IS_ADOPTED : 0) | (set->is_damaged ? IS_DAMAGED : 0) |
	       (set->is_held ? IS_HELD : 0) | (set->is_suspect ? IS_SUSPECT : 0) |
	       (set->is_accepted ? IS_ACCEPTED : 0) | signed_flags(set->is_signed);
}

static bool
add_set(HfState *state, const HfCachedSet *set, guint position, GError **error)
{
	g_autofree char *files = files_to_text(set->files);
	sqlite3_stmt *add = hf_state_prepare(state, add_sql, error);

	if (!add)
		return false;
	hf_bind_number(add, 1, position);
	hf_bind_text(add, 2, set->id);
	hf_bind_text(add, 3, set->kind);
	hf_bind_number(add, 4, set->level);
	hf_bind_text(add, 5, set->status ? set->status : "complete");
	hf_bind_number(add, 6, set->started_s);
	hf_bind_number(add, 7, (int64_t)set->bytes);
	hf_bind_number(add, 8, flags_of(set));
	hf_bind_text(add, 9, set->trouble);
	hf_bind_text(add, 10, set->suspect_reason);
	hf_bind_text(add, 11, files);
	hf_bind_text(add, 12, set->manifest);
	return hf_state_execute(state, add, error);
}

typedef struct {
	const GPtrArray *sets;
	int64_t now_s;
} Replacing;

static bool
replace_work(HfState *state, void *data, GError **error)
{
	const Replacing *replacing = data;
	sqlite3_stmt *clear = hf_state_prepare(state, clear_sql, error);
	sqlite3_stmt *seen;

	if (!clear || !hf_state_execute(state, clear, error))
		return false;
	for (guint i = 0; i < replacing->sets->len; i++)
		if (!add_set(state, replacing->sets->pdata[i], i, error))
			return false;
	seen = hf_state_prepare(state, seen_sql, error);
	if (!seen)
		return false;
	hf_bind_number(seen, 1, replacing->now_s);
	return hf_state_execute(state, seen, error);
}

bool
hf_cached_sets_replace(HfState *state, const GPtrArray *sets, int64_t now_s, GError **error)
{
	Replacing replacing = {sets, now_s};

	return hf_state_run(state, HF_STATE_WRITE, replace_work, &replacing, error);
}

/* ---- reading ---- */

static HfCachedSet *
read_row(sqlite3_stmt *row, GError **error)
{
	g_autofree char *id = hf_column_text(row, 0);
	g_autofree char *files = hf_column_text(row, 9);
	g_autoptr(HfCachedSet) set = hf_cached_set_new(id);
	int flags = sqlite3_column_int(row, 6);

	set->kind = hf_column_text(row, 1);
	set->level = sqlite3_column_int(row, 2);
	set->status = hf_column_text(row, 3);
	set->started_s = sqlite3_column_int64(row, 4);
	set->bytes = (uint64_t)sqlite3_column_int64(row, 5);
	set->is_adopted = (flags & IS_ADOPTED) != 0;
	set->is_damaged = (flags & IS_DAMAGED) != 0;
	set->is_held = (flags & IS_HELD) != 0;
	set->is_suspect = (flags & IS_SUSPECT) != 0;
	set->is_accepted = (flags & IS_ACCEPTED) != 0;
	set->is_signed = signed_word(flags);
	set->trouble = hf_column_text(row, 7);
	set->suspect_reason = hf_column_text(row, 8);
	set->manifest = hf_column_text(row, 10);
	return files_from_text(set, files ? files : "[]", error) ? g_steal_pointer(&set) : NULL;
}

typedef struct {
	const char *id; /* NULL: all */
	GPtrArray *sets;
	int64_t as_of_s;
} Reading;

static bool
read_sets(HfState *state, const char *id, GPtrArray *sets, GError **error)
{
	sqlite3_stmt *list = hf_state_prepare(state, id ? find_sql : list_sql, error);
	bool has_row = true;

	if (!list)
		return false;
	if (id)
		hf_bind_text(list, 1, id);
	while (hf_state_step(state, list, &has_row, error)) {
		HfCachedSet *set = has_row ? read_row(list, error) : NULL;

		if (!has_row)
			return true;
		if (!set)
			return false;
		g_ptr_array_add(sets, set);
	}
	return false;
}

static bool
when_work(HfState *state, void *data, GError **error)
{
	int64_t *as_of_s = data;
	sqlite3_stmt *when = hf_state_prepare(state, when_sql, error);
	bool has_row = false;

	if (!when || !hf_state_step(state, when, &has_row, error))
		return false;
	*as_of_s = has_row ? sqlite3_column_int64(when, 0) : 0;
	return true;
}

bool
hf_cached_sets_when(HfState *state, int64_t *as_of_s_out, GError **error)
{
	return hf_state_run(state, HF_STATE_READ, when_work, as_of_s_out, error);
}

static bool
read_work(HfState *state, void *data, GError **error)
{
	Reading *reading = data;
	g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func(free_set);

	if (!when_work(state, &reading->as_of_s, error) || !read_sets(state, reading->id, sets, error))
		return false;
	g_clear_pointer(&reading->sets, g_ptr_array_unref);
	reading->sets = g_steal_pointer(&sets);
	return true;
}

static GPtrArray *
read_all(HfState *state, Reading *reading, GError **error)
{
	if (hf_state_run(state, HF_STATE_READ, read_work, reading, error))
		return reading->sets;
	g_clear_pointer(&reading->sets, g_ptr_array_unref);
	return NULL;
}

GPtrArray *
hf_cached_sets_list(HfState *state, int64_t *as_of_s_out, GError **error)
{
	Reading reading = {0};

	if (!read_all(state, &reading, error))
		return NULL;
	*as_of_s_out = reading.as_of_s;
	return reading.sets;
}

HfCachedSet *
hf_cached_sets_find(HfState *state, const char *id, GError **error)
{
	Reading reading = {.id = id};
	g_autoptr(GPtrArray) sets = read_all(state, &reading, error);

	if (!sets)
		return NULL;
	if (sets->len == 0) {
		hf_error_set(error, HF_ERROR_NOT_FOUND,
			     "there is no set \"%s\" in the list as it was last seen", id);
		return NULL;
	}
	return g_ptr_array_steal_index(sets, 0);
}
