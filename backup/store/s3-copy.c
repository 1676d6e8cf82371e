/*
 * Copies between two buckets of one server, or two prefixes: the server moves the bytes.  Small objects go by CopyObject;
 * larger ones part by part (UploadPartCopy), so that no request takes long without an answer, and 5 GiB, where CopyObject
 * ends (S3 API Reference, "CopyObject"), is no bound.
 */
#include "config.h"

#include "backup/store/s3-client.h"
#include "backup/store/s3-impl.h"
#include "backup/store/s3-xml.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

/* S3 User Guide, "Amazon S3 multipart upload limits". */
#define PARTS_MAX 10000

/* Whose name its requests are signed in; g_free() it.  NULL: not known. */
static char *
access_key_of(HfS3Client *client)
{
	HfAccessKey key;
	char *copy = NULL;

	pthread_mutex_lock(&client->lock);
	if (hf_credentials_get(client->credentials, &key, NULL))
		copy = g_strdup(key.access_key);
	pthread_mutex_unlock(&client->lock);
	return copy;
}

bool
hf_s3_can_copy(const HfStore *self, const HfStore *from)
{
	g_autofree char *own = NULL;
	g_autofree char *its = NULL;

	if (g_strcmp0(self->endpoint, from->endpoint) != 0)
		return false;
	own = access_key_of(((const HfS3 *)self)->client);
	its = access_key_of(((const HfS3 *)from)->client);
	return own && its && strcmp(own, its) == 0;
}

typedef struct {
	HfS3 *s3;
	char *key;    /* in the bucket that is written to */
	char *source; /* as x-amz-copy-source has it */
	uint64_t bytes;
	char *upload_id; /* NULL: none is open */
	GString *xml;    /* of the completion */
} Copying;

static void
copying_clear(Copying *copying)
{
	g_free(copying->key);
	g_free(copying->source);
	g_free(copying->upload_id);
	if (copying->xml)
		g_string_free(copying->xml, TRUE);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Copying, copying_clear)

static bool
copy_whole(Copying *copying, GError **error)
{
	const HfPair headers[] = {{"x-amz-copy-source", copying->source}, {NULL, NULL}};
	HfS3Request request = {
		.method = "PUT", .key = copying->key, .headers = headers, .fails_in_200 = true};
	g_auto(HfS3Reply) reply = {0};

	return hf_s3_perform(copying->s3->client, &request, &reply, error);
}

/* ---- in parts ---- */

static bool
begin(Copying *copying, GError **error)
{
	static const HfPair query[] = {{"uploads", ""}, {NULL, NULL}};
	const HfPair headers[] = {{"content-type", "application/octet-stream"}, {NULL, NULL}};
	HfS3Request request = {.method = "POST",
			       .key = copying->key,
			       .query = query,
			       .headers = headers,
			       .is_counted = true};
	g_auto(HfS3Reply) reply = {0};

	if (!hf_s3_perform(copying->s3->client, &request, &reply, error))
		return false;
	copying->upload_id = hf_s3_xml_find(reply.body->data, reply.body->len,
					    "InitiateMultipartUploadResult/UploadId");
	return copying->upload_id ||
	       hf_error_set(error, HF_ERROR_FAILED, "\"s3://%s/%s\": the server gave no upload id",
			    hf_s3_client_bucket(copying->s3->client), copying->key);
}

static bool
copy_part(Copying *copying, unsigned number, HfRange range, GError **error)
{
	g_autofree char *part = g_strdup_printf("%u", number);
	g_autofree char *bytes = g_strdup_printf("bytes=%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
						 range.offset, range.offset + range.length - 1);
	const HfPair query[] = {{"partNumber", part}, {"uploadId", copying->upload_id}, {NULL, NULL}};
	const HfPair headers[] = {
		{"x-amz-copy-source", copying->source}, {"x-amz-copy-source-range", bytes}, {NULL, NULL}};
	HfS3Request request = {.method = "PUT",
			       .key = copying->key,
			       .query = query,
			       .headers = headers,
			       .fails_in_200 = true};
	g_auto(HfS3Reply) reply = {0};
	g_autofree char *etag = NULL;
	g_autofree char *line = NULL;

	if (!hf_cancel_check(error) || !hf_s3_perform(copying->s3->client, &request, &reply, error))
		return false;
	etag = hf_s3_xml_find(reply.body->data, reply.body->len, "CopyPartResult/ETag");
	if (!etag)
		return hf_error_set(error, HF_ERROR_FAILED,
				    "\"s3://%s/%s\": the server gave no ETag for part %u",
				    hf_s3_client_bucket(copying->s3->client), copying->key, number);
	line = g_markup_printf_escaped("<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", number,
				       etag);
	g_string_append(copying->xml, line);
	return true;
}

