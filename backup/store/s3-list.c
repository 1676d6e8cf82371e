#include "config.h"

#include "backup/store/s3-impl.h"
#include "backup/store/s3-xml.h"
#include "common/error.h"

#include <string.h>

#define LISTED "ListBucketResult/"

typedef struct {
	HfObject object;
	char *key, *etag, *size, *modified;
} Entry;

/* A page as it is read. */
typedef struct {
	GPtrArray *entries; /* of Entry */
	Entry *current;
	char *token;
	bool is_truncated;
	bool is_encoded;
} Page;

typedef struct {
	HfListing base;
	HfS3 *s3;
	char *prefix;      /* in the bucket */
	char *start_after; /* in the bucket, or "" */
	Page page;
	guint next;
	bool is_last;
	char *previous; /* the last key, in the bucket: what the order is checked with */
} Listing;

static void
free_entry(gpointer data)
{
	Entry *entry = data;

	g_free(entry->key);
	g_free(entry->etag);
	g_free(entry->size);
	g_free(entry->modified);
	g_free(entry);
}

static void
page_clear(Page *page)
{
	g_clear_pointer(&page->entries, g_ptr_array_unref);
	g_clear_pointer(&page->current, free_entry);
	g_clear_pointer(&page->token, g_free);
	*page = (Page){0};
}

static void
on_field(Page *page, const char *name, const char *text)
{
	Entry *entry = page->current ? page->current : g_new0(Entry, 1);
	char **field = strcmp(name, "Key") == 0            ? &entry->key
		       : strcmp(name, "ETag") == 0         ? &entry->etag
		       : strcmp(name, "Size") == 0         ? &entry->size
		       : strcmp(name, "LastModified") == 0 ? &entry->modified
							   : NULL;

	page->current = entry;
	if (field && !*field)
		*field = g_strdup(text);
}

static void
on_element(const char *path, const char *text, void *data)
{
	Page *page = data;

	if (g_str_has_prefix(path, LISTED "Contents/"))
		on_field(page, path + strlen(LISTED "Contents/"), text);
	else if (strcmp(path, LISTED "Contents") == 0 && page->current)
		g_ptr_array_add(page->entries, g_steal_pointer(&page->current));
	else if (strcmp(path, LISTED "IsTruncated") == 0)
		page->is_truncated = strcmp(text, "true") == 0;
	else if (strcmp(path, LISTED "NextContinuationToken") == 0 && !page->token)
		page->token = g_strdup(text);
	else if (strcmp(path, LISTED "EncodingType") == 0)
		page->is_encoded = strcmp(text, "url") == 0;
}

/* "+" is a space: S3 encodes keys as forms do.  A server that does not know encoding-type gives them as they are. */
static char *
decode_key(const Page *page, const char *key)
{
	g_autofree char *spaced = NULL;

	if (!page->is_encoded)
		return g_strdup(key);
	spaced = g_strdelimit(g_strdup(key), "+", ' ');
	return g_uri_unescape_string(spaced, NULL); /* NULL for a bad escape and for %00 */
}

static void
strip_quotes(char *etag)
{
	size_t len = etag ? strlen(etag) : 0;

	if (len >= 2 && etag[0] == '"' && etag[len - 1] == '"') {
		memmove(etag, etag + 1, len - 2);
		etag[len - 2] = '\0';
	}
}

static bool
fill_object(Listing *listing, Entry *entry, GError **error)
{
	const char *location = listing->s3->base.location;
	g_autofree char *key = entry->key ? decode_key(&listing->page, entry->key) : NULL;
	g_autoptr(GDateTime) modified = entry->modified ? g_date_time_new_from_iso8601(entry->modified, NULL)
							: NULL;
	guint64 bytes;

	if (!key || !modified || !entry->size ||
	    !g_ascii_string_to_unsigned(entry->size, 10, 0, G_MAXINT64, &bytes, NULL))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"%s\": the listing's entry \"%.256s\" is malformed", location,
				    entry->key ? entry->key : "");
	/* What is merged with a listing relies on its order; a server that breaks it would also page for ever. */
	if (!g_str_has_prefix(key, listing->prefix) || strcmp(key, listing->start_after) <= 0 ||
	    (listing->previous && strcmp(key, listing->previous) <= 0))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"%s\": the server lists \"%.256s\" out of order", location, key);
	g_free(listing->previous);
	listing->previous = g_strdup(key);
	g_free(entry->key);
	entry->key = g_steal_pointer(&key);
	strip_quotes(entry->etag);
	entry->object = (HfObject){entry->key + strlen(listing->s3->prefix), bytes, entry->etag,
				   g_date_time_to_unix(modified)};
	return true;
}

typedef struct {
	Listing *listing;
	const HfS3Request *request;
} PageTry;

static bool
try_page(void *data, bool *moved, GError **error)
{
	PageTry *page_try = data;
	Listing *listing = page_try->listing;
	g_auto(HfS3Reply) reply = {0};

	(void)moved;
	page_clear(&listing->page);
	listing->page.entries = g_ptr_array_new_with_free_func(free_entry);
	return hf_s3_perform_once(listing->s3->client, page_try->request, &reply, error) &&
	       hf_s3_xml_parse(reply.body->data, reply.body->len, on_element, &listing->page, error);
}

static bool
fetch_page(Listing *listing, GError **error)
{
	g_autofree char *token = g_strdup(listing->page.token);
	HfPair query[] = {
		{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", listing->prefix}, {0}, {0}};
	HfS3Request request = {.method = "GET", .query = query};
	PageTry page_try = {listing, &request};

	if (token)
		query[3] = (HfPair){"continuation-token", token};
	else if (listing->start_after[0])
		query[3] = (HfPair){"start-after", listing->start_after};
	listing->next = 0;
	if (!hf_s3_retry(listing->s3->client, try_page, &page_try, false, error))
		return false;
	listing->is_last = !listing->page.is_truncated;
	if (!listing->is_last && (!listing->page.token || g_strcmp0(listing->page.token, token) == 0))
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\": the server's listing does not go on",
				    listing->s3->base.location);
	return true;
}

static bool
next(HfListing *self, const HfObject **object_out, GError **error)
{
	Listing *listing = (Listing *)self;

	*object_out = NULL;
	while (true) {
		while (listing->page.entries && listing->next < listing->page.entries->len) {
			Entry *entry = listing->page.entries->pdata[listing->next++];

			if (!fill_object(listing, entry, error))
				return false;
			if (entry->object.key[0] == '\0')
				continue; /* "prefix/" itself: a folder's mark that consoles make */
			*object_out = &entry->object;
			return true;
		}
		if (listing->is_last)
			return true;
		if (!fetch_page(listing, error))
			return false;
	}
}

static void
clear(HfListing *self)
{
	Listing *listing = (Listing *)self;

	page_clear(&listing->page);
	g_free(listing->prefix);
	g_free(listing->start_after);
	g_free(listing->previous);
}

static const HfListingOps ops = {.next = next, .clear = clear};

HfListing *
hf_s3_list(HfStore *self, const char *prefix, const char *start_after, GError **error)
{
	Listing *listing = g_new0(Listing, 1);

	listing->base.ops = &ops;
	listing->s3 = (HfS3 *)self;
	listing->prefix = hf_s3_full_key(listing->s3, prefix);
	listing->start_after = start_after[0] ? hf_s3_full_key(listing->s3, start_after) : g_strdup("");
	if (!fetch_page(listing, error)) {
		hf_listing_free(&listing->base);
		return NULL;
	}
	return &listing->base;
}
