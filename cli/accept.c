#include "config.h"

#include "backup/catalog/marks.h"
#include "backup/store/open.h"
#include "cli/commands.h"
#include "common/clock.h"
#include "common/error.h"

/* "latest" would leave out the very sets that this is for. */
static bool
run(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfSet) set = NULL;
	g_autofree char *by = g_strdup_printf("cli:%s", g_get_user_name());

	if (g_str_equal(arguments[0], "latest"))
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"\"latest\" may be another set by now: name the one that you looked at, as "
			"\"holdfast list\" prints it");
	store = hf_store_open_settings(cli->settings, error);
	set = store ? hf_catalog_find(store, arguments[0], error) : NULL;
	if (!set || !hf_catalog_accept(store, set, by, hf_clock_now_s(), error))
		return false;
	hf_cli_say(cli, "set %s is accepted: %s\n", set->id,
		   set->suspect_reason ? set->suspect_reason : "it is partial");
	hf_json_add_text(cli->reply, "set", set->id);
	hf_json_add_flag(cli->reply, "accepted", true);
	hf_json_add_bytes(cli->reply, "what", set->suspect_reason);
	return true;
}

const HfCommand hf_command_accept = {
	"accept",
	"SET",
	1,
	1,
	"say that a suspect set is good all the same",
	"A set is suspect where a table is gone, where a table or the images shrank by more than "
	"SHRINK_ALERT_PERCENT, where rows name images that it does not hold, or where a proof of it failed. "
	"Nothing is "
	"pruned while there is such a set. Look at it (\"holdfast show\", \"holdfast diff\"), then accept it "
	"or delete it.\n\n"
	"A partial set may be accepted as well. SET is a set's id, as \"holdfast list\" prints it, or a "
	"unique beginning of "
	"one.",
	NULL,
	false,
	run};
