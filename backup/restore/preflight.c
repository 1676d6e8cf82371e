#include "config.h"

#include "backup/restore/database-target.h"
#include "backup/restore/preflight-impl.h"

#include <string.h>
#include <sys/statvfs.h>

/* A restored database takes about as much as its dump, its indexes half as much again; packed TOAST makes it less. */
#define DISK_WANTED(plain) ((plain) + (plain) / 2)
#define DISK_NEEDED(plain) ((plain) / 2)

static void
finding_free(gpointer data)
{
	HfFinding *finding = data;

	g_free(finding->what);
	g_free(finding->remedy);
	g_free(finding);
}

static void
add_as(HfPreflight *preflight, HfError code, char *what, const char *remedy)
{
	hf_preflight_add(preflight, true, what, remedy);
	((HfFinding *)preflight->findings->pdata[preflight->findings->len - 1])->code = code;
}

void
hf_preflight_add(HfPreflight *preflight, bool is_error, char *what, const char *remedy)
{
	HfFinding *finding = g_new0(HfFinding, 1);

	finding->is_error = is_error;
	finding->code = HF_ERROR_FAILED;
	finding->what = what;
	finding->remedy = g_strdup(remedy);
	g_ptr_array_add(preflight->findings, finding);
}

/* The first row of a query; NULL where it fails. */
static PGresult *
ask_row(HfPreflight *preflight, const char *sql, GError **error)
{
	return hf_pg_query(preflight->connection, sql, NULL, error);
}

static bool
is_true(const PGresult *result, int column)
{
	return PQntuples(result) > 0 && strcmp(PQgetvalue(result, 0, column), "t") == 0;
}

static char *
quote(const HfPreflight *preflight, const char *text)
{
	char *literal = PQescapeLiteral(preflight->connection, text, strlen(text));
	char *copy = g_strdup(literal ? literal : "''");

	PQfreemem(literal);
	return copy;
}

/* ---- programs and versions ---- */

/* The first minor release of each major whose psql knows \restrict (PostgreSQL's release notes of 2025-08-14). */
static bool
knows_restrict(const char *version)
{
	static const struct {
		int major, minor;
	} first[] = {{13, 22}, {14, 19}, {15, 14}, {16, 10}, {17, 6}};
	int major = (int)g_ascii_strtoll(version, NULL, 10);
	const char *dot = strchr(version, '.');
	int minor = dot ? (int)g_ascii_strtoll(dot + 1, NULL, 10) : 0;

	for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
		if (first[i].major == major)
			return minor >= first[i].minor;
	return major > 17;
}

static bool
check_programs(HfPreflight *preflight, GError **error)
{
	const HfPreflightOptions *options = preflight->options;
	const char *dump = options->database->dump_version;
	g_autoptr(GError) missing = NULL;
	g_autofree char *version = NULL;
	g_autofree char *program = hf_pg_program("psql", dump ? (int)g_ascii_strtoll(dump, NULL, 10) : 0,
						 options->bin_dir, &version, &missing);

	(void)error;
	if (!program)
		add_as(preflight, (HfError)missing->code, g_strdup(missing->message), NULL);
	else if (options->facts && options->facts->has_restrict && version && !knows_restrict(version))
		hf_preflight_add(
			preflight, true,
			g_strdup_printf("psql %s does not know \\restrict, which the dump begins with",
					version),
			"upgrade postgresql-client");
	return true;
}

static bool
check_server(HfPreflight *preflight, GError **error)
{
	const char *was = preflight->options->database->server_version;
	int major = PQserverVersion(preflight->connection) / 10000;
	int was_major = was ? (int)g_ascii_strtoll(was, NULL, 10) : 0;

	(void)error;
	if (was_major > major)
		hf_preflight_add(
			preflight, true,
			g_strdup_printf(
				"the server is version %d, the dump is of one of version %s, which it "
				"may not understand",
				major, was),
			"restore into a server of that version or newer");
	return true;
}

/* ---- the database ---- */

static bool
check_new_database(HfPreflight *preflight, GError **error)
{
	const char *name = preflight->options->target->database;
	g_autofree char *literal = quote(preflight, name);
	g_autofree char *sql = g_strdup_printf("SELECT rolcreatedb OR rolsuper, EXISTS (SELECT FROM "
					       "pg_catalog.pg_database WHERE datname = %s)"
					       " FROM pg_catalog.pg_roles WHERE rolname = current_user",
					       literal);
	g_autoptr(PGresult) result = ask_row(preflight, sql, error);

	if (!result)
		return false;
	if (is_true(result, 1))
		add_as(preflight, HF_ERROR_CONFLICT, g_strdup_printf("database \"%s\" exists already", name),
		       "drop it, choose another name, or restore without --create");
	if (!is_true(result, 0)) {
		g_autofree char *remedy = g_strdup_printf(
			"ALTER ROLE \"%s\" CREATEDB, or restore into an empty "
			"database that exists",
			PQuser(preflight->connection));

		add_as(preflight, HF_ERROR_DENIED,
		       g_strdup_printf("database \"%s\": the login may not create it", name), remedy);
	}
	return true;
}