static bool
complete(Copying *copying, GError **error)
{
	const HfPair query[] = {{"uploadId", copying->upload_id}, {NULL, NULL}};
	HfS3Request request = {.method = "POST",
			       .key = copying->key,
			       .query = query,
			       .body = copying->xml->str,
			       .body_bytes = copying->xml->len,
			       .fails_in_200 = true,
			       .is_counted = true};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) cause = NULL;

	/* An upload that is gone when it is completed once more was completed by the first try: the size tells. */
	if (hf_s3_perform(copying->s3->client, &request, &reply, &cause) ||
	    (hf_error_is(cause, HF_ERROR_NOT_FOUND) && reply.tries > 1)) {
		g_clear_pointer(&copying->upload_id, g_free);
		return true;
	}
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

static void
abort_upload(Copying *copying)
{
	const HfPair query[] = {{"uploadId", copying->upload_id}, {NULL, NULL}};
	HfS3Request request = {.method = "DELETE", .key = copying->key, .query = query, .is_cleanup = true};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) trouble = NULL;

	/* The error that led here is the one to report; what stays is swept when it is old. */
	if (!hf_s3_perform(copying->s3->client, &request, &reply, &trouble))
		g_info("upload not aborted: %s", trouble->message);
}

static bool
copy_parts(Copying *copying, GError **error)
{
	uint64_t part_bytes = MAX(copying->s3->copy_part_bytes, copying->bytes / PARTS_MAX + 1);
	unsigned number = 0;

	copying->xml = g_string_new("<CompleteMultipartUpload>");
	if (!begin(copying, error))
		return false;
	for (uint64_t at = 0; at < copying->bytes; at += part_bytes) {
		const HfRange range = {at, MIN(part_bytes, copying->bytes - at)};

		if (!copy_part(copying, ++number, range, error))
			return false;
	}
	g_string_append(copying->xml, "</CompleteMultipartUpload>");
	return complete(copying, error);
}

/* ---- the whole of it ---- */

static bool
check_size(Copying *copying, GError **error)
{
	g_auto(HfS3Reply) reply = {0};
	uint64_t stored;

	if (!hf_s3_head(copying->s3, copying->key, &reply, error) ||
	    !hf_s3_head_bytes(&reply, &stored, error))
		return false;
	return stored == copying->bytes ||
	       hf_error_set(error, HF_ERROR_CORRUPT,
			    "\"s3://%s/%s\": %" G_GUINT64_FORMAT " bytes were copied, %" G_GUINT64_FORMAT
			    " are stored",
			    hf_s3_client_bucket(copying->s3->client), copying->key, copying->bytes, stored);
}

bool
hf_s3_copy(HfStore *self, HfStore *from, const char *key, uint64_t bytes, GError **error)
{
	HfS3 *source = (HfS3 *)from;
	g_autofree char *path = hf_s3_full_key(source, key);
	g_autofree char *escaped = hf_s3_sign_escape(path, true);
	g_auto(Copying) copying = {.s3 = (HfS3 *)self, .bytes = bytes};
	bool is_done;

	copying.key = hf_s3_full_key(copying.s3, key);
	copying.source = g_strdup_printf("/%s/%s", hf_s3_client_bucket(source->client), escaped);
	is_done = bytes <= copying.s3->copy_part_bytes ? copy_whole(&copying, error)
						       : copy_parts(&copying, error);
	if (copying.upload_id)
		abort_upload(&copying);
	return is_done && check_size(&copying, error);
}
