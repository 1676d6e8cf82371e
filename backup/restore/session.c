#include "config.h"

#include "backup/restore/session.h"
#include "backup/restore/explain.h"
#include "common/cancel.h"
#include "common/error.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* SQLSTATE (appendix A of PostgreSQL's manual). */
#define INSUFFICIENT_PRIVILEGE "42501"
#define OPERATOR_INTERVENED "57P" /* an administrator, a shutdown or a crash ended the session */

/* What is handed to libpq at once: it copies, so it should stay in the cache. */
#define SEND_BYTES ((size_t)64 << 10)

/* "line 12: duplicate key ...: Key (a)=(1) already exists. (COPY t, line 3)" */
static char *
words_of(const PGconn *connection, const PGresult *result, HfPlace place)
{
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
	GString *words = g_string_new(NULL);

	if (place.line > 0)
		g_string_append_printf(words, "line %" G_GUINT64_FORMAT ": ", place.line);
	g_string_append(words, primary ? primary : PQerrorMessage(connection));
	while (words->len > 0 && words->str[words->len - 1] == '\n')
		g_string_truncate(words, words->len - 1);
	if (detail)
		g_string_append_printf(words, ": %s", detail);
	if (context && g_str_has_prefix(context, "COPY "))
		g_string_append_printf(words, " (%.*s)", (int)MIN(strcspn(context, "\r\n"), 200), context);
	return g_string_free(words, FALSE);
}

/* result may be NULL: then the connection says it. */
static bool
session_error(PGconn *connection, const PGresult *result, HfPlace place, GError **error)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	g_autofree char *words = words_of(connection, result, place);
	const char *remedy = hf_restore_remedy(words, NULL);
	HfError code = hf_restore_code(words);

	if (PQstatus(connection) != CONNECTION_OK || (state && g_str_has_prefix(state, OPERATOR_INTERVENED)))
		return hf_error_set(
			error, HF_ERROR_TRANSIENT,
			"database \"%s\": the connection was lost: %s: run it again when the server is up",
			PQdb(connection), words);
	if (state && strcmp(state, INSUFFICIENT_PRIVILEGE) == 0)
		code = HF_ERROR_DENIED;
	return hf_error_set(error, code, "database \"%s\": %s%s%s", PQdb(connection), words,
			    remedy ? ": " : "", remedy ? remedy : "");
}

static void
tell_server_to_stop(PGconn *connection)
{
	PGcancel *cancel = PQgetCancel(connection);
	char words[256];

	if (cancel)
		(void)PQcancel(cancel, words, sizeof words);
	PQfreeCancel(cancel);
}

/* Waits for one of the events on the connection; false with CANCELLED. */
static bool
wait_for(PGconn *connection, short events, GError **error)
{
	struct pollfd both[2] = {{.fd = PQsocket(connection), .events = events},
				 {.fd = hf_cancel_fd(), .events = POLLIN}};

	if (poll(both, 2, -1) < 0 && errno != EINTR)
		return hf_error_errno(error, "wait for the database");
	return hf_cancel_check(error);
}

/* The next result; *result_out NULL where there is none left. */
static bool
next_result(PGconn *connection, PGresult **result_out, GError **error)
{
	while (PQisBusy(connection)) {
		if (!wait_for(connection, POLLIN, error)) {
			tell_server_to_stop(connection);
			return false;
		}
		if (!PQconsumeInput(connection))
			break; /* the result says what happened */
	}
	*result_out = PQgetResult(connection);
	return true;
}

/* Reads to the end of the answer; the first error is the one. */
static bool
take_answer(PGconn *connection, HfPlace place, GError **error)
{
	bool ok = true;

	for (;;) {
		g_autoptr(PGresult) result = NULL;
		ExecStatusType status;

		if (!next_result(connection, &result, error))
			return false;
		if (!result)
			return ok;
		status = PQresultStatus(result);
		if (ok && status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK &&
		    status != PGRES_EMPTY_QUERY)
			ok = session_error(connection, result, place, error);
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
			return ok;
	}
}

bool
hf_session_run(PGconn *connection, const char *sql, HfPlace place, GError **error)
{
	if (!hf_cancel_check(error))
		return false;
	if (!PQsendQuery(connection, sql))
		return session_error(connection, NULL, place, error);
	return take_answer(connection, place, error);
}

bool
hf_session_run_to_end(PGconn *connection, const char *sql, HfPlace place, GError **error)
{
	g_autoptr(PGresult) result = PQexec(connection, sql);
	ExecStatusType status = PQresultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
	       session_error(connection, result, place, error);
}

/* ---- rows ---- */

bool
hf_session_copy_begin(PGconn *connection, const char *sql, HfPlace place, GError **error)
{
	g_autoptr(PGresult) result = NULL;

	if (!hf_cancel_check(error))
		return false;
	if (!PQsendQuery(connection, sql))
		return session_error(connection, NULL, place, error);
	if (!next_result(connection, &result, error))
		return false;
	if (PQresultStatus(result) == PGRES_COPY_IN)
		return PQsetnonblocking(connection, 1) == 0 || session_error(connection, NULL, place, error);
	(void)session_error(connection, result, place, error);
	(void)!take_answer(connection, place, NULL);
	return false;
}

static bool
flush(PGconn *connection, HfPlace place, GError **error)
{
	int left;

	while ((left = PQflush(connection)) == 1) {
		/* What the server says meanwhile must be read, or both sides would wait for each other. */
		if (!wait_for(connection, POLLIN | POLLOUT, error))
			return false;
		if (!PQconsumeInput(connection))
			return session_error(connection, NULL, place, error);
	}
	return left == 0 || session_error(connection, NULL, place, error);
}

bool
hf_session_copy_send(PGconn *connection, const char *bytes, size_t len, GError **error)
{
	const HfPlace nowhere = {0};

	while (len > 0) {
		size_t piece = MIN(len, SEND_BYTES);

		if (PQputCopyData(connection, bytes, (int)piece) != 1)
			return session_error(connection, NULL, nowhere, error);
		if (!flush(connection, nowhere, error))
			return false;
		bytes += piece;
		len -= piece;
	}
	return true;
}

bool
hf_session_copy_end(PGconn *connection, HfPlace place, GError **error)
{
	if (PQputCopyEnd(connection, NULL) != 1)
		return session_error(connection, NULL, place, error);
	if (!flush(connection, place, error))
		return false;
	(void)PQsetnonblocking(connection, 0);
	return take_answer(connection, place, error);
}

void
hf_session_copy_abort(PGconn *connection)
{
	(void)PQsetnonblocking(connection, 0);
	(void)PQputCopyEnd(connection, "the restore was stopped");
	for (PGresult *result; (result = PQgetResult(connection));)
		PQclear(result);
}
