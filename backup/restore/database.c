#include "config.h"

#include "backup/restore/database-target.h"
#include "backup/source/postgres-connection.h"
#include "backup/source/scan.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <string.h>

/* ---- psql as the end of a chain ---- */

typedef struct {
	HfStage stage;
	HfChild *psql; /* borrowed */
	uint64_t *bytes;
	bool has_failed; /* the failure is psql's, not the archive's */
} PsqlSink;

static bool
psql_write(HfStage *stage, const void *buf, size_t len, GError **error)
{
	PsqlSink *self = (PsqlSink *)stage;

	self->has_failed = !hf_child_write(self->psql, buf, len, error);
	if (self->has_failed)
		return false;
	if (self->bytes)
		__atomic_add_fetch(self->bytes, len, __ATOMIC_RELAXED);
	return true;
}

static bool
psql_finish(HfStage *stage, GError **error)
{
	PsqlSink *self = (PsqlSink *)stage;

	self->has_failed = !hf_child_wait(self->psql, error);
	return !self->has_failed;
}

static const HfStageOps psql_ops = {
	.name = "psql",
	.write = psql_write,
	.finish = psql_finish,
};

static PsqlSink *
psql_sink_new(HfChild *psql, uint64_t *bytes)
{
	PsqlSink *self = g_new0(PsqlSink, 1);

	hf_stage_init(&self->stage, &psql_ops, NULL);
	self->psql = psql;
	self->bytes = bytes;
	return self;
}

/* ---- what psql said ---- */

/* "psql:<stdin>:123: ERROR:  words" as "line 123: words"; NULL where it is no such line. */
static char *
read_error_line(const char *line)
{
	static const char *const kinds[] = {"ERROR:  ", "FATAL:  ", "PANIC:  ", "error: "};
	const char *place = strstr(line, "<stdin>:");

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		const char *words = strstr(line, kinds[i]);

		if (!words)
			continue;
		words += strlen(kinds[i]);
		if (!place || place > words)
			return g_strdup(words);
		place += strlen("<stdin>:");
		return g_strdup_printf("line %.*s: %s", (int)strspn(place, "0123456789"), place, words);
	}
	return NULL;
}

/* psql stops at the first error, so the first in its last words is the one. */
static char *
first_error(const char *words)
{
	g_autofree char *text = g_utf8_make_valid(words, -1);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		char *found = read_error_line(*line);

		if (found)
			return found;
	}
	/* "invalid command \restrict" comes without the word. */
	for (char **line = lines; *line; line++)
		if (strstr(*line, "invalid command"))
			return g_strdup(*line);
	return NULL;
}

static const char *
remedy_for(const char *words, const HfRestoreDatabase *options)
{
	if (strstr(words, "role \"") && strstr(words, "does not exist") && options->globals_hint)
		return options->globals_hint;
	if (strstr(words, "invalid command \\restrict") || strstr(words, "invalid command \\unrestrict"))
		return "psql is older than the dump: upgrade postgresql-client";
	if (strstr(words, "is not available"))
		return "install that extension's package on the server";
	if (strstr(words, "permission denied to create extension"))
		return "restore with a login that may create it";
	if (strstr(words, "No space left"))
		return "free some space on the server and run it again";
	return NULL;
}

static HfError
code_for(const char *words)
{
	if (strstr(words, "permission denied") || strstr(words, "must be owner") ||
	    strstr(words, "must be superuser"))
		return HF_ERROR_DENIED;
	if (strstr(words, "terminating connection") || strstr(words, "server closed the connection"))
		return HF_ERROR_TRANSIENT;
	return HF_ERROR_FAILED;
}

/* The error of the restore, in psql's words where psql was why; takes failure. */
static void
explain(const HfRestoreDatabase *options, HfChild *psql, bool psql_failed, GError *failure, GError **error)
{
	const char *stays = options->create ? "" : "; what was restored before that stays in the database";
	g_autofree char *words = NULL;
	const char *remedy;

	/* Waiting again is harmless, and what it said is complete then. */
	if (psql_failed && !hf_error_is(failure, HF_ERROR_CANCELLED) && !hf_child_wait(psql, NULL))
		words = first_error(hf_child_stderr(psql));
	if (!words) {
		hf_error_set(error, (HfError)failure->code, "database \"%s\": %s%s",
			     options->target->database, failure->message, stays);
		g_error_free(failure);
		return;
	}
	g_error_free(failure);
	remedy = remedy_for(words, options);
	hf_error_set(error, code_for(words), "database \"%s\": %s%s%s%s", options->target->database, words,
		     remedy ? ": " : "", remedy ? remedy : "", stays);
}

/* ---- the restore ---- */

static HfChild *
start_psql(const HfRestoreDatabase *options, const char *program, GError **error)
{
	g_autoptr(PGconn) connection = hf_pg_connect(options->target, error);
	g_autoptr(HfPgLogin) login = connection ? hf_pg_login_of(connection, error) : NULL;
	g_autofree char *dbname = NULL;

	if (!login)
		return NULL;
	dbname = g_strconcat("--dbname=", login->conninfo, NULL);
	/* --file=- instead of a bare stdin: only then psql says the line of an error. */
	const char *argv[] = {program,   "--no-psqlrc", "--set=ON_ERROR_STOP=1",
			      "--quiet", "--file=-",    "--no-password",
			      dbname,    NULL};
	return hf_pg_spawn(login, argv, HF_CHILD_STDIN, error);
}

/* The scan in front of psql sees a dump that was cut, also where no digest is known to tell. */
static bool
feed(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options, HfChild *psql,
     GError **error)
{
	PsqlSink *sink = psql_sink_new(psql, options->bytes);
	g_autoptr(HfStage) chain = hf_scan_new(&sink->stage, HF_SCAN_DATABASE);
	GError *failure = NULL;

	if (hf_archive_read(store, archive, chain, &failure) && hf_stage_finish(chain, &failure))
		return true;
	explain(options, psql, sink->has_failed, failure, error);
	return false;
}

static bool
restore_into(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options, const char *program,
	     HfRestoreResult *result_out, GError **error)
{
	g_autoptr(HfChild) psql = start_psql(options, program, error);

	if (!psql || !feed(store, archive, options, psql, error))
		return false;
	return !options->tables || hf_restore_compare(options->target, options->tables, result_out, error);
}

/* The least major version of psql that reads the dump: pg_dump's own. */
static int
dump_major(const HfRestoreDatabase *options)
{
	return options->dump_version ? (int)g_ascii_strtoll(options->dump_version, NULL, 10) : 0;
}

bool
hf_restore_database(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options,
		    HfRestoreResult *result_out, GError **error)
{
	g_autofree char *program = hf_pg_program("psql", dump_major(options), options->bin_dir, NULL, error);
	HfRestoreResult result = {0};

	if (!program)
		return false;
	if (options->create ? !hf_restore_create(options, error)
			    : !options->allow_non_empty && !hf_restore_check_empty(options->target, error))
		return false;
	if (!restore_into(store, archive, options, program, &result, error)) {
		if (options->create && !hf_restore_drop(options->target))
			g_prefix_error(error, "database \"%s\" was made and could not be dropped, drop it: ",
				       options->target->database);
		return false;
	}
	*result_out = result;
	return true;
}
