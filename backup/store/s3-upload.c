/*
 * An upload as a stage.  The chain's thread fills a buffer; threads of the stage send full ones.  What fits into one
 * buffer is a single PUT, whose signed SHA-256 the server has checked against the bytes it got; so only a multipart
 * upload's size is asked for afterwards.
 */
#include "config.h"

#include "backup/stage/stage-impl.h"
#include "backup/store/s3-impl.h"
#include "backup/store/s3-meta.h"
#include "backup/store/s3-xml.h"
#include "common/cancel.h"
#include "common/error.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

/* S3 User Guide, "Amazon S3 multipart upload limits".  The archive is cut at ARCHIVE_BYTES long before. */
#define PARTS_MAX 10000

typedef struct {
	unsigned char *
		bytes; /* a mapping of part_bytes: memory is taken as it is filled, and given back for sure */
	size_t len;
	unsigned number;
} Part;

typedef struct {
	HfStage base;
	HfS3 *s3;
	char *key;     /* in the bucket */
	char *own_key; /* relative to the store */
	GArray *headers;
	GStringChunk *texts; /* that headers point to */
	bool wants_md5;      /* of each body */
	uint64_t bytes;
	Part *filling;
	unsigned parts;
	char *upload_id;
	int64_t begun_s;       /* by the server's clock */
	bool may_have_orphans; /* the upload was begun more than once, since a reply was lost */
	GPtrArray *senders;    /* of GThread; one is started when a part finds all others at work */
	gint is_stopping;

	/* Not GMutex: ThreadSanitizer cannot see into GLib, and would report what this guards (docs/facts.md). */
	pthread_mutex_t lock;
	pthread_cond_t has_changed, has_work;
	GQueue waiting; /* of Part */
	bool is_closing;
	unsigned buffers; /* mapped, and not yet given back */
	GPtrArray *spare; /* of Part */
	GPtrArray *etags; /* by part number - 1, as the server wrote them */
	unsigned sending;
	GError *failure; /* the first */
} Upload;

static void
unmap_part(Upload *upload, Part *part)
{
	munmap(part->bytes, upload->s3->part_bytes);
	g_free(part);
}

