#include "config.h"

#include "backup/store/replica.h"
#include "backup/verify/prove-settings.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/proof.h"
#include "cli/replicas.h"
#include "cli/text.h"
#include "common/error.h"

static struct {
	int level;
	char *from;
} given = {.level = 2};

bool
hf_cli_prove(HfCli *cli, HfStore *store, const HfSet *set, int level, HfProof **proof_out, GError **error)
{
	HfProgress progress = {.phase = "reading"};
	HfProveOptions options = {.level = level, .from = given.from, .progress = &progress};
	g_autoptr(HfPgTarget) server = NULL;
	g_autoptr(HfProgressBar) bar = NULL;

	*proof_out = NULL;
	if (!hf_prove_settings(cli->settings, &options, &server, error))
		return false;
	if (set->manifest)
		progress.estimated_bytes = hf_prove_estimate(set->manifest, level);
	bar = hf_progress_bar_start("verify", &progress);
	return hf_prove(store, set, &options, proof_out, error);
}

static void
say_counts(const HfCli *cli, const HfProof *proof)
{
	g_autofree char *tables = hf_text_count(proof->tables);
	g_autofree char *rows = hf_text_count(proof->rows);
	g_autofree char *objects = hf_text_count(proof->objects);
	g_autofree char *recover = hf_text_duration(proof->recover_s);

	if (proof->level >= 3 && proof->tables > 0)
		hf_cli_say(cli, "database  restored into PostgreSQL %s in %s: %s tables with %s rows %s\n",
			   proof->server_version, recover, tables, rows,
			   proof->level == 4 ? "have the original's digests" : "were counted");
	if (proof->level >= 2 && proof->objects > 0)
		hf_cli_say(cli, "images    the SHA-256 of %s of them agree\n", objects);
}

void
hf_cli_conclude_proof(HfCli *cli, const HfSet *set, int wanted, const HfProof *proof)
{
	g_autofree char *duration = hf_text_duration(proof->duration_s);

	if (proof->level >= wanted) {
		hf_cli_say(cli, "set %s is good: level %d %s, proved in %s\n", set->id, proof->level,
			   hf_text_level(proof->level), duration);
	} else {
		hf_cli_say(cli, "set %s: level %d %s was proved in %s, level %d was not\n", set->id,
			   proof->level, hf_text_level(proof->level), duration, wanted);
		cli->exit = HF_EXIT_SUSPECT;
	}
	say_counts(cli, proof);
	hf_cli_say_proof(cli, proof);
}

/* The members that there were before there was more to say stay where they were. */
static void
tell_level(HfCli *cli, int wanted, const HfProof *proof)
{
	hf_json_add_number(cli->reply, "level", (uint64_t)proof->level);
	hf_json_add_text(cli->reply, "proof", hf_text_level(proof->level));
	hf_json_add_number(cli->reply, "wanted", (uint64_t)wanted);
	hf_json_add(cli->reply, "verification", hf_cli_proof_json(proof));
}

/* A set is good or not whatever the proof comes to; what came of it is the exit status. */
void
hf_cli_prove_after(HfCli *cli, HfStore *store, const char *id, int asked)
{
	int level = asked >= 0 ? asked : (int)hf_settings_number(cli->settings, HF_SET_VERIFY_AFTER_BACKUP);
	HfExit exit_before = cli->exit;
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfSet) set = NULL;
	g_autoptr(HfProof) proof = NULL;
	bool is_good;

	if (level == 0)
		return;
	set = hf_catalog_find(store, id, &trouble);
	is_good = set && hf_cli_prove(cli, store, set, level, &proof, &trouble);
	if (proof)
		tell_level(cli, level, proof);
	if (is_good) {
		hf_cli_conclude_proof(cli, set, level, proof);
		/* As far as this host can is what was asked for. */
		if (asked >= 0)
			cli->exit = exit_before;
		return;
	}
	g_warning("set %s is stored, but could not be proved to be of level %d: %s", id, level,
		  trouble->message);
	hf_json_add_text(cli->reply, "verification_error", trouble->message);
	cli->exit = HF_EXIT_SUSPECT;
	if (proof)
		hf_cli_say_proof(cli, proof);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	int level = given.level;
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfSet) set = NULL;
	g_autoptr(HfProof) proof = NULL;
	bool is_good;

	if (level < 1 || level > 4)
		return hf_error_set(error, HF_ERROR_USAGE, "--level %d: 1 to 4 is wanted", level);
	store = hf_store_open_from(cli->settings, given.from, error);
	set = store ? hf_catalog_find(store, arguments[0], error) : NULL;
	if (!set)
		return false;
	if (set->is_damaged)
		return hf_error_set(error, HF_ERROR_CORRUPT, "set \"%s\" is damaged: %s", set->id,
				    set->trouble);
	is_good = hf_cli_prove(cli, store, set, level, &proof, error);
	hf_json_add_text(cli->reply, "set", set->id);
	if (proof) {
		tell_level(cli, level, proof);
		hf_cli_tell_duration(cli, proof->duration_s);
	}
	if (is_good) {
		hf_cli_conclude_proof(cli, set, level, proof);
		return true;
	}
	if (proof)
		hf_cli_say_proof(cli, proof);
	g_prefix_error(error, "set \"%s\": ", set->id);
	return false;
}

static GOptionEntry options[] = {
	{"level", 0, 0, G_OPTION_ARG_INT, &given.level,
	 "1: it is there, in full size; 2 (default): it was read; 3: it was restored; 4: that is equal", "N"},
	HF_FROM_OPTION(&given.from),
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
	"is named.\n\n"
	"Level 3 restores the roles and the dump into a scratch cluster, which is made in SCRATCH_DIR and "
	"removed again (or into a scratch database on the server of VERIFY_DATABASE_URL), and counts every "
	"table's "
	"rows. Level 4 dumps that database again and compares every table with the original's digest.\n\n"
	"The level that was reached is recorded in the store, and so is a proof that failed: the set is "
	"suspect "
	"then, and nothing is pruned. The exit status is 3 where a lower level was reached for a reason that "
	"is "
	"not the set's: no server program, no space, an extension that is not installed.\n\n" HF_SET_HELP,
	options,
	false,
	run};
