#include "config.h"

#include "backup/job/backup-full.h"
#include "backup/source/dump-settings.h"
#include "backup/store/open.h"
#include "cli/commands.h"
#include "cli/database.h"
#include "cli/outcome.h"
#include "cli/progress.h"
#include "cli/proof.h"
#include "cli/replicas.h"
#include "cli/signing.h"
#include "common/clock.h"
#include "common/error.h"

static int verify_given = -1; /* -1: what VERIFY_AFTER_BACKUP says */

#define VERIFY_OPTION \
	{ \
		"verify", 0, 0, G_OPTION_ARG_INT, &verify_given, \
			"Prove the set to be of LEVEL, or as far as this host can", "LEVEL" \
	}

static struct {
	gboolean full;
} backup_images_given;

static struct {
	gboolean full_images;
} backup_full_given;

/* What the commands below share; each opens what it needs. */
typedef struct {
	HfPgTarget *target;
	HfStore *store;
	HfStore *images_store; /* of a full run */
	HfStore *source;
	char *skip_prefix;
	HfProgress database_progress;
	HfProgress images_progress;
	HfBackupFull full; /* of which a run of one half takes its half */
} Job;

static void
job_clear(Job *job)
{
	hf_pg_target_free(job->target);
	hf_store_free(job->store);
	hf_store_free(job->images_store);
	hf_store_free(job->source);
	g_free(job->skip_prefix);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Job, job_clear)

static bool
open_database(Job *job, const HfSettings *settings, GError **error)
{
	job->target = hf_database_from_settings(settings, error);
	if (!job->target)
		return false;
	job->database_progress.phase = "connecting";
	job->full.database = (HfBackupDatabase){
		.target = job->target,
		.bin_dir = hf_settings_text(settings, HF_SET_DB_BIN_DIR),
		.dump = hf_dump_settings(settings),
		.state_dir = hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR),
		.archive_bytes = (uint64_t)hf_settings_number(settings, HF_SET_ARCHIVE_BYTES),
		.progress = &job->database_progress,
		.shrink_percent = (unsigned)hf_settings_number(settings, HF_SET_SHRINK_ALERT_PERCENT),
	};
	return hf_compression_parse(hf_settings_text(settings, HF_SET_BACKUP_COMPRESSION),
				    &job->full.database.compression, error);
}

static bool
open_images(Job *job, const HfSettings *settings, bool is_full_run, GError **error)
{
	job->source = hf_images_open_settings(settings, &job->skip_prefix, error);
	if (!job->source)
		return false;
	job->images_progress.phase = "images";
	job->full.images = (HfBackupImages){
		.source = job->source,
		.skip_prefix = job->skip_prefix,
		.full = is_full_run,
		.state_dir = hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR),
		.archive_bytes = (uint64_t)hf_settings_number(settings, HF_SET_ARCHIVE_BYTES),
		.progress = &job->images_progress,
		.shrink_percent = (unsigned)hf_settings_number(settings, HF_SET_SHRINK_ALERT_PERCENT),
	};
	return hf_compression_parse(hf_settings_text(settings, HF_SET_BACKUP_COMPRESSION),
				    &job->full.images.compression, error);
}

static bool
open_store(Job *job, const HfSettings *settings, GError **error)
{
	if (verify_given < -1 || verify_given > 4)
		return hf_error_set(error, HF_ERROR_USAGE, "--verify %d: 0 to 4 is wanted", verify_given);
	job->store = hf_store_open_settings(settings, error);
	return job->store != NULL;
}

/* ---- running ---- */

typedef HfManifest *(*Run)(Job *job, GError **error);

static HfManifest *
run_with_bar(Job *job, const HfProgress *progress, Run run, GError **error)
{
	g_autoptr(HfProgressBar) bar = hf_progress_bar_start("backup", progress);

	return run(job, error);
}

static void
explain_cancel(GError **error)
{
	if (!hf_error_is(*error, HF_ERROR_CANCELLED))
		return;
	g_clear_error(error);
	hf_error_set(error, HF_ERROR_CANCELLED, "cancelled: nothing was stored");
}

