#include "config.h"

#include "backup/restore/swap.h"
#include "backup/restore/database-target.h"
#include "backup/restore/session.h"
#include "backup/restore/swap-impl.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"

#include <poll.h>
#include <string.h>

/* PostgreSQL's NAMEDATALEN less its NUL. */
#define NAME_BYTES_MAX 63
#define OBJECT_IN_USE "55006"
/* How often sessions that came meanwhile are ended while the rename waits for them; the server gives up after 5 s. */
#define END_SESSIONS_MS 50

struct HfSwap {
	PGconn *orders;
	HfPgTarget *live, *fresh;
	char *set_id, *old_name, *tablespace;
	GPtrArray *leftovers; /* of char: databases of runs that died */
	bool is_filled, is_made, is_done;
};

/* ---- names ---- */

/* The name with a suffix, cut between two characters where it would be too long. */
char *
hf_swap_name(const char *name, const char *suffix)
{
	size_t room = NAME_BYTES_MAX - strlen(suffix), len = MIN(strlen(name), room);

	while (len > 0 && len < strlen(name) && ((unsigned char)name[len] & 0xc0) == 0x80)
		len--;
	return g_strdup_printf("%.*s%s", (int)len, name, suffix);
}

static char *
name_at(const char *name, const char *word, int64_t now_s)
{
	g_autofree char *id = hf_clock_set_id(now_s);
	g_autofree char *suffix = g_strdup_printf("_%s_%s", word, id);

	return hf_swap_name(name, suffix);
}

/* What the comment of a new database says; the state comes last. */
static char *
marker(const HfSwap *swap, const char *state)
{
	return g_strdup_printf("holdfast: set %s for database %s: %s", swap->set_id, swap->live->database,
			       state);
}

/* ---- small orders ---- */

/* @name stands for the name as a literal. */
static PGresult *
ask(HfSwap *swap, const char *question, const char *name, GError **error)
{
	g_autofree char *literal = hf_swap_literal(swap->orders, name);
	g_auto(GStrv) parts = g_strsplit(question, "@name", -1);
	g_autofree char *sql = g_strjoinv(literal, parts);

	return hf_pg_query(swap->orders, sql, NULL, error);
}

static bool
comment(HfSwap *swap, const char *state, GError **error)
{
	g_autofree char *words = marker(swap, state);
	g_autofree char *literal = hf_swap_literal(swap->orders, words);
	g_autofree char *name = hf_swap_identifier(swap->orders, swap->fresh->database);
	g_autofree char *sql = g_strdup_printf("COMMENT ON DATABASE %s IS %s", name, literal);

	return hf_session_run(swap->orders, sql, (HfPlace){0}, error);
}

/* ---- what there is ---- */

static bool
take_lock(HfSwap *swap, GError **error)
{
	g_autoptr(PGresult) result = ask(
		swap, "SELECT pg_catalog.pg_try_advisory_lock(1212564048, pg_catalog.hashtext(@name))",
		swap->live->database, error);

	if (!result)
		return false;
	return strcmp(PQgetvalue(result, 0, 0), "t") == 0 ||
	       hf_error_set(error, HF_ERROR_CONFLICT, "database \"%s\": another restore is at work on it",
			    swap->live->database);
}

/* Where the live one is gone, what a person may have renamed it to. */
static bool
say_missing(HfSwap *swap, GError **error)
{
	g_autofree char *prefix = hf_swap_name(swap->live->database, "_before_");
	g_autoptr(PGresult)
		result = ask(swap,
			     "SELECT string_agg('\"' || datname || '\"', ', ') FROM pg_catalog.pg_database"
			     " WHERE pg_catalog.starts_with(datname, @name)",
			     prefix, error);

	if (!result)
		return false;
	return hf_error_set(error, HF_ERROR_NOT_FOUND,
			    "database \"%s\" does not exist: restore it with --create%s%s",
			    swap->live->database,
			    PQgetisnull(result, 0, 0) ? "" : ", or give it back its name: there is ",
			    PQgetvalue(result, 0, 0));
}

static bool
read_live(HfSwap *swap, GError **error)
{
	g_autoptr(PGresult)
		result = ask(swap,
			     "SELECT pg_catalog.quote_ident(t.spcname) FROM pg_catalog.pg_database d JOIN"
			     " pg_catalog.pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = @name",
			     swap->live->database, error);

	if (!result)
		return false;
	if (PQntuples(result) == 0)
		return say_missing(swap, error);
	/* Named, the default one would take a right of its own. */
	if (strcmp(PQgetvalue(result, 0, 0), "pg_default") != 0)
		swap->tablespace = g_strdup(PQgetvalue(result, 0, 0));
	return true;
}

