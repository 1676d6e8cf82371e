#include "config.h"

#include "backup/age/keyring.h"
#include "backup/restore/images.h"
#include "backup/store/open.h"
#include "backup/store/replica.h"
#include "cli/commands.h"
#include "cli/images.h"
#include "cli/progress.h"
#include "cli/replicas.h"
#include "cli/signing.h"
#include "cli/text.h"
#include "common/clock.h"
#include "common/error.h"

#include <stdio.h>

static struct {
	char *to, *only, *from;
	gboolean missing_only, overwrite, mirror, ignore_signature;
} given;

static bool
parse_mode(HfRestoreMode *mode_out, GError **error)
{
	bool missing = given.missing_only, overwrite = given.overwrite, mirror = given.mirror;

	if (missing + overwrite + mirror > 1)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "--missing-only, --overwrite and --mirror exclude each other");
	*mode_out = missing     ? HF_RESTORE_MISSING
		    : overwrite ? HF_RESTORE_OVERWRITE
		    : mirror    ? HF_RESTORE_MIRROR
				: HF_RESTORE_CAREFULLY;
	return true;
}

static void
say_plan(const HfCli *cli, const HfManifest *manifest, const HfStore *target)
{
	g_autofree char *objects = hf_text_count(manifest->images->objects);
	g_autofree char *bytes = hf_text_bytes(manifest->images->bytes);
	const char *only = given.only;

	hf_cli_say(cli, "restoring set %s (%s images, %s)%s%s to %s\n", manifest->id, objects, bytes,
		   only ? ", only " : "", only ? only : "", hf_store_location(target));
	(void)fflush(stdout);
}

static void
conclude(HfCli *cli, const HfManifest *manifest, const HfRestoredImages *result, double duration_s)
{
	g_autofree char *restored = hf_text_count(result->restored);
	g_autofree char *bytes = hf_text_bytes(result->restored_bytes);
	g_autofree char *kept = hf_text_count(result->kept);
	g_autofree char *removed = hf_text_count(result->removed);
	g_autofree char *duration = hf_text_duration(duration_s);
	HfJson *troubles = json_object_new_array();

	hf_cli_say(cli, "restored  %s images, %s, in %s; %s left as they were, %s removed\n", restored, bytes,
		   duration, kept, removed);
	if (result->absent > 0)
		hf_cli_say(cli, "absent    %" G_GUINT64_FORMAT " could not be read when the set was made\n",
			   result->absent);
	hf_json_add_text(cli->reply, "set", manifest->id);
	hf_json_add_number(cli->reply, "restored", result->restored);
	hf_json_add_number(cli->reply, "restored_bytes", result->restored_bytes);
	hf_json_add_number(cli->reply, "kept", result->kept);
	hf_json_add_number(cli->reply, "removed", result->removed);
	hf_json_add_number(cli->reply, "failed", result->failed);
	hf_json_add_number(cli->reply, "absent", result->absent);
	for (guint i = 0; i < result->troubles->len; i++)
		json_object_array_add(troubles,
				      json_object_new_string(g_ptr_array_index(result->troubles, i)));
	hf_json_add(cli->reply, "troubles", troubles);
	hf_cli_tell_duration(cli, duration_s);
	if (result->absent > 0)
		cli->exit = HF_EXIT_SUSPECT;
}

static bool
restore(HfCli *cli, HfStore *store, const HfManifest *manifest, HfRestoreImages *options, GError **error)
{
	HfProgress progress = {.phase = "comparing"};
	g_auto(HfRestoredImages) result = {0};
	double started_s = hf_clock_monotonic_s();
	bool ok;

	if (!options->only) {
		progress.estimated_bytes = manifest->images->bytes;
		progress.estimated_objects = manifest->images->objects;
	}
	options->progress = &progress;
	say_plan(cli, manifest, options->target);
	{
		g_autoptr(HfProgressBar) bar = hf_progress_bar_start("restore", &progress);

		ok = hf_images_restore(store, manifest, options, &result, error);
	}
	/* A refusal wrote nothing; all else is told also where it failed. */
	if (ok || result.restored > 0 || result.failed > 0)
		conclude(cli, manifest, &result, hf_clock_monotonic_s() - started_s);
	return ok;
}

