#include "config.h"

#include "backup/store/fetch-impl.h"
#include "backup/store/s3-error.h"
#include "backup/store/s3-impl.h"
#include "backup/store/s3-meta.h"
#include "backup/store/s3-multi.h"
#include "common/error.h"

#include <string.h>

/* An object that changes while it is read is read so often in all. */
#define VERSIONS_MAX 4

#define RANGE_CHARS 64

/*
 * A small object is one GET of all of it; where that is cut, the rest of the same version is asked for.  A large one is
 * looked at by a GET of its first byte, since a HEAD is refused without words, and an object in cold storage not at all.
 */
typedef struct S3Fetch S3Fetch;

typedef struct {
	HfFetchItem base;
	HfS3Job job;
	S3Fetch *fetch;
	char *full_key;
	bool is_probe;  /* the job is the look at a large object */
	bool has_moved; /* it is not what it was taken for, and waits for its turn as what it is */
	unsigned versions;
	HfPair headers[3];
	char range[RANGE_CHARS];

	/* The version that is being read; tag is NULL until its headers came. */
	char *tag; /* as the server writes it */
	char *buffer;
	uint64_t total;
	size_t filled;
	bool is_checked; /* this try's headers were looked at */

	uint64_t read_before; /* S3Fetch.read before this try, and before the pause that led to it */
} S3Item;

struct S3Fetch {
	HfFetch base;
	HfS3 *s3;
	HfS3Multi *multi;
	uint64_t read;     /* objects that came */
	unsigned hopeless; /* objects in a row that did not come for all the tries */
};

static S3Item *
item_of(HfS3Job *job)
{
	return (S3Item *)((char *)job - G_STRUCT_OFFSET(S3Item, job));
}

static void
forget_version(S3Item *item)
{
	g_clear_pointer(&item->tag, g_free);
	g_clear_pointer(&item->buffer, g_free);
	item->filled = 0;
	item->total = 0;
}

/* ---- what comes ---- */

static bool
set_unexpected(const S3Item *item, HfError code, const char *what, GError **error)
{
	return hf_error_set(error, code, "\"%s/%s\": %s", item->fetch->s3->base.location, item->base.key,
			    what);
}

/* The object turned out to have another size: it waits for its turn once more, with that. */
static bool
move_item(S3Item *item, uint64_t bytes, GError **error)
{
	item->has_moved = true;
	item->base.listed_bytes = bytes;
	g_clear_pointer(&item->base.listed_etag, g_free);
	return set_unexpected(item, HF_ERROR_FAILED, "it has another size than was listed", error);
}

static bool
is_listed_tag(const S3Item *item, const char *tag)
{
	const char *listed = item->base.listed_etag;
	size_t len = listed ? strlen(listed) : 0;

	return listed && tag && strlen(tag) == len + 2 && memcmp(tag + 1, listed, len) == 0;
}

static bool
begin_version(S3Item *item, const HfS3Reply *reply, GError **error)
{
	const char *tag = hf_s3_reply_header(reply, "etag");
	uint64_t total;

	if (!hf_s3_head_bytes(reply, &total, error))
		return false;
	/* The same version with another size: cut by somebody in between, who made the headers agree. */
	if (is_listed_tag(item, tag) && total != item->base.listed_bytes)
		return set_unexpected(item, HF_ERROR_TRANSIENT, "the reply is not as long as the object",
				      error);
	if (hf_fetch_is_large(&item->fetch->base, total) ||
	    !hf_fetch_item_hold(&item->fetch->base, &item->base, total))
		return move_item(item, total, error);
	item->tag = g_strdup(tag);
	item->total = total;
	item->buffer = g_malloc((size_t)total);
	return true;
}

/* A server may also answer a range with all there is. */
static bool
go_on_with_version(S3Item *item, const HfS3Reply *reply, GError **error)
{
	uint64_t first = 0, total = 0;

	if (reply->status == 206 && hf_s3_reply_range(reply, &first, &total) && first == item->filled &&
	    total == item->total)
		return true;
	if (reply->status == 206)
		return set_unexpected(item, HF_ERROR_FAILED,
				      "the server gave another range than was asked for", error);
	forget_version(item);
	return begin_version(item, reply, error);
}

static bool
begin_probe(S3Item *item, const HfS3Reply *reply, GError **error)
{
	uint64_t first;

	if (!hf_s3_reply_range(reply, &first, &item->total) && !hf_s3_head_bytes(reply, &item->total, error))
		return false;
	return hf_fetch_is_large(&item->fetch->base, item->total) || move_item(item, item->total, error);
}