static bool
check_old_database(HfPreflight *preflight, GError **error)
{
	g_autoptr(GError) conflict = NULL;
	g_autoptr(PGresult)
		result = ask_row(preflight,
				 "SELECT pg_catalog.has_database_privilege(current_database(), 'CREATE'),"
				 " coalesce(pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('"
				 "public'), 'CREATE'), true)",
				 error);

	if (!result)
		return false;
	if (!is_true(result, 0))
		add_as(preflight, HF_ERROR_DENIED,
		       g_strdup_printf("database \"%s\": the login may not create anything in it",
				       preflight->options->target->database),
		       "GRANT CREATE ON DATABASE to it");
	else if (!is_true(result, 1))
		add_as(preflight, HF_ERROR_DENIED,
		       g_strdup_printf(
			       "database \"%s\": the login may not create anything in schema \"public\"",
			       preflight->options->target->database),
		       "GRANT CREATE ON SCHEMA public to it");
	if (preflight->options->allow_non_empty ||
	    hf_restore_check_empty(preflight->options->target, &conflict))
		return true;
	add_as(preflight, (HfError)conflict->code, g_strdup(conflict->message), NULL);
	return true;
}

static bool
check_database(HfPreflight *preflight, GError **error)
{
	return preflight->options->create ? check_new_database(preflight, error)
					  : check_old_database(preflight, error);
}

/* The database that is to be replaced: whoever renames it must own it. */
static bool
check_replaced(HfPreflight *preflight, GError **error)
{
	const char *name = preflight->options->replaces;
	g_autofree char *literal = name ? quote(preflight, name) : NULL;
	g_autofree char *sql = NULL;
	g_autoptr(PGresult) result = NULL;

	if (!name)
		return true;
	sql = g_strdup_printf(
		"SELECT pg_catalog.pg_has_role(datdba, 'USAGE'), pg_catalog.pg_get_userbyid(datdba),"
		" pg_catalog.pg_has_role('pg_signal_backend', 'MEMBER') OR (SELECT rolsuper FROM "
		"pg_catalog.pg_roles"
		" WHERE rolname = current_user) FROM pg_catalog.pg_database WHERE datname = %s",
		literal);
	result = ask_row(preflight, sql, error);
	if (!result || PQntuples(result) == 0)
		return result != NULL;
	if (!is_true(result, 0))
		add_as(preflight, HF_ERROR_DENIED,
		       g_strdup_printf("database \"%s\" is role \"%s\"'s: the login may not rename it", name,
				       PQgetvalue(result, 0, 1)),
		       "use the owner's or a superuser's login");
	if (!is_true(result, 2))
		hf_preflight_add(
			preflight, false,
			g_strdup("the login may end only its own role's sessions, which a swap must"),
			"GRANT pg_signal_backend TO it, or stop what uses the database first");
	return true;
}

/* ---- encoding and locale ---- */

static void
compare(HfPreflight *preflight, const char *what, const char *was, const char *is, const char *effect)
{
	if (was && g_ascii_strcasecmp(was, is) != 0)
		hf_preflight_add(preflight, false,
				 g_strdup_printf("the database's %s is %s, that of the dump's was %s: %s",
						 what, is, was, effect),
				 NULL);
}

static bool
check_old_locale(HfPreflight *preflight, GError **error)
{
	const HfDatabaseRecord *database = preflight->options->database;
	g_autoptr(PGresult)
		result = ask_row(preflight,
				 "SELECT pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype FROM"
				 " pg_catalog.pg_database WHERE datname = current_database()",
				 error);

	if (!result)
		return false;
	compare(preflight, "encoding", database->encoding, PQgetvalue(result, 0, 0),
		"text that it has no characters for stops the restore");
	compare(preflight, "collation", database->collate, PQgetvalue(result, 0, 1),
		"text is sorted in another order");
	compare(preflight, "ctype", database->ctype, PQgetvalue(result, 0, 2),
		"upper and lower case may differ");
	return true;
}

static bool
check_new_locale(HfPreflight *preflight, GError **error)
{
	const HfDatabaseRecord *database = preflight->options->database;
	g_autofree char *encoding = quote(preflight, database->encoding ? database->encoding : "UTF8");
	g_autofree char *collate = quote(preflight, database->collate ? database->collate : "C");
	g_autofree char *sql = g_strdup_printf(
		"SELECT pg_catalog.pg_char_to_encoding(%s) >= 0, lower(%s) IN ('c', 'posix') OR EXISTS"
		" (SELECT FROM pg_catalog.pg_database WHERE datcollate = %s) OR EXISTS (SELECT FROM"
		" pg_catalog.pg_collation WHERE replace(lower(collcollate), '-', '') = replace(lower(%s), "
		"'-', ''))",
		encoding, collate, collate, collate);
	g_autoptr(PGresult) result = ask_row(preflight, sql, error);

	if (!result)
		return false;
	if (!is_true(result, 0))
		hf_preflight_add(
			preflight, true,
			g_strdup_printf("the server does not know the encoding \"%s\"", database->encoding),
			NULL);
	if (!is_true(result, 1))
		hf_preflight_add(
			preflight, false,
			g_strdup_printf(
				"the server does not know the locale \"%s\" of the dump: its default is "
				"taken, and text is sorted in another order",
				database->collate),
			"locale-gen on the server's host, and pg_import_system_collations()");
	return true;
}

