#include "config.h"

#include "backup/restore/preflight-impl.h"

#include <string.h>

static gint
compare_names(gconstpointer one, gconstpointer other)
{
	return strcmp(*(const char *const *)one, *(const char *const *)other);
}

/* "(VALUES ('a'), ('b')) AS wanted (name)" */
static char *
wanted_list(PGconn *connection, GHashTable *names)
{
	g_autofree gpointer *keys = g_hash_table_get_keys_as_array(names, NULL);
	guint count = g_hash_table_size(names);
	GString *text = g_string_new("(VALUES ");

	qsort(keys, count, sizeof *keys, compare_names);
	for (guint i = 0; i < count; i++) {
		char *literal = PQescapeLiteral(connection, keys[i], strlen(keys[i]));

		g_string_append_printf(text, "%s(%s)", i > 0 ? ", " : "", literal ? literal : "''");
		PQfreemem(literal);
	}
	g_string_append(text, ") AS wanted (name)");
	return g_string_free(text, FALSE);
}

bool
hf_preflight_names(HfPreflight *preflight, GHashTable *names, const char *query, char **list_out,
		   GError **error)
{
	g_autofree char *wanted = NULL;
	g_auto(GStrv) parts = NULL;
	g_autofree char *sql = NULL;
	g_autoptr(PGresult) result = NULL;
	g_autoptr(GString) list = g_string_new(NULL);

	*list_out = NULL;
	if (g_hash_table_size(names) == 0)
		return true;
	wanted = wanted_list(preflight->connection, names);
	parts = g_strsplit(query, "%s", 2);
	sql = g_strconcat(parts[0], wanted, parts[1], " ORDER BY 1", NULL);
	result = hf_pg_query(preflight->connection, sql, NULL, error);
	if (!result)
		return false;
	for (int i = 0; i < PQntuples(result); i++)
		g_string_append_printf(list, "%s\"%s\"", i > 0 ? ", " : "", PQgetvalue(result, i, 0));
	if (list->len > 0)
		*list_out = g_strdup(list->str);
	return true;
}

/* Says about the names that the query gives; what has %s for the list. */
typedef struct {
	const char *query;
	const char *before, *after; /* around the list */
} Question;

static bool
ask(HfPreflight *preflight, GHashTable *names, const Question *question, const char *remedy, GError **error)
{
	g_autofree char *list = NULL;

	if (!hf_preflight_names(preflight, names, question->query, &list, error))
		return false;
	if (list)
		hf_preflight_add(preflight, true, g_strconcat(question->before, list, question->after, NULL),
				 remedy);
	return true;
}

static const Question missing_roles = {
	"SELECT name FROM %s WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name)",
	"the dump names roles that the server does not have: ", ""};
static const Question foreign_owners = {"SELECT name FROM %s JOIN pg_catalog.pg_roles r ON r.rolname = name"
					" WHERE NOT pg_catalog.pg_has_role(r.oid, 'MEMBER')",
					"the login may not give objects to their owners: ", ""};
static const Question missing_extensions = {
	"SELECT name FROM %s WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extensions e WHERE e.name "
	"= wanted.name)",
	"the server lacks extensions that the dump needs: ", ""};
static const Question untrusted_extensions = {
	"SELECT wanted.name FROM %s JOIN pg_catalog.pg_available_extensions e ON e.name = wanted.name"
	" JOIN pg_catalog.pg_available_extension_versions v ON v.name = e.name AND v.version = "
	"e.default_version"
	" WHERE v.superuser AND NOT v.trusted AND e.installed_version IS NULL",
	"only a superuser may create extensions that the dump needs: ", ""};
static const Question missing_tablespaces = {
	"SELECT name FROM %s WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_tablespace WHERE spcname = name)",
	"the dump names tablespaces that the server does not have: ", ""};

static void
check_superuser_needs(HfPreflight *preflight, const HfDumpFacts *facts)
{
	const struct {
		bool is_there;
		const char *what;
	} needs[] = {{facts->has_event_triggers, "event triggers"},
		     {facts->has_c_functions, "functions in C"},
		     {facts->has_subscriptions, "subscriptions"}};

	for (size_t i = 0; i < G_N_ELEMENTS(needs); i++)
		if (needs[i].is_there && !preflight->is_superuser)
			hf_preflight_add(
				preflight, true,
				g_strdup_printf("only a superuser may create %s, which the dump holds",
						needs[i].what),
				"restore with a superuser's login");
}

bool
hf_preflight_check_names(HfPreflight *preflight, GError **error)
{
	const HfDumpFacts *facts = preflight->options->facts;
	const char *globals = preflight->options->globals_hint;

	if (!facts) {
		hf_preflight_add(preflight, false,
				 g_strdup("what roles and extensions the dump needs is not known: the set "
					  "has no index"),
				 NULL);
		return true;
	}
	if (!ask(preflight, facts->roles, &missing_roles, globals ? globals : "CREATE ROLE each of them",
		 error) ||
	    !ask(preflight, facts->extensions, &missing_extensions, "install their packages on the server",
		 error) ||
	    !ask(preflight, facts->tablespaces, &missing_tablespaces, "CREATE TABLESPACE each of them",
		 error))
		return false;
	check_superuser_needs(preflight, facts);
	if (preflight->is_superuser)
		return true;
	return ask(preflight, facts->owners, &foreign_owners,
		   "GRANT each of them to the login, or use a superuser's", error) &&
	       (PQserverVersion(preflight->connection) < 130000 ||
		ask(preflight, facts->extensions, &untrusted_extensions, "restore with a superuser's login",
		    error));
}
