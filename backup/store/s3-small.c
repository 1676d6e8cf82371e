/* Small objects that are written on a condition. */
#include "config.h"

#include "backup/store/s3-impl.h"
#include "common/error.h"

#include <string.h>

/* After a reply was lost, 412 may be the answer to our own first try: what is stored decides. */
static bool
is_stored(HfS3 *s3, const char *full_key, GBytes *bytes)
{
	HfS3Request request = {.method = "GET", .key = full_key, .is_cleanup = s3->base.is_steadfast};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) error = NULL;

	return hf_s3_perform(s3->client, &request, &reply, &error) &&
	       reply.body->len == g_bytes_get_size(bytes) &&
	       memcmp(reply.body->data, g_bytes_get_data(bytes, NULL), reply.body->len) == 0;
}

/* A small object that goes out, with all that goes with it. */
typedef struct {
	HfS3 *s3;
	const char *key;
	char *full_key;
	GBytes *bytes;
	GStringChunk *texts; /* that headers point to */
	GArray *headers;
} Small;

static void
small_clear(Small *small)
{
	g_free(small->full_key);
	g_string_chunk_free(small->texts);
	g_array_unref(small->headers);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Small, small_clear)

static Small
small_new(HfS3 *s3, const char *key, GBytes *bytes)
{
	return (Small){s3,
		       key,
		       hf_s3_full_key(s3, key),
		       bytes,
		       g_string_chunk_new(256),
		       g_array_new(TRUE, TRUE, sizeof(HfPair))};
}

/* What it is, on which condition it is stored, and how it is to be kept. */
static bool
add_headers(Small *small, HfPair condition, GError **error)
{
	HfPair type = {"content-type", "application/octet-stream"}, md5 = {"content-md5", NULL};
	gsize len;
	const void *data = g_bytes_get_data(small->bytes, &len);
	g_autofree char *digest = NULL;

	g_array_append_val(small->headers, type);
	if (condition.name)
		g_array_append_val(small->headers, condition);
	hf_s3_add_storing(small->s3, small->key, small->texts, small->headers);
	if (!hf_s3_storing_wants_md5(small->s3->storing, small->key))
		return true;
	digest = hf_s3_md5(data, len, error);
	if (!digest)
		return false;
	md5.value = g_string_chunk_insert(small->texts, digest);
	g_array_append_val(small->headers, md5);
	return true;
}

static bool
put_if(HfS3 *s3, const char *key, GBytes *bytes, HfPair condition, GError **error)
{
	g_auto(Small) small = small_new(s3, key, bytes);
	HfS3Request request = {.method = "PUT",
			       .key = small.full_key,
			       .is_counted = true,
			       .is_cleanup = s3->base.is_steadfast};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) cause = NULL;

	if (!add_headers(&small, condition, error))
		return false;
	request.headers = (const HfPair *)(const void *)small.headers->data;
	request.body = g_bytes_get_data(bytes, &request.body_bytes);
	if (hf_s3_perform(s3->client, &request, &reply, &cause))
		return true;
	if (hf_error_is(cause, HF_ERROR_CONFLICT) && reply.tries > 1 && is_stored(s3, small.full_key, bytes))
		return true;
	if (reply.status == 501)
		s3->is_unconditional = true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

/*
 * Looked at first for servers that pass over If-None-Match in silence: they shall not lose what is there.  What is
 * refused here is left to the PUT: the reply to a HEAD has no body that would say why, and S3 answers 403 for a key that
 * is not there to those who may not list (API Reference, "HeadObject").
 */
static bool
check_free(HfS3 *s3, const char *full_key, GError **error)
{
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) cause = NULL;

	if (hf_s3_head(s3, full_key, &reply, &cause))
		return hf_error_set(error, HF_ERROR_CONFLICT, "\"s3://%s/%s\" exists already",
				    hf_s3_client_bucket(s3->client), full_key);
	if (!hf_error_is(cause, HF_ERROR_TRANSIENT) && !hf_error_is(cause, HF_ERROR_CANCELLED))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

bool
hf_s3_create(HfStore *self, const char *key, GBytes *bytes, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	g_autofree char *full_key = hf_s3_full_key(s3, key);
	bool was_told = s3->is_unconditional;
	GError *cause = NULL;

	if (!check_free(s3, full_key, error))
		return false;
	if (!s3->is_unconditional && put_if(s3, key, bytes, (HfPair){"if-none-match", "*"}, &cause))
		return true;
	if (!s3->is_unconditional) {
		g_propagate_error(error, cause);
		return false;
	}
	g_clear_error(&cause);
	if (!was_told)
		g_warning("%s does not know \"If-None-Match\": let only one host back up into it",
			  hf_s3_client_url(s3->client));
	return put_if(s3, key, bytes, (HfPair){NULL, NULL}, error);
}

