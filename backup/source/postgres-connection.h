/*
 * backup/source/postgres-connection.h -- libpq for those who work on a database: one login, errors that name the remedy.
 *
 * Whoever connects through this and then starts pg_dump or psql by hf_pg_child_options() reaches the same server by the
 * same login, whatever the connection was made from: settings, a service file, ~/.pgpass or PG* variables.
 */
#pragma once

#include "backup/source/postgres.h"
#include "common/child.h"

#include <libpq-fe.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PGconn, PQfinish)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PGresult, PQclear)

/* Connects within ten seconds where the target does not say how long.  Errors as hf_postgres_open(). */
PGconn *hf_pg_connect(const HfPgTarget *target, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Runs one or more statements and gives the last one's result.  Waits; when a stop is asked for meanwhile, the server is
 * told to give up and CANCELLED comes back.  An error is the server's own first line, with the database in front;
 * its SQLSTATE goes into sqlstate_out (6 bytes; "" where there is none) unless that is NULL.
 */
PGresult *hf_pg_query(PGconn *connection, const char *sql, char *sqlstate_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What came instead of the rows of a COPY, or of its end: words as hf_pg_query()'s.  result may be NULL. */
bool hf_pg_copy_error(PGconn *connection, const PGresult *result, const char *table, GError **error);

/*
 * A transaction that outlives pg_dump must not be ended by what a careful administrator has set for statements and idle
 * transactions; transaction_timeout came with 17, so only those settings that there are.  pg_dump does the same in its own
 * session.
 */
#define HF_PG_PATIENCE_SQL \
	"SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN " \
	"('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', " \
	"'transaction_timeout')"

/* The connection that holds a source's snapshot, inside its transaction.  Borrowed. */
PGconn *hf_postgres_connection(const HfPostgres *postgres);

/* How a child gets the login of a live connection: a conninfo without secrets for --dbname, and a password file. */
typedef struct {
	char *conninfo;
	HfSecret *passfile; /* for HfChildOptions.file with PGPASSFILE; NULL: no password was used */
} HfPgLogin;

HfPgLogin *hf_pg_login_of(PGconn *connection, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_pg_login_free(HfPgLogin *login);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPgLogin, hf_pg_login_free)

/*
 * One more connection to where connection leads, with the login that it was made with, and the encoding that pg_dump uses
 * ("UTF8"), whatever the role's settings say.
 */
PGconn *hf_pg_connect_again(PGconn *connection, const HfPgLogin *login, const char *encoding,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Starts a PostgreSQL program with that login; argv as in child.h. */
HfChild *hf_pg_spawn(const HfPgLogin *login, const char *const *argv, HfChildPipes pipes,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* keyword='value' with its quotes (libpq, section 34.1.1.1), a space in front where there is something already. */
void hf_pg_conninfo_add(GString *conninfo, const char *keyword, const char *value);

/* Turns the words of libpq, at connecting, into our error: the object, what is wrong, the setting that mends it. */
bool hf_pg_connect_error(const char *words, const char *database, GError **error);

/*
 * The same for pg_dump and pg_dumpall, from what they said on stderr; failure is hf_child_wait()'s error and is used
 * as it is where nothing better is known.  Takes failure.
 */
bool hf_pg_dump_error(const char *words, const char *database, const char *user, GError *failure,
		      GError **error);
