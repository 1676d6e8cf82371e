#include "config.h"

#include "backup/store/open.h"
#include "backup/store/replica.h"
#include "cli/commands.h"
#include "cli/replicas.h"
#include "common/cancel.h"
#include "common/error.h"

static struct {
	char *replica;
	gboolean is_dry;
} given;

static bool
check_any(const HfSettings *settings, GError **error)
{
	for (unsigned number = 1; number <= HF_REPLICAS_MAX; number++)
		if (hf_settings_has_replica(settings, number))
			return true;
	return hf_error_set(error, HF_ERROR_USAGE,
			    "there is no replica: set REPLICA_1_BUCKET or REPLICA_1_DIR to its place");
}

/* Some are level: 3.  None is: the run has failed. */
static bool
conclude(HfCli *cli, const HfReplicated *done, GError **error)
{
	if (!hf_cancel_check(error))
		return false;
	if (done->behind == 0)
		return true;
	if (done->level > 0 || given.is_dry) {
		cli->exit = HF_EXIT_SUSPECT;
		return true;
	}
	g_propagate_error(error, g_error_copy(done->trouble));
	return false;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	HfReplicateWish wish = {.is_dry = given.is_dry};
	g_auto(HfReplicated) done = {0};
	g_autoptr(HfStore) store = NULL;

	(void)arguments;
	if (!check_any(cli->settings, error) ||
	    (given.replica && !hf_replica_parse(cli->settings, given.replica, &wish.only, error)))
		return false;
	store = hf_store_open_settings(cli->settings, error);
	if (!store || !hf_cli_replicate(cli, store, &wish, &done, error))
		return false;
	return conclude(cli, &done, error);
}

static GOptionEntry options[] = {
	{"replica", 0, 0, G_OPTION_ARG_STRING, &given.replica, "This one alone: 1 to 4", "N"},
	{"dry-run", 0, 0, G_OPTION_ARG_NONE, &given.is_dry, "Say what would be copied, and write nothing",
	 NULL},
	{0}};

const HfCommand hf_command_replicate = {
	"replicate",
	"",
	0,
	0,
	"bring the replicas level with the store",
	"Copies what the replicas (REPLICA_1_BUCKET or REPLICA_1_DIR, and so on) lack, the newest set first "
	"and "
	"each one's manifest last, and mends what was damaged there. Every backup does the same at its end; "
	"this catches up when a replica was down, and fills a new one. What was copied is not copied "
	"again.\n\n"
	"What passes through this host is compared with the SHA-256 that the manifest gives. Between two "
	"buckets of one server and one key the server copies by itself, and the size is compared; \"holdfast "
	"verify --from replica-1\" reads everything back.\n\n"
	"Then sets that are older than REPLICA_1_RETENTION_DAYS are deleted there, by the rules of "
	"\"holdfast "
	"prune\". Nothing is ever deleted in the store, or copied from a replica. The exit status is 3 where "
	"one "
	"replica of several is behind, or where a dry run finds something to copy.",
	options,
	false,
	run};
