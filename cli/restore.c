#include "config.h"

#include "backup/age/keyring.h"
#include "backup/restore/run.h"
#include "backup/store/replica.h"
#include "cli/commands.h"
#include "cli/database.h"
#include "cli/progress.h"
#include "cli/replicas.h"
#include "cli/signing.h"
#include "cli/text.h"
#include "common/error.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
	char *to, *confirm, *from;
	char **tables;
	gboolean create, swap, in_place, data_only, allow_non_empty, preflight, skip_preflight,
		ignore_signature;
	int jobs;
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

/* ---- what was asked for ---- */

static HfRestoreWay
way_of(void)
{
	if (given.create)
		return HF_RESTORE_CREATE;
	if (given.swap)
		return HF_RESTORE_SWAP;
	if (given.in_place)
		return HF_RESTORE_IN_PLACE;
	return given.tables ? HF_RESTORE_TABLES : HF_RESTORE_INTO;
}

/* What goes with which way. */
static bool
check_options(HfRestoreWay way, GError **error)
{
	const bool tables = way == HF_RESTORE_TABLES;

	if (given.data_only && !tables)
		return hf_error_set(error, HF_ERROR_USAGE, "--data-only goes with --table alone");
	if (given.confirm && way != HF_RESTORE_SWAP && way != HF_RESTORE_IN_PLACE && !tables)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "--confirm goes with --swap, --in-place or --table");
	if (given.preflight && tables)
		return hf_error_set(error, HF_ERROR_USAGE, "--preflight does not go with --table");
	if (given.jobs < 0 || given.jobs > HF_RESTORE_JOBS_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "--jobs %d: 1 to %d connections are allowed",
				    given.jobs, HF_RESTORE_JOBS_MAX);
	return true;
}

static bool
parse_way(HfRestoreWay *way_out, GError **error)
{
	if (given.create + given.swap + given.in_place + (given.tables != NULL) > 1)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "--create, --swap, --in-place and --table exclude each other");
	*way_out = way_of();
	return check_options(*way_out, error);
}

/* Into a live database goes a single table only if somebody named the database. */
static HfPgTarget *
find_own_target(const HfCli *cli, GError **error)
{
	g_autoptr(HfPgTarget) target = hf_database_from_settings(cli->settings, error);

	if (!target || !given.tables || strcmp(given.confirm, target->database) == 0)
		return g_steal_pointer(&target);
	hf_error_set(error, HF_ERROR_USAGE,
		     "--confirm \"%s\" is not the name of the database that the settings name, \"%s\"",
		     given.confirm, target->database);
	return NULL;
}

/* A live database that is replaced is the settings' own where none is named; all others must be named. */
static HfPgTarget *
find_target(const HfCli *cli, GError **error)
{
	HfPgTarget *target;

	if (!given.to && (given.swap || given.in_place || (given.tables && given.confirm)))
		return find_own_target(cli, error);
	if (!given.to) {
		hf_error_set(error, HF_ERROR_USAGE,
			     "--to is missing: name the database to restore into, as "
			     "--to postgres://user@host:port/name");
		return NULL;
	}
	target = hf_database_from_url(given.to, error);
	if (!target)
		g_prefix_error(error, "--to: ");
	else
		warn_about_password(given.to);
	return target;
}

/* ---- asking a person ---- */

/* What would be done to a live database; its name, typed, is the confirmation.  NULL where it was not typed. */
static char *
ask_for_name(const char *name)
{
	char line[256];

	if (given.swap)
		fprintf(stderr,
			"Database \"%s\" is to be replaced: its sessions are ended, and it is kept under "
			"another name.\n",
			name);
	else
		fprintf(stderr,
			"EVERYTHING in database \"%s\" is to be dropped and replaced. Nothing of it is "
			"kept.\n",
			name);
	fprintf(stderr, "Type its name to go on: ");
	(void)fflush(stderr);
	if (!fgets(line, sizeof line, stdin))
		return NULL;
	line[strcspn(line, "\r\n")] = 0;
	return g_strdup(line);
}

