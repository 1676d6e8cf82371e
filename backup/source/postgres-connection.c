#include "config.h"

#include "backup/source/postgres-connection.h"
#include "common/cancel.h"
#include "common/error.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <string.h>

typedef PQconninfoOption Options;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Options, PQconninfoFree)

#define CONNECT_SECONDS "10"
/* Idle while pg_dump works for hours: firewalls forget a silent connection, and the kernel's default is two hours. */
#define KEEPALIVE_SECONDS "60"

static void
ignore_notice(void *data, const char *message)
{
	(void)data;
	(void)message;
}

PGconn *
hf_pg_connect(const HfPgTarget *target, GError **error)
{
	/* libpq takes the last of a keyword, so the target's own words go over the first two. */
	const char *const keywords[] = {"keepalives_idle",  "connect_timeout", "dbname",
					"application_name", "password",        NULL};
	const char *const values[] = {KEEPALIVE_SECONDS,
				      g_getenv("PGCONNECT_TIMEOUT") ? NULL : CONNECT_SECONDS,
				      target->conninfo,
				      "holdfast",
				      target->password ? hf_secret_bytes(target->password) : NULL,
				      NULL};
	g_autoptr(PGconn) connection = NULL;

	connection = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(connection) != CONNECTION_OK) {
		hf_pg_connect_error(PQerrorMessage(connection), target->database, error);
		return NULL;
	}
	PQsetNoticeProcessor(connection, ignore_notice, NULL);
	return g_steal_pointer(&connection);
}

PGconn *
hf_pg_connect_again(PGconn *connection, const HfPgLogin *login, const char *encoding, GError **error)
{
	const char *const keywords[] = {"keepalives_idle", "connect_timeout", "dbname",
					"client_encoding", "password",        NULL};
	const char *const values[] = {KEEPALIVE_SECONDS, CONNECT_SECONDS,    login->conninfo,
				      encoding,          PQpass(connection), NULL};
	g_autoptr(PGconn) again = PQconnectdbParams(keywords, values, 1);

	if (PQstatus(again) != CONNECTION_OK) {
		hf_pg_connect_error(PQerrorMessage(again), PQdb(connection), error);
		return NULL;
	}
	PQsetNoticeProcessor(again, ignore_notice, NULL);
	return g_steal_pointer(&again);
}

/* Waits until the answer can be read without blocking; false with CANCELLED. */
static bool
wait_for_answer(PGconn *connection, GError **error)
{
	while (PQisBusy(connection)) {
		struct pollfd both[2] = {{.fd = PQsocket(connection), .events = POLLIN},
					 {.fd = hf_cancel_fd(), .events = POLLIN}};

		if (poll(both, 2, -1) < 0 && errno != EINTR)
			return hf_error_errno(error, "wait for the database");
		if (!hf_cancel_check(error))
			return false;
		if (!PQconsumeInput(connection))
			return true; /* the result says what happened */
	}
	return true;
}

static void
tell_server_to_stop(PGconn *connection)
{
	PGcancel *cancel = PQgetCancel(connection);
	char words[256];

	if (cancel)
		(void)PQcancel(cancel, words, sizeof words);
	PQfreeCancel(cancel);
	for (PGresult *result; (result = PQgetResult(connection));)
		PQclear(result);
}

static void
query_error(PGconn *connection, const PGresult *result, char *sqlstate_out, GError **error)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	g_autofree char *words = g_strdup(primary ? primary : PQerrorMessage(connection));

	if (sqlstate_out)
		g_strlcpy(sqlstate_out, state ? state : "", 6);
	words[strcspn(words, "\r\n")] = '\0';
	if (PQstatus(connection) != CONNECTION_OK)
		hf_error_set(
			error, HF_ERROR_TRANSIENT,
			"database \"%s\": the connection was lost: %s: run it again when the server is up",
			PQdb(connection), words);
	else
		hf_error_set(error, state && strcmp(state, "42501") == 0 ? HF_ERROR_DENIED : HF_ERROR_FAILED,
			     "database \"%s\": %s", PQdb(connection), words);
}

PGresult *
hf_pg_query(PGconn *connection, const char *sql, char *sqlstate_out, GError **error)
{
	g_autoptr(PGresult) last = NULL;

	if (sqlstate_out)
		*sqlstate_out = '\0';
	if (!PQsendQuery(connection, sql)) {
		query_error(connection, NULL, sqlstate_out, error);
		return NULL;
	}
	for (;;) {
		PGresult *result;

		if (!wait_for_answer(connection, error)) {
			tell_server_to_stop(connection);
			return NULL;
		}
		result = PQgetResult(connection);
		if (!result)
			break;
		/* Behind an error nothing more is run; the loop only empties the connection. */
		if (last && PQresultStatus(last) == PGRES_FATAL_ERROR) {
			PQclear(result);
			continue;
		}
		PQclear(last);
		last = result;
	}
	if (!last || (PQresultStatus(last) != PGRES_TUPLES_OK && PQresultStatus(last) != PGRES_COMMAND_OK)) {
		query_error(connection, last, sqlstate_out, error);
		return NULL;
	}
	return g_steal_pointer(&last);
}

