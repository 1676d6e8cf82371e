#include "config.h"

#include "backup/job/images-run.h"
#include "backup/job/images-out.h"
#include "backup/source/hasher.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

/* Asked for ahead of what is read: enough to keep sixteen connections busy with small objects. */
#define ASK_AHEAD 256

/* Contents that are hashed or wait for it, beside the fetch's own (fetch.h). */
#define HASHING_BYTES ((size_t)8 << 20)

/* A content in the hasher, in order. */
typedef struct {
	GList link;
	HfOutItem *item;
	HfImage *image;
	GBytes *content;
} Hashing;

typedef struct {
	const HfImagesRun *given;
	HfImagesRecord *record;
	HfImagesOut *out;
	HfImageIndexReader *last; /* NULL: a full run */
	HfDeadReader *dead;
	GArray *worn; /* of unsigned: archives of the last set that this one gives up */
	HfObjects *objects;
	HfFetch *fetch;
	GQueue asked; /* of HfOutItem, not yet read */
	HfHasher *hasher;
	GQueue hashing;        /* of Hashing */
	bool is_listed;        /* the merge is at its end */
	bool is_deferring;     /* a request to stop is noted here alone: there is something to keep */
	bool is_source_broken; /* what failed was the source: what was read before it is good */
} Run;

static void
hashing_free(Hashing *hashing)
{
	hf_image_free(hashing->image);
	g_bytes_unref(hashing->content);
	g_free(hashing);
}

static void
clear_run(Run *run)
{
	for (GList *link; (link = g_queue_pop_head_link(&run->hashing));)
		hashing_free(link->data);
	hf_hasher_free(run->hasher);
	g_queue_clear(&run->asked);
	hf_fetch_free(run->fetch);
	hf_objects_free(run->objects);
	hf_dead_free(run->dead);
	hf_image_index_free(run->last);
	hf_images_out_free(run->out);
	g_array_unref(run->worn);
}

/*
 * More than half of it is dead, and enough to be worth the reading; what a tarball needs beside its entries counts as
 * dead as well, and is below that.
 */
static bool
is_worn(const HfImageArchive *archive)
{
	uint64_t packed_bytes = archive->archive->packed_bytes;
	uint64_t dead_bytes = packed_bytes - MIN(archive->live_bytes, packed_bytes);

	return archive->live_objects > 0 && dead_bytes > archive->live_bytes &&
	       dead_bytes >= HF_WORN_BYTES_MIN;
}

static GArray *
find_worn(const HfManifest *base)
{
	GArray *worn = g_array_new(FALSE, FALSE, sizeof(unsigned));

	for (guint i = 0; base && i < base->images->archives->len; i++) {
		const HfImageArchive *archive = g_ptr_array_index(base->images->archives, i);

		if (!is_worn(archive))
			continue;
		g_message("most of the images' archive of set %s is dead: what lives in it is stored again",
			  archive->set_id);
		g_array_append_val(worn, archive->number);
	}
	return worn;
}

static bool
open_run(Run *run, GError **error)
{
	const HfManifest *base = run->given->base;
	HfObjectsOptions options = {
		.source = run->given->options->source,
		.skip_prefix = run->given->options->skip_prefix,
		.is_unordered = run->given->is_unordered,
	};

	options.worn = run->worn = find_worn(base);
	if (base)
		options.last = run->last = hf_image_index_open(run->given->store, base);
	if (base && base->images->dead)
		options.dead = run->dead = hf_dead_open(run->given->store, base);
	run->objects = hf_objects_new(&options, error);
	if (!run->objects)
		return false;
	run->out = hf_images_out_new(run->given->writer, run->given->store, run->given->options, run->record,
				     error);
	if (!run->out)
		return false;
	run->fetch = hf_fetch_new(options.source, NULL);
	run->hasher = hf_hasher_new();
	g_queue_init(&run->asked);
	g_queue_init(&run->hashing);
	return true;
}