static bool
run(HfCli *cli, char **arguments, GError **error)
{
	const char *to = given.to;
	g_autofree char *skip_prefix = NULL;
	g_autofree char *skip_again = NULL;
	g_autoptr(HfStore) target = NULL;
	g_autoptr(HfStore) listed = NULL;
	g_autoptr(HfStore) store = NULL;
	g_autoptr(HfManifest) manifest = NULL;
	HfRestoreImages options = {.only = given.only};

	if (!to)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"--to is missing: name the place to restore to, as --to s3://bucket/prefix or "
			"--to /a/folder");
	if (!parse_mode(&options.mode, error))
		return false;
	target = hf_images_open_place(cli->settings, to, &skip_prefix, error);
	listed = target ? hf_images_open_place(cli->settings, to, &skip_again, error) : NULL;
	if (!listed) {
		g_prefix_error(error, "--to: ");
		return false;
	}
	store = hf_store_open_from(cli->settings, given.from, error);
	if (store && given.ignore_signature)
		hf_keyring_bypass_signatures(hf_store_keyring(store));
	manifest = store ? hf_cli_find_images(store, arguments[0], error) : NULL;
	if (!manifest)
		return false;
	hf_cli_warn_unsigned(store, manifest);
	options.target = target;
	options.listed = listed;
	options.skip_prefix = skip_prefix;
	return restore(cli, store, manifest, &options, error);
}

static GOptionEntry options[] = {
	{"to", 0, 0, G_OPTION_ARG_STRING, &given.to,
	 "The place to restore to: s3://bucket/prefix, or a path (required)", "STORE"},
	{"only", 0, 0, G_OPTION_ARG_STRING, &given.only,
	 "Restore only the images whose keys match; nothing else is touched", "GLOB"},
	{"missing-only", 0, 0, G_OPTION_ARG_NONE, &given.missing_only,
	 "Restore only what is not there, and leave alone what is", NULL},
	{"overwrite", 0, 0, G_OPTION_ARG_NONE, &given.overwrite,
	 "Replace what differs; what the set does not have stays", NULL},
	{"mirror", 0, 0, G_OPTION_ARG_NONE, &given.mirror,
	 "Replace what differs, and REMOVE what the set does not have", NULL},
	{"ignore-signature", 0, 0, G_OPTION_ARG_NONE, &given.ignore_signature, HF_IGNORE_SIGNATURE_HELP,
	 NULL},
	HF_FROM_OPTION(&given.from),
	{0}};

const HfCommand hf_command_restore_images = {
	"restore images",
	"SET",
	1,
	1,
	"restore a set's images into a bucket or a folder",
	"Stores the set's images with their metadata. Each one's SHA-256 is compared before it is stored: a "
	"damaged one "
	"is named and left out, all others are restored, and the exit status is 1.\n\n"
	"STORE is s3://bucket/prefix, reached with the endpoint and the keys of the images' settings, or a "
	"folder. Unless "
	"a mode is given, nothing is written where STORE holds an object that would be overwritten or that "
	"the set does "
	"not have. An object with the size and the etag that the image had when it was backed up is the "
	"same, and is left "
	"alone in every mode; any other one differs.\n\n"
	"GLOB is of *, ? and [...] over the whole key; * matches slashes, too: --only 'avatars/*'. With it, "
	"nothing else "
	"is looked at, and --mirror removes nothing else. Backups that lie in STORE are never touched. What "
	"--mirror "
	"removes is removed last, and only if all else was restored. An interrupted restore is gone on with "
	"by "
	"--missing-only.\n\n" HF_SET_HELP,
	options,
	false,
	run};
