#include "config.h"

#include "backup/source/postgres-connection.h"
#include "common/error.h"

#include <string.h>

typedef PQconninfoOption Options;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Options, PQconninfoFree)

void
hf_pg_conninfo_add(GString *conninfo, const char *keyword, const char *value)
{
	g_string_append_printf(conninfo, "%s%s='", conninfo->len ? " " : "", keyword);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			g_string_append_c(conninfo, '\\');
		g_string_append_c(conninfo, *value);
	}
	g_string_append_c(conninfo, '\'');
}

/* Sets the target's password; the same limits for all ways that it may come in. */
static bool
set_password(HfPgTarget *target, const char *bytes, size_t len, GError **error)
{
	/* A password file has a line for each password, and the program reads it up to there. */
	if (strpbrk(bytes, "\r\n"))
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"DB_PASSWORD: a password cannot hold a line end: pg_dump could not be given it");
	target->password = hf_secret_new(bytes, len, "DB_PASSWORD", error);
	return target->password != NULL;
}

static bool
take_option(HfPgTarget *target, GString *conninfo, const PQconninfoOption *option, GError **error)
{
	if (!option->val || !*option->val)
		return true;
	if (strcmp(option->keyword, "password") == 0)
		return set_password(target, option->val, strlen(option->val), error);
	if (strcmp(option->keyword, "sslpassword") == 0)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "DATABASE_URL: \"sslpassword\" cannot be passed on in private: "
				    "use a client key without a passphrase");
	if (strcmp(option->keyword, "dbname") == 0)
		target->database = g_strdup(option->val);
	hf_pg_conninfo_add(conninfo, option->keyword, option->val);
	return true;
}

/* libpq repeats what it was given in some of its messages, and a password may be among it. */
static bool
cannot_read(GError **error)
{
	return hf_error_set(error, HF_ERROR_USAGE,
			    "DATABASE_URL: this is no URL that libpq can read: expected "
			    "postgres://USER:PASSWORD@HOST:PORT/DATABASE, with odd characters as %%XX");
}

static HfPgTarget *
need_database(HfPgTarget *target, GError **error)
{
	if (target->database)
		return target;
	hf_pg_target_free(target);
	hf_error_set(error, HF_ERROR_USAGE,
		     "no database is named: set DB_NAME, or DATABASE_URL with one in it");
	return NULL;
}

HfPgTarget *
hf_pg_target_parse(const char *url, GError **error)
{
	g_autoptr(HfPgTarget) target = g_new0(HfPgTarget, 1);
	g_autoptr(GString) conninfo = g_string_new(NULL);
	g_autoptr(Options) options = PQconninfoParse(url, NULL);

	if (!options) {
		cannot_read(error);
		return NULL;
	}
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (!take_option(target, conninfo, option, error))
			return NULL;
	target->conninfo = g_string_free(g_steal_pointer(&conninfo), FALSE);
	return need_database(g_steal_pointer(&target), error);
}

HfPgTarget *
hf_pg_target_new(const HfPgParts *parts, GError **error)
{
	const struct {
		const char *keyword, *value;
	} pairs[] = {{"host", parts->host},
		     {"port", parts->port},
		     {"dbname", parts->database},
		     {"user", parts->user},
		     {"sslmode", parts->sslmode}};
	g_autoptr(HfPgTarget) target = g_new0(HfPgTarget, 1);
	g_autoptr(GString) conninfo = g_string_new(NULL);

	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
		if (pairs[i].value && *pairs[i].value)
			hf_pg_conninfo_add(conninfo, pairs[i].keyword, pairs[i].value);
	target->conninfo = g_string_free(g_steal_pointer(&conninfo), FALSE);
	target->database = parts->database && *parts->database ? g_strdup(parts->database) : NULL;
	if (parts->password &&
	    !set_password(target, hf_secret_bytes(parts->password), hf_secret_len(parts->password), error))
		return NULL;
	return need_database(g_steal_pointer(&target), error);
}

HfPgTarget *
hf_pg_target_with_database(const HfPgTarget *target, const char *database)
{
	HfPgTarget *other = g_new0(HfPgTarget, 1);
	g_autoptr(GString) conninfo = g_string_new(target->conninfo);

	hf_pg_conninfo_add(conninfo, "dbname", database); /* libpq takes the last of a keyword */
	other->conninfo = g_string_free(g_steal_pointer(&conninfo), FALSE);
	other->database = g_strdup(database);
	other->password = hf_secret_copy(target->password);
	return other;
}

void
hf_pg_target_free(HfPgTarget *target)
{
	if (!target)
		return;
	g_free(target->conninfo);
	g_free(target->database);
	hf_secret_free(target->password);
	g_free(target);
}