static bool
is_interactive(const HfCli *cli)
{
	return !cli->wants_json && !cli->is_quiet && isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

/* ---- telling ---- */

static void
say_plan(const HfCli *cli, const HfSet *set, const HfRestoreRun *run)
{
	static const char *const hows[] = {
		[HF_RESTORE_INTO] = "into the database",
		[HF_RESTORE_CREATE] = "into the new database",
		[HF_RESTORE_SWAP] = "to take the place of the database",
		[HF_RESTORE_IN_PLACE] = "over all that is in the database",
		[HF_RESTORE_TABLES] = ", single tables alone, into the database",
	};
	const HfDatabaseRecord *database = set->manifest->database;
	g_autofree char *rows = hf_text_count(database->rows);
	g_autofree char *stored = hf_text_bytes(database->archive->packed_bytes);
	const char *how = hows[run->way];

	hf_cli_say(cli, "restoring set %s (\"%s\"", set->id, database->name ? database->name : "?");
	if (database->index)
		hf_cli_say(cli, ", %" G_GUINT64_FORMAT " tables, %s rows", database->tables, rows);
	hf_cli_say(cli, ", %s stored)%s%s \"%s\"\n", stored, *how == ',' ? "" : " ", how,
		   run->target->database);
	(void)fflush(stdout);
}

static const char *
text_of(HfJson *object, const char *name)
{
	HfJson *value = json_object_object_get(object, name);

	return value ? json_object_get_string(value) : "";
}

static void
say_findings(const HfCli *cli)
{
	HfJson *findings = json_object_object_get(cli->reply, "preflight");

	for (size_t i = 0; findings && i < json_object_array_length(findings); i++) {
		HfJson *finding = json_object_array_get_idx(findings, i);
		const char *remedy = text_of(finding, "remedy");
		bool is_error = json_object_get_boolean(json_object_object_get(finding, "error"));

		hf_cli_say(cli, "%s  %s%s%s\n", is_error ? "FAIL" : "warn", text_of(finding, "what"),
			   *remedy ? ": " : "", remedy);
	}
}

static void
say_list(const HfCli *cli, const char *title, const char *name)
{
	HfJson *list = json_object_object_get(cli->reply, name);

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		hf_cli_say(cli, "%-9s %s\n", i == 0 ? title : "",
			   json_object_get_string(json_object_array_get_idx(list, i)));
}

static uint64_t
number_of(HfJson *object, const char *name)
{
	return (uint64_t)json_object_get_int64(json_object_object_get(object, name));
}

static void
conclude(const HfCli *cli, const HfRestoreRun *run)
{
	HfJson *reply = cli->reply;
	g_autofree char *tables = hf_text_count(number_of(reply, "tables"));
	g_autofree char *rows = hf_text_count(number_of(reply, "rows"));
	g_autofree char *duration = hf_text_duration(
		json_object_get_double(json_object_object_get(reply, "duration")));

	if (json_object_get_boolean(json_object_object_get(reply, "compared")))
		hf_cli_say(cli, "restored in %s: %s tables, %s rows: equal to the manifest\n", duration,
			   tables, rows);
	else
		hf_cli_say(cli, "restored in %s; the set has no index, so no rows were compared\n", duration);
	say_list(cli, "brought", "brought");
	say_list(cli, "left out", "left_out");
	if (run->way == HF_RESTORE_SWAP) {
		const char *old = text_of(reply, "old_database");
		g_auto(GStrv) parts = g_strsplit(old, "\"", -1);
		g_autofree char *quoted = g_strjoinv("\"\"", parts);

		hf_cli_say(cli, "kept      the database as it was is \"%s\" now; to be rid of it:\n", old);
		hf_cli_say(cli, "          DROP DATABASE \"%s\";\n", quoted);
	}
}

/* The engine names the settings of a backup's database; here --to said where. */
static void
explain(GError **error)
{
	static const char words[] = "does not exist: check DB_NAME";

	if (!given.to || !hf_error_is(*error, HF_ERROR_USAGE))
		return;
	if (g_str_has_suffix((*error)->message, words)) {
		g_autofree char *old = g_strdup((*error)->message);

		old[strlen(old) - strlen(": check DB_NAME")] = 0;
		g_clear_error(error);
		hf_error_set(error, HF_ERROR_USAGE, "%s: check --to, or add --create to make it", old);
	} else if (strstr((*error)->message, "DB_")) {
		g_prefix_error(error, "--to: ");
	}
}

/* ---- the command ---- */

static bool
restore(HfCli *cli, HfStore *store, const HfSet *set, HfRestoreRun *run, GError **error)
{
	HfProgress progress = {.phase = "preflight"};
	bool ok;

	if (set->manifest && set->manifest->database) {
		if (run->way != HF_RESTORE_TABLES)
			progress.estimated_bytes = set->manifest->database->archive->plain_bytes;
		say_plan(cli, set, run);
	}
	run->progress = &progress;
	{
		g_autoptr(HfProgressBar) bar = hf_progress_bar_start("restore", &progress);

		ok = hf_restore_run(run, store, set, cli->reply, error);
	}
	if (run->preflight_only) {
		say_findings(cli);
		if (ok)
			hf_cli_say(cli, "nothing stands in the way of the restore; nothing was done\n");
	} else if (ok) {
		conclude(cli, run);
	}
	return ok;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	HfRestoreRun run = {.settings = cli->settings,
			    .tables = (const char *const *)given.tables,
			    .from = given.from,
			    .data_only = given.data_only,
			    .allow_non_empty = given.allow_non_empty,
			    .preflight_only = given.preflight,
			    .skip_preflight = given.skip_preflight};
	g_autoptr(GError) cause = NULL;
	g_autoptr(HfPgTarget) target = NULL;
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfSet) set = NULL;
	g_autofree char *typed = NULL;

	if (!parse_way(&run.way, error))
		return false;
	run.jobs = (unsigned)given.jobs;
	target = find_target(cli, error);
	store = target ? hf_store_open_from(cli->settings, given.from, error) : NULL;
	if (store && given.ignore_signature)
		hf_keyring_bypass_signatures(hf_store_keyring(store));
	set = store ? hf_catalog_find(store, arguments[0], error) : NULL;
	if (!set)
		return false;
	hf_cli_warn_unsigned(store, set->is_adopted ? NULL : set->manifest);
	run.target = target;
	run.confirm = given.confirm;
	if (!run.confirm && (given.swap || given.in_place) && !given.preflight && is_interactive(cli))
		run.confirm = typed = ask_for_name(target->database);
	if (!restore(cli, store, set, &run, &cause)) {
		explain(&cause);
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	return true;
}

static GOptionEntry options[] = {
	{"to", 0, 0, G_OPTION_ARG_STRING, &given.to,
	 "The database to restore into; without it --swap and --in-place take the settings' own", "URL"},
	{"create", 0, 0, G_OPTION_ARG_NONE, &given.create,
	 "Make the database, which must not exist; a failed restore drops it again", NULL},
	{"swap", 0, 0, G_OPTION_ARG_NONE, &given.swap,
	 "Restore beside a live database and take its place; it is kept under another name", NULL},
	{"in-place", 0, 0, G_OPTION_ARG_NONE, &given.in_place,
	 "DROP all that the database holds and restore instead of it, in one transaction", NULL},
	{"confirm", 0, 0, G_OPTION_ARG_STRING, &given.confirm,
	 "The name of the database that is replaced, or that --table goes into without --to", "NAME"},
	{"table", 0, 0, G_OPTION_ARG_STRING_ARRAY, &given.tables, "Restore this table alone; may be repeated",
	 "SCHEMA.NAME"},
	{"data-only", 0, 0, G_OPTION_ARG_NONE, &given.data_only,
	 "Only the rows of --table, into a table that exists", NULL},
	{"allow-non-empty", 0, 0, G_OPTION_ARG_NONE, &given.allow_non_empty,
	 "Restore although the database, or the table, holds something", NULL},
	{"jobs", 'j', 0, G_OPTION_ARG_INT, &given.jobs,
	 "Restore over N connections (default: the number of cores, at most 8; 1: psql alone)", "N"},
	{"preflight", 0, 0, G_OPTION_ARG_NONE, &given.preflight,
	 "Say all that stands in the way of the restore, and stop", NULL},
	{"dry-run", 0, 0, G_OPTION_ARG_NONE, &given.preflight, "The same as --preflight", NULL},
	{"skip-preflight", 0, 0, G_OPTION_ARG_NONE, &given.skip_preflight,
	 "Go on whatever stands in the way, to the first error of the server", NULL},
	{"ignore-signature", 0, 0, G_OPTION_ARG_NONE, &given.ignore_signature, HF_IGNORE_SIGNATURE_HELP,
	 NULL},
	HF_FROM_OPTION(&given.from),
	{0}};

const HfCommand hf_command_restore_database = {
	"restore database",
	"SET",
	1,
	1,
	"restore a set's database",
	"Restores the dump and compares the rows of every table with what was counted when the dump was "
	"made. "
	"Before the first byte all that would stop it is named at once: missing roles, extensions, rights, "
	"room. The "
	"database must be empty, unless --allow-non-empty is given; nothing is dropped or emptied without "
	"--swap or "
	"--in-place.\n\n"
	"--swap restores into a new database beside the live one and, once its rows agree, exchanges their "
	"names in one "
	"transaction, which ends the sessions of the old one. The old one is kept as NAME_before_TIME. "
	"Whatever fails, the "
	"live database is as it was; run it again to go on.\n\n"
	"--in-place is for logins that may not create a database: one transaction drops what is there and "
	"restores. A "
	"failure leaves everything as it was; success leaves nothing of it.\n\n"
	"--table brings a table with its columns, sequences, keys and indexes where it does not exist, or "
	"its rows where it "
	"exists and is empty, and says what it left out: foreign keys, triggers, policies.\n\n"
	"URL is postgres://user@host:port/name or any libpq connection string. A password in it can be seen "
	"by other "
	"users of this host: put it into PGPASSWORD or ~/.pgpass instead.\n\n" HF_SET_HELP,
	options,
	false,
	run};