/* The databases whose comment says that a run made them for this one. */
static bool
find_leftovers(HfSwap *swap, GError **error)
{
	g_autofree char *tail = g_strdup_printf(" for database %s: ", swap->live->database);
	g_autofree char *filled = marker(swap, "checked");
	g_autoptr(PGresult) result = ask(
		swap,
		"SELECT d.datname, s.description FROM pg_catalog.pg_database d JOIN "
		"pg_catalog.pg_shdescription s"
		" ON s.objoid = d.oid AND s.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass"
		" WHERE pg_catalog.starts_with(s.description, 'holdfast: set ')"
		" AND pg_catalog.strpos(s.description, @name) > 0 ORDER BY d.oid DESC",
		tail, error);

	if (!result)
		return false;
	for (int i = 0; i < PQntuples(result); i++) {
		const char *name = PQgetvalue(result, i, 0);

		if (!swap->is_filled && strcmp(PQgetvalue(result, i, 1), filled) == 0) {
			hf_pg_target_free(swap->fresh);
			swap->fresh = hf_pg_target_with_database(swap->live, name);
			swap->is_filled = true;
		} else {
			g_ptr_array_add(swap->leftovers, g_strdup(name));
		}
	}
	return true;
}

HfSwap *
hf_swap_new(const HfPgTarget *target, const char *set_id, int64_t now_s, GError **error)
{
	g_autoptr(HfSwap) swap = g_new0(HfSwap, 1);
	g_autofree char *fresh = name_at(target->database, "restore", now_s);

	swap->live = hf_pg_target_with_database(target, target->database);
	swap->fresh = hf_pg_target_with_database(target, fresh);
	swap->set_id = g_strdup(set_id);
	swap->old_name = name_at(target->database, "before", now_s);
	swap->leftovers = g_ptr_array_new_with_free_func(g_free);
	swap->orders = hf_restore_connect_for_orders(target, error);
	if (!swap->orders || !take_lock(swap, error) || !read_live(swap, error) ||
	    !find_leftovers(swap, error))
		return NULL;
	return g_steal_pointer(&swap);
}

const HfPgTarget *
hf_swap_target(const HfSwap *swap)
{
	return swap->fresh;
}

const char *
hf_swap_tablespace(const HfSwap *swap)
{
	return swap->tablespace;
}

bool
hf_swap_is_filled(const HfSwap *swap)
{
	return swap->is_filled;
}

const char *
hf_swap_old_name(const HfSwap *swap)
{
	return swap->old_name;
}

/* ---- making and leaving ---- */

bool
hf_swap_create(HfSwap *swap, const HfRestoreDatabase *options, GError **error)
{
	for (guint i = 0; i < swap->leftovers->len; i++) {
		g_autoptr(HfPgTarget)
			left = hf_pg_target_with_database(swap->live, swap->leftovers->pdata[i]);

		g_message("dropping database \"%s\", which a run that died left", left->database);
		if (!hf_restore_drop(left))
			return hf_error_set(
				error, HF_ERROR_FAILED,
				"database \"%s\", which a run that died left, could not be dropped: drop it",
				left->database);
	}
	if (swap->is_filled)
		return true;
	if (!hf_restore_create(options, error))
		return false;
	swap->is_made = true;
	return comment(swap, "half filled", error);
}

bool
hf_swap_mark_filled(HfSwap *swap, GError **error)
{
	if (!swap->is_filled && !comment(swap, "checked", error))
		return false;
	swap->is_filled = true;
	return true;
}

void
hf_swap_free(HfSwap *swap)
{
	if (!swap)
		return;
	if (swap->is_made && !swap->is_filled && !hf_restore_drop(swap->fresh))
		g_warning("database \"%s\" was made and could not be dropped: drop it",
			  swap->fresh->database);
	PQfinish(swap->orders);
	hf_pg_target_free(swap->live);
	hf_pg_target_free(swap->fresh);
	g_ptr_array_unref(swap->leftovers);
	g_free(swap->set_id);
	g_free(swap->old_name);
	g_free(swap->tablespace);
	g_free(swap);
}

/* ---- the swap ---- */

/* Sessions that the login may end; one that it may not would make the whole statement fail. */
static const char end_sessions_sql[] =
	"SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a"
	" JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid, pg_catalog.pg_roles me"
	" WHERE a.datname = @name AND me.rolname = current_user AND (me.rolsuper OR NOT r.rolsuper"
	" AND (pg_catalog.pg_has_role(r.oid, 'MEMBER') OR pg_catalog.pg_has_role('pg_signal_backend', "
	"'MEMBER')))";