static Part *
map_part(Upload *upload, GError **error)
{
	Part *part;
	void *bytes = mmap(NULL, upload->s3->part_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	if (bytes == MAP_FAILED) {
		hf_error_errno(error, "memory for a part of %zu bytes", upload->s3->part_bytes);
		return NULL;
	}
	part = g_new0(Part, 1);
	part->bytes = bytes;
	return part;
}

static bool
is_failed(Upload *upload, GError **error)
{
	if (upload->failure && error)
		*error = g_error_copy(upload->failure);
	return upload->failure != NULL;
}

/* A spare buffer, or a new one while there are fewer than connections + 1; else waits for one. */
static bool
take_part(Upload *upload, GError **error)
{
	bool is_taken = false;

	pthread_mutex_lock(&upload->lock);
	while (!is_failed(upload, error)) {
		if (upload->spare->len > 0) {
			upload->filling = g_ptr_array_steal_index(upload->spare, upload->spare->len - 1);
			is_taken = true;
		} else if (upload->buffers <= upload->s3->connections) {
			upload->filling = map_part(upload, error);
			is_taken = upload->filling != NULL;
			upload->buffers += is_taken;
		} else {
			/* A stop is noticed by the senders, which then fail: this wait is ended by them. */
			pthread_cond_wait(&upload->has_changed, &upload->lock);
			continue;
		}
		break;
	}
	pthread_mutex_unlock(&upload->lock);
	if (is_taken) {
		upload->filling->len = 0;
		upload->filling->number = ++upload->parts;
	}
	return is_taken;
}

static void
note_sent(Upload *upload, Part *part, char *etag, GError *error)
{
	pthread_mutex_lock(&upload->lock);
	if (error && !upload->failure) {
		upload->failure = error;
		g_atomic_int_set(&upload->is_stopping, 1);
	} else {
		g_clear_error(&error);
	}
	if (etag)
		g_ptr_array_index(upload->etags, part->number - 1) = etag;
	g_ptr_array_add(upload->spare, part);
	upload->sending--;
	pthread_cond_signal(&upload->has_changed);
	pthread_mutex_unlock(&upload->lock);
}

/* One header: the body's MD5, where the object will be locked; none else.  g_free() *digest_out. */
static bool
make_md5(const Upload *upload, const Part *part, HfPair headers_out[2], char **digest_out, GError **error)
{
	*digest_out = NULL;
	headers_out[0] = headers_out[1] = (HfPair){NULL, NULL};
	if (!upload->wants_md5)
		return true;
	*digest_out = hf_s3_md5(part ? part->bytes : NULL, part ? part->len : 0, error);
	headers_out[0] = (HfPair){"content-md5", *digest_out};
	return *digest_out != NULL;
}

static void
send_part(Upload *upload, Part *part)
{
	char number[12];
	const HfPair query[] = {{"partNumber", number}, {"uploadId", upload->upload_id}, {NULL, NULL}};
	HfPair headers[2];
	g_autofree char *md5 = NULL;
	HfS3Request request = {.method = "PUT",
			       .key = upload->key,
			       .query = query,
			       .headers = headers,
			       .body = part->bytes,
			       .body_bytes = part->len,
			       .cancel = &upload->is_stopping};
	g_auto(HfS3Reply) reply = {0};
	GError *error = NULL;
	char *etag = NULL;

	g_snprintf(number, sizeof number, "%u", part->number);
	if (g_atomic_int_get(&upload->is_stopping))
		hf_error_set(&error, HF_ERROR_CANCELLED, "cancelled");
	else if (make_md5(upload, part, headers, &md5, &error) &&
		 hf_s3_perform(upload->s3->client, &request, &reply, &error)) {
		etag = g_strdup(hf_s3_reply_header(&reply, "etag"));
		if (!etag)
			hf_error_set(&error, HF_ERROR_FAILED,
				     "\"s3://%s/%s\": the server gave no ETag for part %u",
				     hf_s3_client_bucket(upload->s3->client), upload->key, part->number);
	}
	note_sent(upload, part, etag, error);
}

/* The next part to send; NULL once there is nothing more to come. */
static Part *
next_part(Upload *upload)
{
	Part *part;

	pthread_mutex_lock(&upload->lock);
	while (!upload->is_closing && g_queue_is_empty(&upload->waiting))
		pthread_cond_wait(&upload->has_work, &upload->lock);
	part = g_queue_pop_head(&upload->waiting);
	pthread_mutex_unlock(&upload->lock);
	return part;
}

static gpointer
send_parts(gpointer data)
{
	Upload *upload = data;
	Part *part;

	while ((part = next_part(upload)))
		send_part(upload, part);
	return NULL;
}

static void
stop_senders(Upload *upload)
{
	pthread_mutex_lock(&upload->lock);
	upload->is_closing = true;
	pthread_cond_broadcast(&upload->has_work);
	pthread_mutex_unlock(&upload->lock);
	for (guint i = 0; i < upload->senders->len; i++)
		g_thread_join(upload->senders->pdata[i]);
	g_ptr_array_unref(upload->senders);
}

static bool
begin(Upload *upload, GError **error)
{
	static const HfPair query[] = {{"uploads", ""}, {NULL, NULL}};
	HfS3Request request = {.method = "POST",
			       .key = upload->key,
			       .query = query,
			       .headers = (const HfPair *)(const void *)upload->headers->data,
			       .is_counted = true};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) cause = NULL;
	bool is_begun = hf_s3_perform(upload->s3->client, &request, &reply, &cause);

	/* A reply that was lost, or that a stop cut, may have left an upload behind whose id nobody told us. */
	upload->may_have_orphans = reply.tries > 1 || hf_error_is(cause, HF_ERROR_TRANSIENT) ||
				   hf_error_is(cause, HF_ERROR_CANCELLED);
	if (!is_begun) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	upload->upload_id = hf_s3_xml_find(reply.body->data, reply.body->len,
					   "InitiateMultipartUploadResult/UploadId");
	upload->begun_s = hf_s3_reply_time(&reply, "date");
	if (!upload->upload_id) {
		upload->may_have_orphans = true;
		return hf_error_set(error, HF_ERROR_FAILED, "\"s3://%s/%s\": the server gave no upload id",
				    hf_s3_client_bucket(upload->s3->client), upload->key);
	}
	return true;
}

