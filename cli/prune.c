#include "config.h"

#include "backup/catalog/prune.h"
#include "backup/store/open.h"
#include "cli/commands.h"
#include "cli/history.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

static struct {
	gboolean is_dry, is_forced, has_no_runs;
} given;

static const char *const fate_words[] = {
	[HF_FATE_KEPT] = "keep",         [HF_FATE_DOOMED] = "delete", [HF_FATE_DELETED] = "deleted",
	[HF_FATE_RETAINED] = "retained", [HF_FATE_SPARED] = "spared",
};

static char *
explain(const HfPruneRow *row)
{
	const char *why = row->decision->why;

	if (row->fate == HF_FATE_RETAINED)
		return g_strdup_printf("locked %s; %s", row->lock, why);
	if (row->fate == HF_FATE_SPARED)
		return g_strdup("it was held, or deleted by somebody else, meanwhile");
	return g_strdup(why);
}

static const char *
name_of(const HfSet *set)
{
	return set->file_key ? set->file_key : set->id;
}

/* ---- for people ---- */

static void
say_rows(const HfCli *cli, const HfPrune *prune, int64_t now_s)
{
	g_autoptr(HfGrid) grid = hf_grid_new("lllrrll");
	g_autofree char *text = NULL;

	hf_grid_add(grid, (const char *const[]){"SET", "KIND", "LEVEL", "SIZE", "AGE", "", "WHY"});
	for (guint i = 0; i < prune->rows->len; i++) {
		const HfPruneRow *row = prune->rows->pdata[i];
		const HfSet *set = row->decision->set;
		g_autofree char *size = hf_text_bytes(set->bytes);
		g_autofree char *age = hf_text_age(set->started_s, now_s);
		g_autofree char *why = explain(row);

		hf_grid_add(grid, (const char *const[]){name_of(set), set->is_damaged ? "-" : set->kind,
							set->is_damaged ? "-" : hf_text_level(set->level),
							size, set->started_s > 0 ? age : "-",
							fate_words[row->fate], why});
	}
	text = hf_grid_to_text(grid);
	if (prune->rows->len > 0)
		hf_cli_say(cli, "%s", text);
}

static void
say_swept(const HfCli *cli, const HfPrune *prune, bool is_dry)
{
	const char *verb = is_dry ? "would remove" : "removed";
	const HfSweep *sweep = prune->sweep;
	g_autofree char *bytes = hf_text_bytes(sweep->bytes);
	g_autofree char *count = hf_text_count((uint64_t)sweep->keys->len + sweep->last->len);

	for (guint i = 0; i < sweep->keys->len; i++)
		hf_cli_say(cli, "%s  %s\n", verb, (const char *)sweep->keys->pdata[i]);
	for (guint i = 0; i < sweep->retained->len; i++) {
		const HfRetained *retained = sweep->retained->pdata[i];

		hf_cli_say(cli, "retained  %s, locked %s\n", retained->key, retained->lock);
	}
	hf_cli_say(cli, "%s %s objects, %s\n", verb, count, bytes);
	if (sweep->running)
		hf_cli_say(cli, "archives of images stay: the run of set %s goes on\n", sweep->running);
	if (sweep->kept_archives > 0)
		hf_cli_say(cli,
			   "%" G_GUINT64_FORMAT " objects of deleted sets stay: sets refer to them, or may\n",
			   sweep->kept_archives);
}

static void
say_unfinished(const HfCli *cli, const HfPrune *prune, bool is_dry)
{
	for (guint i = 0; i < prune->unfinished->len; i++) {
		const HfUnfinished *unfinished = prune->unfinished->pdata[i];
		g_autofree char *begun = hf_clock_rfc3339(unfinished->begun_s);

		hf_cli_say(cli, "%s  unfinished %s, begun %s\n", is_dry ? "would remove" : "removed",
			   unfinished->key, begun);
	}
	if (prune->unfinished_error)
		hf_cli_say(cli, "unfinished uploads were not looked for: %s\n", prune->unfinished_error);
}

