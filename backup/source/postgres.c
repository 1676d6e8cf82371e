#include "config.h"

#include "backup/source/dump-parallel.h"
#include "backup/source/postgres-connection.h"
#include "common/error.h"

#include <stdlib.h>
#include <string.h>

/* Fits the second-level cache with what the chain does to it; larger pieces were not faster. */
#define READ_BYTES (256 << 10)
/* A role takes some hundred bytes.  They are held whole, since nothing may be written where pg_dumpall fails. */
#define GLOBALS_BYTES_MAX (16 << 20)

struct HfPostgres {
	PGconn *connection;
	HfPgLogin *login;
	char *bin_dir;
	char *snapshot;
	char *dump_program;
	HfChild *globals;   /* pg_dumpall, where it has been started */
	bool has_passwords; /* whether that may read them */
	char *user;
	HfPgDumpOptions dump_options;
	HfPgInfo info;
	/* what info points to */
	char *database, *server_version, *encoding, *collate, *ctype, *dump_version;
};

static const char begin_sql[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
static const char export_sql[] = "SELECT pg_catalog.pg_export_snapshot()";

static const char info_sql[] =
	"SELECT d.datname, pg_catalog.current_setting('server_version'),"
	" pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, current_user::text"
	" FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";

/*
 * Tables with their TOAST, without indexes: a dump is of that order.  Below 16384 are the server's own.  Asking for a
 * size takes a lock; an estimate does not wait for a table that others have locked.
 */
static const char estimate_sql[] =
	"SELECT coalesce(sum(pg_catalog.pg_table_size(oid)), 0) FROM pg_catalog.pg_class"
	" WHERE relkind = 'r' AND oid >= 16384 AND oid NOT IN (SELECT relation FROM pg_catalog.pg_locks"
	" WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock')";

static char *
value_at(const PGresult *result, int column)
{
	return g_strdup(PQgetvalue(result, 0, column));
}

static bool
take_snapshot(HfPostgres *self, GError **error)
{
	g_autoptr(PGresult) patience = hf_pg_query(self->connection, HF_PG_PATIENCE_SQL, NULL, error);
	g_autoptr(PGresult) begun = NULL;
	g_autoptr(PGresult) result = NULL;

	if (!patience)
		return false;
	begun = hf_pg_query(self->connection, begin_sql, NULL, error);
	if (!begun)
		return false;
	result = hf_pg_query(self->connection, export_sql, NULL, error);
	if (!result)
		return false;
	self->snapshot = value_at(result, 0);
	return true;
}

static bool
read_info(HfPostgres *self, GError **error)
{
	g_autoptr(PGresult) result = hf_pg_query(self->connection, info_sql, NULL, error);
	g_autoptr(PGresult) estimate = NULL;

	if (!result)
		return false;
	estimate = hf_pg_query(self->connection, estimate_sql, NULL, error);
	if (!estimate)
		return false;
	self->database = value_at(result, 0);
	self->server_version = value_at(result, 1);
	self->server_version[strcspn(self->server_version, " ")] = '\0'; /* "15.18 (Debian ...)" */
	self->encoding = value_at(result, 2);
	self->collate = value_at(result, 3);
	self->ctype = value_at(result, 4);
	self->user = value_at(result, 5);
	self->info.estimated_bytes = g_ascii_strtoull(PQgetvalue(estimate, 0, 0), NULL, 10);
	return true;
}

/* "database "shop": pg_dump 14 is older than ..." is what a setting or a package mends: USAGE. */
static bool
find_dump_program(HfPostgres *self, GError **error)
{
	g_autoptr(GError) missing = NULL;

	self->info.server_major = PQserverVersion(self->connection) / 10000;
	self->dump_program = hf_pg_program("pg_dump", self->info.server_major, self->bin_dir,
					   &self->dump_version, &missing);
	if (hf_error_is(missing, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&missing));
		return false;
	}
	return self->dump_program ||
	       hf_error_set(error, HF_ERROR_USAGE, "database \"%s\": the server is version %s: %s",
			    self->database, self->server_version, missing->message);
}

