#include "config.h"

#include "backup/restore/database-target.h"
#include "backup/restore/explain.h"
#include "backup/restore/parallel.h"
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
	remedy = hf_restore_remedy(words, options->globals_hint);
	hf_error_set(error, hf_restore_code(words), "database \"%s\": %s%s%s%s", options->target->database,
		     words, remedy ? ": " : "", remedy ? remedy : "", stays);
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

static void
set_phase(const HfRestoreDatabase *options, const char *phase)
{
	if (options->progress)
		__atomic_store_n(&options->progress->phase, phase, __ATOMIC_RELEASE);
}

/* The scan in front of psql sees a dump that was cut, also where no digest is known to tell. */
static bool
feed(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options, HfChild *psql,
     GError **error)
{
	PsqlSink *sink = psql_sink_new(psql, options->bytes);
	g_autoptr(HfStage) chain = hf_scan_new(&sink->stage, HF_SCAN_DATABASE);
	GError *failure = NULL;

	set_phase(options, "restoring");
	if (hf_archive_read(store, archive, chain, &failure) && hf_stage_finish(chain, &failure))
		return true;
	explain(options, psql, sink->has_failed, failure, error);
	return false;
}

/* Only what stands in front of the first rows. */
static bool
feed_head(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options, HfChild *psql,
	  GError **error)
{
	const HfTable *first = options->tables->pdata[0];
	PsqlSink *sink = psql_sink_new(psql, options->bytes);
	g_autoptr(HfStage) chain = &sink->stage;
	GError *failure = NULL;

	set_phase(options, "definitions");
	if (hf_archive_read_range(store, archive, (HfRange){0, first->offset}, chain, &failure) &&
	    hf_stage_finish(chain, &failure))
		return true;
	explain(options, psql, sink->has_failed, failure, error);
	return false;
}

/* NULL where it can be taken apart. */
static const char *
why_alone(const HfArchive *archive, const HfRestoreDatabase *options)
{
	if (!options->tables || !archive->members)
		return "the set has no table of its archive's members";
	/* Members have checksums of their own; of a piece of bare bytes nobody could say that it is whole. */
	if (archive->compression == HF_COMPRESSION_NONE)
		return "the archive is not compressed, so its pieces have no checksums";
	if (options->tables->len == 0)
		return "it holds no rows";
	return NULL;
}

static bool
restore_parallel(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options,
		 const char *program, GError **error)
{
	const HfParallelOptions parallel = {
		.store = store,
		.archive = archive,
		.tables = options->tables,
		.facts = options->facts,
		.target = options->target,
		.open_store = options->open_store,
		.open_data = options->open_data,
		.jobs = options->jobs,
		.progress = options->progress,
	};
	GError *failure = NULL;

	{
		g_autoptr(HfChild) psql = start_psql(options, program, error);

		if (!psql || !feed_head(store, archive, options, psql, error))
			return false;
	}
	if (hf_restore_parallel(&parallel, &failure))
		return true;
	hf_error_set(error, (HfError)failure->code, "%s%s", failure->message,
		     options->create ? "" : "; what was restored before that stays in the database");
	g_error_free(failure);
	return false;
}

static bool
restore_all(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options, const char *program,
	    HfRestoreResult *result_out, GError **error)
{
	g_autoptr(HfDumpFacts) own_facts = NULL;
	HfRestoreDatabase with_facts = *options;

	result_out->connections = 1;
	if (options->jobs > 1 && !options->facts && !why_alone(archive, options)) {
		own_facts = hf_dump_facts_read(store, archive, options->tables, error);
		if (!own_facts)
			return false;
		with_facts.facts = own_facts;
	}
	if (options->jobs > 1) {
		result_out->serial_reason = why_alone(archive, options);
		if (!result_out->serial_reason && with_facts.facts->serial_reason)
			result_out->serial_reason =
				"the dump has statements that other connections could not follow";
		if (result_out->serial_reason)
			g_message("restored by psql alone: %s", result_out->serial_reason);
	}
	if (options->jobs > 1 && !result_out->serial_reason) {
		result_out->connections = options->jobs;
		return restore_parallel(store, archive, &with_facts, program, error);
	}
	{
		g_autoptr(HfChild) psql = start_psql(options, program, error);

		return psql && feed(store, archive, options, psql, error);
	}
}

static bool
restore_into(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options, const char *program,
	     HfRestoreResult *result_out, GError **error)
{
	if (!restore_all(store, archive, options, program, result_out, error))
		return false;
	set_phase(options, "checking");
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
		if (options->create && !options->keep_failed && !hf_restore_drop(options->target))
			g_prefix_error(error, "database \"%s\" was made and could not be dropped, drop it: ",
				       options->target->database);
		return false;
	}
	*result_out = result;
	return true;
}
