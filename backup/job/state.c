#include "config.h"

#include "backup/job/state-impl.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct HfState {
	char *folder;
	char *path;
	sqlite3 *db;  /* NULL: not open */
	dev_t device; /* of the file that is open */
	ino_t inode;
	GHashTable *statements; /* const char * to sqlite3_stmt * */
	int code;               /* SQLite's, of the last call that failed */
	uint64_t version;       /* see hf_state_version() */
	int64_t data_version;   /* as the connection last said it; -1: not asked yet */
	int64_t changes;        /* as the table of that name last said it */
	bool has_written;       /* since then */
};

/* ---- errors ---- */

bool
hf_state_error(sqlite3 *db, const char *path, GError **error)
{
	int code = sqlite3_errcode(db) & 0xff;

	switch (code) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "state \"%s\" is held by another process: try again in a moment", path);
	case SQLITE_FULL:
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "state \"%s\": the disk is full: free some space and try again", path);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return hf_error_set(error, HF_ERROR_FAILED,
				    "state \"%s\" cannot be written (%s): check owner and permissions of "
				    "BACKUP_STATE_DIR, or set it to another folder",
				    path, sqlite3_errmsg(db));
	default:
		return hf_error_set(
			error, HF_ERROR_FAILED,
			"state \"%s\" cannot be used (%s): check the disk, or move the file away: it "
			"is made anew",
			path, sqlite3_errmsg(db));
	}
}

static bool
sql_failed(HfState *state, GError **error)
{
	state->code = sqlite3_errcode(state->db) & 0xff;
	return hf_state_error(state->db, state->path, error);
}

/* ---- opening ---- */

static void
close_database(HfState *state)
{
	g_hash_table_remove_all(state->statements);
	if (state->db)
		sqlite3_close(state->db);
	state->db = NULL;
	state->version++;
}

static bool
is_same_file(const HfState *state)
{
	struct stat now;

	return stat(state->path, &now) == 0 && now.st_dev == state->device && now.st_ino == state->inode;
}

/*
 * Opening, and setting aside, is done by one process at a time: else one could migrate, or rename, what another has just
 * made.  -1 where the folder cannot be written to; then nothing can be made either.
 */
static int
lock_folder(const HfState *state)
{
	g_autofree char *path = g_strdup_printf("%s/state.lock", state->folder);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	while (fd >= 0 && flock(fd, LOCK_EX) != 0) {
		if (errno == EINTR)
			continue;
		close(fd);
		return -1;
	}
	return fd;
}

