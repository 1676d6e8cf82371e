#include "config.h"

#include "tests/lib/racestore.h"
#include "common/error.h"

#include <string.h>

typedef struct {
	GBytes *content;
	unsigned version;
} Object;

struct RacePlace {
	GTree *objects; /* key to Object */
	unsigned version;
	HfConditions conditions;
	bool is_stubborn;
};

typedef struct {
	HfStore base;
	RacePlace *place;
	RaceHook hook;
	void *data;
} RaceStore;

static void
object_free(gpointer data)
{
	g_bytes_unref(((Object *)data)->content);
	g_free(data);
}

static gint
compare(gconstpointer a, gconstpointer b, gpointer data)
{
	(void)data;
	return strcmp(a, b);
}

RacePlace *
race_place_new(void)
{
	RacePlace *place = g_new0(RacePlace, 1);

	place->objects = g_tree_new_full(compare, NULL, g_free, object_free);
	place->conditions = (HfConditions){true, true};
	return place;
}

void
race_place_free(RacePlace *place)
{
	g_tree_unref(place->objects);
	g_free(place);
}

void
race_place_set_conditions(RacePlace *place, HfConditions conditions)
{
	place->conditions = conditions;
}

void
race_place_set_stubborn(RacePlace *place, bool is_stubborn)
{
	place->is_stubborn = is_stubborn;
}

GBytes *
race_place_get(const RacePlace *place, const char *key)
{
	const Object *object = g_tree_lookup(place->objects, key);

	return object ? object->content : NULL;
}

static void
put(RacePlace *place, const char *key, GBytes *content)
{
	Object *object = g_new0(Object, 1);

	object->content = g_bytes_ref(content);
	object->version = ++place->version;
	g_tree_replace(place->objects, g_strdup(key), object);
}

void
race_place_put(RacePlace *place, const char *key, const char *text)
{
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

	put(place, key, bytes);
}

void
race_place_remove(RacePlace *place, const char *key)
{
	g_tree_remove(place->objects, key);
}

static gboolean
collect(gpointer key, gpointer value, gpointer data)
{
	(void)value;
	g_ptr_array_add(data, key);
	return FALSE;
}

unsigned
race_place_count(const RacePlace *place, const char *prefix)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	unsigned count = 0;

	g_tree_foreach(place->objects, collect, keys);
	for (guint i = 0; i < keys->len; i++)
		count += g_str_has_prefix(keys->pdata[i], prefix) ? 1 : 0;
	return count;
}

/* ---- operations ---- */

static RaceFate
fate(RaceStore *store)
{
	return store->hook ? store->hook(store->data) : RACE_DONE;
}

static bool
lost(GError **error)
{
	return hf_error_set(error, HF_ERROR_TRANSIENT, "the reply was lost");
}

static bool
race_get(HfStore *self, const char *key, size_t limit_bytes, GBytes **bytes_out, char **etag_out,
	 GError **error)
{
	RaceStore *store = (RaceStore *)self;
	const Object *object;

	if (fate(store) != RACE_DONE)
		return lost(error);
	object = g_tree_lookup(store->place->objects, key);
	if (!object)
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "there is no \"%s\"", key);
	if (g_bytes_get_size(object->content) > limit_bytes)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" is large", key);
	*bytes_out = g_bytes_ref(object->content);
	*etag_out = g_strdup_printf("%u", object->version);
	return true;
}

static bool
race_create(HfStore *self, const char *key, GBytes *bytes, GError **error)
{
	RaceStore *store = (RaceStore *)self;
	RaceFate what = fate(store);

	if (what == RACE_REFUSED)
		return lost(error);
	if (g_tree_lookup(store->place->objects, key))
		return what == RACE_LOST_REPLY ? lost(error)
					       : hf_error_set(error, HF_ERROR_CONFLICT, "\"%s\" exists", key);
	put(store->place, key, bytes);
	return what == RACE_DONE || lost(error);
}

static bool
race_replace(HfStore *self, const char *key, GBytes *bytes, const char *etag, GError **error)
{
	RaceStore *store = (RaceStore *)self;
	RaceFate what = fate(store);
	const Object *object = g_tree_lookup(store->place->objects, key);
	g_autofree char *now = object ? g_strdup_printf("%u", object->version) : NULL;

	if (what == RACE_REFUSED)
		return lost(error);
	if (store->place->is_stubborn || g_strcmp0(now, etag) != 0)
		return what == RACE_LOST_REPLY
			       ? lost(error)
			       : hf_error_set(error, HF_ERROR_CONFLICT, "\"%s\" was changed", key);
	put(store->place, key, bytes);
	return what == RACE_DONE || lost(error);
}

static bool
race_probe(HfStore *self, const char *key, HfConditions *found_out, GError **error)
{
	RaceStore *store = (RaceStore *)self;

	(void)key;
	if (fate(store) != RACE_DONE)
		return lost(error);
	*found_out = store->place->conditions;
	return true;
}

static bool
race_remove(HfStore *self, const char *const *keys, GError **error)
{
	RaceStore *store = (RaceStore *)self;
	RaceFate what = fate(store);

	for (; what != RACE_REFUSED && *keys; keys++)
		g_tree_remove(store->place->objects, *keys);
	return what == RACE_DONE || lost(error);
}

/* ---- the listing: what was there when it began ---- */

typedef struct {
	HfListing base;
	GPtrArray *keys; /* of char * */
	guint position;
	HfObject object;
} Listing;

static bool
listing_next(HfListing *self, const HfObject **object_out, GError **error)
{
	Listing *listing = (Listing *)self;

	(void)error;
	*object_out = NULL;
	if (listing->position >= listing->keys->len)
		return true;
	listing->object = (HfObject){.key = listing->keys->pdata[listing->position++]};
	*object_out = &listing->object;
	return true;
}

static void
listing_clear(HfListing *self)
{
	g_ptr_array_unref(((Listing *)self)->keys);
}

static const HfListingOps listing_ops = {listing_next, listing_clear};

static HfListing *
race_list(HfStore *self, const char *prefix, const char *start_after, GError **error)
{
	RaceStore *store = (RaceStore *)self;
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	Listing *listing;

	if (fate(store) != RACE_DONE) {
		(void)lost(error);
		return NULL;
	}
	listing = g_new0(Listing, 1);
	listing->base.ops = &listing_ops;
	listing->keys = g_ptr_array_new_with_free_func(g_free);
	g_tree_foreach(store->place->objects, collect, keys);
	for (guint i = 0; i < keys->len; i++)
		if (g_str_has_prefix(keys->pdata[i], prefix) && strcmp(keys->pdata[i], start_after) > 0)
			g_ptr_array_add(listing->keys, g_strdup(keys->pdata[i]));
	return &listing->base;
}

static const HfStoreOps ops = {
	.list = race_list,
	.create = race_create,
	.replace = race_replace,
	.get = race_get,
	.probe = race_probe,
	.remove = race_remove,
};

HfStore *
race_store_new(RacePlace *place, RaceHook hook, void *data)
{
	RaceStore *store = g_new0(RaceStore, 1);

	hf_store_init(&store->base, &ops, g_strdup("s3://race/backups"));
	store->place = place;
	store->hook = hook;
	store->data = data;
	return &store->base;
}
