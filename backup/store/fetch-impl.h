/*
 * backup/store/fetch-impl.h -- for those who write a fetch; those who use one include fetch.h.
 *
 * The base keeps the items in the order of asking, hands them out, and counts the bytes held in memory.  An
 * implementation turns items into outcomes, in whatever order it likes, but begins them in the order of asking.
 *
 * Memory: an item may be begun while what is held and what it needs stay within memory_bytes.  The oldest item may
 * always be begun, since all others wait behind it: so at most memory_bytes + large_bytes are held.
 */
#pragma once

#include "backup/store/fetch.h"
#include "backup/store/meta.h"

typedef struct HfFetchItem HfFetchItem;

/* A struct of an implementation's own begins with this. */
struct HfFetchItem {
	GList link;      /* in HfFetch.items; data is the item */
	GList wait_link; /* in HfFetch.waiting, the same */
	uint64_t number; /* in the order of asking */
	char *key;
	uint64_t listed_bytes;
	char *listed_etag; /* NULL where the listing gave none */
	size_t held_bytes;
	bool is_done; /* fetched is complete: by hf_fetch_item_done() or hf_fetch_item_trouble() */
	HfFetched fetched;

	/* What fetched borrows. */
	HfMeta meta;
	char *etag;
	GError *error;
};

typedef struct {
	size_t item_bytes; /* of the implementation's item */
	/* Goes on with the work; returns when something was done, at the latest when the oldest item is. */
	bool (*advance)(HfFetch *self, GError **error);
	bool (*stream)(HfFetch *self, HfFetchItem *item, HfStage *into, GError **error);
	void (*clear_item)(HfFetch *self, HfFetchItem *item); /* NULL: nothing to do */
	void (*clear)(HfFetch *self);                         /* what the struct holds; the items are gone */
} HfFetchOps;

struct HfFetch {
	const HfFetchOps *ops;
	HfFetchOptions options; /* no member is zero */
	GQueue items;           /* asked for and not yet handed out, the oldest first */
	GQueue waiting;         /* those of them that are not begun, which is the implementation's to say */
	uint64_t asked;
	HfFetchItem *current; /* handed out last */
	size_t held_bytes;
	size_t held_peak_bytes;
	GError *ended; /* why all ended: what is done is handed out before it is told */
};

/* Sets up the base of a fetch that was allocated zeroed. */
void hf_fetch_init(HfFetch *self, const HfFetchOps *ops, const HfFetchOptions *options);

/* Counts bytes for the item (instead of what it held before) if they fit; false where they do not. */
bool hf_fetch_item_hold(HfFetch *self, HfFetchItem *item, uint64_t bytes);

/* True where an object of this size is streamed. */
bool hf_fetch_is_large(const HfFetch *self, uint64_t bytes);

/* Puts an item that was begun back among those that wait, at its place in the order; it holds nothing then. */
void hf_fetch_item_wait(HfFetch *self, HfFetchItem *item);

/* The outcome; content is taken, and NULL for a large object.  fetched's other members, etag and meta are set before. */
void hf_fetch_item_done(HfFetch *self, HfFetchItem *item, GBytes *content);
/* The other outcome: takes error. */
void hf_fetch_item_trouble(HfFetch *self, HfFetchItem *item, GError *error);
