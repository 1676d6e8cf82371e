#include "config.h"

#include "backup/restore/psql.h"
#include "backup/restore/explain.h"
#include "backup/source/postgres-connection.h"
#include "backup/stage/stage-impl.h"
#include "common/cancel.h"

#include <string.h>

struct HfPsql {
	const HfPsqlOptions *options;
	HfChild *child;
	bool has_failed; /* psql, not what is written into it */
};

static HfChild *
spawn(const HfPsqlOptions *options, const char *program, GError **error)
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

char *
hf_psql_find(const char *dump_version, const char *bin_dir, GError **error)
{
	int major = dump_version ? (int)g_ascii_strtoll(dump_version, NULL, 10) : 0;
	g_autoptr(GError) missing = NULL;
	char *program = hf_pg_program("psql", major, bin_dir, NULL, &missing);

	/* A program that was not let say its version was not found, either. */
	if (!program && hf_cancel_check(error))
		g_propagate_error(error, g_steal_pointer(&missing));
	return program;
}

HfPsql *
hf_psql_start(const HfPsqlOptions *options, GError **error)
{
	g_autofree char *program = hf_psql_find(options->dump_version, options->bin_dir, error);
	g_autoptr(HfPsql) psql = g_new0(HfPsql, 1);

	psql->options = options;
	psql->child = program ? spawn(options, program, error) : NULL;
	return psql->child ? g_steal_pointer(&psql) : NULL;
}

void
hf_psql_free(HfPsql *psql)
{
	if (!psql)
		return;
	hf_child_free(psql->child);
	g_free(psql);
}

bool
hf_psql_write(HfPsql *psql, const char *bytes, size_t len, GError **error)
{
	psql->has_failed = !hf_child_write(psql->child, bytes, len, error);
	return !psql->has_failed;
}

bool
hf_psql_end(HfPsql *psql, GError **error)
{
	psql->has_failed = !hf_child_wait(psql->child, error);
	return !psql->has_failed;
}

/* ---- as a stage ---- */

typedef struct {
	HfStage base;
	HfPsql *psql;
} PsqlStage;

static bool
stage_write(HfStage *stage, const void *buf, size_t len, GError **error)
{
	HfPsql *psql = ((PsqlStage *)stage)->psql;

	if (!hf_psql_write(psql, buf, len, error))
		return false;
	if (psql->options->bytes)
		__atomic_add_fetch(psql->options->bytes, len, __ATOMIC_RELAXED);
	return true;
}

static const HfStageOps psql_ops = {.name = "psql", .write = stage_write};

HfStage *
hf_psql_stage_new(HfPsql *psql)
{
	PsqlStage *stage = g_new0(PsqlStage, 1);

	hf_stage_init(&stage->base, &psql_ops, NULL);
	stage->psql = psql;
	return &stage->base;
}

/* ---- what psql said ---- */

/* "psql:<stdin>:123: ERROR:  words" as "line 123: words"; NULL where it is no such line. */
static char *
read_error_line(const char *line, unsigned lines_before)
{
	static const char *const kinds[] = {"ERROR:  ", "FATAL:  ", "PANIC:  ", "error: "};
	const char *place = strstr(line, "<stdin>:");

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		const char *words = strstr(line, kinds[i]);
		guint64 number;

		if (!words)
			continue;
		words += strlen(kinds[i]);
		if (!place || place > words)
			return g_strdup(words);
		number = g_ascii_strtoull(place + strlen("<stdin>:"), NULL, 10);
		if (number <= lines_before)
			return g_strdup(words);
		return g_strdup_printf("line %" G_GUINT64_FORMAT ": %s", number - lines_before, words);
	}
	return NULL;
}

/* psql stops at the first error, so the first in its last words is the one. */
static char *
first_error(const char *words, unsigned lines_before)
{
	g_autofree char *text = g_utf8_make_valid(words, -1);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (char **line = lines; *line; line++) {
		char *found = read_error_line(*line, lines_before);

		if (found)
			return found;
	}
	/* "invalid command \restrict" comes without the word. */
	for (char **line = lines; *line; line++)
		if (strstr(*line, "invalid command"))
			return g_strdup(*line);
	return NULL;
}

bool
hf_psql_explain(HfPsql *psql, GError **error)
{
	const HfPsqlOptions *options = psql->options;
	const char *stays = options->stays ? options->stays : "";
	g_autoptr(GError) failure = error ? g_steal_pointer(error) : NULL;
	g_autofree char *words = NULL;
	const char *remedy;

	/* Waiting again is harmless, and what it said is complete then. */
	if (psql->has_failed && !hf_error_is(failure, HF_ERROR_CANCELLED) &&
	    !hf_child_wait(psql->child, NULL))
		words = first_error(hf_child_stderr(psql->child), options->lines_before);
	if (!words)
		return hf_error_set(error, failure ? (HfError)failure->code : HF_ERROR_FAILED,
				    "database \"%s\": %s%s", options->target->database,
				    failure ? failure->message : "psql failed", stays);
	remedy = hf_restore_remedy(words, options->globals_hint);
	return hf_error_set(error, hf_restore_code(words), "database \"%s\": %s%s%s%s",
			    options->target->database, words, remedy ? ": " : "", remedy ? remedy : "",
			    stays);
}
