#include "config.h"

#include "tests/lib/memstore.h"
#include "backup/store/fetch-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

typedef struct {
	char *key;
	char *etag;
	char *type;
	GBytes *content;
	int trouble;
} Object;

typedef struct {
	HfStore base;
	GPtrArray *objects; /* of Object, sorted */
	unsigned version;   /* of the etag made last */
	unsigned reads;
	unsigned cut_after;
	unsigned stop_after;
	bool is_backwards;
} Memstore;

static void
object_free(gpointer data)
{
	Object *object = data;

	g_free(object->key);
	g_free(object->etag);
	g_free(object->type);
	g_bytes_unref(object->content);
	g_free(object);
}

/* Where the key is, or belongs. */
static guint
place_of(const Memstore *memstore, const char *key)
{
	guint from = 0, to = memstore->objects->len;

	while (from < to) {
		guint middle = from + (to - from) / 2;
		const Object *object = g_ptr_array_index(memstore->objects, middle);

		if (strcmp(object->key, key) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static Object *
find(const Memstore *memstore, const char *key)
{
	guint place = place_of(memstore, key);
	Object *object = place < memstore->objects->len ? g_ptr_array_index(memstore->objects, place) : NULL;

	return object && strcmp(object->key, key) == 0 ? object : NULL;
}

/* ---- the listing ---- */

typedef struct {
	HfListing base;
	const Memstore *memstore;
	guint position;
	HfObject object;
} Listing;

static bool
listing_next(HfListing *self, const HfObject **object_out, GError **error)
{
	Listing *listing = (Listing *)self;
	const GPtrArray *objects = listing->memstore->objects;
	guint position = listing->position++;
	const Object *object;

	*object_out = NULL;
	if (listing->memstore->cut_after && position >= listing->memstore->cut_after)
		return hf_error_set(error, HF_ERROR_TRANSIENT, "the list was cut");
	if (listing->memstore->stop_after && position == listing->memstore->stop_after)
		hf_cancel_request();
	if (position >= objects->len)
		return true;
	object = g_ptr_array_index(objects,
				   listing->memstore->is_backwards ? objects->len - 1 - position : position);
	listing->object = (HfObject){object->key, g_bytes_get_size(object->content), object->etag,
				     1700000000};
	*object_out = &listing->object;
	return true;
}

static void
listing_clear(HfListing *self)
{
	(void)self;
}

static const HfListingOps listing_ops = {listing_next, listing_clear};

static HfListing *
memstore_list(HfStore *self, const char *prefix, const char *start_after, GError **error)
{
	Listing *listing = g_new0(Listing, 1);

	g_assert(!*prefix && !*start_after);
	(void)error;
	listing->base.ops = &listing_ops;
	listing->memstore = (Memstore *)self;
	return &listing->base;
}

/* ---- the fetch ---- */

typedef struct {
	HfFetch base;
	Memstore *memstore;
} Fetch;

static void
answer(Fetch *fetch, HfFetchItem *item)
{
	const Object *object = find(fetch->memstore, item->key);
	bool is_large = object && hf_fetch_is_large(&fetch->base, g_bytes_get_size(object->content));

	fetch->memstore->reads++;
	if (!object || (object->trouble && !is_large)) {
		hf_fetch_item_trouble(&fetch->base, item,
				      g_error_new(HF_ERROR, object ? object->trouble : HF_ERROR_NOT_FOUND,
						  "\"%s\" cannot be read", item->key));
		return;
	}
	item->etag = g_strdup(object->etag);
	item->fetched.bytes = g_bytes_get_size(object->content);
	item->fetched.modified_s = 1700000000;
	if (object->type)
		hf_meta_set(&item->meta, HF_META_TYPE, g_strdup(object->type));
	hf_fetch_item_done(&fetch->base, item, is_large ? NULL : g_bytes_ref(object->content));
}

static bool
fetch_advance(HfFetch *self, GError **error)
{
	(void)error;
	for (GList *link = self->items.head; link; link = link->next) {
		HfFetchItem *item = link->data;

		if (!item->is_done) {
			answer((Fetch *)self, item);
			return true;
		}
	}
	g_assert_not_reached();
}

static bool
fetch_stream(HfFetch *self, HfFetchItem *item, HfStage *into, GError **error)
{
	const Object *object = find(((Fetch *)self)->memstore, item->key);
	gsize len;
	const void *bytes = g_bytes_get_data(object->content, &len);

	if (!object->trouble)
		return hf_stage_write(into, bytes, len, error);
	return hf_stage_write(into, bytes, len / 2, error) &&
	       hf_error_set(error, (HfError)object->trouble, "\"%s\" changed while it was read", item->key);
}

static void
fetch_clear(HfFetch *self)
{
	(void)self;
}

static const HfFetchOps fetch_ops = {
	.item_bytes = sizeof(HfFetchItem),
	.advance = fetch_advance,
	.stream = fetch_stream,
	.clear = fetch_clear,
};

static HfFetch *
memstore_fetch_new(HfStore *self, const HfFetchOptions *options)
{
	Fetch *fetch = g_new0(Fetch, 1);

	hf_fetch_init(&fetch->base, &fetch_ops, options);
	fetch->memstore = (Memstore *)self;
	return &fetch->base;
}

/* ---- the store ---- */

static void
clear(HfStore *self)
{
	g_ptr_array_unref(((Memstore *)self)->objects);
}

static const HfStoreOps memstore_ops = {
	.list = memstore_list,
	.fetch_new = memstore_fetch_new,
	.clear = clear,
};

HfStore *
memstore_new(void)
{
	Memstore *memstore = g_new0(Memstore, 1);

	hf_store_init(&memstore->base, &memstore_ops, g_strdup("s3://memory/images"));
	memstore->objects = g_ptr_array_new_with_free_func(object_free);
	return &memstore->base;
}

void
memstore_put(HfStore *store, const char *key, const char *bytes, size_t len, const char *type)
{
	Memstore *memstore = (Memstore *)store;
	Object *object = g_new0(Object, 1);

	memstore_remove(store, key);
	object->key = g_strdup(key);
	object->etag = g_strdup_printf("e%u", ++memstore->version);
	object->type = g_strdup(type);
	object->content = g_bytes_new(bytes, len);
	g_ptr_array_insert(memstore->objects, (int)place_of(memstore, key), object);
}

void
memstore_remove(HfStore *store, const char *key)
{
	Object *object = find((Memstore *)store, key);

	if (object)
		g_ptr_array_remove(((Memstore *)store)->objects, object);
}

void
memstore_clear(HfStore *store)
{
	g_ptr_array_set_size(((Memstore *)store)->objects, 0);
}

unsigned
memstore_count(const HfStore *store)
{
	return ((const Memstore *)store)->objects->len;
}

void
memstore_list_backwards(HfStore *store, bool is_backwards)
{
	((Memstore *)store)->is_backwards = is_backwards;
}

void
memstore_trouble(HfStore *store, const char *key, int code)
{
	find((Memstore *)store, key)->trouble = code;
}

void
memstore_cut_list(HfStore *store, unsigned after)
{
	((Memstore *)store)->cut_after = after;
}

void
memstore_stop_after(HfStore *store, unsigned after)
{
	((Memstore *)store)->stop_after = after;
}

unsigned
memstore_reads(const HfStore *store)
{
	return ((const Memstore *)store)->reads;
}

void
memstore_foreach(HfStore *store, MemstoreFunc call, gpointer context)
{
	const GPtrArray *objects = ((Memstore *)store)->objects;

	for (guint i = 0; i < objects->len; i++) {
		const Object *object = g_ptr_array_index(objects, i);

		call(object->key, object->content, context);
	}
}