static void
unlock_folder(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void
remove_beside(const HfState *state, const char *suffix)
{
	g_autofree char *path = g_strconcat(state->path, suffix, NULL);

	(void)unlink(path);
}

/*
 * SQLite would make it readable by all.  Only an absent file is opened here: closing a descriptor of a file that is in
 * use would drop this process's POSIX locks on it (sqlite.org/howtocorrupt.html, 2.2).
 */
static bool
make_file(const HfState *state, GError **error)
{
	int fd;

	if (g_mkdir_with_parents(state->folder, 0700) != 0) {
		int number = errno;

		return hf_error_set(error, HF_ERROR_FAILED, "BACKUP_STATE_DIR \"%s\" cannot be made: %s",
				    state->folder, g_strerror(number));
	}
	fd = open(state->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0) {
		close(fd);
		/* What a removed file left behind; who still has that file open must not share it with the new one. */
		remove_beside(state, "-wal");
		remove_beside(state, "-shm");
		return true;
	}
	if (errno != EEXIST && access(state->path, F_OK) != 0) {
		bool is_full = errno == ENOSPC || errno == EDQUOT;
		int number = errno;

		return hf_error_set(
			error, is_full ? HF_ERROR_TRANSIENT : HF_ERROR_FAILED,
			"state \"%s\" cannot be made: %s: check free space, owner and permissions of "
			"BACKUP_STATE_DIR, or set it to another folder",
			state->path, g_strerror(number));
	}
	return true;
}

static bool
open_file(HfState *state, GError **error)
{
	struct stat file;

	if (!make_file(state, error))
		return false;
	if (sqlite3_open_v2(state->path, &state->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) !=
		    SQLITE_OK ||
	    stat(state->path, &file) != 0)
		return sql_failed(state, error);
	state->device = file.st_dev;
	state->inode = file.st_ino;
	state->data_version = -1;
	sqlite3_extended_result_codes(state->db, 1);
	sqlite3_busy_timeout(state->db, HF_STATE_BUSY_MS);
	return true;
}

static bool
configure(HfState *state, GError **error)
{
	/* NORMAL: a power cut may cost the last notes, never the file (sqlite.org/pragma.html#pragma_synchronous). */
	static const char pragmas[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
				      "PRAGMA journal_size_limit = 4194304; PRAGMA trusted_schema = OFF";
	int code;

	if (sqlite3_exec(state->db, pragmas, NULL, NULL, NULL) != SQLITE_OK)
		return sql_failed(state, error);
	code = hf_state_migrate(state->db, state->path, error);
	if (code != SQLITE_OK)
		state->code = code & 0xff;
	return code == SQLITE_OK;
}

static bool
open_locked(HfState *state, GError **error)
{
	if (open_file(state, error) && configure(state, error))
		return true;
	close_database(state);
	return false;
}

static bool
make_ready(HfState *state, GError **error)
{
	bool is_open;
	int fd;

	if (state->db && is_same_file(state))
		return true;
	close_database(state);
	if (g_mkdir_with_parents(state->folder, 0700) == 0)
		fd = lock_folder(state);
	else
		fd = -1;
	is_open = open_locked(state, error);
	unlock_folder(fd);
	return is_open;
}

/* ---- mending ---- */

static void
rename_with(const HfState *state, const char *suffix)
{
	g_autofree char *from = g_strconcat(state->path, suffix, NULL);
	g_autofree char *to = g_strconcat(state->path, ".damaged", suffix, NULL);

	if (rename(from, to) != 0 && errno != ENOENT)
		(void)unlink(from);
}

/* One set-aside file is kept, the newest: they may be many where a disk is failing. */
static void
set_aside(HfState *state)
{
	int fd;
	/* Somebody else may have done it meanwhile: then there is a good file under this name. */
	bool is_ours = state->inode == 0 || is_same_file(state);

	close_database(state);
	fd = lock_folder(state);
	if (is_ours && (state->inode == 0 || is_same_file(state))) {
		g_warning("state \"%s\" is damaged: it was set aside as \"%s.damaged\" and is made anew",
			  state->path, state->path);
		rename_with(state, "-wal");
		rename_with(state, "-shm");
		rename_with(state, "");
	}
	unlock_folder(fd);
}

/* Whether another attempt makes sense. */
static bool
mend(HfState *state)
{
	switch (state->code) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		set_aside(state);
		return true;
	case SQLITE_IOERR:    /* a -wal or -shm that was removed under us */
	case SQLITE_READONLY: /* SQLITE_READONLY_DBMOVED; else the second attempt says the same */
	case SQLITE_CANTOPEN:
		close_database(state);
		return true;
	default:
		return false;
	}
}

/* ---- work ---- */

static bool
execute_plain(HfState *state, const char *sql, GError **error)
{
	sqlite3_stmt *statement = hf_state_prepare(state, sql, error);

	return statement && hf_state_execute(state, statement, error);
}

static void
end_statements(HfState *state)
{
	for (sqlite3_stmt *s = sqlite3_next_stmt(state->db, NULL); s; s = sqlite3_next_stmt(state->db, s))
		(void)sqlite3_reset(s);
}

static bool
transact(HfState *state, HfStateAccess access, HfStateWork work, void *data, GError **error)
{
	static const char begin[] = "BEGIN", begin_write[] = "BEGIN IMMEDIATE", commit[] = "COMMIT";
	bool is_done = execute_plain(state, access == HF_STATE_WRITE ? begin_write : begin, error) &&
		       work(state, data, error);

	end_statements(state);
	is_done = is_done && execute_plain(state, commit, error);
	if (!is_done && !sqlite3_get_autocommit(state->db))
		(void)sqlite3_exec(state->db, "ROLLBACK", NULL, NULL, NULL);
	end_statements(state);
	if (access == HF_STATE_WRITE)
		state->has_written = true;
	return is_done;
}

bool
hf_state_run(HfState *state, HfStateAccess access, HfStateWork work, void *data, GError **error)
{
	for (bool is_last = false;; is_last = true) {
		g_autoptr(GError) cause = NULL;

		state->code = SQLITE_OK;
		if (make_ready(state, &cause) && transact(state, access, work, data, &cause))
			return true;
		if (is_last || !mend(state)) {
			g_propagate_error(error, g_steal_pointer(&cause));
			return false;
		}
	}
}

sqlite3_stmt *
hf_state_prepare(HfState *state, const char *sql, GError **error)
{
	sqlite3_stmt *statement = g_hash_table_lookup(state->statements, sql);

	if (statement) {
		(void)sqlite3_reset(statement);
		(void)sqlite3_clear_bindings(statement);
		return statement;
	}
	if (sqlite3_prepare_v3(state->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) !=
	    SQLITE_OK) {
		sql_failed(state, error);
		/* The text is ours and right, so the tables are not what the version says. */
		if (state->code == SQLITE_ERROR)
			state->code = SQLITE_CORRUPT;
		return NULL;
	}
	g_hash_table_insert(state->statements, (gpointer)(uintptr_t)sql, statement);
	return statement;
}

bool
hf_state_step(HfState *state, sqlite3_stmt *statement, bool *has_row_out, GError **error)
{
	int code = sqlite3_step(statement);

	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return sql_failed(state, error);
	*has_row_out = code == SQLITE_ROW;
	return true;
}

bool
hf_state_execute(HfState *state, sqlite3_stmt *statement, GError **error)
{
	bool has_row = true;

	while (has_row)
		if (!hf_state_step(state, statement, &has_row, error))
			return false;
	return true;
}

void
hf_bind_text(sqlite3_stmt *statement, int parameter, const char *text)
{
	if (text)
		(void)sqlite3_bind_text(statement, parameter, text, -1, SQLITE_STATIC);
	else
		(void)sqlite3_bind_null(statement, parameter);
}

void
hf_bind_number(sqlite3_stmt *statement, int parameter, int64_t number)
{
	(void)sqlite3_bind_int64(statement, parameter, number);
}

char *
hf_column_text(sqlite3_stmt *statement, int column)
{
	return g_strdup((const char *)sqlite3_column_text(statement, column));
}

/* ---- the handle ---- */

static void
finalize(gpointer statement)
{
	sqlite3_finalize(statement);
}

static bool
look(HfState *state, void *data, GError **error)
{
	static const char sql[] = "SELECT count(*) FROM jobs";

	(void)data;
	return execute_plain(state, sql, error);
}

HfState *
hf_state_open(const char *folder, GError **error)
{
	g_autoptr(HfState) state = g_new0(HfState, 1);

	state->folder = g_strdup(folder);
	state->path = g_build_filename(folder, "state.db", NULL);
	state->statements = g_hash_table_new_full(NULL, NULL, NULL, finalize);
	return hf_state_run(state, HF_STATE_READ, look, NULL, error) ? g_steal_pointer(&state) : NULL;
}

const char *
hf_state_folder(const HfState *state)
{
	return state->folder;
}

sqlite3 *
hf_state_handle(HfState *state)
{
	return state->db;
}

/* ---- the version ---- */

static bool
read_number(HfState *state, const char *sql, int64_t *number_out, GError **error)
{
	sqlite3_stmt *statement = hf_state_prepare(state, sql, error);
	bool has_row = false;

	if (!statement || !hf_state_step(state, statement, &has_row, error))
		return false;
	*number_out = has_row ? sqlite3_column_int64(statement, 0) : -1;
	return true;
}

typedef struct {
	int64_t data_version, changes;
} Seen;

/* The first costs next to nothing, and is the same as long as no other connection wrote anything at all. */
static bool
see(HfState *state, void *data, GError **error)
{
	static const char data_version[] = "PRAGMA data_version", changes[] = "SELECT count FROM changes";
	Seen *seen = data;

	seen->changes = state->changes;
	if (!read_number(state, data_version, &seen->data_version, error))
		return false;
	return (seen->data_version == state->data_version && !state->has_written) ||
	       read_number(state, changes, &seen->changes, error);
}

uint64_t
hf_state_version(HfState *state)
{
	Seen seen = {-1, -1};

	if (!hf_state_run(state, HF_STATE_READ, see, &seen, NULL) || seen.changes != state->changes)
		state->version++;
	state->data_version = seen.data_version;
	state->changes = seen.changes;
	state->has_written = false;
	return state->version;
}

void
hf_state_free(HfState *state)
{
	if (!state)
		return;
	close_database(state);
	g_hash_table_unref(state->statements);
	g_free(state->folder);
	g_free(state->path);
	g_free(state);
}