static void
say_progress(const Run *run, uint64_t bytes)
{
	HfProgress *progress = run->given->options->progress;

	if (!progress)
		return;
	__atomic_fetch_add(&progress->objects, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&progress->bytes, bytes, __ATOMIC_RELAXED);
}

/* ---- steps of the merge ---- */

static void
ask(Run *run, const HfObjectStep *step)
{
	HfOutItem *item = hf_images_out_reserve(run->out, step->object, step->path, step->stale);

	if (step->state == HF_OBJECT_MOVED)
		hf_images_out_fall_back(item, step->last);
	g_queue_push_tail(&run->asked, item);
	hf_fetch_ask(run->fetch, step->object);
}

static bool
carry(Run *run, const HfObjectStep *step, GError **error)
{
	unsigned own = step->last->path ? HF_DEAD_ESCAPED : HF_DEAD_PLAIN;

	run->record->unchanged++;
	say_progress(run, 0);
	return hf_images_out_carry(run->out, step->last, step->stale & ~own, error);
}

static bool
take_step(Run *run, GError **error)
{
	const HfObjectStep *step;

	if (!hf_objects_next(run->objects, &step, error)) {
		run->is_source_broken = hf_objects_remedy(run->objects) == HF_REMEDY_NONE;
		return false;
	}
	run->is_listed = !step;
	if (!step)
		return true;
	switch (step->state) {
	case HF_OBJECT_UNCHANGED:
		return carry(run, step, error);
	case HF_OBJECT_ADDED:
		run->record->added++;
		ask(run, step);
		return true;
	case HF_OBJECT_CHANGED:
		run->record->changed++;
		ask(run, step);
		return true;
	case HF_OBJECT_MOVED:
		run->record->unchanged++;
		ask(run, step);
		return true;
	case HF_OBJECT_DELETED:
		run->record->deleted++;
		return hf_images_out_bury(run->out, step->key, step->stale, error);
	case HF_OBJECT_GONE:
		return hf_images_out_bury(run->out, step->key, step->stale, error);
	}
	g_assert_not_reached();
}

/* ---- contents ---- */

static bool
store_oldest(Run *run, GError **error)
{
	Hashing *hashing = g_queue_peek_head(&run->hashing);
	bool is_done;

	g_queue_unlink(&run->hashing, &hashing->link);
	hf_hasher_take(run->hasher, hashing->image->sha256);
	is_done = hf_images_out_store(run->out, hashing->item, hashing->image, hashing->content, error);
	say_progress(run, hashing->image->bytes);
	hashing_free(hashing);
	return is_done;
}

/* Everything in front of what comes next: outcomes are settled in order. */
static bool
store_all(Run *run, GError **error)
{
	while (run->hashing.length > 0)
		if (!store_oldest(run, error))
			return false;
	return true;
}

static void
hash(Run *run, HfOutItem *item, const HfImage *image, GBytes *content)
{
	Hashing *hashing = g_new0(Hashing, 1);

	hashing->link.data = hashing;
	hashing->item = item;
	hashing->image = hf_image_copy(image);
	hashing->content = g_bytes_ref(content);
	g_queue_push_tail_link(&run->hashing, &hashing->link);
	hf_hasher_push(run->hasher, content);
}

static bool
take_trouble(Run *run, HfOutItem *item, const char *reason, GError **error)
{
	say_progress(run, 0);
	return store_all(run, error) && hf_images_out_trouble(run->out, item, reason, error);
}

static bool
take_large(Run *run, HfOutItem *item, const HfImage *image, GError **error)
{
	if (!store_all(run, error) || !hf_images_out_stream(run->out, item, image, run->fetch, error))
		return false;
	say_progress(run, image->bytes);
	return true;
}

