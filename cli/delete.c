#include "config.h"

#include "backup/catalog/names.h"
#include "backup/catalog/prune.h"
#include "backup/store/open.h"
#include "cli/commands.h"
#include "cli/signing.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

static struct {
	gboolean is_forced;
} given;

static void
say_sweep(const HfCli *cli, const HfSweep *sweep)
{
	g_autofree char *bytes = hf_text_bytes(sweep->bytes);
	g_autofree char *count = hf_text_count((uint64_t)sweep->keys->len + sweep->last->len);

	for (guint i = 0; i < sweep->keys->len; i++)
		hf_cli_say(cli, "removed  %s\n", (const char *)sweep->keys->pdata[i]);
	for (guint i = 0; i < sweep->retained->len; i++) {
		const HfRetained *retained = sweep->retained->pdata[i];

		hf_cli_say(cli, "retained  %s, locked %s\n", retained->key, retained->lock);
	}
	hf_cli_say(cli, "removed %s objects, %s\n", count, bytes);
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

/* Whether the bytes are gone. */
static bool
say_versions(const HfCli *cli, HfStore *store, GError **error)
{
	g_autofree char *text = NULL;
	HfUpkeep upkeep;

	if (!hf_store_upkeep(store, &upkeep, error))
		return false;
	text = hf_prune_upkeep_to_text(&upkeep);
	if (text)
		hf_cli_say(cli, "%s\n", text);
	hf_json_add_text(cli->reply, "versions", text);
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

/* A set that is not there may be one that was taken away: then what is wanted is to be done with it. */
static bool
take_note(HfCli *cli, HfStore *store, const char *id, GError **trouble, GError **error)
{
	g_autoptr(GError) cause = NULL;

	if (hf_error_is(*trouble, HF_ERROR_NOT_FOUND) && hf_cli_acknowledge(cli, store, id, &cause)) {
		hf_cli_say(cli, "set %s was gone already: noted\n", id);
		hf_json_add_text(cli->reply, "set", id);
		hf_json_add_flag(cli->reply, "was_gone", true);
		return true;
	}
	if (cause && !hf_error_is(cause, HF_ERROR_NOT_FOUND))
		g_propagate_error(error, g_steal_pointer(&cause));
	else
		g_propagate_error(error, g_steal_pointer(trouble));
	return false;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	const char *id = arguments[0];
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfSweep) sweep = NULL;
	g_autoptr(GError) trouble = NULL;

	if (!check_id(id, error))
		return false;
	store = hf_store_open_settings(cli->settings, error);
	if (!store)
		return false;
	if (!hf_set_delete(store, id, given.is_forced, &sweep, &trouble))
		return take_note(cli, store, id, &trouble, error);
	hf_cli_say(cli, "deleted set %s\n", id);
	say_sweep(cli, sweep);
	hf_json_add_text(cli->reply, "set", id);
	tell_sweep(cli, sweep);
	return say_versions(cli, store, error);
}

static GOptionEntry options[] = {{"force", 0, 0, G_OPTION_ARG_NONE, &given.is_forced,
				  "Delete it although it is the only good set", NULL},
				 {0}};

const HfCommand hf_command_delete = {
	"delete",
	"SET",
	1,
	1,
	"delete a set",
	"Removes the set and its objects. Archives of images that newer sets refer to stay, and go with the "
	"last of those sets, by \"holdfast prune\". The only good set of a database or of images is refused, "
	"unless "
	"--force is given; a set that is held is refused in any case. SET is a set's whole id.",
	options,
	false,
	run};
