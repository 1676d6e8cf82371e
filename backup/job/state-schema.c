#include "config.h"

#include "backup/job/state-impl.h"
#include "common/error.h"

/* Each row that is written counts. */
#define COUNT " BEGIN UPDATE changes SET count = count + 1; END;"
#define COUNTED(table) \
	"CREATE TRIGGER " table "_insert AFTER INSERT ON " table COUNT "CREATE TRIGGER " table \
	"_update AFTER UPDATE ON " table COUNT "CREATE TRIGGER " table \
	"_delete AFTER DELETE ON " table COUNT

/*
 * What brings the schema from one version (PRAGMA user_version) to the next.  A step is never changed once it was
 * released: what comes later is a step of its own.
 */
static const char *const steps[] = {
	/* 1 */
	"CREATE TABLE jobs ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" id TEXT NOT NULL UNIQUE,"
	" kind TEXT NOT NULL,"
	" parameters TEXT NOT NULL,"
	" requested_by TEXT NOT NULL,"
	" takes INTEGER NOT NULL," /* what the kind does, and beside what it cannot run (kind.h) */
	" excludes INTEGER NOT NULL,"
	" status INTEGER NOT NULL," /* HfJobStatus */
	" exit INTEGER NOT NULL,"
	" pid INTEGER NOT NULL,"
	" pid_ticks INTEGER NOT NULL,"        /* when the process began: a pid alone may be somebody else's */
	" cancel INTEGER NOT NULL DEFAULT 0," /* HfJobCancel */
	" created_s INTEGER NOT NULL,"
	" started_s INTEGER NOT NULL,"
	" finished_s INTEGER NOT NULL,"
	" duration_ms INTEGER NOT NULL,"
	" set_id TEXT, file TEXT, error TEXT, error_code TEXT, result TEXT, phase TEXT,"
	" bytes INTEGER NOT NULL,"
	" estimated_bytes INTEGER NOT NULL,"
	" objects INTEGER NOT NULL,"
	" estimated_objects INTEGER NOT NULL,"
	" bytes_per_s INTEGER NOT NULL);"
	"CREATE INDEX jobs_by_status ON jobs (status);"
	"CREATE TABLE sets ("
	" position INTEGER PRIMARY KEY,"
	" id TEXT NOT NULL,"
	" kind TEXT,"
	" level INTEGER NOT NULL,"
	" status TEXT NOT NULL,"
	" started_s INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL,"
	" flags INTEGER NOT NULL,"
	" trouble TEXT,"
	" suspect_reason TEXT,"
	" files TEXT NOT NULL,"
	" manifest TEXT);"
	"CREATE INDEX sets_by_id ON sets (id);"
	"CREATE TABLE sets_seen (one INTEGER PRIMARY KEY CHECK (one = 1), as_of_s INTEGER NOT NULL);"
	"CREATE TABLE marks (name TEXT PRIMARY KEY, slot_s INTEGER NOT NULL);"
	"CREATE TABLE audit ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" at_s INTEGER NOT NULL,"
	" who TEXT, method TEXT, path TEXT,"
	" status INTEGER NOT NULL,"
	" request_id TEXT, peer TEXT, what TEXT);",
	/* 2: what hf_state_version() is made of, so that the audit trail, which every request writes to, counts for nothing */
	"CREATE TABLE changes (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL);"
	"INSERT INTO changes VALUES (1, 0);" COUNTED("jobs") COUNTED("sets") COUNTED("sets_seen")
		COUNTED("marks"),
	/* 3 */
	"CREATE TABLE replicas ("
	" name TEXT PRIMARY KEY,"
	" place TEXT,"
	" tried_s INTEGER NOT NULL,"
	" level_s INTEGER NOT NULL,"
	" behind_since_s INTEGER NOT NULL,"
	" missing INTEGER NOT NULL,"
	" error TEXT);" COUNTED("replicas"),
	/* 4: notifications: how each subject stands, what is to be told, and to whom (backup/notify) */
	"CREATE TABLE standings ("
	" subject TEXT PRIMARY KEY,"
	" last INTEGER NOT NULL," /* HfEvent */
	" since_s INTEGER NOT NULL,"
	" told_s INTEGER NOT NULL,"
	" seen_s INTEGER NOT NULL);"
	"CREATE TABLE messages ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" at_s INTEGER NOT NULL,"
	" event TEXT NOT NULL,"
	" subject TEXT NOT NULL,"
	" is_spread INTEGER NOT NULL DEFAULT 0," /* whether it is known whom it goes to */
	" body TEXT NOT NULL);"
	"CREATE INDEX messages_by_spread ON messages (is_spread);"
	"CREATE TABLE deliveries ("
	" seq INTEGER PRIMARY KEY AUTOINCREMENT,"
	" message INTEGER NOT NULL,"
	" channel TEXT NOT NULL,"
	" status INTEGER NOT NULL," /* HfDeliveryStatus */
	" tries INTEGER NOT NULL,"
	" tried_s INTEGER NOT NULL,"
	" next_s INTEGER NOT NULL,"
	" error TEXT);"
	"CREATE INDEX deliveries_by_status ON deliveries (status);" COUNTED("messages") COUNTED("deliveries"),
	/* 5: what asked for a change and was let in, which neither a page that polls nor a stranger may push out of the trail */
	"ALTER TABLE audit ADD COLUMN is_change INTEGER AS (coalesce(method NOT IN ('GET', 'HEAD', 'OPTIONS')"
	" AND status NOT IN (401, 403, 404, 405, 429), 0)) VIRTUAL;"
	"CREATE INDEX audit_by_change ON audit (is_change, seq);",
};

static int
read_version(sqlite3 *db, int *version_out)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*version_out = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? SQLITE_OK : code;
}

static int
run_step(sqlite3 *db, int version)
{
	g_autofree char *text = g_strdup_printf("BEGIN EXCLUSIVE; %s PRAGMA user_version = %d; COMMIT",
						steps[version], version + 1);
	int code = sqlite3_exec(db, text, NULL, NULL, NULL);

	if (code != SQLITE_OK && !sqlite3_get_autocommit(db))
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return code;
}

int
hf_state_migrate(sqlite3 *db, const char *path, GError **error)
{
	int version = 0;
	int code = read_version(db, &version);

	if (code == SQLITE_OK && version > (int)G_N_ELEMENTS(steps)) {
		hf_error_set(error, HF_ERROR_FAILED,
			     "state \"%s\" was made by a newer holdfast (schema %d, this one knows %zu): "
			     "install that "
			     "version, or move the file away",
			     path, version, G_N_ELEMENTS(steps));
		return SQLITE_MISMATCH;
	}
	for (; code == SQLITE_OK && version < (int)G_N_ELEMENTS(steps); version++)
		code = run_step(db, version);
	if (code != SQLITE_OK)
		hf_state_error(db, path, error);
	return code;
}