static void
point_info(HfPostgres *self)
{
	self->info.database = self->database;
	self->info.server_version = self->server_version;
	self->info.encoding = self->encoding;
	self->info.collate = self->collate;
	self->info.ctype = self->ctype;
	self->info.dump_version = self->dump_version;
}

HfPostgres *
hf_postgres_open(const HfPgTarget *target, const char *bin_dir, GError **error)
{
	g_autoptr(HfPostgres) self = g_new0(HfPostgres, 1);

	self->bin_dir = g_strdup(bin_dir);
	self->connection = hf_pg_connect(target, error);
	if (!self->connection)
		return NULL;
	self->login = hf_pg_login_of(self->connection, error);
	if (!self->login || !take_snapshot(self, error) || !read_info(self, error) ||
	    !find_dump_program(self, error))
		return NULL;
	point_info(self);
	return g_steal_pointer(&self);
}

const HfPgInfo *
hf_postgres_info(const HfPostgres *postgres)
{
	return &postgres->info;
}

PGconn *
hf_postgres_connection(const HfPostgres *postgres)
{
	return postgres->connection;
}

/* Waits for a child; its failure in words of ours. */
static bool
wait_for(HfPostgres *self, HfChild *child, GError **error)
{
	GError *failure = NULL;

	return hf_child_wait(child, &failure) ||
	       hf_pg_dump_error(hf_child_stderr(child), self->database, self->user, failure, error);
}

static bool
copy_output(HfChild *child, HfStage *into, GError **error)
{
	g_autofree char *piece = g_malloc(READ_BYTES);
	size_t got;

	do {
		if (!hf_child_read(child, piece, READ_BYTES, &got, error) ||
		    !hf_stage_write(into, piece, got, error))
			return false;
	} while (got > 0);
	return true;
}

/* A snapshot whose connection is gone may have been lost before pg_dump had read all of it. */
static bool
check_snapshot(HfPostgres *self, GError **error)
{
	g_autoptr(PGresult) result = hf_pg_query(self->connection, "SELECT 1", NULL, error);

	return result != NULL;
}

void
hf_postgres_set_dump(HfPostgres *postgres, const HfPgDumpOptions *options)
{
	postgres->dump_options = *options;
}

static bool
dump_alone(HfPostgres *self, HfStage *into, GError **error)
{
	g_autofree char *snapshot = g_strconcat("--snapshot=", self->snapshot, NULL);
	g_autofree char *dbname = g_strconcat("--dbname=", self->login->conninfo, NULL);
	g_autofree char *patience = g_strdup_printf("--lock-wait-timeout=%us",
						    self->dump_options.lock_seconds);
	const char *argv[] = {self->dump_program,
			      "--format=plain",
			      "--no-password",
			      snapshot,
			      dbname,
			      self->dump_options.lock_seconds > 0 ? patience : NULL,
			      NULL};
	g_autoptr(HfChild) child = hf_pg_spawn(self->login, argv, HF_CHILD_STDOUT, error);

	return child && copy_output(child, into, error) && wait_for(self, child, error);
}

bool
hf_postgres_dump(HfPostgres *postgres, HfStage *into, GError **error)
{
	const HfDumpParallel parallel = {
		.connection = postgres->connection,
		.login = postgres->login,
		.snapshot = postgres->snapshot,
		.dump_program = postgres->dump_program,
		.info = &postgres->info,
		.user = postgres->user,
		.options = postgres->dump_options,
	};
	bool is_written;

	return hf_dump_parallel(&parallel, into, &is_written, error) &&
	       (is_written || dump_alone(postgres, into, error)) && check_snapshot(postgres, error);
}

/* ---- globals ---- */