/* Looks at the headers of this try, once. */
static bool
check_headers(S3Item *item, const HfS3Reply *reply, GError **error)
{
	if (!item->is_checked)
		item->is_checked = item->is_probe ? begin_probe(item, reply, error)
				   : item->tag    ? go_on_with_version(item, reply, error)
						  : begin_version(item, reply, error);
	return item->is_checked;
}

static bool
on_bytes(void *data, const HfS3Reply *reply, const void *buf, size_t len, GError **error)
{
	S3Item *item = data;

	if (!check_headers(item, reply, error))
		return false;
	if (item->is_probe) /* one byte; or all of the object, where the server knows no ranges: then we stop it */
		return reply->status == 206 ||
		       set_unexpected(item, HF_ERROR_FAILED, "the server ignores ranges", error);
	if (len > item->total - item->filled)
		return set_unexpected(item, HF_ERROR_TRANSIENT, "more bytes came than were announced", error);
	memcpy(item->buffer + item->filled, buf, len);
	item->filled += len;
	return true;
}

/* ---- what is sent ---- */

/* Where there is no tag, there is no way to go on with a version: it begins anew. */
static void
prepare(HfS3Job *job)
{
	S3Item *item = item_of(job);
	unsigned count = 0;

	item->is_checked = false;
	item->read_before = item->fetch->read;
	if (item->tag) {
		g_snprintf(item->range, sizeof item->range, "bytes=%zu-", item->filled);
		item->headers[count++] = (HfPair){"range", item->range};
		item->headers[count++] = (HfPair){"if-match", item->tag};
	} else {
		forget_version(item);
		if (item->is_probe)
			item->headers[count++] = (HfPair){"range", "bytes=0-0"};
	}
	item->headers[count] = (HfPair){NULL, NULL};
}

static void on_end(HfS3Job *job, const HfS3Reply *reply, const GError *error);

static void
start(S3Fetch *fetch, S3Item *item)
{
	item->fetch = fetch;
	item->is_probe = hf_fetch_is_large(&fetch->base, item->base.listed_bytes);
	if (!item->full_key)
		item->full_key = hf_s3_full_key(fetch->s3, item->base.key);
	item->job.request = (HfS3Request){.method = "GET",
					  .key = item->full_key,
					  .headers = item->headers,
					  .on_body = on_bytes,
					  .on_body_data = item};
	item->job.again = prepare;
	item->job.end = on_end;
	prepare(&item->job);
	hf_s3_multi_add(fetch->multi, &item->job);
}

static void
start_waiting(S3Fetch *fetch)
{
	GList *link;

	while ((link = fetch->base.waiting.head) && hf_s3_multi_has_room(fetch->multi)) {
		S3Item *item = link->data;

		if (!hf_fetch_is_large(&fetch->base, item->base.listed_bytes) &&
		    !hf_fetch_item_hold(&fetch->base, &item->base, item->base.listed_bytes))
			return;
		g_queue_unlink(&fetch->base.waiting, link);
		start(fetch, item);
	}
}

/* ---- what went wrong, and whose trouble it is ---- */

/*
 * An object that no try brought, although others came since the last but one, has a trouble of its own: a damaged
 * disk, for example.  Where nothing else came either, the server is in trouble.  But 500, and a body that always breaks
 * off, is what servers give for one object that they cannot read: that ends everything only when it happens to several
 * in a row.
 */
static bool
is_hopeless(const S3Item *item, long status)
{
	S3Fetch *fetch = item->fetch;

	if (fetch->read > item->read_before)
		return false;
	return (status != 500 && status / 100 != 2) || ++fetch->hopeless >= fetch->base.options.connections;
}

/* True where the trouble is this object's alone; else it ends the fetch. */
static bool
is_own_trouble(const S3Item *item, const HfS3Reply *reply, const GError *error)
{
	g_autofree char *code = hf_s3_error_code(reply);

	switch ((HfError)error->code) {
	case HF_ERROR_NOT_FOUND:
	case HF_ERROR_CONFLICT:
	case HF_ERROR_CORRUPT:
		return true;
	case HF_ERROR_DENIED: /* a key that is unknown or has expired is denied everything, as is one without any */
		return code ? strcmp(code, "AccessDenied") == 0 || strcmp(code, "InvalidObjectState") == 0
			    : reply->status != 0;
	case HF_ERROR_TRANSIENT:
		return !is_hopeless(item, reply->status);
	case HF_ERROR_FAILED: /* status 0: no server said so */
		return reply->status != 0 && g_strcmp0(code, "RequestTimeTooSkewed") != 0;
	case HF_ERROR_USAGE:
	case HF_ERROR_CANCELLED:
		return false;
	}
	g_assert_not_reached();
}