static void
say_outcome(const HfCli *cli, const HfPrune *prune, bool is_dry)
{
	g_autofree char *upkeep = hf_prune_upkeep_to_text(&prune->upkeep);
	guint going = prune->counts[is_dry ? HF_FATE_DOOMED : HF_FATE_DELETED];

	hf_cli_say(cli, "%s %u of %u sets", is_dry ? "would delete" : "deleted", going, prune->rows->len);
	if (prune->counts[HF_FATE_RETAINED] > 0)
		hf_cli_say(cli, ", %u retained", prune->counts[HF_FATE_RETAINED]);
	hf_cli_say(cli, "\n");
	if (prune->plan->stop)
		hf_cli_say(cli, "no set is deleted: %s\n", prune->plan->stop);
	if (is_dry && prune->needs_force)
		hf_cli_say(cli, "that is more than half of all sets: it takes --force\n");
	if (upkeep)
		hf_cli_say(cli, "%s\n", upkeep);
}

/* ---- in JSON ---- */

static HfJson *
keys_to_json(const GPtrArray *keys)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < keys->len; i++)
		json_object_array_add(array, json_object_new_string(keys->pdata[i]));
	return array;
}

static void
tell_sweep(HfCli *cli, const HfSweep *sweep)
{
	HfJson *retained = json_object_new_array();

	hf_json_add(cli->reply, "removed", keys_to_json(sweep->keys));
	for (guint i = 0; i < sweep->retained->len; i++) {
		const HfRetained *one = sweep->retained->pdata[i];
		HfJson *item = json_object_new_object();

		hf_json_add_text(item, "key", one->key);
		hf_json_add_text(item, "lock", one->lock);
		json_object_array_add(retained, item);
	}
	hf_json_add(cli->reply, "retained", retained);
	hf_json_add_number(cli->reply, "bytes", sweep->bytes);
	hf_json_add_number(cli->reply, "kept", sweep->kept_archives);
	hf_json_add_text(cli->reply, "running", sweep->running);
}

static HfJson *
reasons_to_json(unsigned keep)
{
	HfJson *array = json_object_new_array();

	for (unsigned bit = 1; bit <= HF_KEEP_STOPPED; bit <<= 1)
		if (keep & bit)
			json_object_array_add(array, json_object_new_string(hf_keep_word((HfKeep)bit)));
	return array;
}

static HfJson *
row_to_json(const HfPruneRow *row)
{
	const HfSet *set = row->decision->set;
	g_autofree char *started = hf_clock_rfc3339(set->started_s);
	HfJson *object = json_object_new_object();

	hf_json_add_text(object, "set", set->id);
	hf_json_add_text(object, "file", set->file_key);
	hf_json_add_text(object, "kind", set->is_damaged ? NULL : set->kind);
	hf_json_add_number(object, "level", (uint64_t)MAX(set->level, 0));
	hf_json_add_number(object, "bytes", set->bytes);
	hf_json_add_text(object, "started", set->started_s > 0 ? started : NULL);
	hf_json_add_text(object, "fate", fate_words[row->fate]);
	hf_json_add(object, "reasons", reasons_to_json(row->decision->keep));
	hf_json_add_text(object, "why", row->decision->why);
	hf_json_add_text(object, "lock", row->lock);
	return object;
}

static HfJson *
unfinished_to_json(const GPtrArray *unfinished)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < unfinished->len; i++) {
		const HfUnfinished *one = unfinished->pdata[i];
		g_autofree char *begun = hf_clock_rfc3339(one->begun_s);
		HfJson *item = json_object_new_object();

		hf_json_add_text(item, "key", one->key);
		hf_json_add_text(item, "begun", begun);
		json_object_array_add(array, item);
	}
	return array;
}

