#include "config.h"

#include "backup/source/postgres-connection.h"
#include "common/error.h"

#include <string.h>

/*
 * libpq has no code for a failed connection (PQconnectPoll keeps words only), and pg_dump has its exit status 1 for
 * everything, so both are known by their words.  They are English: children run with LC_ALL=C.UTF-8, and we never call
 * setlocale() for messages.  Words that are not known come through as they are.
 */
typedef struct {
	const char *words;
	HfError code;
	const char *remedy;
} Meaning;

static const Meaning at_connect[] = {
	{"could not translate host name", HF_ERROR_USAGE, "check DB_HOST"},
	{"Connection refused", HF_ERROR_USAGE, "is the server running, and are DB_HOST and DB_PORT right?"},
	{"No such file or directory", HF_ERROR_USAGE, "is the server running, and is DB_HOST right?"},
	{"timeout expired", HF_ERROR_USAGE, "check DB_HOST and DB_PORT, and the firewall between"},
	{"No route to host", HF_ERROR_USAGE, "check DB_HOST"},
	{"Network is unreachable", HF_ERROR_USAGE, "check DB_HOST"},
	{"password authentication failed", HF_ERROR_USAGE, "check DB_USER and DB_PASSWORD"},
	{"no password supplied", HF_ERROR_USAGE, "set DB_PASSWORD"},
	{"Peer authentication failed", HF_ERROR_USAGE,
	 "set DB_HOST=127.0.0.1 and DB_PASSWORD, or run as that user"},
	{"is not permitted to log in", HF_ERROR_USAGE, "ALTER ROLE ... LOGIN, or another DB_USER"},
	{"permission denied for database", HF_ERROR_DENIED, "GRANT CONNECT ON DATABASE to DB_USER"},
	{"no pg_hba.conf entry", HF_ERROR_USAGE,
	 "allow this host in the server's pg_hba.conf, or set DB_SSLMODE=require"},
	{"server does not support SSL", HF_ERROR_USAGE,
	 "set DB_SSLMODE=prefer, or turn on ssl at the server"},
	{"certificate verify failed", HF_ERROR_USAGE,
	 "put the server's CA into ~/.postgresql/root.crt, or check DB_HOST and DB_SSLMODE"},
	{"invalid port number", HF_ERROR_USAGE, "check DB_PORT"},
	{"invalid sslmode value", HF_ERROR_USAGE, "check DB_SSLMODE"},
	{"too many clients", HF_ERROR_TRANSIENT, "raise max_connections, or try again later"},
	{"remaining connection slots", HF_ERROR_TRANSIENT, "raise max_connections, or try again later"},
	{"the database system is", HF_ERROR_TRANSIENT, "try again when it is up"},
};

static const Meaning at_dump[] = {
	{"permission denied for large object", HF_ERROR_DENIED,
	 "GRANT SELECT ON LARGE OBJECT to it, or use the owner's login"},
	{"permission denied for", HF_ERROR_DENIED, "GRANT pg_read_all_data TO it, or GRANT SELECT and USAGE"},
	{"canceling statement due to statement timeout", HF_ERROR_CONFLICT,
	 "a table stays locked by others, or they wait for it: run it again when they are done, or raise "
	 "DB_LOCK_SECONDS"},
	{"\" does not exist", HF_ERROR_CONFLICT,
	 "it was dropped or renamed since the snapshot was taken: run it again"},
	{"row-level security", HF_ERROR_DENIED, "use a login with BYPASSRLS, so that no row is left out"},
	{"row security", HF_ERROR_DENIED, "use a login with BYPASSRLS, so that no row is left out"},
	{"server version mismatch", HF_ERROR_USAGE, "install the postgresql-client of the server's version"},
	{"terminating connection", HF_ERROR_TRANSIENT, "the server was stopped meanwhile: run it again"},
	{"server closed the connection", HF_ERROR_TRANSIENT, "the server went away meanwhile: run it again"},
	{"connection to server was lost", HF_ERROR_TRANSIENT, "the server went away meanwhile: run it again"},
	{"no connection to the server", HF_ERROR_TRANSIENT, "the server went away meanwhile: run it again"},
	{"invalid snapshot identifier", HF_ERROR_TRANSIENT, "the server went away meanwhile: run it again"},
	{"the database system is", HF_ERROR_TRANSIENT, "try again when it is up"},
};

static const Meaning *
find_meaning(const Meaning *table, size_t len, const char *words)
{
	for (size_t i = 0; i < len; i++)
		if (strstr(words, table[i].words))
			return &table[i];
	return NULL;
}

/* The line of words that holds what is looked for, without what only says who speaks. */
static char *
line_with(const char *words, const char *looked_for)
{
	static const char *const noise[] = {
		"error: ", "ERROR:  ", "FATAL:  ", "query failed: ", "message from server: "};
	g_autofree char *text = g_utf8_make_valid(words, -1);
	char *at = strstr(text, looked_for), *start, *end;

	start = at ? at : text;
	while (start > text && start[-1] != '\n')
		start--;
	end = start + strcspn(start, "\r\n");
	*end = '\0';
	for (size_t i = 0; i < G_N_ELEMENTS(noise); i++) {
		char *found = strstr(start, noise[i]);

		if (found)
			start = found + strlen(noise[i]);
	}
	return g_strdup(g_strstrip(start));
}

bool
hf_pg_connect_error(const char *words, const char *database, GError **error)
{
	const Meaning *meaning = find_meaning(at_connect, G_N_ELEMENTS(at_connect), words);
	g_autofree char *line = line_with(words, meaning ? meaning->words : "");

	if (meaning)
		return hf_error_set(error, meaning->code, "database \"%s\": %s: %s", database, line,
				    meaning->remedy);
	/* Two names that may be missing are told apart by the word in front. */
	if (strstr(words, "does not exist"))
		return hf_error_set(error, HF_ERROR_USAGE, "database \"%s\": %s: check %s", database, line,
				    strstr(words, "role \"") ? "DB_USER" : "DB_NAME");
	return hf_error_set(error, HF_ERROR_FAILED, "database \"%s\": %s", database, line);
}

bool
hf_pg_dump_error(const char *words, const char *database, const char *user, GError *failure, GError **error)
{
	const Meaning *meaning = find_meaning(at_dump, G_N_ELEMENTS(at_dump), words);
	g_autofree char *line = NULL;

	if (hf_error_is(failure, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, failure);
		return false;
	}
	if (!meaning) { /* also a child that was killed */
		g_propagate_prefixed_error(error, failure, "database \"%s\": ", database);
		return false;
	}
	g_error_free(failure);
	line = line_with(words, meaning->words);
	return hf_error_set(error, meaning->code, "database \"%s\", login \"%s\": %s: %s", database, user,
			    line, meaning->remedy);
}