/* Hands the buffer to the senders. */
static bool
dispatch(Upload *upload, GError **error)
{
	Part *part = upload->filling;
	bool needs_sender;

	if (part->number > PARTS_MAX)
		return hf_error_set(error, HF_ERROR_FAILED,
				    "\"s3://%s/%s\": more than %d parts of %zu bytes: lower ARCHIVE_BYTES",
				    hf_s3_client_bucket(upload->s3->client), upload->key, PARTS_MAX,
				    upload->s3->part_bytes);
	if (!upload->upload_id && !begin(upload, error))
		return false;
	upload->filling = NULL;
	pthread_mutex_lock(&upload->lock);
	g_ptr_array_set_size(upload->etags, (gint)part->number);
	upload->sending++;
	g_queue_push_tail(&upload->waiting, part);
	needs_sender = upload->sending > upload->senders->len &&
		       upload->senders->len < upload->s3->connections;
	pthread_cond_signal(&upload->has_work);
	pthread_mutex_unlock(&upload->lock);
	if (needs_sender)
		g_ptr_array_add(upload->senders, g_thread_new("s3-sender", send_parts, upload));
	return true;
}

static bool
write_bytes(HfStage *self, const void *buf, size_t len, GError **error)
{
	Upload *upload = (Upload *)self;
	const unsigned char *bytes = buf;

	if (!hf_cancel_check(error))
		return false;
	while (len > 0) {
		size_t room, piece;

		/* Not before more comes: what fills one part exactly is still a single PUT. */
		if (upload->filling && upload->filling->len == upload->s3->part_bytes &&
		    !dispatch(upload, error))
			return false;
		if (!upload->filling && !take_part(upload, error))
			return false;
		room = upload->s3->part_bytes - upload->filling->len;
		piece = MIN(room, len);
		memcpy(upload->filling->bytes + upload->filling->len, bytes, piece);
		upload->filling->len += piece;
		upload->bytes += piece;
		bytes += piece;
		len -= piece;
	}
	return true;
}

static bool
wait_for_senders(Upload *upload, GError **error)
{
	bool is_sound;

	pthread_mutex_lock(&upload->lock);
	while (upload->sending > 0)
		pthread_cond_wait(&upload->has_changed, &upload->lock);
	is_sound = !is_failed(upload, error);
	pthread_mutex_unlock(&upload->lock);
	return is_sound;
}

static bool
put_whole(Upload *upload, GError **error)
{
	HfS3Request request = {.method = "PUT",
			       .key = upload->key,
			       .body = upload->filling ? upload->filling->bytes : NULL,
			       .body_bytes = upload->filling ? upload->filling->len : 0};
	g_auto(HfS3Reply) reply = {0};
	HfPair md5[2];
	g_autofree char *digest = NULL;

	if (!make_md5(upload, upload->filling, md5, &digest, error))
		return false;
	if (digest)
		g_array_append_val(upload->headers, md5[0]);
	request.headers = (const HfPair *)(const void *)upload->headers->data;
	return hf_s3_perform(upload->s3->client, &request, &reply, error);
}

static char *
completion_xml(const Upload *upload)
{
	GString *xml = g_string_new("<CompleteMultipartUpload>");

	for (guint i = 0; i < upload->etags->len; i++) {
		g_autofree char *part = g_markup_printf_escaped(
			"<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>", i + 1,
			(const char *)upload->etags->pdata[i]);

		g_string_append(xml, part);
	}
	g_string_append(xml, "</CompleteMultipartUpload>");
	return g_string_free(xml, FALSE);
}