static void
fail(S3Item *item, const HfS3Reply *reply, const GError *error)
{
	HfFetch *fetch = &item->fetch->base;

	if (is_own_trouble(item, reply, error))
		hf_fetch_item_trouble(fetch, &item->base, g_error_copy(error));
	else if (!fetch->ended)
		fetch->ended = g_error_copy(error);
}

/* ---- the end of a job ---- */

static void
succeed(S3Item *item, const HfS3Reply *reply)
{
	S3Fetch *fetch = item->fetch;
	GBytes *content = NULL;

	hf_s3_meta_from_reply(reply, &item->base.meta);
	item->base.etag = hf_s3_reply_etag(reply);
	item->base.fetched.modified_s = hf_s3_reply_time(reply, "last-modified");
	item->base.fetched.bytes = item->total;
	if (item->is_probe)
		item->tag = g_strdup(hf_s3_reply_header(reply, "etag"));
	else
		content = g_bytes_new_take(g_steal_pointer(&item->buffer), (gsize)item->total);
	fetch->read++;
	fetch->hopeless = 0;
	hf_fetch_item_done(&fetch->base, &item->base, content);
}

static void
wait_again(S3Item *item)
{
	item->has_moved = false;
	forget_version(item);
	hf_fetch_item_wait(&item->fetch->base, &item->base);
}

/* Another version lies there now, or the reply was not what it said. */
static void
read_anew(S3Item *item, const HfS3Reply *reply)
{
	g_autoptr(GError) error = NULL;

	if (++item->versions < VERSIONS_MAX) {
		forget_version(item);
		start(item->fetch, item);
	} else if (reply->status == 412) {
		set_unexpected(item, HF_ERROR_CONFLICT, "it changes while it is read", &error);
		fail(item, reply, error);
	} else {
		set_unexpected(item, HF_ERROR_CORRUPT, "the replies end before the object does", &error);
		fail(item, reply, error);
	}
}

static void
on_end(HfS3Job *job, const HfS3Reply *reply, const GError *error)
{
	S3Item *item = item_of(job);

	if (!error) /* an empty object has no body that we would have been called for */
		(void)!check_headers(item, reply, NULL);
	if (item->is_probe && reply->status == 416) /* nor a first byte */
		(void)!move_item(item, 0, NULL);
	if (item->has_moved)
		wait_again(item);
	else if (item->is_checked && (item->is_probe || item->filled == item->total))
		succeed(item, reply); /* also where the connection broke behind the last byte */
	else if (!error || reply->status == 412)
		read_anew(item, reply);
	else
		fail(item, reply, error);
}

/* ---- the fetch ---- */

static bool
fetch_advance(HfFetch *self, GError **error)
{
	S3Fetch *fetch = (S3Fetch *)self;

	start_waiting(fetch);
	return hf_s3_multi_step(fetch->multi, true, error);
}

/* What is on its way comes in first: nobody would attend to it while the large object has our time. */
static bool
fetch_stream(HfFetch *self, HfFetchItem *item, HfStage *into, GError **error)
{
	S3Fetch *fetch = (S3Fetch *)self;

	while (hf_s3_multi_running(fetch->multi) > 0)
		if (!hf_s3_multi_step(fetch->multi, true, error))
			return false;
	return hf_s3_read_version(fetch->s3, item->key, ((S3Item *)item)->tag, item->fetched.bytes, into,
				  error);
}

static void
fetch_clear_item(HfFetch *self, HfFetchItem *base)
{
	S3Item *item = (S3Item *)base;

	hf_s3_multi_take_out(((S3Fetch *)self)->multi, &item->job);
	forget_version(item);
	g_free(item->full_key);
}

static void
fetch_clear(HfFetch *self)
{
	hf_s3_multi_free(((S3Fetch *)self)->multi);
}

static const HfFetchOps fetch_ops = {
	.item_bytes = sizeof(S3Item),
	.advance = fetch_advance,
	.stream = fetch_stream,
	.clear_item = fetch_clear_item,
	.clear = fetch_clear,
};

HfFetch *
hf_s3_fetch_new(HfStore *self, const HfFetchOptions *options)
{
	S3Fetch *fetch = g_new0(S3Fetch, 1);

	hf_fetch_init(&fetch->base, &fetch_ops, options);
	fetch->s3 = (HfS3 *)self;
	fetch->multi = hf_s3_multi_new(fetch->s3->client, options->connections);
	return &fetch->base;
}
