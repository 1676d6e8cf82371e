#include "config.h"

#include "backup/job/marks.h"
#include "backup/job/state-impl.h"
#include "common/clock.h"

#define CREDIBLE_S 86400 /* a schedule is never started earlier than by a day: clocks are set by less */

static const char get_sql[] = "SELECT slot_s FROM marks WHERE name = ?1";
static const char set_sql[] = "INSERT INTO marks (name, slot_s) VALUES (?1, ?2)"
			      " ON CONFLICT (name) DO UPDATE SET slot_s = ?2";
static const char remove_sql[] = "DELETE FROM marks WHERE name = ?1";

typedef struct {
	const char *name;
	int64_t slot_s;
} Mark;

static bool
get_work(HfState *state, void *data, GError **error)
{
	Mark *mark = data;
	sqlite3_stmt *get = hf_state_prepare(state, get_sql, error);
	bool has_row = false;

	if (!get)
		return false;
	hf_bind_text(get, 1, mark->name);
	if (!hf_state_step(state, get, &has_row, error))
		return false;
	mark->slot_s = has_row ? sqlite3_column_int64(get, 0) : 0;
	return true;
}

static bool
set_work(HfState *state, void *data, GError **error)
{
	const Mark *mark = data;
	sqlite3_stmt *set = hf_state_prepare(state, mark->slot_s != 0 ? set_sql : remove_sql, error);

	if (!set)
		return false;
	hf_bind_text(set, 1, mark->name);
	if (mark->slot_s != 0)
		hf_bind_number(set, 2, mark->slot_s);
	return hf_state_execute(state, set, error);
}

bool
hf_marks_advance(HfState *state, const char *name, int64_t slot_s, bool *is_reached_out, GError **error)
{
	Mark now = {.name = name};
	Mark next = {.name = name, .slot_s = slot_s};

	if (!get_work(state, &now, error))
		return false;
	/* A mark that lies far ahead was made by a clock that was wrong. */
	*is_reached_out = now.slot_s >= slot_s && now.slot_s <= hf_clock_now_s() + CREDIBLE_S;
	return *is_reached_out || set_work(state, &next, error);
}

bool
hf_marks_get(HfState *state, const char *name, int64_t *slot_s_out, GError **error)
{
	Mark mark = {.name = name};

	if (!hf_state_run(state, HF_STATE_READ, get_work, &mark, error))
		return false;
	*slot_s_out = mark.slot_s;
	return true;
}

bool
hf_marks_set(HfState *state, const char *name, int64_t slot_s, GError **error)
{
	Mark mark = {.name = name, .slot_s = slot_s};

	return hf_state_run(state, HF_STATE_WRITE, set_work, &mark, error);
}
