#include "config.h"

#include "backup/verify/scratch-database.h"
#include "backup/restore/database-target.h"
#include "backup/source/postgres-connection.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

#define PREFIX "holdfast_verify_"
/* Ours among advisory locks: the first of the two keys, "HFSD"; the second is the name's hash. */
#define LOCK_CLASS "1212568388"

struct HfScratchDatabase {
	PGconn *connection; /* its session holds the lock */
	HfPgTarget *target;
	char *version;
};

static bool
try_lock(PGconn *connection, const char *name)
{
	g_autofree char *sql = g_strdup_printf(
		"SELECT pg_catalog.pg_try_advisory_lock(" LOCK_CLASS ", pg_catalog.hashtext('%s'))", name);
	g_autoptr(PGresult) result = hf_pg_query(connection, sql, NULL, NULL);

	return result && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
}

/* What cannot be dropped is somebody else's, and said. */
static void
drop_left_over(PGconn *connection, const HfPgTarget *server, const char *name)
{
	g_autoptr(HfPgTarget) target = hf_pg_target_with_database(server, name);

	if (!try_lock(connection, name))
		return;
	g_message("dropping database \"%s\", which a killed run left", name);
	if (!hf_restore_drop(target))
		g_warning("database \"%s\", which a killed run left, could not be dropped", name);
}

/* Names that we make hold nothing that a literal would have to quote; others are left alone. */
static void
sweep(PGconn *connection, const HfPgTarget *server)
{
	g_autoptr(PGresult) result = hf_pg_query(
		connection,
		"SELECT datname FROM pg_catalog.pg_database WHERE datname ~ '^" PREFIX "[0-9a-f]{16}$'", NULL,
		NULL);

	for (int i = 0; result && i < PQntuples(result); i++)
		drop_left_over(connection, server, PQgetvalue(result, i, 0));
}

static bool
check_version(HfScratchDatabase *self, int major, GError **error)
{
	const char *version = PQparameterStatus(self->connection, "server_version");

	self->version = g_strndup(version ? version : "?", version ? strcspn(version, " ") : 1);
	return PQserverVersion(self->connection) / 10000 >= major ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "VERIFY_DATABASE_URL: the server is of version %s and cannot take a dump of "
			    "version %d",
			    self->version, major);
}

HfScratchDatabase *
hf_scratch_database_new(const HfPgTarget *server, int major, GError **error)
{
	g_autoptr(HfScratchDatabase) self = g_new0(HfScratchDatabase, 1);
	g_autofree char *name = g_strdup_printf(PREFIX "%08x%08x", g_random_int(), g_random_int());

	self->connection = hf_pg_connect(server, error);
	if (!self->connection || !check_version(self, major, error)) {
		g_prefix_error(error, "%s", self->connection ? "" : "VERIFY_DATABASE_URL: ");
		return NULL;
	}
	sweep(self->connection, server);
	if (!try_lock(self->connection, name)) {
		hf_error_set(error, HF_ERROR_FAILED,
			     "VERIFY_DATABASE_URL: advisory lock for \"%s\" was refused", name);
		return NULL;
	}
	self->target = hf_pg_target_with_database(server, name);
	return g_steal_pointer(&self);
}

const char *
hf_scratch_database_name(const HfScratchDatabase *database)
{
	return database->target->database;
}

const char *
hf_scratch_database_version(const HfScratchDatabase *database)
{
	return database->version;
}

void
hf_scratch_database_free(HfScratchDatabase *database)
{
	if (!database)
		return;
	/* Not there is not dropped: nobody has to know. */
	if (database->target)
		(void)!hf_restore_drop(database->target);
	PQfinish(database->connection);
	hf_pg_target_free(database->target);
	g_free(database->version);
	g_free(database);
}
