#include "config.h"

#include "backup/store/replica.h"
#include "backup/verify/drill.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/proof.h"
#include "cli/replicas.h"
#include "cli/text.h"
#include "common/error.h"

#include <openssl/crypto.h>
#include <string.h>

static struct {
	char *from;
} given;

/* As awscli's credentials file; NULL where aws has to find them by itself, as we do. */
static bool
aws_credentials(const HfStoreAccess *access, HfSecret **credentials_out, GError **error)
{
	const char *key = access->access_key;
	const HfSecret *secret = access->secret_key;
	const HfSecret *token = access->session_token;
	char text[2 * HF_SECRET_BYTES_MAX + 1024];
	int len;

	*credentials_out = NULL;
	if (!key || !secret)
		return true;
	len = g_snprintf(text, sizeof text,
			 "[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n%s%s%s", key,
			 hf_secret_bytes(secret), token ? "aws_session_token=" : "",
			 token ? hf_secret_bytes(token) : "", token ? "\n" : "");
	*credentials_out = hf_secret_new(text, MIN((size_t)len, sizeof text - 1), "AWS_SESSION_TOKEN", error);
	OPENSSL_cleanse(text, sizeof text);
	return *credentials_out != NULL;
}

/* NULL where the identity is not in a file, which stock tools want. */
static char *
identity_path(const HfSettings *settings)
{
	const char *file = hf_settings_secret_file(settings, HF_SET_BACKUP_IDENTITY);

	return file ? g_canonicalize_filename(file, NULL) : NULL;
}

/* Absolute: aws runs in another folder. */
static char *
role_token_path(const HfSettings *settings)
{
	const char *file = hf_settings_text(settings, HF_SET_AWS_WEB_IDENTITY_TOKEN_FILE);

	return file ? g_canonicalize_filename(file, NULL) : NULL;
}

static bool
drill(HfCli *cli, HfStore *store, const HfSet *set, HfProof **proof_out, GError **error)
{
	HfProgress progress = {.phase = "scratch server"};
	const HfStoreAccess access = hf_store_access(cli->settings, given.from);
	HfDrillOptions options = {
		.bin_dir = hf_settings_text(cli->settings, HF_SET_DB_BIN_DIR),
		.scratch_dir = hf_settings_text(cli->settings, HF_SET_SCRATCH_DIR),
		.scratch_user = hf_settings_text(cli->settings, HF_SET_SCRATCH_USER),
		.aws_region = access.region,
		.aws_ca_bundle = access.ca_file,
		.role_arn = hf_settings_text(cli->settings, HF_SET_AWS_ROLE_ARN),
		.role_session = hf_settings_text(cli->settings, HF_SET_AWS_ROLE_SESSION_NAME),
		.sts_url = hf_settings_text(cli->settings, HF_SET_AWS_ENDPOINT_URL_STS),
		.progress = &progress,
	};
	g_autofree char *identity_file = identity_path(cli->settings);
	g_autofree char *role_token_file = role_token_path(cli->settings);
	g_autoptr(HfSecret) credentials = NULL;
	g_autoptr(HfProgressBar) bar = NULL;

	if (!aws_credentials(&access, &credentials, error))
		return false;
	options.aws_credentials = credentials;
	options.identity_file = identity_file;
	options.role_token_file = role_token_file;
	bar = hf_progress_bar_start("drill", &progress);
	return hf_drill(store, set, &options, proof_out, error);
}

static void
conclude(HfCli *cli, const HfSet *set, const HfProof *proof)
{
	g_autofree char *recover = hf_text_duration(proof->recover_s);
	g_autofree char *duration = hf_text_duration(proof->duration_s);
	g_autofree char *tables = hf_text_count(proof->tables);
	g_autofree char *rows = hf_text_count(proof->rows);
	g_autofree char *objects = hf_text_count(proof->objects);

	if (proof->level == 4)
		hf_cli_say(cli,
			   "set %s came back by its RESTORE.txt in %s, and is equal (all of it took %s)\n",
			   set->id, recover, duration);
	else
		hf_cli_say(cli,
			   "set %s was not wholly drilled; all of it was read back and is as it was stored\n",
			   set->id);
	if (proof->tables > 0)
		hf_cli_say(cli, "database  PostgreSQL %s: %s tables with %s rows are equal\n",
			   proof->server_version, tables, rows);
	if (proof->objects > 0)
		hf_cli_say(cli, "images    the SHA-256 of %s files agree\n", objects);
	hf_cli_say_proof(cli, proof);
	if (proof->level < 4)
		cli->exit = HF_EXIT_SUSPECT;
}

static void
tell(HfCli *cli, const HfSet *set, const HfProof *proof)
{
	hf_json_add_text(cli->reply, "set", set->id);
	hf_json_add_number(cli->reply, "level", (uint64_t)proof->level);
	hf_json_add(cli->reply, "verification", hf_cli_proof_json(proof));
	hf_cli_tell_duration(cli, proof->duration_s);
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	g_autoptr(HfStore) store = hf_store_open_from(cli->settings, given.from, error);
	g_autoptr(HfSet) set = NULL;
	g_autoptr(HfProof) proof = NULL;
	bool is_good;

	set = store ? hf_catalog_find(store, arguments[0] ? arguments[0] : "latest", error) : NULL;
	if (!set)
		return false;
	is_good = drill(cli, store, set, &proof, error);
	if (proof)
		tell(cli, set, proof);
	if (is_good) {
		conclude(cli, set, proof);
		return true;
	}
	if (proof)
		hf_cli_say_proof(cli, proof);
	g_prefix_error(error, "set \"%s\": ", set->id);
	return false;
}

static GOptionEntry options[] = {HF_FROM_OPTION(&given.from), {0}};

const HfCommand hf_command_drill = {"drill",
				    "[SET]",
				    0,
				    1,
				    "restore a set by its RESTORE.txt and stock tools alone",
				    "Takes the newest good set, or SET, and runs the commands of its "
				    "RESTORE.txt, as they are, in an empty folder "
				    "and against a scratch cluster, both in SCRATCH_DIR. PATH holds links to "
				    "the tools that the text names (psql, "
				    "gunzip, tar, sha256sum, aws for a bucket) and nothing else. Then every "
				    "table is compared with the original's "
				    "digest and every image with its SHA-256, and the time that the commands "
				    "took is said: the time to recover.\n\n"
				    "What this host lacks for it is named; the rest is drilled, all of the "
				    "set is read back, and the exit status "
				    "is 3. A drill of the whole set is recorded as level 4.\n\n" HF_SET_HELP,
				    options,
				    false,
				    run};