static void
tell(HfCli *cli, const HfPrune *prune)
{
	g_autofree char *upkeep = hf_prune_upkeep_to_text(&prune->upkeep);
	HfJson *sets = json_object_new_array();

	for (guint i = 0; i < prune->rows->len; i++)
		json_object_array_add(sets, row_to_json(prune->rows->pdata[i]));
	hf_json_add(cli->reply, "sets", sets);
	hf_json_add_number(cli->reply, "doomed", prune->counts[HF_FATE_DOOMED]);
	hf_json_add_number(cli->reply, "deleted", prune->counts[HF_FATE_DELETED]);
	hf_json_add_text(cli->reply, "stopped", prune->plan->stop);
	hf_json_add_flag(cli->reply, "needs_force", prune->needs_force);
	if (prune->sweep)
		tell_sweep(cli, prune->sweep);
	hf_json_add(cli->reply, "unfinished", unfinished_to_json(prune->unfinished));
	hf_json_add_text(cli->reply, "unfinished_error", prune->unfinished_error);
	hf_json_add_text(cli->reply, "versions", upkeep);
}

static bool
run_prune(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(GPtrArray) failed = hf_cli_failed_runs(cli->settings);
	const HfPruneOptions options = {.policy = hf_prune_policy(cli->settings),
					.failed = failed,
					.now_s = hf_clock_now_s(),
					.is_dry = given.is_dry,
					.is_forced = given.is_forced,
					.has_no_runs = given.has_no_runs};
	g_autoptr(HfStore) store = hf_store_open_settings(cli->settings, error);
	g_autoptr(HfPrune) prune = store ? hf_prune(store, &options, error) : NULL;

	(void)arguments;
	if (!prune)
		return false;
	say_rows(cli, prune, options.now_s);
	if (prune->sweep)
		say_swept(cli, prune, options.is_dry);
	say_unfinished(cli, prune, options.is_dry);
	say_outcome(cli, prune, options.is_dry);
	tell(cli, prune);
	hf_json_add_flag(cli->reply, "dry_run", options.is_dry);
	if (prune->is_refused)
		return hf_error_set(
			error, HF_ERROR_CONFLICT,
			"%u of %u sets would be deleted, more than half: look at \"holdfast prune "
			"--dry-run\", then add --force",
			prune->counts[HF_FATE_DOOMED], prune->rows->len);
	if (prune->plan->stop && !prune->plan->is_off)
		cli->exit = HF_EXIT_SUSPECT;
	return true;
}

static GOptionEntry options[] = {
	{"dry-run", 0, 0, G_OPTION_ARG_NONE, &given.is_dry, "Say what would be removed, and remove nothing",
	 NULL},
	{"force", 0, 0, G_OPTION_ARG_NONE, &given.is_forced,
	 "Go on where more than half of all sets would be deleted", NULL},
	{"no-runs", 0, 0, G_OPTION_ARG_NONE, &given.has_no_runs,
	 "No run is in progress on any host: what killed ones left goes at once, not after 48 hours", NULL},
	{0}};

const HfCommand hf_command_prune = {
	"prune",
	"",
	0,
	0,
	"delete old sets, and what no set needs any more",
	"Deletes the sets that no rule keeps: BACKUP_RETENTION_DAYS, and KEEP_LAST, KEEP_DAILY, KEEP_WEEKLY, "
	"KEEP_MONTHLY and KEEP_YEARLY on top. Each set is printed with the reason. Whatever the rules say, "
	"the newest "
	"good set of the database and of the images stays, and so does the newest at the highest level of "
	"proof; "
	"\"holdfast hold\" keeps any other.\n\n"
	"No set is deleted, and the exit status is 3, where a set is damaged or suspect, where the newest "
	"set is "
	"partial, and while the last run goes on or has failed. A set that an object lock keeps is printed "
	"as "
	"retained.\n\n"
	"Then removes what is left of deleted sets, once no other set refers to it, and of runs and uploads "
	"that were "
	"killed more than 48 hours ago. While a run goes on, archives of images stay. Files of other "
	"programs are never "
	"touched.",
	options,
	false,
	run_prune};
