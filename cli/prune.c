#include "config.h"

#include "backup/catalog/names.h"
#include "backup/catalog/sweep.h"
#include "backup/store/open.h"
#include "cli/commands.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

static struct {
	gboolean is_forced;
} delete_given;

static struct {
	gboolean is_dry;
} prune_given;

static void
say_sweep(const HfCli *cli, const HfSweep *sweep, const char *verb)
{
	g_autofree char *bytes = hf_text_bytes(sweep->bytes);
	g_autofree char *count = hf_text_count((uint64_t)sweep->keys->len + sweep->last->len);

	for (guint i = 0; i < sweep->keys->len; i++)
		hf_cli_say(cli, "%s  %s\n", verb, (const char *)sweep->keys->pdata[i]);
	hf_cli_say(cli, "%s %s objects, %s\n", verb, count, bytes);
	if (sweep->running)
		hf_cli_say(cli, "archives of images stay: the run of set %s goes on\n", sweep->running);
	if (sweep->kept_archives > 0)
		hf_cli_say(cli, "%" G_GUINT64_FORMAT " objects of deleted sets stay\n", sweep->kept_archives);
}

static void
tell_sweep(HfCli *cli, const HfSweep *sweep)
{
	HfJson *keys = json_object_new_array();

	for (guint i = 0; i < sweep->keys->len; i++)
		json_object_array_add(keys, json_object_new_string(sweep->keys->pdata[i]));
	hf_json_add(cli->reply, "removed", keys);
	hf_json_add_number(cli->reply, "bytes", sweep->bytes);
	hf_json_add_number(cli->reply, "kept", sweep->kept_archives);
	hf_json_add_text(cli->reply, "running", sweep->running);
}

static bool
run_prune(HfCli *cli, char **arguments, GError **error)
{
	bool is_dry = prune_given.is_dry;
	g_autoptr(HfStore) store = hf_store_open_settings(cli->settings, error);
	g_autoptr(HfSweep) sweep = store ? hf_sweep_plan(store, NULL, hf_clock_now_s(), error) : NULL;

	(void)arguments;
	if (!sweep || (!is_dry && !hf_sweep_run(store, sweep, error)))
		return false;
	say_sweep(cli, sweep, is_dry ? "would remove" : "removed");
	tell_sweep(cli, sweep);
	hf_json_add_flag(cli->reply, "dry_run", is_dry);
	return true;
}

/* A whole id: nobody should delete a set by the beginning of a name. */
static bool
check_id(const char *id, GError **error)
{
	int64_t time_s;

	return (strlen(id) == HF_SET_ID_LEN && hf_clock_parse_set_id(id, &time_s)) ||
	       hf_error_set(error, HF_ERROR_USAGE,
			    "\"%s\" is not the whole id of a set: see \"holdfast list\"", id);
}

static bool
run_delete(HfCli *cli, char **arguments, GError **error)
{
	const char *id = arguments[0];
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfSweep) sweep = NULL;

	if (!check_id(id, error))
		return false;
	store = hf_store_open_settings(cli->settings, error);
	if (!store || !hf_set_delete(store, id, delete_given.is_forced, &sweep, error))
		return false;
	hf_cli_say(cli, "deleted set %s\n", id);
	say_sweep(cli, sweep, "removed");
	hf_json_add_text(cli->reply, "set", id);
	tell_sweep(cli, sweep);
	return true;
}

static GOptionEntry delete_options[] = {{"force", 0, 0, G_OPTION_ARG_NONE, &delete_given.is_forced,
					 "Delete it although it is the only good set", NULL},
					{0}};

const HfCommand hf_command_delete = {
	"delete",
	"SET",
	1,
	1,
	"delete a set",
	"Removes the set and its objects. Archives of images that newer sets refer to stay, and go with the "
	"last of those "
	"sets, by \"holdfast prune\". The only good set of a database or of images is refused, unless "
	"--force is "
	"given. SET is a set's whole id.",
	delete_options,
	false,
	run_delete};

static GOptionEntry prune_options[] = {{"dry-run", 0, 0, G_OPTION_ARG_NONE, &prune_given.is_dry,
					"Say what would be removed, and remove nothing", NULL},
				       {0}};

const HfCommand hf_command_prune = {
	"prune",
	"",
	0,
	0,
	"remove what no set needs any more",
	"Reads all manifests, counts which archives they refer to, and removes what is left over of deleted "
	"sets, and of runs that were killed more than two days ago. While a run goes on, archives of images "
	"stay. Files of other programs are never touched.",
	prune_options,
	false,
	run_prune};
