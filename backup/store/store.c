#include "config.h"

#include "backup/age/keyring.h"
#include "backup/store/expect.h"
#include "backup/store/store-impl.h"
#include "common/error.h"

#include <string.h>

/* Amazon S3 User Guide, "Naming Amazon S3 objects": a key is at most 1,024 bytes. */
#define KEY_BYTES_MAX 1024

void
hf_store_init(HfStore *self, const HfStoreOps *ops, char *location)
{
	self->ops = ops;
	self->location = location;
}

const char *
hf_store_location(const HfStore *store)
{
	return store->location;
}

const char *
hf_store_endpoint(const HfStore *store)
{
	return store->endpoint;
}

void
hf_store_set_keyring(HfStore *store, HfKeyring *keyring)
{
	if (!store->borrows_keyring)
		hf_keyring_free(store->keyring);
	store->keyring = keyring;
	store->borrows_keyring = false;
}

HfKeyring *
hf_store_keyring(const HfStore *store)
{
	return store->keyring;
}

void
hf_store_set_copies(HfStore *store, HfStore *copies)
{
	if (!store->borrows_keyring)
		hf_store_free(store->copies);
	store->copies = copies;
}

HfStore *
hf_store_copies(const HfStore *store)
{
	return store->copies;
}

bool
hf_store_check_key(const char *key, GError **error)
{
	size_t len = strlen(key);

	if (len == 0)
		return hf_error_set(error, HF_ERROR_USAGE, "an object's key is empty");
	if (len > KEY_BYTES_MAX)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "key \"%.64s...\" has %zu bytes: at most %d are allowed", key, len,
				    KEY_BYTES_MAX);
	return true;
}

bool
hf_store_takes_key(const HfStore *store, const char *key, GError **error)
{
	return hf_store_check_key(key, error) &&
	       (!store->ops->takes_key || store->ops->takes_key(store, key, error));
}

HfListing *
hf_store_list(HfStore *store, const char *prefix, const char *start_after, GError **error)
{
	return store->ops->list(store, prefix ? prefix : "", start_after ? start_after : "", error);
}

bool
hf_listing_next(HfListing *listing, const HfObject **object_out, GError **error)
{
	return listing->ops->next(listing, object_out, error);
}

void
hf_listing_free(HfListing *listing)
{
	if (!listing)
		return;
	listing->ops->clear(listing);
	g_free(listing);
}

bool
hf_store_read(HfStore *store, const char *key, HfRange range, HfStage *into, GError **error)
{
	bool is_whole = range.offset == 0 && range.length == HF_TO_END;
	g_autoptr(GBytes) content = NULL;

	if (!hf_store_check_key(key, error))
		return false;
	content = is_whole ? hf_store_take_expected(store, key) : NULL;
	return content ? hf_stage_write(into, g_bytes_get_data(content, NULL), g_bytes_get_size(content),
					error)
		       : store->ops->read(store, key, range, into, error);
}

HfStage *
hf_store_write(HfStore *store, const char *key, const HfObjectMeta *meta, GError **error)
{
	static const HfObjectMeta nothing = {0};

	return hf_store_check_key(key, error) ? store->ops->write(store, key, meta ? meta : &nothing, error)
					      : NULL;
}

bool
hf_store_create(HfStore *store, const char *key, GBytes *bytes, GError **error)
{
	return hf_store_check_key(key, error) && store->ops->create(store, key, bytes, error);
}

bool
hf_store_replace(HfStore *store, const char *key, GBytes *bytes, const char *etag, GError **error)
{
	return hf_store_check_key(key, error) && store->ops->replace(store, key, bytes, etag, error);
}

bool
hf_store_get(HfStore *store, const char *key, size_t limit_bytes, GBytes **bytes_out, char **etag_out,
	     GError **error)
{
	return hf_store_check_key(key, error) &&
	       store->ops->get(store, key, limit_bytes, bytes_out, etag_out, error);
}

bool
hf_store_probe(HfStore *store, const char *key, HfConditions *found_out, GError **error)
{
	return hf_store_check_key(key, error) && store->ops->probe(store, key, found_out, error);
}

void
hf_store_set_steadfast(HfStore *store)
{
	store->is_steadfast = true;
}

bool
hf_store_remove(HfStore *store, const char *const *keys, GError **error)
{
	for (const char *const *key = keys; *key; key++)
		if (!hf_store_check_key(*key, error))
			return false;
	return store->ops->remove(store, keys, error);
}

bool
hf_store_can_copy(const HfStore *store, const HfStore *from)
{
	return store->ops == from->ops && store->ops->can_copy && store->ops->can_copy(store, from);
}

bool
hf_store_copy(HfStore *store, HfStore *from, const char *key, uint64_t bytes, GError **error)
{
	g_assert(store->ops == from->ops && store->ops->copy);
	return hf_store_check_key(key, error) && store->ops->copy(store, from, key, bytes, error);
}

void
hf_store_free(HfStore *store)
{
	if (!store)
		return;
	if (store->ops->clear)
		store->ops->clear(store);
	hf_store_expect_nothing(store);
	hf_store_set_copies(store, NULL);
	hf_store_set_keyring(store, NULL);
	g_free(store->location);
	g_free(store->endpoint);
	g_free(store);
}
