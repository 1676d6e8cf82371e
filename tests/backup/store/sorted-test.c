#include "config.h"

#include "backup/store/sorted.h"
#include "backup/store/store-impl.h"

#include <string.h>

/* A store that lists `count` keys in an order of its own, some of them twice. */
typedef struct {
	HfStore base;
	unsigned count;
	unsigned lists;
} Muddle;

typedef struct {
	HfListing base;
	unsigned count, position;
	char key[16];
	HfObject object;
} Listing;

static bool
listing_next(HfListing *self, const HfObject **object_out, GError **error)
{
	Listing *listing = (Listing *)self;

	(void)error;
	*object_out = NULL;
	if (listing->position == listing->count + 10)
		return true;
	/* 7,919 is a prime, so all are met. */
	g_snprintf(listing->key, sizeof listing->key, "k%08u",
		   (unsigned)((uint64_t)listing->position * 7919 % listing->count));
	listing->position++;
	listing->object = (HfObject){.key = listing->key, .bytes = 1, .etag = "e"};
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
muddle_list(HfStore *self, const char *prefix, const char *start_after, GError **error)
{
	Muddle *muddle = (Muddle *)self;
	Listing *listing = g_new0(Listing, 1);

	(void)prefix;
	(void)start_after;
	(void)error;
	listing->base.ops = &listing_ops;
	listing->count = muddle->count;
	muddle->lists++;
	return &listing->base;
}

static const HfStoreOps muddle_ops = {.list = muddle_list};

static void
assert_sorted(unsigned count, unsigned lists)
{
	Muddle *muddle = g_new0(Muddle, 1);
	g_autoptr(HfListing) listing = NULL;
	const HfObject *object;

	hf_store_init(&muddle->base, &muddle_ops, g_strdup("s3://muddle"));
	muddle->count = count;
	listing = hf_sorted_list(&muddle->base, NULL);
	for (unsigned i = 0; i < count; i++) {
		char key[16];

		g_snprintf(key, sizeof key, "k%08u", i);
		g_assert_true(hf_listing_next(listing, &object, NULL));
		g_assert_cmpstr(object->key, ==, key);
	}
	g_assert_true(hf_listing_next(listing, &object, NULL));
	g_assert_null(object);
	g_assert_cmpuint(muddle->lists, ==, lists);
	hf_store_free(&muddle->base);
}

static void
test_one_pass(void)
{
	assert_sorted(1000, 1);
}

static void
test_several_passes(void)
{
	assert_sorted(120000, 3);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sorted/one-pass", test_one_pass);
	g_test_add_func("/sorted/several-passes", test_several_passes);
	return g_test_run();
}
