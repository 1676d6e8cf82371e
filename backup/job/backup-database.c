#include "config.h"

#include "backup/job/backup-database.h"
#include "backup/catalog/names.h"
#include "backup/job/lock.h"
#include "backup/source/scan.h"
#include "backup/stage/sink.h"
#include "backup/verify/guard.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"

/* One run; all of it is borrowed. */
typedef struct {
	const HfBackupDatabase *options;
	HfPostgres *postgres;
	HfSetWriter *writer;
	HfManifest *manifest;
} Run;

/* manifest NULL: the phase is not measured. */
static void
say_phase(const HfBackupDatabase *options, HfManifest *manifest, const char *phase)
{
	if (options->progress)
		__atomic_store_n(&options->progress->phase, phase, __ATOMIC_RELEASE);
	if (manifest)
		hf_run_metrics_phase(manifest->metrics, phase);
}

static void
describe(Run *run)
{
	const HfPgInfo *info = hf_postgres_info(run->postgres);
	HfDatabaseRecord *database = hf_database_record_new();
	HfProgress *progress = run->options->progress;

	database->name = g_strdup(info->database);
	database->server_version = g_strdup(info->server_version);
	database->dump_version = g_strdup(info->dump_version);
	database->encoding = g_strdup(info->encoding);
	database->collate = g_strdup(info->collate);
	database->ctype = g_strdup(info->ctype);
	run->manifest->database = database;
	if (progress)
		__atomic_store_n(&progress->estimated_bytes, info->estimated_bytes, __ATOMIC_RELAXED);
}

/* archive <- scan <- meter; the scan is borrowed from the chain. */
static HfStage *
dump_chain(Run *run, uint64_t *bytes, HfStage **scan_out, GError **error)
{
	const HfArchiveOptions options = {.extension = HF_EXT_DUMP,
					  .compression = run->options->compression,
					  .archive_bytes = run->options->archive_bytes};
	HfStage *archive = hf_set_writer_archive(run->writer, HF_DATABASE_PREFIX, &options,
						 run->manifest->database->archive, error);

	if (!archive)
		return NULL;
	*scan_out = hf_scan_new(archive, HF_SCAN_DATABASE);
	return hf_meter_new(*scan_out, bytes);
}

/* What is missing for it is told before the dump, not after hours; what the login may not read is noted later. */
static bool
start_globals(Run *run, GError **error)
{
	g_autoptr(GError) trouble = NULL;

	if (hf_postgres_start_globals(run->postgres, &trouble) || hf_error_is(trouble, HF_ERROR_DENIED))
		return true;
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

static bool
store_dump(Run *run, GError **error)
{
	HfDatabaseRecord *database = run->manifest->database;
	HfProgress *progress = run->options->progress;
	uint64_t uncounted = 0;
	HfStage *scan = NULL;
	g_autoptr(HfStage) chain = NULL;

	say_phase(run->options, run->manifest, "dumping");
	if (!start_globals(run, error))
		return false;
	database->archive = hf_archive_new(run->options->compression.kind);
	chain = dump_chain(run, progress ? &progress->bytes : &uncounted, &scan, error);
	if (!chain || !hf_postgres_dump(run->postgres, chain, error) || !hf_stage_finish(chain, error))
		return false;
	database->tables = hf_scan_tables(scan)->len;
	database->rows = hf_scan_rows(scan);
	return hf_set_writer_index(run->writer, database, hf_scan_tables(scan), error);
}

/* A login that may not read roles still makes a good backup, which says that it has none. */
static bool
store_globals(Run *run, GError **error)
{
	const HfArchiveOptions options = {.extension = HF_EXT_GLOBALS,
					  .compression = run->options->compression};
	HfDatabaseRecord *database = run->manifest->database;
	g_autoptr(HfArchive) globals = hf_archive_new(options.compression.kind);
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfStage) chain = NULL;

	say_phase(run->options, run->manifest, "globals");
	chain = hf_set_writer_archive(run->writer, HF_DATABASE_PREFIX, &options, globals, error);
	if (!chain)
		return false;
	chain = hf_scan_new(g_steal_pointer(&chain), HF_SCAN_GLOBALS);
	if (hf_postgres_globals(run->postgres, chain, &trouble)) {
		if (!hf_stage_finish(chain, error))
			return false;
		database->globals = g_steal_pointer(&globals);
		return true;
	}
	if (!hf_error_is(trouble, HF_ERROR_DENIED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	database->globals_absent = g_strdup(trouble->message);
	return true;
}

bool
hf_backup_database_into(HfSetWriter *writer, HfPostgres *postgres, const HfBackupDatabase *options,
			HfManifest *manifest, GError **error)
{
	Run run = {.options = options, .postgres = postgres, .writer = writer, .manifest = manifest};

	hf_postgres_set_dump(postgres, &options->dump);
	describe(&run);
	if (!store_dump(&run, error) || !store_globals(&run, error))
		return false;
	hf_run_metrics_phase(manifest->metrics, NULL);
	return true;
}

static HfManifest *
run_and_commit(HfSetWriter *writer, HfPostgres *postgres, const HfBackupDatabase *options, int64_t now_s,
	       GError **error)
{
	g_autoptr(HfManifest) manifest = hf_manifest_begin(hf_set_writer_id(writer), now_s);

	if (!hf_backup_database_into(writer, postgres, options, manifest, error))
		return NULL;
	say_phase(options, manifest, "committing");
	hf_guard(hf_set_writer_store(writer), manifest, options->shrink_percent);
	/* The last moment at which a stop leaves nothing: what was asked for in time must not end in a set. */
	if (!hf_cancel_check(error))
		return NULL;
	hf_manifest_end(manifest);
	return hf_set_writer_commit(writer, manifest, error) ? g_steal_pointer(&manifest) : NULL;
}

HfManifest *
hf_backup_database(HfStore *store, const HfBackupDatabase *options, GError **error)
{
	int64_t now_s = hf_clock_now_s();
	g_autoptr(HfLock) lock = NULL;
	g_autoptr(HfPostgres) postgres = NULL;
	g_autoptr(HfSetWriter) writer = NULL;

	if (options->state_dir) {
		lock = hf_lock_take(options->state_dir, "database", error);
		if (!lock)
			return NULL;
	}
	say_phase(options, NULL, "connecting");
	postgres = hf_postgres_open(options->target, options->bin_dir, error);
	if (!postgres)
		return NULL;
	writer = hf_set_writer_new(store, now_s, error);
	return writer ? run_and_commit(writer, postgres, options, now_s, error) : NULL;
}
