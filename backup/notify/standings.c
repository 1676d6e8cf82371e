#include "config.h"

#include "backup/notify/standings.h"

#define FORGOTTEN_S (INT64_C(366) * 86400)

static const char get_sql[] = "SELECT last, since_s, told_s FROM standings WHERE subject = ?1";
static const char set_sql[] =
	"INSERT INTO standings (subject, last, since_s, told_s, seen_s) VALUES (?1, ?2, ?3, ?4, ?5)"
	" ON CONFLICT (subject) DO UPDATE SET last = ?2, since_s = ?3, told_s = ?4, seen_s = ?5";
static const char trim_sql[] = "DELETE FROM standings WHERE seen_s < ?1";

bool
hf_standings_get(HfState *state, const char *subject, HfStanding *standing_out, GError **error)
{
	sqlite3_stmt *get = hf_state_prepare(state, get_sql, error);
	bool has_row = false;

	if (!get)
		return false;
	hf_bind_text(get, 1, subject);
	if (!hf_state_step(state, get, &has_row, error))
		return false;
	*standing_out = (HfStanding){.last = -1};
	if (has_row)
		*standing_out = (HfStanding){.last = sqlite3_column_int(get, 0),
					     .since_s = sqlite3_column_int64(get, 1),
					     .told_s = sqlite3_column_int64(get, 2)};
	return true;
}

bool
hf_standings_set(HfState *state, const char *subject, const HfStanding *standing, int64_t now_s,
		 GError **error)
{
	sqlite3_stmt *set = hf_state_prepare(state, set_sql, error);
	sqlite3_stmt *trim = set ? hf_state_prepare(state, trim_sql, error) : NULL;

	if (!trim)
		return false;
	hf_bind_text(set, 1, subject);
	hf_bind_number(set, 2, standing->last);
	hf_bind_number(set, 3, standing->since_s);
	hf_bind_number(set, 4, standing->told_s);
	hf_bind_number(set, 5, now_s);
	hf_bind_number(trim, 1, now_s - FORGOTTEN_S);
	return hf_state_execute(state, set, error) && hf_state_execute(state, trim, error);
}