static bool
check_size(Upload *upload, HfS3Reply *reply, GError **error)
{
	uint64_t stored;

	if (!hf_s3_head(upload->s3, upload->key, reply, error) || !hf_s3_head_bytes(reply, &stored, error))
		return false;
	if (stored != upload->bytes)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"s3://%s/%s\": %" G_GUINT64_FORMAT
				    " bytes were sent, %" G_GUINT64_FORMAT " are stored",
				    hf_s3_client_bucket(upload->s3->client), upload->key, upload->bytes,
				    stored);
	return true;
}

/*
 * Where a completion that was sent again finds no upload, the first one may have done it, and its reply was lost.  It
 * was ours when the object has our size and as many parts (the ETag ends in "-N"), and is not older than the upload.
 */
static bool
is_completed_by_us(Upload *upload, HfS3Reply *head_out)
{
	g_autofree char *suffix = g_strdup_printf("-%u", upload->parts);
	g_autofree char *etag = NULL;

	if (!check_size(upload, head_out, NULL))
		return false;
	etag = hf_s3_reply_etag(head_out);
	return etag && g_str_has_suffix(etag, suffix) &&
	       hf_s3_reply_time(head_out, "last-modified") >= upload->begun_s;
}

static bool
complete(Upload *upload, GError **error)
{
	g_autofree char *xml = completion_xml(upload);
	const HfPair query[] = {{"uploadId", upload->upload_id}, {NULL, NULL}};
	HfS3Request request = {.method = "POST",
			       .key = upload->key,
			       .query = query,
			       .body = xml,
			       .body_bytes = strlen(xml),
			       .fails_in_200 = true,
			       .is_counted = true};
	g_auto(HfS3Reply) reply = {0}, head = {0};
	g_autoptr(GError) cause = NULL;

	if (hf_s3_perform(upload->s3->client, &request, &reply, &cause)) {
		g_clear_pointer(&upload->upload_id, g_free); /* nothing is left to abort */
		return check_size(upload, &head, error) &&
		       hf_s3_keep(upload->s3, upload->own_key, &head, error);
	}
	if (hf_error_is(cause, HF_ERROR_NOT_FOUND) && reply.tries > 1 && is_completed_by_us(upload, &head)) {
		g_clear_pointer(&upload->upload_id, g_free);
		return hf_s3_keep(upload->s3, upload->own_key, &head, error);
	}
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

static void
abort_upload(Upload *upload, const char *id)
{
	const HfPair query[] = {{"uploadId", id}, {NULL, NULL}};
	HfS3Request request = {.method = "DELETE", .key = upload->key, .query = query, .is_cleanup = true};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) error = NULL;

	/* The error that led here is the one to report; what stays is swept when it is old. */
	if (!hf_s3_perform(upload->s3->client, &request, &reply, &error))
		g_info("upload not aborted: %s", error->message);
}

typedef struct {
	const char *key;
	char *current_key, *current_id;
	GPtrArray *ids; /* of the uploads of this very key */
} Uploads;

static void
on_upload(const char *path, const char *text, void *data)
{
	Uploads *uploads = data;

	if (strcmp(path, "ListMultipartUploadsResult/Upload/Key") == 0) {
		g_free(uploads->current_key);
		uploads->current_key = g_uri_unescape_string(text, NULL);
	} else if (strcmp(path, "ListMultipartUploadsResult/Upload/UploadId") == 0) {
		g_free(uploads->current_id);
		uploads->current_id = g_strdup(text);
	} else if (strcmp(path, "ListMultipartUploadsResult/Upload") == 0) {
		if (g_strcmp0(uploads->current_key, uploads->key) == 0)
			g_ptr_array_add(uploads->ids, g_steal_pointer(&uploads->current_id));
	}
}