static const char who_is_there_sql[] =
	"SELECT string_agg(pg_catalog.format('process %s of role \"%s\"', pid, "
	"usename), ', ') FROM pg_catalog.pg_stat_activity"
	" WHERE datname = @name";

static bool
has_answer(PGconn *connection)
{
	struct pollfd one = {.fd = PQsocket(connection), .events = POLLIN};

	(void)poll(&one, 1, END_SESSIONS_MS);
	return !PQconsumeInput(connection) || !PQisBusy(connection);
}

/* The rename holds the database's lock while it waits for its sessions, so those that are ended do not come back. */
static bool
rename_live(HfSwap *swap, PGconn *renamer, GError **error)
{
	g_autofree char *name = hf_swap_identifier(renamer, swap->live->database);
	g_autofree char *old = hf_swap_identifier(renamer, swap->old_name);
	g_autofree char *sql = g_strdup_printf("ALTER DATABASE %s RENAME TO %s", name, old);
	g_autoptr(PGresult) result = NULL;
	g_autoptr(PGresult) who = NULL;

	if (!PQsendQuery(renamer, sql))
		return hf_error_set(error, HF_ERROR_TRANSIENT, "the connection was lost: %s",
				    PQerrorMessage(renamer));
	do {
		g_autoptr(PGresult) ended = ask(swap, end_sessions_sql, swap->live->database, error);

		if (!ended)
			return false;
	} while (!has_answer(renamer));
	result = PQgetResult(renamer);
	for (PGresult *more; (more = PQgetResult(renamer));)
		PQclear(more);
	if (PQresultStatus(result) == PGRES_COMMAND_OK)
		return true;
	if (g_strcmp0(PQresultErrorField(result, PG_DIAG_SQLSTATE), OBJECT_IN_USE) != 0)
		return hf_error_set(error, HF_ERROR_FAILED, "%s",
				    result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)
					   : PQerrorMessage(renamer));
	who = ask(swap, who_is_there_sql, swap->live->database, NULL);
	return hf_error_set(error, HF_ERROR_CONFLICT,
			    "it is in use and the login may not end who uses it (%s): stop them",
			    who && !PQgetisnull(who, 0, 0)
				    ? PQgetvalue(who, 0, 0)
				    : PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL));
}

static bool
rename_fresh(HfSwap *swap, PGconn *renamer, GError **error)
{
	g_autofree char *fresh = hf_swap_identifier(renamer, swap->fresh->database);
	g_autofree char *name = hf_swap_identifier(renamer, swap->live->database);
	g_autofree char *sql = g_strdup_printf("ALTER DATABASE %s RENAME TO %s", fresh, name);

	return hf_session_run(renamer, sql, (HfPlace){0}, error);
}

/* What became of a COMMIT whose answer was lost: the new database has its old name no longer. */
static bool
was_swapped(HfSwap *swap)
{
	g_autoptr(PGresult) result = ask(swap, "SELECT FROM pg_catalog.pg_database WHERE datname = @name",
					 swap->fresh->database, NULL);

	return result && PQntuples(result) == 0;
}

static bool
commit_names(HfSwap *swap, PGconn *renamer, GError **error)
{
	g_autoptr(GError) failure = NULL;

	if (hf_session_run_to_end(renamer, "COMMIT", (HfPlace){0}, &failure) || was_swapped(swap))
		return true;
	g_propagate_error(error, g_steal_pointer(&failure));
	return false;
}

/* Two sessions: one that waits with the rename, and that of the orders, which ends who is waited for. */
static bool
swap_names(HfSwap *swap, GError **error)
{
	g_autoptr(PGconn) renamer = hf_restore_connect_for_orders(swap->live, error);

	return renamer && hf_cancel_check(error) &&
	       hf_session_run(renamer, "SET lock_timeout = '30s'; BEGIN", (HfPlace){0}, error) &&
	       hf_swap_carry_over(renamer, swap->live->database, swap->fresh->database, error) &&
	       rename_live(swap, renamer, error) && rename_fresh(swap, renamer, error) &&
	       commit_names(swap, renamer, error);
}

bool
hf_swap_commit(HfSwap *swap, GError **error)
{
	g_autoptr(GError) failure = NULL;

	swap->is_done = swap_names(swap, &failure);
	if (swap->is_done)
		return true;
	return hf_error_set(
		error, (HfError)failure->code,
		"database \"%s\" is as it was, and the restored one is kept as \"%s\": %s; run it again to "
		"swap it in, or drop that one",
		swap->live->database, swap->fresh->database, failure->message);
}
