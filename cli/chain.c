#include "config.h"

#include "backup/store/open.h"
#include "cli/commands.h"
#include "cli/signing.h"
#include "common/error.h"

static void
tell(const HfCli *cli, const HfChainCounts *counts, const GPtrArray *troubles)
{
	HfJson *list = json_object_new_array();

	for (guint i = 0; i < troubles->len; i++) {
		json_object_array_add(list, json_object_new_string(troubles->pdata[i]));
		hf_cli_say(cli, "%s\n", (const char *)troubles->pdata[i]);
	}
	hf_json_add_number(cli->reply, "sets", counts->sets);
	hf_json_add_number(cli->reply, "signed", counts->is_signed);
	hf_json_add_number(cli->reply, "deletions", counts->deletions);
	hf_json_add(cli->reply, "troubles", list);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfStore) store = hf_store_open_settings(cli->settings, error);
	g_autoptr(GPtrArray) troubles = NULL;
	HfChainCounts counts;

	(void)arguments;
	troubles = store ? hf_cli_chain_troubles(cli, store, &counts, error) : NULL;
	if (!troubles)
		return false;
	tell(cli, &counts, troubles);
	if (troubles->len > 0)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"%s\": %u of what belongs to the chain of sets is not as it was",
				    hf_store_location(store), troubles->len);
	hf_cli_say(
		cli,
		"no set was taken away or put back: %u sets, %u of them signed; %u deletions are on record\n",
		counts.sets, counts.is_signed, counts.deletions);
	return true;
}

const HfCommand hf_command_chain = {
	"chain",
	"",
	0,
	0,
	"check that no set was taken away or put back",
	"Each set names those before it, with the digest of their manifests, and what is deleted leaves a "
	"record. A set that "
	"is named and is neither there nor recorded was taken away; one that is there and that newer sets "
	"were not made "
	"after was put back. This host also remembers the newest set that it saw. Each is named, and the "
	"exit status is "
	"1.\n\n"
	"Where manifests are signed (SIGNING_KEY_FILE, SIGNING_PUBLIC_KEYS), signatures are checked, and "
	"only signed records "
	"count. Once you know why a set is missing, \"holdfast delete SET\" takes note of it.",
	NULL,
	false,
	run};