static bool
take_fetched(Run *run, GError **error)
{
	const HfFetched *fetched;
	HfOutItem *item;
	HfImage image;

	if (!hf_fetch_next(run->fetch, &fetched, error)) {
		run->is_source_broken = true;
		return false;
	}
	g_assert(fetched && run->asked.length > 0);
	item = g_queue_pop_head(&run->asked);
	if (fetched->error)
		return take_trouble(run, item, fetched->error->message, error);
	image = (HfImage){
		.key = fetched->key,
		.bytes = fetched->bytes,
		.etag = fetched->etag,
		.modified_s = fetched->modified_s,
		.meta = fetched->meta,
	};
	if (!fetched->content)
		return take_large(run, item, &image, error);
	hash(run, item, &image, fetched->content);
	return true;
}

/* ---- the run ---- */

static bool
is_hasher_full(const Run *run)
{
	return hf_hasher_count(run->hasher) == HF_HASHER_CAPACITY ||
	       hf_hasher_bytes(run->hasher) >= HASHING_BYTES;
}

/* The one thing that is to be done next. */
static bool
go_on(Run *run, bool *is_done_out, GError **error)
{
	if (!run->is_listed && run->asked.length < ASK_AHEAD && !hf_images_out_is_crowded(run->out))
		return take_step(run, error);
	if (is_hasher_full(run) || (run->asked.length == 0 && run->hashing.length > 0))
		return store_oldest(run, error);
	if (run->asked.length > 0)
		return take_fetched(run, error);
	*is_done_out = run->is_listed;
	return run->is_listed || hf_images_out_drain(run->out, error);
}

/* ---- the end, early or not ---- */

/* The run goes on beside something that has failed. */
static bool
is_unwanted(const Run *run)
{
	const int *unwanted = run->given->options->unwanted;

	return unwanted && __atomic_load_n(unwanted, __ATOMIC_ACQUIRE);
}

/* Once there is something to keep, a first request to stop ends the run in order. */
static bool
check_stop(Run *run, GError **error)
{
	if (is_unwanted(run))
		return hf_error_set(error, HF_ERROR_CANCELLED, "the images are not wanted any more");
	if (!run->is_deferring && hf_images_out_has_part(run->out)) {
		run->is_deferring = true;
		hf_cancel_defer();
	}
	if (!hf_cancel_is_noted())
		return hf_cancel_check(error);
	run->is_source_broken = true;
	return hf_error_set(error, HF_ERROR_CANCELLED, "cancelled");
}

/* Gives up what was asked for and not read; behind it, the view is the last set's. */
static bool
cut(Run *run, const char *reason, GError **error)
{
	HfOutItem *item;

	g_warning(
		"the run ends early (%s); what is complete is committed, and the next run goes on from there",
		reason);
	run->record->interrupted = g_strdup(reason);
	if (!store_all(run, error))
		return false;
	while ((item = g_queue_pop_head(&run->asked)))
		if (!hf_images_out_trouble(run->out, item, "the run ended before it was read", error))
			return false;
	hf_objects_cut(run->objects);
	while (!run->is_listed)
		if ((hf_images_out_is_crowded(run->out) && !hf_images_out_drain(run->out, error)) ||
		    !take_step(run, error))
			return false;
	return hf_images_out_finish(run->out, error);
}

static bool
run_all(Run *run, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	bool is_done = false;

	while (!is_done && check_stop(run, &trouble) && go_on(run, &is_done, &trouble))
		;
	if (is_done)
		return hf_images_out_finish(run->out, error);
	if (run->is_source_broken && run->is_deferring && cut(run, trouble->message, error))
		return true;
	if (error && !*error)
		g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

bool
hf_images_run(const HfImagesRun *given, HfImagesRecord *record, HfRemedy *remedy_out, GError **error)
{
	Run run = {.given = given, .record = record};
	bool is_done = open_run(&run, error) && run_all(&run, error);

	*remedy_out = run.objects ? hf_objects_remedy(run.objects) : HF_REMEDY_NONE;
	if (run.is_deferring)
		hf_cancel_undefer(is_done && record->interrupted);
	clear_run(&run);
	return is_done;
}
