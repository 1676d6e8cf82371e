/*
 * backup/job/state-impl.h -- for the files that have the SQL of one table each.
 *
 * All work on the state is done inside hf_state_run(), in one transaction that is committed as a whole or not at all.
 * Work may be done twice, where the file had to be made anew meanwhile: it sets what it gives at its end.
 */
#pragma once

#include "backup/job/state.h"

#include <sqlite3.h>

/* How long somebody else may hold the file before a call fails with TRANSIENT. */
#define HF_STATE_BUSY_MS 5000

typedef enum {
	HF_STATE_READ,
	HF_STATE_WRITE, /* nobody else writes meanwhile */
} HfStateAccess;

typedef bool (*HfStateWork)(HfState *state, void *data, GError **error);

bool hf_state_run(HfState *state, HfStateAccess access, HfStateWork work, void *data,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * A statement, prepared once as long as the file is open; sql is static, since its address is its name.  Borrowed; it is
 * reset when the work ends, or when it is asked for again.  NULL with the error set.
 */
sqlite3_stmt *hf_state_prepare(HfState *state, const char *sql, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Another row, or *has_row_out false at the end. */
bool hf_state_step(HfState *state, sqlite3_stmt *statement, bool *has_row_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs a statement that gives no rows, or whose rows nobody wants. */
bool hf_state_execute(HfState *state, sqlite3_stmt *statement, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Parameters count from 1, columns from 0, as SQLite has it.  text may be NULL, and must live until the statement ran. */
void hf_bind_text(sqlite3_stmt *statement, int parameter, const char *text);
void hf_bind_number(sqlite3_stmt *statement, int parameter, int64_t number);
char *hf_column_text(sqlite3_stmt *statement, int column); /* NULL for NULL; g_free() it */

/* ---- between state.c and state-schema.c ---- */

/* Brings an open database to the newest schema.  Sets *error and gives SQLite's code where it cannot; else SQLITE_OK. */
int hf_state_migrate(sqlite3 *db, const char *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sets *error from the last failed call on db; returns false. */
bool hf_state_error(sqlite3 *db, const char *path, GError **error);

/* ---- between marks.c and jobs-table.c ---- */

/* Within work: sets the mark to slot_s; *is_reached_out where it was there, or further, already. */
bool hf_marks_advance(HfState *state, const char *name, int64_t slot_s, bool *is_reached_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The open file, for tests. */
sqlite3 *hf_state_handle(HfState *state);
