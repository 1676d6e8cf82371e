#include "config.h"

#include "backup/store/sorted.h"
#include "backup/store/store-impl.h"

#include <string.h>

/* Some 10 MiB of keys and etags as they usually are; twice that while a pass is on. */
#define WINDOW_OBJECTS 50000

typedef struct {
	HfListing base;
	HfStore *store;
	GPtrArray *window; /* of HfObject, sorted; after position they wait */
	guint position;
	char *last;          /* the last key of the window before; NULL at the beginning */
	bool is_last_window; /* the pass found no more than fit */
} Sorted;

static void
object_free(gpointer data)
{
	HfObject *object = data;

	g_free((gpointer)(uintptr_t)object->key);
	g_free((gpointer)(uintptr_t)object->etag);
	g_free(object);
}

static HfObject *
object_copy(const HfObject *object)
{
	HfObject *copy = g_memdup2(object, sizeof *object);

	copy->key = g_strdup(object->key);
	copy->etag = g_strdup(object->etag);
	return copy;
}

static int
compare_keys(gconstpointer a, gconstpointer b)
{
	const HfObject *const *left = a, *const *right = b;

	return strcmp((*left)->key, (*right)->key);
}

/* Sorts, drops what came twice, and keeps the first ones; true where some did not fit. */
static bool
shrink(GPtrArray *window)
{
	guint kept = 0;

	g_ptr_array_sort(window, compare_keys);
	for (guint i = 0; i < window->len; i++) {
		HfObject *object = g_ptr_array_index(window, i);

		if (kept > 0 &&
		    strcmp(((HfObject *)g_ptr_array_index(window, kept - 1))->key, object->key) == 0)
			object_free(object);
		else
			g_ptr_array_index(window, kept++) = object;
	}
	for (guint i = kept; i < window->len; i++)
		g_ptr_array_index(window, i) = NULL;
	g_ptr_array_set_size(window, (int)kept);
	if (kept <= WINDOW_OBJECTS)
		return false;
	g_ptr_array_set_size(window, WINDOW_OBJECTS);
	return true;
}

static void
free_if_any(gpointer data)
{
	if (data)
		object_free(data);
}

static bool
fill_window(Sorted *sorted, GError **error)
{
	g_autoptr(HfListing) listing = hf_store_list(sorted->store, NULL, NULL, error);
	bool is_cut = false;
	const HfObject *object;

	if (!listing)
		return false;
	g_ptr_array_set_size(sorted->window, 0);
	sorted->position = 0;
	for (;;) {
		if (!hf_listing_next(listing, &object, error))
			return false;
		if (!object)
			break;
		if (sorted->last && strcmp(object->key, sorted->last) <= 0)
			continue;
		g_ptr_array_add(sorted->window, object_copy(object));
		if (sorted->window->len == 2 * WINDOW_OBJECTS)
			is_cut = shrink(sorted->window) || is_cut;
	}
	is_cut = shrink(sorted->window) || is_cut;
	sorted->is_last_window = !is_cut;
	return true;
}

static bool
sorted_next(HfListing *self, const HfObject **object_out, GError **error)
{
	Sorted *sorted = (Sorted *)self;

	*object_out = NULL;
	if (sorted->position == sorted->window->len) {
		if (sorted->is_last_window)
			return true;
		if (sorted->window->len > 0) {
			const HfObject *end = g_ptr_array_index(sorted->window, sorted->window->len - 1);

			g_free(sorted->last);
			sorted->last = g_strdup(end->key);
		}
		if (!fill_window(sorted, error))
			return false;
	}
	if (sorted->position < sorted->window->len)
		*object_out = g_ptr_array_index(sorted->window, sorted->position++);
	return true;
}

static void
sorted_clear(HfListing *self)
{
	Sorted *sorted = (Sorted *)self;

	g_ptr_array_unref(sorted->window);
	g_free(sorted->last);
}

static const HfListingOps sorted_ops = {sorted_next, sorted_clear};

HfListing *
hf_sorted_list(HfStore *store, GError **error)
{
	Sorted *sorted = g_new0(Sorted, 1);

	sorted->base.ops = &sorted_ops;
	sorted->store = store;
	sorted->window = g_ptr_array_new_with_free_func(free_if_any);
	if (fill_window(sorted, error))
		return &sorted->base;
	hf_listing_free(&sorted->base);
	return NULL;
}
