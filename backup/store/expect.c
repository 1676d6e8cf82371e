#include "config.h"

#include "backup/store/expect.h"
#include "backup/store/expect-impl.h"
#include "backup/store/store-impl.h"

/* A manifest has 1 to 10 KiB, a signature 300 bytes: a batch is rarely more than some MiB, and never 9. */
#define OBJECT_BYTES_MAX ((uint64_t)256 << 10)
#define BATCH_OBJECTS 512
#define BATCH_BYTES ((size_t)8 << 20)
#define OBJECTS_A_CONNECTION 4 /* fewer are not worth a handshake of their own */
#define CONNECTIONS_MAX 16

typedef struct {
	char *key, *etag;
	uint64_t bytes;
	size_t place; /* in the order of saying */
} Expected;

struct HfExpected {
	GPtrArray *objects;
	GHashTable *by_key; /* of the Expected above */
	GHashTable *taken;  /* key to GBytes, of the last batch; what was read is gone from it */
	size_t next;        /* the first object that no batch has taken */
};

static void
expected_free(gpointer data)
{
	Expected *object = data;

	g_free(object->key);
	g_free(object->etag);
	g_free(object);
}

static void
free_bytes(gpointer bytes)
{
	g_bytes_unref(bytes);
}

static HfExpected *
all_new(void)
{
	HfExpected *all = g_new0(HfExpected, 1);

	all->objects = g_ptr_array_new_with_free_func(expected_free);
	all->by_key = g_hash_table_new(g_str_hash, g_str_equal);
	all->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_bytes);
	return all;
}

void
hf_store_expect(HfStore *store, const HfObject *object)
{
	Expected *expected;

	if (!store->ops->is_distant || object->bytes > OBJECT_BYTES_MAX)
		return;
	if (!store->expected)
		store->expected = all_new();
	if (g_hash_table_contains(store->expected->by_key, object->key))
		return;
	expected = g_new0(Expected, 1);
	*expected = (Expected){g_strdup(object->key), g_strdup(object->etag), object->bytes,
			       store->expected->objects->len};
	g_ptr_array_add(store->expected->objects, expected);
	g_hash_table_insert(store->expected->by_key, expected->key, expected);
}

void
hf_store_expect_nothing(HfStore *store)
{
	HfExpected *all = g_steal_pointer(&store->expected);

	if (!all)
		return;
	g_hash_table_unref(all->taken);
	g_hash_table_unref(all->by_key);
	g_ptr_array_unref(all->objects);
	g_free(all);
}

/* Asks for the objects from all->next on; gives where the batch ends. */
static size_t
ask(const HfExpected *all, HfFetch *fetch)
{
	size_t end = all->next, bytes = 0;

	for (; end < all->objects->len && end - all->next < BATCH_OBJECTS && bytes < BATCH_BYTES; end++) {
		const Expected *object = all->objects->pdata[end];

		hf_fetch_ask(fetch, &(HfObject){object->key, object->bytes, object->etag, 0});
		bytes += object->bytes;
	}
	return end;
}

/* What does not come, for whatever reason, is left to its own read. */
static void
take_batch(HfStore *store, HfExpected *all, size_t place)
{
	size_t left = all->objects->len - place;
	HfFetchOptions options = {
		.connections = (unsigned)CLAMP(left / OBJECTS_A_CONNECTION, 1, CONNECTIONS_MAX),
	};
	g_autoptr(HfFetch) fetch = hf_fetch_new(store, &options);
	const HfFetched *fetched = NULL;

	g_hash_table_remove_all(all->taken);
	all->next = place;
	all->next = ask(all, fetch);
	while (hf_fetch_next(fetch, &fetched, NULL) && fetched)
		if (fetched->content)
			g_hash_table_insert(all->taken, g_strdup(fetched->key),
					    g_bytes_ref(fetched->content));
}

GBytes *
hf_store_take_expected(HfStore *store, const char *key)
{
	HfExpected *all = store->expected;
	const Expected *object = all ? g_hash_table_lookup(all->by_key, key) : NULL;
	g_autofree char *taken_key = NULL;
	GBytes *bytes = NULL;

	if (!object)
		return NULL;
	/* The last one is as quick by itself. */
	if (object->place >= all->next && object->place + 1 < all->objects->len)
		take_batch(store, all, object->place);
	g_hash_table_steal_extended(all->taken, key, (gpointer *)&taken_key, (gpointer *)&bytes);
	return bytes;
}
