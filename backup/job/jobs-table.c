#include "config.h"

#include "backup/job/jobs-table.h"
#include "backup/job/kind.h"

#define COLUMNS \
	"id, kind, parameters, requested_by, takes, excludes, status, exit, pid, pid_ticks," \
	" created_s, started_s, finished_s, set_id, file, error, error_code, result, phase," \
	" bytes, estimated_bytes, objects, estimated_objects, bytes_per_s, duration_ms"

static const char select_sql[] = "SELECT " COLUMNS ", cancel FROM jobs"
				 " WHERE (?1 IS NULL OR id = ?1)"
				 " AND (?2 IS NULL OR seq < (SELECT seq FROM jobs WHERE id = ?2))"
				 " AND (?3 IS NULL OR kind = ?3)"
				 " AND (?4 = 0 OR (takes & ?4) <> 0)"
				 " AND (?5 = 0 OR status < 2)"
				 " AND (?6 = 0 OR status = 2)"
				 " ORDER BY seq DESC LIMIT ?7";

static const char brief_sql[] =
	"SELECT kind, status, exit, created_s, started_s, finished_s, duration_ms, bytes"
	" FROM jobs ORDER BY seq DESC";

/* Of several the one that began first: it is what the caller waits for. */
static const char in_the_way_sql[] = "SELECT " COLUMNS ", cancel FROM jobs"
				     " WHERE status < 2 AND ((takes & ?2) <> 0 OR (excludes & ?1) <> 0)"
				     " ORDER BY seq LIMIT 1";

static const char save_sql[] =
	"INSERT INTO jobs (" COLUMNS ")"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, "
	"?21,"
	" ?22, ?23, ?24, ?25)"
	" ON CONFLICT (id) DO UPDATE SET parameters = ?3, status = ?7, exit = ?8, pid = ?9, pid_ticks = ?10,"
	" started_s = ?12, finished_s = ?13, set_id = ?14, file = ?15, error = ?16, error_code = ?17, result "
	"= ?18,"
	" phase = ?19, bytes = ?20, estimated_bytes = ?21, objects = ?22, estimated_objects = ?23, "
	"bytes_per_s = ?24,"
	" duration_ms = ?25"
	" RETURNING cancel";

static const char interrupt_sql[] =
	"UPDATE jobs SET status = 5, exit = 1, finished_s = ?2, bytes_per_s = 0,"
	" duration_ms = CASE WHEN started_s > 0 THEN max(?2 - started_s, 0) * 1000 ELSE 0 END, error_code = "
	"'interrupted',"
	" error = 'its process is gone without a word: killed, or the host went down; see its log'"
	" WHERE id = ?1 AND status < 2";

static const char cancel_sql[] = "UPDATE jobs SET cancel = ?2 WHERE id = ?1";

static const char trim_sql[] = "DELETE FROM jobs WHERE status >= 2 AND seq <="
			       " (SELECT seq FROM jobs ORDER BY seq DESC LIMIT 1 OFFSET ?1)";

static HfJobRecord *
read_row(sqlite3_stmt *row)
{
	HfJobRecord *record = g_new0(HfJobRecord, 1);

	record->id = hf_column_text(row, 0);
	record->kind = hf_column_text(row, 1);
	record->parameters = hf_column_text(row, 2);
	record->requested_by = hf_column_text(row, 3);
	record->status = (HfJobStatus)CLAMP(sqlite3_column_int(row, 6), HF_JOB_QUEUED, HF_JOB_INTERRUPTED);
	record->exit = sqlite3_column_int(row, 7);
	record->pid = sqlite3_column_int(row, 8);
	record->pid_ticks = (uint64_t)sqlite3_column_int64(row, 9);
	record->created_s = sqlite3_column_int64(row, 10);
	record->started_s = sqlite3_column_int64(row, 11);
	record->finished_s = sqlite3_column_int64(row, 12);
	record->set_id = hf_column_text(row, 13);
	record->file = hf_column_text(row, 14);
	record->error = hf_column_text(row, 15);
	record->error_code = hf_column_text(row, 16);
	record->result = hf_column_text(row, 17);
	record->phase = hf_column_text(row, 18);
	record->bytes = (uint64_t)sqlite3_column_int64(row, 19);
	record->estimated_bytes = (uint64_t)sqlite3_column_int64(row, 20);
	record->objects = (uint64_t)sqlite3_column_int64(row, 21);
	record->estimated_objects = (uint64_t)sqlite3_column_int64(row, 22);
	record->bytes_per_s = (uint64_t)sqlite3_column_int64(row, 23);
	record->duration_ms = sqlite3_column_int64(row, 24);
	record->is_cancel_requested = sqlite3_column_int(row, 25) != HF_CANCEL_NONE;
	return record;
}

static void
free_record(gpointer record)
{
	hf_job_record_free(record);
}

GPtrArray *
hf_jobs_table_select(HfState *state, const HfJobsQuery *query, GError **error)
{
	g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func(free_record);
	sqlite3_stmt *select = hf_state_prepare(state, select_sql, error);
	bool has_row = true;

	if (!select)
		return NULL;
	hf_bind_text(select, 1, query->id);
	hf_bind_text(select, 2, query->before_id);
	hf_bind_text(select, 3, query->kind);
	hf_bind_number(select, 4, query->takes);
	hf_bind_number(select, 5, query->is_open);
	hf_bind_number(select, 6, query->is_done);
	hf_bind_number(select, 7, query->limit);
	while (hf_state_step(state, select, &has_row, error)) {
		if (!has_row)
			return g_steal_pointer(&records);
		g_ptr_array_add(records, read_row(select));
	}
	return NULL;
}

