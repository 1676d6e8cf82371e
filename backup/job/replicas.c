#include "config.h"

#include "backup/job/replicas.h"
#include "backup/job/state-impl.h"
#include "common/clock.h"

#include <string.h>

static const char list_sql[] =
	"SELECT name, place, tried_s, level_s, behind_since_s, missing, error FROM replicas ORDER BY name";
/* ?4: 1 where it is level. */
static const char note_sql[] =
	"INSERT INTO replicas (name, place, tried_s, level_s, behind_since_s, missing, error)"
	" VALUES (?1, ?2, ?3, CASE ?4 WHEN 1 THEN ?3 ELSE 0 END, CASE ?4 WHEN 1 THEN 0 ELSE ?3 END, ?5, ?6)"
	/* What was seen of another place says nothing of this one. */
	" ON CONFLICT (name) DO UPDATE SET place = coalesce(?2, place), tried_s = ?3,"
	" level_s = CASE WHEN ?4 = 1 THEN ?3 WHEN ?2 IS NOT NULL AND place IS NOT ?2 THEN 0 ELSE level_s END,"
	" behind_since_s = CASE WHEN ?4 = 1 THEN 0 WHEN behind_since_s > 0 AND"
	" (?2 IS NULL OR place IS ?2) THEN behind_since_s ELSE ?3 END,"
	" missing = ?5, error = ?6";

void
hf_replica_state_free(HfReplicaState *replica)
{
	if (!replica)
		return;
	g_free(replica->name);
	g_free(replica->place);
	g_free(replica->error);
	g_free(replica);
}

static void
free_replica(gpointer replica)
{
	hf_replica_state_free(replica);
}

static HfReplicaState *
take_row(sqlite3_stmt *row)
{
	HfReplicaState *replica = g_new0(HfReplicaState, 1);

	replica->name = hf_column_text(row, 0);
	replica->place = hf_column_text(row, 1);
	replica->tried_s = sqlite3_column_int64(row, 2);
	replica->level_s = sqlite3_column_int64(row, 3);
	replica->behind_since_s = sqlite3_column_int64(row, 4);
	replica->missing = (uint64_t)MAX(sqlite3_column_int64(row, 5), 0);
	replica->error = hf_column_text(row, 6);
	return replica;
}

static bool
list_work(HfState *state, void *data, GError **error)
{
	GPtrArray **rows_out = data;
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(free_replica);
	sqlite3_stmt *list = hf_state_prepare(state, list_sql, error);
	bool has_row = list != NULL;

	while (has_row) {
		if (!hf_state_step(state, list, &has_row, error))
			return false;
		if (has_row)
			g_ptr_array_add(rows, take_row(list));
	}
	if (!list)
		return false;
	g_clear_pointer(rows_out, g_ptr_array_unref);
	*rows_out = g_steal_pointer(&rows);
	return true;
}

GPtrArray *
hf_replicas_list(HfState *state, GError **error)
{
	GPtrArray *rows = NULL;

	return hf_state_run(state, HF_STATE_READ, list_work, &rows, error) ? rows : NULL;
}

static HfReplicaState *
take_named(GPtrArray *rows, const char *name)
{
	HfReplicaState *replica;

	for (guint i = 0; i < rows->len; i++)
		if (strcmp(((const HfReplicaState *)rows->pdata[i])->name, name) == 0)
			return g_ptr_array_steal_index(rows, i);
	replica = g_new0(HfReplicaState, 1);
	replica->name = g_strdup(name);
	return replica;
}

GPtrArray *
hf_replicas_of(HfState *state, const HfSettings *settings, GError **error)
{
	g_autoptr(GPtrArray) rows = hf_replicas_list(state, error);
	GPtrArray *replicas;

	if (!rows)
		return NULL;
	replicas = g_ptr_array_new_with_free_func(free_replica);
	for (unsigned number = 1; number <= HF_REPLICAS_MAX; number++) {
		g_autofree char *name = g_strdup_printf("replica-%u", number);

		if (hf_settings_has_replica(settings, number))
			g_ptr_array_add(replicas, take_named(rows, name));
	}
	return replicas;
}

static bool
note_work(HfState *state, void *data, GError **error)
{
	const HfReplicaSeen *seen = data;
	sqlite3_stmt *note = hf_state_prepare(state, note_sql, error);

	if (!note)
		return false;
	hf_bind_text(note, 1, seen->name);
	hf_bind_text(note, 2, seen->place);
	hf_bind_number(note, 3, seen->now_s);
	hf_bind_number(note, 4, seen->error ? 0 : 1);
	hf_bind_number(note, 5, (int64_t)seen->missing);
	hf_bind_text(note, 6, seen->error);
	return hf_state_execute(state, note, error);
}

bool
hf_replicas_note(HfState *state, const HfReplicaSeen *seen, GError **error)
{
	HfReplicaSeen copy = *seen;

	return hf_state_run(state, HF_STATE_WRITE, note_work, &copy, error);
}

static void
add_time(HfJson *object, const char *name, int64_t time_s)
{
	g_autofree char *text = time_s > 0 ? hf_clock_rfc3339(time_s) : NULL;

	hf_json_add_text(object, name, text);
}

HfJson *
hf_replica_state_to_json(const HfReplicaState *replica)
{
	HfJson *object = json_object_new_object();

	hf_json_add_text(object, "name", replica->name);
	hf_json_add_bytes(object, "place", replica->place);
	hf_json_add_flag(object, "level", replica->level_s > 0 && replica->behind_since_s == 0);
	add_time(object, "tried", replica->tried_s);
	add_time(object, "lastLevel", replica->level_s);
	add_time(object, "behindSince", replica->behind_since_s);
	hf_json_add_number(object, "missing", replica->missing);
	hf_json_add_bytes(object, "error", replica->error);
	return object;
}
