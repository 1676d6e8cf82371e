#include "config.h"

#include "backup/store/fetch-impl.h"
#include "backup/store/store-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#define MEMORY_BYTES ((size_t)24 << 20)
#define LARGE_BYTES ((size_t)4 << 20)
#define CONNECTIONS 16

HfFetch *
hf_fetch_new(HfStore *store, const HfFetchOptions *options)
{
	HfFetchOptions filled = options ? *options : (HfFetchOptions){0};

	filled.memory_bytes = filled.memory_bytes ? filled.memory_bytes : MEMORY_BYTES;
	filled.large_bytes = filled.large_bytes ? filled.large_bytes : LARGE_BYTES;
	filled.large_bytes = MIN(filled.large_bytes, filled.memory_bytes);
	filled.connections = filled.connections ? filled.connections : CONNECTIONS;
	g_assert(store->ops->fetch_new);
	return store->ops->fetch_new(store, &filled);
}

void
hf_fetch_init(HfFetch *self, const HfFetchOps *ops, const HfFetchOptions *options)
{
	self->ops = ops;
	self->options = *options;
	g_queue_init(&self->items);
	g_queue_init(&self->waiting);
}

void
hf_fetch_ask(HfFetch *fetch, const HfObject *object)
{
	HfFetchItem *item = g_malloc0(fetch->ops->item_bytes);

	item->link.data = item->wait_link.data = item;
	item->number = fetch->asked++;
	item->key = g_strdup(object->key);
	item->listed_bytes = object->bytes;
	item->listed_etag = g_strdup(object->etag);
	item->fetched.key = item->key;
	g_queue_push_tail_link(&fetch->items, &item->link);
	g_queue_push_tail_link(&fetch->waiting, &item->wait_link);
}

size_t
hf_fetch_pending(const HfFetch *fetch)
{
	return fetch->items.length;
}

bool
hf_fetch_is_large(const HfFetch *self, uint64_t bytes)
{
	return bytes > self->options.large_bytes;
}

static void
release(HfFetch *self, HfFetchItem *item)
{
	self->held_bytes -= item->held_bytes;
	item->held_bytes = 0;
}

bool
hf_fetch_item_hold(HfFetch *self, HfFetchItem *item, uint64_t bytes)
{
	bool is_oldest = g_queue_peek_head_link(&self->items) == &item->link;
	size_t others = self->held_bytes - item->held_bytes;

	if (!is_oldest &&
	    (others > self->options.memory_bytes || bytes > self->options.memory_bytes - others))
		return false;
	self->held_bytes = others + (size_t)bytes;
	item->held_bytes = (size_t)bytes;
	self->held_peak_bytes = MAX(self->held_peak_bytes, self->held_bytes);
	return true;
}

void
hf_fetch_item_wait(HfFetch *self, HfFetchItem *item)
{
	GList *behind = self->waiting.head;

	release(self, item);
	while (behind && ((const HfFetchItem *)behind->data)->number < item->number)
		behind = behind->next;
	g_queue_insert_before_link(&self->waiting, behind, &item->wait_link);
}

void
hf_fetch_item_done(HfFetch *self, HfFetchItem *item, GBytes *content)
{
	if (!content)
		release(self, item);
	item->fetched.content = content;
	item->fetched.etag = item->etag;
	item->fetched.meta = item->meta.view;
	item->is_done = true;
}

void
hf_fetch_item_trouble(HfFetch *self, HfFetchItem *item, GError *error)
{
	release(self, item);
	item->error = error;
	item->fetched = (HfFetched){.key = item->key, .error = error};
	item->is_done = true;
}

static void
item_free(HfFetch *self, HfFetchItem *item)
{
	if (!item)
		return;
	if (self->ops->clear_item)
		self->ops->clear_item(self, item);
	release(self, item);
	g_clear_pointer(&item->fetched.content, g_bytes_unref);
	hf_meta_clear(&item->meta);
	g_clear_error(&item->error);
	g_free(item->etag);
	g_free(item->listed_etag);
	g_free(item->key);
	g_free(item);
}

bool
hf_fetch_next(HfFetch *fetch, const HfFetched **fetched_out, GError **error)
{
	HfFetchItem *oldest = g_queue_peek_head(&fetch->items);

	item_free(fetch, g_steal_pointer(&fetch->current));
	*fetched_out = NULL;
	if (!hf_cancel_check(error))
		return false;
	if (!oldest)
		return true;
	while (!oldest->is_done && !fetch->ended)
		(void)!fetch->ops->advance(fetch, &fetch->ended);
	if (!oldest->is_done) {
		g_propagate_error(error, g_error_copy(fetch->ended)); /* which stays the answer */
		return false;
	}
	g_queue_unlink(&fetch->items, &oldest->link);
	fetch->current = oldest;
	*fetched_out = &oldest->fetched;
	return true;
}

bool
hf_fetch_stream(HfFetch *fetch, HfStage *into, GError **error)
{
	g_assert(fetch->current && fetch->current->is_done && !fetch->current->error);
	g_assert(!fetch->current->fetched.content);
	return fetch->ops->stream(fetch, fetch->current, into, error);
}

void
hf_fetch_free(HfFetch *fetch)
{
	if (!fetch)
		return;
	item_free(fetch, fetch->current);
	for (GList *link; (link = g_queue_pop_head_link(&fetch->items));)
		item_free(fetch, link->data);
	fetch->ops->clear(fetch);
	g_clear_error(&fetch->ended);
	g_free(fetch);
}