static HfJobRecord *
read_brief(sqlite3_stmt *row)
{
	HfJobRecord *record = g_new0(HfJobRecord, 1);

	record->kind = hf_column_text(row, 0);
	record->status = (HfJobStatus)CLAMP(sqlite3_column_int(row, 1), HF_JOB_QUEUED, HF_JOB_INTERRUPTED);
	record->exit = sqlite3_column_int(row, 2);
	record->created_s = sqlite3_column_int64(row, 3);
	record->started_s = sqlite3_column_int64(row, 4);
	record->finished_s = sqlite3_column_int64(row, 5);
	record->duration_ms = sqlite3_column_int64(row, 6);
	record->bytes = (uint64_t)MAX(sqlite3_column_int64(row, 7), 0);
	return record;
}

GPtrArray *
hf_jobs_table_brief(HfState *state, GError **error)
{
	g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func(free_record);
	sqlite3_stmt *select = hf_state_prepare(state, brief_sql, error);
	bool has_row = true;

	if (!select)
		return NULL;
	while (hf_state_step(state, select, &has_row, error)) {
		if (!has_row)
			return g_steal_pointer(&records);
		g_ptr_array_add(records, read_brief(select));
	}
	return NULL;
}

HfJobRecord *
hf_jobs_table_in_the_way(HfState *state, unsigned takes, unsigned excludes, GError **error)
{
	sqlite3_stmt *select = hf_state_prepare(state, in_the_way_sql, error);
	bool has_row = false;

	if (!select)
		return NULL;
	hf_bind_number(select, 1, takes);
	hf_bind_number(select, 2, excludes);
	return hf_state_step(state, select, &has_row, error) && has_row ? read_row(select) : NULL;
}

static void
bind_record(sqlite3_stmt *save, const HfJobRecord *record)
{
	const HfJobKind *kind = hf_job_kind_find(record->kind);

	hf_bind_text(save, 1, record->id);
	hf_bind_text(save, 2, record->kind);
	hf_bind_text(save, 3, record->parameters ? record->parameters : "{}");
	hf_bind_text(save, 4, record->requested_by ? record->requested_by : "");
	hf_bind_number(save, 5, kind ? kind->takes : 0);
	hf_bind_number(save, 6, kind ? kind->excludes : 0);
	hf_bind_number(save, 7, record->status);
	hf_bind_number(save, 8, record->exit);
	hf_bind_number(save, 9, record->pid);
	hf_bind_number(save, 10, (int64_t)record->pid_ticks);
	hf_bind_number(save, 11, record->created_s);
	hf_bind_number(save, 12, record->started_s);
	hf_bind_number(save, 13, record->finished_s);
	hf_bind_text(save, 14, record->set_id);
	hf_bind_text(save, 15, record->file);
	hf_bind_text(save, 16, record->error);
	hf_bind_text(save, 17, record->error_code);
	hf_bind_text(save, 18, record->result);
	hf_bind_text(save, 19, record->phase);
	hf_bind_number(save, 20, (int64_t)record->bytes);
	hf_bind_number(save, 21, (int64_t)record->estimated_bytes);
	hf_bind_number(save, 22, (int64_t)record->objects);
	hf_bind_number(save, 23, (int64_t)record->estimated_objects);
	hf_bind_number(save, 24, (int64_t)record->bytes_per_s);
	hf_bind_number(save, 25, record->duration_ms);
}

bool
hf_jobs_table_save(HfState *state, const HfJobRecord *record, HfJobCancel *cancel_out, GError **error)
{
	sqlite3_stmt *save = hf_state_prepare(state, save_sql, error);
	bool has_row = false;

	if (!save)
		return false;
	bind_record(save, record);
	if (!hf_state_step(state, save, &has_row, error))
		return false;
	*cancel_out = has_row ? (HfJobCancel)sqlite3_column_int(save, 0) : HF_CANCEL_NONE;
	return hf_state_execute(state, save, error);
}

bool
hf_jobs_table_interrupt(HfState *state, const char *id, int64_t now_s, bool *is_ended_here_out,
			GError **error)
{
	sqlite3_stmt *interrupt = hf_state_prepare(state, interrupt_sql, error);

	if (!interrupt)
		return false;
	hf_bind_text(interrupt, 1, id);
	hf_bind_number(interrupt, 2, now_s);
	if (!hf_state_execute(state, interrupt, error))
		return false;
	*is_ended_here_out = sqlite3_changes(hf_state_handle(state)) > 0;
	return true;
}

bool
hf_jobs_table_cancel(HfState *state, const char *id, HfJobCancel cancel, GError **error)
{
	sqlite3_stmt *update = hf_state_prepare(state, cancel_sql, error);

	if (!update)
		return false;
	hf_bind_text(update, 1, id);
	hf_bind_number(update, 2, cancel);
	return hf_state_execute(state, update, error);
}

bool
hf_jobs_table_trim(HfState *state, unsigned kept, GError **error)
{
	sqlite3_stmt *trim = hf_state_prepare(state, trim_sql, error);

	if (!trim)
		return false;
	hf_bind_number(trim, 1, kept);
	return hf_state_execute(state, trim, error);
}
