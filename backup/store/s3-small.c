/* Small objects that are written on a condition, and removal. */
#include "config.h"

#include "backup/store/s3-impl.h"
#include "backup/store/s3-xml.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

/* Amazon S3 API Reference, "DeleteObjects". */
#define DELETED_AT_ONCE 1000

/* After a reply was lost, 412 may be the answer to our own first try: what is stored decides. */
static bool
is_stored(HfS3 *s3, const char *full_key, GBytes *bytes)
{
	HfS3Request request = {.method = "GET", .key = full_key};
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
	HfS3Request request = {.method = "PUT", .key = small.full_key, .is_counted = true};
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

/* XML 1.0 has no way to write most control characters, and is UTF-8: such a key is deleted by a request of its own. */
static bool
fits_xml(const char *key)
{
	for (const char *c = key; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	return g_utf8_validate(key, -1, NULL);
}

static bool
remove_one(HfS3 *s3, const char *full_key, GError **error)
{
	HfS3Request request = {.method = "DELETE", .key = full_key, .is_cleanup = hf_cancel_is_requested()};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) cause = NULL;

	if (hf_s3_perform(s3->client, &request, &reply, &cause) || hf_error_is(cause, HF_ERROR_NOT_FOUND))
		return true;
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

typedef struct {
	HfS3 *s3;
	GString *xml;
	char *md5;
	bool is_cleanup;
	/* Of the reply: the first key that was refused. */
	char *key, *code, *message;
	bool is_refused;
} Removal;

static void
on_refusal(const char *path, const char *text, void *data)
{
	Removal *removal = data;
	char **field = strcmp(path, "DeleteResult/Error/Key") == 0       ? &removal->key
		       : strcmp(path, "DeleteResult/Error/Code") == 0    ? &removal->code
		       : strcmp(path, "DeleteResult/Error/Message") == 0 ? &removal->message
									 : NULL;

	if (strcmp(path, "DeleteResult/Error") == 0)
		removal->is_refused = true;
	if (field && !removal->is_refused) {
		g_free(*field);
		*field = g_strdup(text);
	}
}

static bool
set_refusal(const Removal *removal, GError **error)
{
	static const char *const transient[] = {"InternalError", "SlowDown", "ServiceUnavailable",
						"OperationAborted", NULL};
	const char *code = removal->code ? removal->code : "unknown error";
	HfError kind = g_strv_contains(transient, code)    ? HF_ERROR_TRANSIENT
		       : strcmp(code, "AccessDenied") == 0 ? HF_ERROR_DENIED
							   : HF_ERROR_FAILED;

	return hf_error_set(error, kind, "\"s3://%s/%s\" was not deleted: %s%s%s%s",
			    hf_s3_client_bucket(removal->s3->client), removal->key ? removal->key : "", code,
			    removal->message && removal->message[0] ? ": " : "",
			    removal->message ? removal->message : "",
			    kind == HF_ERROR_DENIED ? ": allow s3:DeleteObject for it" : "");
}

static bool
try_to_remove(void *data, bool *moved, GError **error)
{
	static const HfPair query[] = {{"delete", ""}, {NULL, NULL}};
	Removal *removal = data;
	const HfPair headers[] = {
		{"content-md5", removal->md5}, {"content-type", "application/xml"}, {NULL, NULL}};
	HfS3Request request = {.method = "POST",
			       .is_cleanup = removal->is_cleanup,
			       .query = query,
			       .headers = headers,
			       .body = removal->xml->str,
			       .body_bytes = removal->xml->len,
			       .fails_in_200 = true};
	g_auto(HfS3Reply) reply = {0};

	(void)moved;
	removal->is_refused = false;
	return hf_s3_perform_once(removal->s3->client, &request, &reply, error) &&
	       hf_s3_xml_parse(reply.body->data, reply.body->len, on_refusal, removal, error) &&
	       (!removal->is_refused || set_refusal(removal, error));
}

static bool
remove_batch(HfS3 *s3, GString *keys_xml, GError **error)
{
	/* Once a stop was asked for, what is removed is what a run takes back: that must still go out. */
	Removal removal = {.s3 = s3,
			   .xml = g_string_new("<Delete><Quiet>true</Quiet>"),
			   .is_cleanup = hf_cancel_is_requested()};
	bool is_done;

	g_string_append_printf(removal.xml, "%s</Delete>", keys_xml->str);
	removal.md5 = hf_s3_md5(removal.xml->str, removal.xml->len, error);
	is_done = removal.md5 && hf_s3_retry(s3->client, try_to_remove, &removal, removal.is_cleanup, error);
	g_string_free(removal.xml, TRUE);
	g_free(removal.md5);
	g_free(removal.key);
	g_free(removal.code);
	g_free(removal.message);
	return is_done;
}

bool
hf_s3_remove(HfStore *self, const char *const *keys, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	GString *batch = g_string_new(NULL);
	unsigned count = 0;
	bool is_done = true;

	for (const char *const *key = keys; *key && is_done; key++) {
		g_autofree char *full_key = hf_s3_full_key(s3, *key);
		g_autofree char *xml = NULL;

		if (!fits_xml(full_key)) {
			is_done = remove_one(s3, full_key, error);
			continue;
		}
		xml = g_markup_printf_escaped("<Object><Key>%s</Key></Object>", full_key);
		g_string_append(batch, xml);
		if (++count == DELETED_AT_ONCE) {
			is_done = remove_batch(s3, batch, error);
			g_string_truncate(batch, 0);
			count = 0;
		}
	}
	if (is_done && count > 0)
		is_done = remove_batch(s3, batch, error);
	g_string_free(batch, TRUE);
	return is_done;
}