bool
hf_pg_copy_error(PGconn *connection, const PGresult *result, const char *table, GError **error)
{
	const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	GError *cause = NULL;

	query_error(connection, result, NULL, &cause);
	if (state && strcmp(state, "42501") == 0)
		return hf_pg_dump_error(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), PQdb(connection),
					PQuser(connection), cause, error);
	g_propagate_prefixed_error(error, cause, "reading table %s: ", table);
	return false;
}

/* ---- the same login for a child ---- */

/* "*:*:*:*:password" with ':' and '\' escaped (libpq, section 34.16 "The Password File"). */
static HfSecret *
make_passfile(const char *password, GError **error)
{
	char line[2 * HF_SECRET_BYTES_MAX + 16];
	size_t len = 0;
	HfSecret *passfile = NULL;

	if (strlen(password) > HF_SECRET_BYTES_MAX) {
		hf_error_set(error, HF_ERROR_USAGE, "DB_PASSWORD: longer than %d bytes", HF_SECRET_BYTES_MAX);
		return NULL;
	}
	memcpy(line, "*:*:*:*:", 8);
	for (len = 8; *password; password++) {
		if (*password == ':' || *password == '\\')
			line[len++] = '\\';
		line[len++] = *password;
	}
	line[len++] = '\n';
	passfile = hf_secret_new(line, len, "DB_PASSWORD", error);
	OPENSSL_cleanse(line, sizeof line);
	return passfile;
}

/* What a child must not get, or gets in another way; "replication" and "options" would change what it does. */
static bool
is_passed_on(const PQconninfoOption *option, bool has_passfile)
{
	static const char *const kept_back[] = {
		"password",        "sslpassword", "dbname",           "host",
		"hostaddr",        "port",        "application_name", "fallback_application_name",
		"client_encoding", "replication", "service",          "target_session_attrs"};

	if (!option->val || !*option->val || (has_passfile && strcmp(option->keyword, "passfile") == 0))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(kept_back); i++)
		if (strcmp(option->keyword, kept_back[i]) == 0)
			return false;
	return true;
}

static void
add_unless_empty(GString *conninfo, const char *keyword, const char *value)
{
	if (value && *value)
		hf_pg_conninfo_add(conninfo, keyword, value);
}

HfPgLogin *
hf_pg_login_of(PGconn *connection, GError **error)
{
	g_autoptr(HfPgLogin) login = g_new0(HfPgLogin, 1);
	g_autoptr(Options) options = PQconninfo(connection);
	g_autoptr(GString) conninfo = g_string_new(NULL);
	const char *password = PQpass(connection);

	if (password && *password && PQconnectionUsedPassword(connection)) {
		login->passfile = make_passfile(password, error);
		if (!login->passfile)
			return NULL;
	}
	/* Of several hosts, the one that was reached: a snapshot is known there alone. */
	hf_pg_conninfo_add(conninfo, "dbname", PQdb(connection));
	add_unless_empty(conninfo, "host", PQhost(connection));
	add_unless_empty(conninfo, "port", PQport(connection));
	for (const PQconninfoOption *option = options; option && option->keyword; option++)
		if (is_passed_on(option, login->passfile != NULL))
			hf_pg_conninfo_add(conninfo, option->keyword, option->val);
	hf_pg_conninfo_add(conninfo, "application_name", "holdfast");
	login->conninfo = g_string_free(g_steal_pointer(&conninfo), FALSE);
	return g_steal_pointer(&login);
}

void
hf_pg_login_free(HfPgLogin *login)
{
	if (!login)
		return;
	g_free(login->conninfo);
	hf_secret_free(login->passfile);
	g_free(login);
}

HfChild *
hf_pg_spawn(const HfPgLogin *login, const char *const *argv, HfChildPipes pipes, GError **error)
{
	/* Plain words on stderr; the encoding of a dump is the database's, whatever the locale. */
	static const char *const env[] = {"LC_ALL=C.UTF-8", "LANGUAGE=C", NULL};
	HfChildOptions options = {
		.argv = argv,
		.env = env,
		.pipes = pipes,
		.file = login->passfile,
		.file_env = "PGPASSFILE",
	};

	return hf_child_spawn(&options, error);
}