static bool
may_read_passwords(HfPostgres *self, bool *may_out, GError **error)
{
	g_autoptr(PGresult) result = hf_pg_query(
		self->connection, "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')",
		NULL, error);

	if (!result)
		return false;
	*may_out = strcmp(PQgetvalue(result, 0, 0), "t") == 0;
	return true;
}

/* All that pg_dumpall says, held until it has ended well. */
static bool
read_globals(HfPostgres *self, HfChild *child, GString *output, GError **error)
{
	char piece[4096];
	size_t got;

	do {
		if (!hf_child_read(child, piece, sizeof piece, &got, error))
			return false;
		if (output->len + got > GLOBALS_BYTES_MAX)
			return hf_error_set(error, HF_ERROR_FAILED,
					    "database \"%s\": its roles take more than %d bytes",
					    self->database, GLOBALS_BYTES_MAX);
		g_string_append_len(output, piece, (gssize)got);
	} while (got > 0);
	return wait_for(self, child, error);
}

/* Of one package with the pg_dump that was found; only where somebody took them apart is it looked for. */
static char *
find_globals_program(const HfPostgres *self, GError **error)
{
	g_autofree char *folder = g_path_get_dirname(self->dump_program);
	g_autofree char *beside = g_build_filename(folder, "pg_dumpall", NULL);

	return g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE)
		       ? g_steal_pointer(&beside)
		       : hf_pg_program("pg_dumpall", self->info.server_major, self->bin_dir, NULL, error);
}

bool
hf_postgres_start_globals(HfPostgres *postgres, GError **error)
{
	g_autofree char *program = find_globals_program(postgres, error);
	g_autofree char *dbname = g_strconcat("--dbname=", postgres->login->conninfo, NULL);
	/*
	 * Else it would connect to "postgres", where the login may have no right to.  It takes a name with "=" in it for
	 * connection settings, so it gets those.
	 */
	g_autofree char *database = g_strconcat("--database=", postgres->login->conninfo, NULL);
	const char *argv[] = {program, "--globals-only", "--no-password", dbname, database, NULL, NULL};

	if (!program || !may_read_passwords(postgres, &postgres->has_passwords, error))
		return false;
	if (!postgres->has_passwords)
		argv[5] = "--no-role-passwords";
	postgres->globals = hf_pg_spawn(postgres->login, argv, HF_CHILD_STDOUT, error);
	return postgres->globals != NULL;
}

/* What the child that was started says; NULL where it fails. */
static GString *
take_globals(HfPostgres *self, GError **error)
{
	g_autoptr(HfChild) child = g_steal_pointer(&self->globals);
	g_autoptr(GString) output = g_string_new(
		self->has_passwords
			? NULL
			: "-- Roles without their passwords: the login may not read them (pg_authid)\n");

	return read_globals(self, child, output, error) ? g_steal_pointer(&output) : NULL;
}

/* Beside a dump a login may have no connection left for it: one that failed then is done once more. */
bool
hf_postgres_globals(HfPostgres *postgres, HfStage *into, GError **error)
{
	g_autoptr(GString) output = postgres->globals ? take_globals(postgres, NULL) : NULL;

	if (!output && hf_postgres_start_globals(postgres, error))
		output = take_globals(postgres, error);
	return output && hf_stage_write(into, output->str, output->len, error);
}

void
hf_postgres_free(HfPostgres *postgres)
{
	if (!postgres)
		return;
	hf_child_free(postgres->globals);
	PQfinish(postgres->connection);
	hf_pg_login_free(postgres->login);
	g_free(postgres->bin_dir);
	g_free(postgres->snapshot);
	g_free(postgres->dump_program);
	g_free(postgres->user);
	g_free(postgres->database);
	g_free(postgres->server_version);
	g_free(postgres->encoding);
	g_free(postgres->collate);
	g_free(postgres->ctype);
	g_free(postgres->dump_version);
	g_free(postgres);
}