static bool
check_locale(HfPreflight *preflight, GError **error)
{
	return preflight->options->create ? check_new_locale(preflight, error)
					  : check_old_locale(preflight, error);
}

/* ---- room ---- */

static bool
is_local(const char *host)
{
	return !host || !*host || *host == '/' || strcmp(host, "localhost") == 0 ||
	       strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

/* Only where the server is on this host, and says where its data lie: that takes a login that may see it. */
static bool
check_disk(HfPreflight *preflight, GError **error)
{
	uint64_t plain = preflight->options->database->archive->plain_bytes, free_bytes;
	g_autoptr(PGresult) result = NULL;
	struct statvfs disk;

	if (!is_local(PQhost(preflight->connection)))
		return true;
	result = ask_row(preflight,
			 "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory'", error);
	if (!result)
		return false;
	if (PQntuples(result) == 0 || statvfs(PQgetvalue(result, 0, 0), &disk) != 0)
		return true;
	free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
	if (free_bytes < DISK_WANTED(plain)) {
		g_autofree char *has = g_format_size_full(free_bytes, G_FORMAT_SIZE_IEC_UNITS);
		g_autofree char *needs = g_format_size_full(DISK_WANTED(plain), G_FORMAT_SIZE_IEC_UNITS);

		hf_preflight_add(
			preflight, free_bytes < DISK_NEEDED(plain),
			g_strdup_printf("the server's disk has %s free (\"%s\"), the restored database takes "
					"about %s",
					has, PQgetvalue(result, 0, 0), needs),
			"free some space");
	}
	return true;
}

static bool
check_connections(HfPreflight *preflight, GError **error)
{
	g_autoptr(PGresult) result = ask_row(
		preflight,
		"SELECT current_setting('max_connections')::int - "
		"current_setting('superuser_reserved_connections')::int"
		" - (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend')",
		error);
	long room;

	if (!result)
		return false;
	room = strtol(PQgetvalue(result, 0, 0), NULL, 10);
	if (preflight->options->jobs > 1 && room < (long)preflight->options->jobs + 1)
		hf_preflight_add(
			preflight, false,
			g_strdup_printf("the server has room for %ld more connections, --jobs %u wants %u",
					room, preflight->options->jobs, preflight->options->jobs + 1),
			"raise max_connections, or lower --jobs");
	return true;
}

/* ---- the whole ---- */

static bool
ask_superuser(HfPreflight *preflight, GError **error)
{
	g_autoptr(PGresult) result = ask_row(
		preflight, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", error);

	if (!result)
		return false;
	preflight->is_superuser = is_true(result, 0);
	return true;
}

static gint
errors_first(gconstpointer one, gconstpointer other)
{
	const HfFinding *a = *(HfFinding *const *)one, *b = *(HfFinding *const *)other;

	return (gint)b->is_error - (gint)a->is_error;
}

GPtrArray *
hf_preflight(const HfPreflightOptions *options, GError **error)
{
	static bool (*const checks[])(HfPreflight *, GError **) = {
		ask_superuser, check_database,           check_replaced,    check_server, check_programs,
		check_locale,  hf_preflight_check_names, check_connections, check_disk,
	};
	g_autoptr(PGconn) connection = options->create ? hf_restore_connect_for_orders(options->target, error)
						       : hf_pg_connect(options->target, error);
	g_autoptr(GPtrArray) findings = g_ptr_array_new_with_free_func(finding_free);
	HfPreflight preflight = {.options = options, .connection = connection, .findings = findings};

	if (!connection)
		return NULL;
	for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
		if (!checks[i](&preflight, error))
			return NULL;
	g_ptr_array_sort(findings, errors_first);
	return g_steal_pointer(&findings);
}

bool
hf_preflight_check(const GPtrArray *findings, GError **error)
{
	g_autoptr(GString) words = g_string_new(NULL);
	const HfFinding *first = NULL;
	guint count = 0;

	for (guint i = 0; i < findings->len; i++) {
		const HfFinding *finding = findings->pdata[i];

		if (!finding->is_error)
			continue;
		first = first ? first : finding;
		count++;
		g_string_append_printf(words, "%s%s%s%s", words->len > 0 ? "; " : "", finding->what,
				       finding->remedy ? ": " : "", finding->remedy ? finding->remedy : "");
	}
	if (count == 0)
		return true;
	if (count == 1)
		return hf_error_set(error, first->code, "%s", words->str);
	return hf_error_set(error, first->code, "%u things stand in the way of the restore: %s", count,
			    words->str);
}
