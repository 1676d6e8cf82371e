/* hold and release: sets that nothing deletes. */
#include "config.h"

#include "backup/catalog/hold.h"
#include "backup/store/open.h"
#include "cli/commands.h"
#include "common/clock.h"

static struct {
	char *reason;
} given;

static bool
run_hold(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfStore) store = hf_store_open_settings(cli->settings, error);
	g_autoptr(HfSet) set = store ? hf_catalog_find(store, arguments[0], error) : NULL;

	if (!set || !hf_hold_set(store, set, given.reason, hf_clock_now_s(), error))
		return false;
	g_message("set %s is held%s%s", set->id, given.reason ? ": " : "", given.reason ? given.reason : "");
	hf_cli_say(cli, "set %s is held: nothing deletes it until \"holdfast release %s\"\n", set->id,
		   set->id);
	hf_json_add_text(cli->reply, "set", set->id);
	hf_json_add_flag(cli->reply, "held", true);
	hf_json_add_bytes(cli->reply, "reason", given.reason);
	return true;
}

static bool
run_release(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfStore) store = hf_store_open_settings(cli->settings, error);
	g_autoptr(HfSet) set = store ? hf_catalog_find(store, arguments[0], error) : NULL;

	if (!set || !hf_hold_release(store, set, error))
		return false;
	g_message("set %s is released", set->id);
	hf_cli_say(cli, "set %s is held no more\n", set->id);
	hf_json_add_text(cli->reply, "set", set->id);
	hf_json_add_flag(cli->reply, "held", false);
	return true;
}

static GOptionEntry options[] = {{"reason", 0, 0, G_OPTION_ARG_STRING, &given.reason,
				  "Why it is kept, for those who see it later", "TEXT"},
				 {0}};

const HfCommand hf_command_hold = {
	"hold",
	"SET",
	1,
	1,
	"keep a set until it is released",
	"A set that is held is deleted by nothing: not by \"prune\", however old it gets, and not "
	"by \"delete\", with --force or without. Held again, it gets the new reason. " HF_SET_HELP,
	options,
	false,
	run_hold};

const HfCommand hf_command_release = {"release",
				      "SET",
				      1,
				      1,
				      "let go of a set that is held",
				      "From then on \"prune\" deletes the set when its time has come, and "
				      "\"delete\" when it is asked to. " HF_SET_HELP,
				      NULL,
				      false,
				      run_release};
