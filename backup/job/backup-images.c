#include "config.h"

#include "backup/job/backup-images.h"
#include "backup/job/images-base.h"
#include "backup/job/images-run.h"
#include "backup/job/lock.h"
#include "backup/verify/guard.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"

/* As asked for, then sorted, then full: each remedy is tried once. */
#define ATTEMPTS_MAX 3

static void
say_phase(const HfBackupImages *options, HfManifest *manifest, const char *phase)
{
	if (options->progress)
		__atomic_store_n(&options->progress->phase, phase, __ATOMIC_RELEASE);
	hf_run_metrics_phase(manifest->metrics, phase);
}

/* ---- an attempt ---- */

static HfImagesRecord *
begin_record(const HfImagesRun *run, const char *full_reason)
{
	HfImagesRecord *record = hf_images_record_new();

	record->source = g_strdup(hf_store_location(run->options->source));
	record->full_reason = g_strdup(full_reason);
	if (!run->base)
		return record;
	record->base = g_strdup(run->base->id);
	for (guint i = 0; i < run->base->images->archives->len; i++) {
		const HfImageArchive *known = g_ptr_array_index(run->base->images->archives, i);
		HfImageArchive *archive = hf_images_record_add_archive(record, known->number, known->set_id);

		archive->archive = hf_archive_copy(known->archive);
		archive->links_from = known->links_from;
	}
	return record;
}

static void
begin_progress(const HfImagesRun *run)
{
	HfProgress *progress = run->options->progress;

	if (!progress)
		return;
	__atomic_store_n(&progress->objects, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&progress->bytes, 0, __ATOMIC_RELAXED);
	if (run->base)
		__atomic_store_n(&progress->estimated_objects, run->base->images->objects, __ATOMIC_RELAXED);
}

/* Changes the run so that the next attempt does not fail for the same reason; false where nothing helps. */
static bool
apply_remedy(HfImagesRun *run, HfRemedy remedy, const GError *trouble, char **full_reason)
{
	switch (remedy) {
	case HF_REMEDY_NONE:
		return false;
	case HF_REMEDY_FULL:
		if (!run->base)
			return false;
		g_warning("the run begins again as a full one: %s", trouble->message);
		run->base = NULL;
		g_free(*full_reason);
		*full_reason = g_strdup(trouble->message);
		return true;
	case HF_REMEDY_SORTED:
		if (run->is_unordered)
			return false;
		g_warning("%s; it is listed in passes and sorted", trouble->message);
		run->is_unordered = true;
		return true;
	}
	g_assert_not_reached();
}

static HfImagesRecord *
attempt(HfImagesRun *run, char *full_reason, GError **error)
{
	g_autofree char *reason = full_reason;

	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		g_autoptr(HfImagesRecord) record = begin_record(run, reason);
		g_autoptr(GError) trouble = NULL;
		HfRemedy remedy;

		begin_progress(run);
		if (hf_images_run(run, record, &remedy, &trouble))
			return g_steal_pointer(&record);
		if (!apply_remedy(run, remedy, trouble, &reason)) {
			g_propagate_error(error, g_steal_pointer(&trouble));
			return NULL;
		}
	}
	g_assert_not_reached();
}

/* ---- the run ---- */

static void
note_troubles(HfManifest *manifest)
{
	const HfImagesRecord *images = manifest->images;
	g_autofree char *troubled = g_strdup_printf("%" G_GUINT64_FORMAT " image(s) could not be read",
						    images->troubled);
	g_autofree char *interrupted = g_strdup_printf(
		"the run was interrupted (%s): the next one goes on from here", images->interrupted);

	if (images->interrupted)
		hf_manifest_add_note(manifest, interrupted);
	if (images->troubled > 0)
		hf_manifest_add_note(manifest, troubled);
	if (images->interrupted || images->troubled > 0)
		manifest->status = HF_SET_PARTIAL;
}

bool
hf_backup_images_into(HfSetWriter *writer, HfStore *store, const HfBackupImages *options,
		      HfManifest *manifest, GError **error)
{
	HfImagesRun run = {.writer = writer, .store = store, .options = options};
	g_autoptr(HfManifest) base = NULL;
	char *full_reason = NULL;

	say_phase(options, manifest, "images");
	if (!options->full &&
	    !hf_images_base_find(store, hf_store_location(options->source), &base, &full_reason, error))
		return false;
	if (full_reason)
		g_warning("this is a full run: %s", full_reason);
	run.base = base;
	manifest->images = attempt(&run, full_reason, error);
	if (!manifest->images)
		return false;
	note_troubles(manifest);
	return true;
}

static HfManifest *
run_and_commit(HfSetWriter *writer, HfStore *store, const HfBackupImages *options, int64_t now_s,
	       GError **error)
{
	g_autoptr(HfManifest) manifest = hf_manifest_begin(hf_set_writer_id(writer), now_s);

	if (!hf_backup_images_into(writer, store, options, manifest, error))
		return NULL;
	say_phase(options, manifest, "committing");
	hf_guard(store, manifest, options->shrink_percent);
	/* The last moment at which a stop leaves nothing: what was asked for in time must not end in a set. */
	if (!hf_cancel_check(error))
		return NULL;
	hf_manifest_end(manifest);
	return hf_set_writer_commit(writer, manifest, error) ? g_steal_pointer(&manifest) : NULL;
}

HfManifest *
hf_backup_images(HfStore *store, const HfBackupImages *options, GError **error)
{
	int64_t now_s = hf_clock_now_s();
	g_autoptr(HfLock) lock = NULL;
	g_autoptr(HfSetWriter) writer = NULL;

	if (options->state_dir) {
		lock = hf_lock_take(options->state_dir, "images", error);
		if (!lock)
			return NULL;
	}
	writer = hf_set_writer_new(store, now_s, error);
	return writer ? run_and_commit(writer, store, options, now_s, error) : NULL;
}