/* True where the object still has this etag, so that a 412 was about the way we wrote it. */
static bool
has_etag(HfS3 *s3, const char *full_key, const char *etag)
{
	g_auto(HfS3Reply) reply = {0};
	g_autofree char *stored = NULL;

	if (!hf_s3_head(s3, full_key, &reply, NULL))
		return false;
	stored = hf_s3_reply_etag(&reply);
	return g_strcmp0(stored, etag) == 0;
}

bool
hf_s3_replace(HfStore *self, const char *key, GBytes *bytes, const char *etag, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	g_autofree char *full_key = hf_s3_full_key(s3, key);
	g_autofree char *quoted = g_strdup_printf("\"%s\"", etag);
	g_autoptr(GError) cause = NULL;
	bool is_done = put_if(s3, key, bytes, (HfPair){"if-match", s3->is_etag_bare ? etag : quoted}, &cause);

	/* RFC 9110, section 13.1.1, wants the quotes; Ceph compares with what it stores, which has none. */
	if (!is_done && !s3->is_etag_bare && hf_error_is(cause, HF_ERROR_CONFLICT) &&
	    has_etag(s3, full_key, etag)) {
		g_clear_error(&cause);
		is_done = put_if(s3, key, bytes, (HfPair){"if-match", etag}, &cause);
		s3->is_etag_bare = is_done;
	}
	if (!is_done)
		g_propagate_error(error, g_steal_pointer(&cause));
	return is_done;
}

/* ---- with its etag ---- */

bool
hf_s3_get(HfStore *self, const char *key, size_t limit_bytes, GBytes **bytes_out, char **etag_out,
	  GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	g_autofree char *full_key = hf_s3_full_key(s3, key);
	HfS3Request request = {.method = "GET", .key = full_key, .is_cleanup = s3->base.is_steadfast};
	g_auto(HfS3Reply) reply = {0};
	g_autofree char *etag = NULL;

	if (!hf_s3_perform(s3->client, &request, &reply, error))
		return false;
	etag = hf_s3_reply_etag(&reply);
	if (!etag || reply.body->len > limit_bytes)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"s3://%s/%s\" %s",
				    hf_s3_client_bucket(s3->client), full_key,
				    etag ? "is larger than it can be" : "came without an ETag");
	*bytes_out = g_bytes_new(reply.body->data, reply.body->len);
	*etag_out = g_steal_pointer(&etag);
	return true;
}

/* ---- what conditions are worth ---- */

/* True where the write was refused for its condition, or the server does not take such a write at all: *is_taken_out. */
static bool
is_kept_out(HfS3 *s3, const char *key, HfPair condition, bool *is_taken_out, GError **error)
{
	g_autoptr(GBytes) other = g_bytes_new_static("another", 7);
	g_autoptr(GError) cause = NULL;

	*is_taken_out = put_if(s3, key, other, condition, &cause);
	if (*is_taken_out || !(hf_error_is(cause, HF_ERROR_TRANSIENT) ||
			       hf_error_is(cause, HF_ERROR_DENIED) || hf_error_is(cause, HF_ERROR_CANCELLED)))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

/* Not by hf_s3_create(), which looks first: two hosts that look at once would both go on. */
static bool
probe(HfS3 *s3, const char *key, HfConditions *found, GError **error)
{
	g_autoptr(GBytes) one = g_bytes_new_static("one", 3);
	g_autoptr(GBytes) two = g_bytes_new_static("two", 3);
	g_autoptr(GBytes) now = NULL;
	g_autoptr(GError) cause = NULL;
	g_autofree char *etag = NULL;
	bool is_taken;

	/* Without a condition: whatever that is worth, it is there then. */
	if (!put_if(s3, key, one, (HfPair){NULL, NULL}, error) ||
	    !is_kept_out(s3, key, (HfPair){"if-none-match", "*"}, &is_taken, error))
		return false;
	found->has_create = !is_taken && !s3->is_unconditional;
	if (!is_kept_out(s3, key, (HfPair){"if-match", "\"00000000000000000000000000000000\""}, &is_taken,
			 error) ||
	    !hf_s3_get(&s3->base, key, 64, &now, &etag, error))
		return false;
	found->has_replace = !is_taken && hf_s3_replace(&s3->base, key, two, etag, &cause);
	return true;
}

bool
hf_s3_probe(HfStore *self, const char *key, HfConditions *found_out, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	const char *const keys[] = {key, NULL};
	bool was_told = s3->is_unconditional;
	bool is_done;

	*found_out = (HfConditions){false, false};
	is_done = probe(s3, key, found_out, error);
	s3->is_unconditional = was_told;
	return hf_s3_remove(self, keys, is_done ? error : NULL) && is_done;
}
