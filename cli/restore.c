#include "config.h"

#include "backup/restore/database.h"
#include "backup/catalog/catalog.h"
#include "backup/store/open.h"
#include "cli/commands.h"
#include "cli/database.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

#include <libpq-fe.h>
#include <string.h>

static struct {
	char *to;
	gboolean create, allow_non_empty;
} given;

/* argv is there for every user of the host to read. */
static void
warn_about_password(const char *url)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);

	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (strcmp(o->keyword, "password") == 0 && o->val)
			g_warning("other users of this host can see the password in --to: use PGPASSWORD or "
				  "~/.pgpass");
	PQconninfoFree(options);
}

static void
say_plan(const HfCli *cli, const HfSet *set, const HfPgTarget *target)
{
	const HfDatabaseRecord *database = set->manifest->database;
	g_autofree char *rows = hf_text_count(database->rows);
	g_autofree char *stored = hf_text_bytes(database->archive->packed_bytes);
	const char *how = given.create ? "into the new" : "into the";

	hf_cli_say(cli, "restoring set %s (\"%s\"", set->id, database->name ? database->name : "?");
	if (database->index)
		hf_cli_say(cli, ", %" G_GUINT64_FORMAT " tables, %s rows", database->tables, rows);
	hf_cli_say(cli, ", %s stored) %s database \"%s\"\n", stored, how, target->database);
	(void)fflush(stdout);
}

static void
conclude(HfCli *cli, const HfSet *set, const HfRestoreResult *result, double duration_s)
{
	g_autofree char *tables = hf_text_count(result->tables);
	g_autofree char *rows = hf_text_count(result->rows);
	g_autofree char *duration = hf_text_duration(duration_s);
	bool is_compared = set->manifest->database->index != NULL;

	if (is_compared)
		hf_cli_say(cli, "restored in %s: %s tables, %s rows: equal to the manifest\n", duration,
			   tables, rows);
	else
		hf_cli_say(cli, "restored in %s; the set has no index, so no rows were compared\n", duration);
	hf_json_add_text(cli->reply, "set", set->id);
	hf_json_add_flag(cli->reply, "compared", is_compared);
	hf_json_add_number(cli->reply, "tables", result->tables);
	hf_json_add_number(cli->reply, "rows", result->rows);
	hf_cli_tell_duration(cli, duration_s);
}

/* The engine names the settings of a backup's database; here --to said where. */
static void
explain(GError **error)
{
	bool is_missing;

	if (!hf_error_is(*error, HF_ERROR_USAGE))
		return;
	is_missing = g_str_has_suffix((*error)->message, "does not exist: check DB_NAME");
	if (is_missing) {
		g_autofree char *old = g_strdup((*error)->message);

		old[strlen(old) - strlen(": check DB_NAME")] = 0;
		g_clear_error(error);
		hf_error_set(error, HF_ERROR_USAGE, "%s: check --to, or add --create to make it", old);
	} else {
		g_prefix_error(error, "--to: ");
	}
}

static bool
restore(HfCli *cli, HfStore *store, const HfSet *set, const HfPgTarget *target, GError **error)
{
	const HfDatabaseRecord *database = set->manifest->database;
	g_autoptr(GPtrArray) tables = database->index ? hf_catalog_read_tables(store, set->manifest, error)
						      : NULL;
	g_autofree char *hint = g_strdup_printf("holdfast cat %s globals | psql \"%s\"", set->id,
						target->conninfo);
	HfProgress progress = {.phase = "restoring", .estimated_bytes = database->archive->plain_bytes};
	HfRestoreDatabase options = {
		.target = target,
		.bin_dir = hf_settings_text(cli->settings, HF_SET_DB_BIN_DIR),
		.dump_version = database->dump_version,
		.encoding = database->encoding,
		.collate = database->collate,
		.ctype = database->ctype,
		.tables = tables,
		.globals_hint = database->globals ? hint : NULL,
		.create = given.create,
		.allow_non_empty = given.allow_non_empty,
		.bytes = &progress.bytes,
	};
	double started_s = hf_clock_monotonic_s();
	HfRestoreResult result = {0};
	bool ok;

	if (database->index && !tables)
		return false;
	say_plan(cli, set, target);
	{
		g_autoptr(HfProgressBar) bar = hf_progress_bar_start("restore", &progress);

		ok = hf_restore_database(store, database->archive, &options, &result, error);
	}
	if (ok)
		conclude(cli, set, &result, hf_clock_monotonic_s() - started_s);
	return ok;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	const char *url = given.to;
	g_autoptr(GError) cause = NULL;
	g_autoptr(HfPgTarget) target = NULL;
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfSet) set = NULL;

	if (!url)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "--to is missing: name the database to restore into, as "
				    "--to postgres://user@host:port/name");
	target = hf_database_from_url(url, error);
	if (!target) {
		g_prefix_error(error, "--to: ");
		return false;
	}
	warn_about_password(url);
	store = hf_store_open_settings(cli->settings, error);
	set = store ? hf_catalog_find(store, arguments[0], error) : NULL;
	if (!set)
		return false;
	if (set->is_damaged)
		return hf_error_set(error, HF_ERROR_CORRUPT, "set \"%s\" is damaged: %s", set->id,
				    set->trouble);
	if (!set->manifest->database)
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "set \"%s\" holds no database", set->id);
	if (!restore(cli, store, set, target, &cause)) {
		explain(&cause);
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	return true;
}

static GOptionEntry options[] = {
	{"to", 0, 0, G_OPTION_ARG_STRING, &given.to, "The database to restore into (required)", "URL"},
	{"create", 0, 0, G_OPTION_ARG_NONE, &given.create,
	 "Make the database, which must not exist; a failed restore drops it again", NULL},
	{"allow-non-empty", 0, 0, G_OPTION_ARG_NONE, &given.allow_non_empty,
	 "Restore although the database holds something", NULL},
	{0}};

const HfCommand hf_command_restore_database = {
	"restore database",
	"SET",
	1,
	1,
	"restore a set's database",
	"Restores the dump with psql, which stops at the first error, and compares the rows of every table "
	"with what "
	"was counted when the dump was made. The database must be empty, unless --allow-non-empty is given; "
	"nothing is "
	"ever dropped or emptied.\n\n"
	"URL is postgres://user@host:port/name or any libpq connection string. A password in it can be seen "
	"by other "
	"users of this host: put it into PGPASSWORD or ~/.pgpass instead.\n\n" HF_SET_HELP,
	options,
	false,
	run};