static bool
run_job(HfCli *cli, Job *job, const HfProgress *progress, Run run, GError **error)
{
	double started_s = hf_clock_monotonic_s();
	g_autoptr(GError) cause = NULL;
	g_autoptr(HfManifest) manifest = run_with_bar(job, progress, run, &cause);
	bool is_level;

	if (!manifest) {
		explain_cancel(&cause);
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	hf_outcome_report(cli, job->store, manifest, hf_clock_monotonic_s() - started_s);
	hf_cli_prove_after(cli, job->store, manifest->id, verify_given);
	/* Before old sets are deleted here: a replica that was down may be to keep them for longer. */
	is_level = hf_cli_replicate_after(cli, job->store);
	hf_outcome_prune(cli, job->store);
	hf_cli_watch_chain(cli, job->store);
	if (!is_level)
		hf_cli_warn_behind(cli);
	return true;
}

/* ---- the commands ---- */

static HfManifest *
run_database(Job *job, GError **error)
{
	return hf_backup_database(job->store, &job->full.database, error);
}

static HfManifest *
run_images(Job *job, GError **error)
{
	return hf_backup_images(job->store, &job->full.images, error);
}

static HfManifest *
run_full(Job *job, GError **error)
{
	return hf_backup_full(job->store, &job->full, error);
}

static bool
run_backup_database(HfCli *cli, char **arguments, GError **error)
{
	g_auto(Job) job = {0};

	(void)arguments;
	if (!open_database(&job, cli->settings, error) || !open_store(&job, cli->settings, error))
		return false;
	g_message("backing up database \"%s\" to %s", job.target->database, hf_store_location(job.store));
	return run_job(cli, &job, &job.database_progress, run_database, error);
}

static bool
run_backup_images(HfCli *cli, char **arguments, GError **error)
{
	g_auto(Job) job = {0};

	(void)arguments;
	if (!open_images(&job, cli->settings, backup_images_given.full, error) ||
	    !open_store(&job, cli->settings, error))
		return false;
	g_message("backing up images of %s to %s", hf_store_location(job.source),
		  hf_store_location(job.store));
	return run_job(cli, &job, &job.images_progress, run_images, error);
}

static bool
run_backup_full(HfCli *cli, char **arguments, GError **error)
{
	g_auto(Job) job = {0};

	(void)arguments;
	if (!open_database(&job, cli->settings, error) ||
	    !open_images(&job, cli->settings, backup_full_given.full_images, error) ||
	    !open_store(&job, cli->settings, error))
		return false;
	job.images_store = hf_store_open_settings(cli->settings, error);
	if (!job.images_store)
		return false;
	job.full.images_store = job.images_store;
	job.full.references_sql = hf_settings_text(cli->settings, HF_SET_IMAGE_REFERENCES_SQL);
	job.database_progress.beside = &job.images_progress;
	g_message("backing up database \"%s\" and images of %s to %s", job.target->database,
		  hf_store_location(job.source), hf_store_location(job.store));
	return run_job(cli, &job, &job.database_progress, run_full, error);
}

static GOptionEntry backup_database_options[] = {VERIFY_OPTION, {0}};

const HfCommand hf_command_backup_database = {
	"backup database",
	"",
	0,
	0,
	"back up the database of the settings",
	"Dumps the database that DATABASE_URL or DB_* name, inside one snapshot, and stores the dump, the "
	"roles, an index "
	"of the tables, RESTORE.txt and, last, the manifest. Whatever fails before that leaves nothing "
	"behind: a set "
	"exists when its manifest does.\n\n"
	"Ctrl-C cancels; nothing is stored then. The exit status is 3 where the set was stored but a part "
	"of what was "
	"asked for is missing.",
	backup_database_options,
	false,
	run_backup_database};

static GOptionEntry backup_images_options[] = {{"full", 0, 0, G_OPTION_ARG_NONE, &backup_images_given.full,
						"Store every image again, and refer to no earlier archive",
						NULL},
					       VERIFY_OPTION,
					       {0}};

const HfCommand hf_command_backup_images = {
	"backup images",
	"",
	0,
	0,
	"back up the images of the settings",
	"Lists IMAGES_DIR, or AWS_BUCKET_NAME below IMAGES_PREFIX, and compares the listing with the last "
	"set: only "
	"what is new or changed is read and stored. The new set is a full view all the same, which refers "
	"to "
	"earlier archives for the rest. Where the backups lie in the same bucket or folder, they are left "
	"out.\n\n"
	"What cannot be read is named, and tried again by the next run; the set is stored without it, and "
	"the "
	"exit "
	"status is 3.",
	backup_images_options,
	false,
	run_backup_images};

static GOptionEntry backup_full_options[] = {
	{"full-images", 0, 0, G_OPTION_ARG_NONE, &backup_full_given.full_images,
	 "Store every image again, and refer to no earlier archive", NULL},
	VERIFY_OPTION,
	{0}};

const HfCommand hf_command_backup_full = {
	"backup full",
	"",
	0,
	0,
	"back up the database and the images into one set",
	"Takes the database's snapshot, then lists the images, and stores both at the same time: every "
	"image "
	"that a row "
	"names is in the set, unless it was deleted meanwhile. Where the images fail, the database is kept "
	"and "
	"the exit "
	"status is 3; where the database fails, nothing is stored.",
	backup_full_options,
	false,
	run_backup_full};
