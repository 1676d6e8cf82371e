/*
 * backup/restore/session.h -- a connection that a dump's statements and rows go into without psql.
 *
 * Errors are the server's words with their detail and the line of the dump, as psql would say them.  Every wait ends when
 * a stop is asked for.
 */
#pragma once

#include "backup/source/postgres-connection.h"

/* Where in the dump a statement stands, for errors. */
typedef struct {
	uint64_t line; /* 0: it is none of the dump's */
} HfPlace;

/* Runs one statement or more that give no rows that anybody wants. */
bool hf_session_run(PGconn *connection, const char *sql, HfPlace place,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The same, whatever is asked for meanwhile: for a COMMIT, of which one must know whether it was.  A request to stop is
 * seen by the next check.
 */
bool hf_session_run_to_end(PGconn *connection, const char *sql, HfPlace place,
			   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A COPY ... FROM stdin: begun, fed with whole rows or pieces of them, ended.  After a failure it is aborted. */
bool hf_session_copy_begin(PGconn *connection, const char *sql, HfPlace place,
			   GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool hf_session_copy_send(PGconn *connection, const char *bytes, size_t len,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;
bool hf_session_copy_end(PGconn *connection, HfPlace place, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_session_copy_abort(PGconn *connection);
