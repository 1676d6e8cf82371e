/* One object of a replica: whether it is there and whole, and bringing it. */
#include "config.h"

#include "backup/catalog/replicate-impl.h"
#include "backup/stage/digest.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

/* The largest small object is a manifest. */
#define SMALL_BYTES_MAX ((size_t)4 << 20)

void
hf_replicate_phase(const HfReplicating *work, const char *phase)
{
	if (work->options->progress)
		__atomic_store_n(&work->options->progress->phase, phase, __ATOMIC_RELEASE);
}

GBytes *
hf_replicate_read(HfStore *store, const char *key, GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new(SMALL_BYTES_MAX);

	if (!hf_store_read(store, key, HF_WHOLE, sink, error) || !hf_stage_finish(sink, error))
		return NULL;
	return hf_sink_bytes_get(sink);
}

/* A listing of the names that begin with this one: the first is it, or it is not there. */
bool
hf_replicate_size(HfStore *store, const char *key, bool *is_there_out, uint64_t *bytes_out, GError **error)
{
	g_autoptr(HfListing) listing = hf_store_list(store, key, NULL, error);
	const HfObject *object;

	if (!listing || !hf_listing_next(listing, &object, error))
		return false;
	*is_there_out = object && strcmp(object->key, key) == 0;
	*bytes_out = *is_there_out ? object->bytes : 0;
	return true;
}

static HfStage *
metered(const HfReplicating *work, HfStage *next)
{
	return work->options->progress ? hf_meter_new(next, &work->options->progress->bytes) : next;
}

static HfStage *
checked(const HfReplicaPart *part, HfStage *next)
{
	return part->sha256[0] ? hf_digest_check_new(next, part->key, part->bytes, part->sha256) : next;
}

static bool
stream(const HfReplicating *work, const HfReplicaPart *part, GError **error)
{
	HfStage *out = hf_store_write(work->replica, part->key, NULL, error);
	g_autoptr(HfStage) head = out ? metered(work, checked(part, out)) : NULL;

	return head && hf_store_read(work->store, part->key, HF_WHOLE, head, error) &&
	       hf_stage_finish(head, error);
}

/* What the server will not copy may be streamed all the same; what may go well later is not asked twice. */
static bool
copy_by_server(const HfReplicating *work, const HfReplicaPart *part, bool *is_done_out, GError **error)
{
	g_autoptr(GError) trouble = NULL;

	*is_done_out = hf_store_copy(work->replica, work->store, part->key, part->bytes, &trouble);
	if (*is_done_out) {
		work->result->copied_by_server++;
		if (work->options->progress)
			__atomic_fetch_add(&work->options->progress->bytes, part->bytes, __ATOMIC_RELAXED);
		return true;
	}
	if (hf_error_is(trouble, HF_ERROR_TRANSIENT) || hf_error_is(trouble, HF_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	g_info("the server does not copy \"%s\" by itself: %s", part->key, trouble->message);
	return true;
}

bool
hf_replicate_copy(const HfReplicating *work, const HfReplicaPart *part, GError **error)
{
	bool is_done = false;

	if (work->server_copies && !part->is_streamed && !copy_by_server(work, part, &is_done, error))
		return false;
	if (!is_done && !stream(work, part, error))
		return false;
	work->result->objects++;
	work->result->bytes += part->bytes;
	if (work->options->progress)
		__atomic_fetch_add(&work->options->progress->objects, 1, __ATOMIC_RELAXED);
	return true;
}

bool
hf_replicate_check(const HfReplicating *work, const HfReplicaPart *part, bool *agrees_out, GError **error)
{
	g_autoptr(HfStage) head = checked(part, hf_sink_null_new());
	g_autoptr(GError) trouble = NULL;

	*agrees_out = hf_store_read(work->replica, part->key, HF_WHOLE, head, &trouble) &&
		      hf_stage_finish(head, &trouble);
	if (*agrees_out || hf_error_is(trouble, HF_ERROR_CORRUPT) || hf_error_is(trouble, HF_ERROR_NOT_FOUND))
		return true;
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

bool
hf_replicate_put(const HfReplicating *work, const char *key, GBytes *bytes, GError **error)
{
	g_autoptr(HfStage) stage = hf_store_write(work->replica, key, NULL, error);
	gsize len;
	const void *data = g_bytes_get_data(bytes, &len);

	return stage && hf_stage_write(stage, data, len, error) && hf_stage_finish(stage, error);
}
