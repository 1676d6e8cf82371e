#include "config.h"

#include "backup/job/backup-full.h"
#include "backup/job/lock.h"
#include "backup/job/match-references.h"
#include "backup/source/references.h"
#include "backup/verify/guard.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"

/* The images' half, which runs in a thread of its own. */
typedef struct {
	HfSetWriter *writer; /* a fork */
	HfStore *store;
	HfBackupImages options;
	int is_unwanted;      /* atomic: the database failed */
	HfManifest *manifest; /* what it filled */
	GError *error;        /* NULL: it is stored */
} Half;

static gpointer
run_half(gpointer data)
{
	Half *half = data;

	if (!hf_backup_images_into(half->writer, half->store, &half->options, half->manifest, &half->error))
		g_assert(half->error);
	return NULL;
}

static void
clear_half(Half *half)
{
	hf_set_writer_free(half->writer);
	hf_manifest_free(half->manifest);
	g_clear_error(&half->error);
}

/* ---- bringing both together ---- */

static void
take_over(HfManifest *manifest, Half *half)
{
	manifest->images = g_steal_pointer(&half->manifest->images);
	hf_run_metrics_join(manifest->metrics, half->manifest->metrics);
	if (half->manifest->status == HF_SET_PARTIAL)
		manifest->status = HF_SET_PARTIAL;
	if (half->manifest->note)
		hf_manifest_add_note(manifest, half->manifest->note);
}

static void
go_without(HfManifest *manifest, const GError *trouble)
{
	g_autofree char *note = g_strdup_printf("the images are not in the set: %s", trouble->message);

	g_warning("%s", note);
	manifest->status = HF_SET_PARTIAL;
	hf_manifest_add_note(manifest, note);
}

/* What the images' half came to becomes a part of the set.  A stop is for both: nothing is kept then. */
static bool
join_half(HfSetWriter *writer, HfManifest *manifest, Half *half, GError **error)
{
	if (hf_error_is(half->error, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&half->error));
		return false;
	}
	if (half->error) {
		go_without(manifest, half->error);
		return true;
	}
	hf_set_writer_join(writer, g_steal_pointer(&half->writer));
	take_over(manifest, half);
	return true;
}

/* One run; all of it is borrowed. */
typedef struct {
	const HfBackupFull *options;
	HfStore *store;
	HfPostgres *postgres;
	HfSetWriter *writer;
	HfManifest *manifest;
} Run;

static bool
store_both(const Run *run, GError **error)
{
	Half half = {
		.writer = hf_set_writer_fork(run->writer, run->options->images_store),
		.store = run->options->images_store,
		.options = run->options->images,
		.manifest = hf_manifest_new(run->manifest->id),
	};
	GThread *thread;
	bool is_done;

	half.manifest->metrics = hf_run_metrics_begin();
	half.options.unwanted = &half.is_unwanted;
	thread = g_thread_new("images", run_half, &half);
	is_done = hf_backup_database_into(run->writer, run->postgres, &run->options->database, run->manifest,
					  error);
	if (!is_done)
		__atomic_store_n(&half.is_unwanted, 1, __ATOMIC_RELEASE);
	(void)g_thread_join(thread);
	is_done = is_done && join_half(run->writer, run->manifest, &half, error);
	clear_half(&half);
	return is_done;
}

/* A good backup is not thrown away because a question about it had no answer. */
static bool
match_references(const Run *run, GError **error)
{
	const char *sql = run->options->references_sql;
	g_autoptr(GError) trouble = NULL;
	g_autofree char *note = NULL;

	if (!sql || !run->manifest->images ||
	    hf_match_references(run->writer, run->store, run->postgres, sql, run->manifest, &trouble))
		return true;
	if (hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	note = g_strdup_printf("what rows name was not compared: %s", trouble->message);
	g_warning("%s", note);
	run->manifest->status = HF_SET_PARTIAL;
	hf_manifest_add_note(run->manifest, note);
	return true;
}

/* manifest NULL: the phase is not measured. */
static void
say_phase(const HfBackupFull *options, HfManifest *manifest, const char *phase)
{
	if (options->database.progress)
		__atomic_store_n(&options->database.progress->phase, phase, __ATOMIC_RELEASE);
	if (manifest)
		hf_run_metrics_phase(manifest->metrics, phase);
}

static bool
run_and_commit(const Run *run, GError **error)
{
	if (!store_both(run, error))
		return false;
	say_phase(run->options, run->manifest, "references");
	if (!match_references(run, error))
		return false;
	say_phase(run->options, run->manifest, "committing");
	hf_guard(run->store, run->manifest, run->options->database.shrink_percent);
	/* The last moment at which a stop leaves nothing. */
	if (!hf_cancel_check(error))
		return false;
	hf_manifest_end(run->manifest);
	return hf_set_writer_commit(run->writer, run->manifest, error);
}

static HfPostgres *
open_database(const HfBackupFull *options, GError **error)
{
	g_autoptr(HfPostgres) postgres = NULL;

	say_phase(options, NULL, "connecting");
	postgres = hf_postgres_open(options->database.target, options->database.bin_dir, error);
	if (!postgres ||
	    (options->references_sql && !hf_references_check(postgres, options->references_sql, error)))
		return NULL;
	return g_steal_pointer(&postgres);
}

/* The snapshot comes before the writer, and so before everything that the images' half looks at. */
static HfManifest *
run_full(HfStore *store, const HfBackupFull *options, GError **error)
{
	int64_t now_s = hf_clock_now_s();
	g_autoptr(HfPostgres) postgres = open_database(options, error);
	g_autoptr(HfSetWriter) writer = postgres ? hf_set_writer_new(store, now_s, error) : NULL;
	g_autoptr(HfManifest) manifest = NULL;
	Run run = {options, store, postgres, writer, NULL};

	if (!writer)
		return NULL;
	run.manifest = manifest = hf_manifest_begin(hf_set_writer_id(writer), now_s);
	return run_and_commit(&run, error) ? g_steal_pointer(&manifest) : NULL;
}

HfManifest *
hf_backup_full(HfStore *store, const HfBackupFull *options, GError **error)
{
	const char *state_dir = options->database.state_dir;
	g_autoptr(HfLock) database = NULL;
	g_autoptr(HfLock) images = NULL;

	if (!state_dir)
		return run_full(store, options, error);
	database = hf_lock_take(state_dir, "database", error);
	images = database ? hf_lock_take(state_dir, "images", error) : NULL;
	return images ? run_full(store, options, error) : NULL;
}
