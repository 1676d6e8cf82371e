#include "config.h"

#include "backup/verify/verify.h"
#include "backup/store/open.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

static struct {
	int level;
} given = {.level = 2};

#define LEVEL_MAX 2

/* Images are read twice at level 2: as they are stored, and one by one. */
static uint64_t
estimate(const HfManifest *manifest)
{
	uint64_t bytes = manifest->database ? manifest->database->archive->plain_bytes : 0;

	for (guint i = 0; manifest->images && i < manifest->images->archives->len; i++)
		bytes += ((HfImageArchive *)manifest->images->archives->pdata[i])->archive->plain_bytes;
	return bytes + (manifest->images ? manifest->images->bytes : 0);
}

static bool
prove(HfStore *store, const HfSet *set, int level, GError **error)
{
	HfProgress progress = {.phase = "reading"};
	g_autoptr(HfProgressBar) bar = NULL;

	if (set->manifest && level > 1)
		progress.estimated_bytes = estimate(set->manifest);
	bar = hf_progress_bar_start("verify", &progress);
	return hf_verify(store, set, level, &progress, error);
}

static void
conclude(HfCli *cli, const HfSet *set, int level, double duration_s)
{
	g_autofree char *duration = hf_text_duration(duration_s);

	hf_cli_say(cli, "set %s is good: level %d %s, proved in %s\n", set->id, level, hf_text_level(level),
		   duration);
	hf_json_add_text(cli->reply, "set", set->id);
	hf_json_add_number(cli->reply, "level", (uint64_t)level);
	hf_json_add_text(cli->reply, "proof", hf_text_level(level));
	hf_cli_tell_duration(cli, duration_s);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	int level = given.level;
	double started_s = hf_clock_monotonic_s();
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfSet) set = NULL;

	if (level < 1 || level > LEVEL_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "--level %d: 1 or %d is wanted", level, LEVEL_MAX);
	store = hf_store_open_settings(cli->settings, error);
	set = store ? hf_catalog_find(store, arguments[0], error) : NULL;
	if (!set)
		return false;
	if (set->is_damaged)
		return hf_error_set(error, HF_ERROR_CORRUPT, "set \"%s\" is damaged: %s", set->id,
				    set->trouble);
	if (!prove(store, set, level, error)) {
		g_prefix_error(error, "set \"%s\": ", set->id);
		return false;
	}
	conclude(cli, set, level, hf_clock_monotonic_s() - started_s);
	return true;
}

static GOptionEntry options[] = {{"level", 0, 0, G_OPTION_ARG_INT, &given.level,
				  "1: what was stored is there, in full size; 2 (default): it was read", "N"},
				 {0}};

const HfCommand hf_command_verify = {
	"verify",
	"SET",
	1,
	1,
	"prove that a set is what it was",
	"Level 1 asks the store whether every object is there in full size. Level 2 reads them back, "
	"compares every "
	"SHA-256, unpacks, parses the dump to its closing line, and compares tables, rows and row digests "
	"with the "
	"index; of images, all archives that the set refers to, the index, and every image's own SHA-256; "
	"whatever is damaged "
	"is named. A level that was reached is recorded in the store.\n\n" HF_SET_HELP,
	options,
	false,
	run};