/* Aborts all uploads of this key: those whose begin was answered, but the answer did not reach us. */
static void
abort_orphans(Upload *upload)
{
	const HfPair query[] = {
		{"uploads", ""}, {"encoding-type", "url"}, {"prefix", upload->key}, {NULL, NULL}};
	HfS3Request request = {.method = "GET", .query = query, .is_cleanup = true};
	Uploads uploads = {.key = upload->key, .ids = g_ptr_array_new_with_free_func(g_free)};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) error = NULL;

	if (!hf_s3_perform(upload->s3->client, &request, &reply, &error) ||
	    !hf_s3_xml_parse(reply.body->data, reply.body->len, on_upload, &uploads, &error))
		g_info("uploads not listed: %s", error->message);
	for (guint i = 0; i < uploads.ids->len; i++)
		abort_upload(upload, uploads.ids->pdata[i]);
	g_ptr_array_unref(uploads.ids);
	g_free(uploads.current_key);
	g_free(uploads.current_id);
}

static bool
finish(HfStage *self, GError **error)
{
	Upload *upload = (Upload *)self;

	if (!hf_cancel_check(error))
		return false;
	if (!upload->upload_id && upload->parts <= 1)
		return put_whole(upload, error);
	if ((upload->filling && !dispatch(upload, error)) || !wait_for_senders(upload, error) ||
	    !complete(upload, error))
		return false;
	if (upload->may_have_orphans)
		abort_orphans(upload);
	upload->may_have_orphans = false;
	return true;
}

static void
discard(HfStage *self)
{
	Upload *upload = (Upload *)self;

	g_atomic_int_set(&upload->is_stopping, 1);
	(void)wait_for_senders(upload, NULL);
	if (upload->upload_id)
		abort_upload(upload, upload->upload_id);
	if (upload->may_have_orphans)
		abort_orphans(upload);
}

static void
clear(HfStage *self)
{
	Upload *upload = (Upload *)self;

	stop_senders(upload);
	if (upload->filling)
		unmap_part(upload, upload->filling);
	for (guint i = 0; i < upload->spare->len; i++)
		unmap_part(upload, upload->spare->pdata[i]);
	g_ptr_array_unref(upload->spare);
	g_ptr_array_unref(upload->etags);
	g_array_unref(upload->headers);
	g_string_chunk_free(upload->texts);
	g_clear_error(&upload->failure);
	pthread_mutex_destroy(&upload->lock);
	pthread_cond_destroy(&upload->has_changed);
	pthread_cond_destroy(&upload->has_work);
	g_free(upload->upload_id);
	g_free(upload->key);
	g_free(upload->own_key);
}

static const HfStageOps ops = {
	.name = "s3", .write = write_bytes, .finish = finish, .discard = discard, .clear = clear};

HfStage *
hf_s3_write(HfStore *self, const char *key, const HfObjectMeta *meta, GError **error)
{
	Upload *upload = g_new0(Upload, 1);

	hf_stage_init(&upload->base, &ops, NULL);
	upload->s3 = (HfS3 *)self;
	upload->key = hf_s3_full_key(upload->s3, key);
	upload->own_key = g_strdup(key);
	upload->headers = g_array_new(TRUE, TRUE, sizeof(HfPair));
	upload->texts = g_string_chunk_new(256);
	upload->spare = g_ptr_array_new();
	upload->etags = g_ptr_array_new_with_free_func(g_free);
	upload->senders = g_ptr_array_new();
	pthread_mutex_init(&upload->lock, NULL);
	pthread_cond_init(&upload->has_changed, NULL);
	pthread_cond_init(&upload->has_work, NULL);
	upload->wants_md5 = hf_s3_storing_wants_md5(upload->s3->storing, key);
	if (!hf_s3_meta_headers(upload->key, meta, upload->texts, upload->headers, error)) {
		hf_stage_free(&upload->base);
		return NULL;
	}
	hf_s3_add_storing(upload->s3, key, upload->texts, upload->headers);
	return &upload->base;
}
