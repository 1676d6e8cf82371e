#include "config.h"

#include "backup/store/s3-impl.h"
#include "common/error.h"

#include <string.h>

/* A try that came this far is not counted among those that failed: a long read outlives many short outages. */
#define PROGRESS_BYTES (1u << 20)

typedef struct {
	HfS3 *s3;
	const char *key; /* for messages */
	char *full_key;
	HfStage *into;
	uint64_t next;   /* the byte in the object that comes next */
	uint64_t end;    /* behind the last one; HF_TO_END until the size is known */
	char *etag;      /* of the version that was begun */
	bool is_checked; /* the current try's headers were looked at */
	bool is_short;   /* the last try ended early, and the server called it whole */
	bool is_empty;   /* the last try was answered 416: nothing lies in this range */
	/*
	 * The chain's own error, or one that another try cannot mend.  Kept apart, since it may be TRANSIENT where the
	 * chain ends in another bucket, and is not ours to retry.
	 */
	GError *fatal;
} Reading;

bool
hf_s3_reply_range(const HfS3Reply *reply, uint64_t *first_out, uint64_t *total_out)
{
	const char *text = hf_s3_reply_header(reply, "content-range");
	g_auto(GStrv) parts = NULL;
	uint64_t last;

	if (!text || !g_str_has_prefix(text, "bytes "))
		return false;
	parts = g_strsplit_set(text + strlen("bytes "), "-/", -1);
	return g_strv_length(parts) == 3 &&
	       g_ascii_string_to_unsigned(parts[0], 10, 0, G_MAXINT64, first_out, NULL) &&
	       g_ascii_string_to_unsigned(parts[1], 10, 0, G_MAXINT64, &last, NULL) &&
	       g_ascii_string_to_unsigned(parts[2], 10, 0, G_MAXINT64, total_out, NULL);
}

static bool
set_beyond(const Reading *reading, uint64_t total, GError **error)
{
	return hf_error_set(error, HF_ERROR_USAGE,
			    "\"%s/%s\": a range up to byte %" G_GUINT64_FORMAT
			    " of an object of %" G_GUINT64_FORMAT " bytes",
			    reading->s3->base.location, reading->key, reading->end, total);
}

/* Looks at the headers before the first byte is passed on. */
static bool
check_headers(Reading *reading, const HfS3Reply *reply, GError **error)
{
	uint64_t first = 0, total;
	bool is_range = reply->status == 206 && hf_s3_reply_range(reply, &first, &total);

	/* A server may answer "from byte 0 on" with all there is, and call it 200. */
	if (!is_range && (reply->status != 200 || !hf_s3_head_bytes(reply, &total, NULL)))
		first = HF_TO_END;
	if (first != reading->next)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"%s/%s\": asked for bytes from %" G_GUINT64_FORMAT
				    " on, the server gave another range",
				    reading->s3->base.location, reading->key, reading->next);
	if (reading->end == HF_TO_END)
		reading->end = total;
	if (reading->end > total)
		return set_beyond(reading, total, error);
	if (!reading->etag)
		reading->etag = g_strdup(hf_s3_reply_header(reply, "etag"));
	return true;
}

static bool
on_body(void *data, const HfS3Reply *reply, const void *buf, size_t len, GError **error)
{
	Reading *reading = data;

	if (!reading->is_checked && !check_headers(reading, reply, &reading->fatal))
		return hf_error_set(error, HF_ERROR_FAILED, "unexpected headers");
	reading->is_checked = true;
	if (len > reading->end - reading->next) {
		hf_error_set(&reading->fatal, HF_ERROR_CORRUPT,
			     "\"%s/%s\": more bytes came than were asked for", reading->s3->base.location,
			     reading->key);
		return hf_error_set(error, HF_ERROR_FAILED, "too many bytes");
	}
	if (!hf_stage_write(reading->into, buf, len, &reading->fatal))
		return hf_error_set(error, HF_ERROR_FAILED, "the chain failed");
	reading->next += len;
	return true;
}

static char *
range_header(const Reading *reading)
{
	if (reading->end == HF_TO_END)
		return g_strdup_printf("bytes=%" G_GUINT64_FORMAT "-", reading->next);
	return g_strdup_printf("bytes=%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, reading->next,
			       reading->end - 1);
}

/* Turns the outcome of one request into that of one try. */
static bool
judge(Reading *reading, bool is_done, GError **cause, GError **error)
{
	/* The connection may also break behind the last byte. */
	if (!reading->fatal && reading->next == reading->end)
		return true;
	if (is_done) {
		reading->is_short = true;
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "\"%s/%s\": the server's reply ends at byte %" G_GUINT64_FORMAT
				    ", before the range does",
				    reading->s3->base.location, reading->key, reading->next);
	}
	if (reading->etag && hf_error_is(*cause, HF_ERROR_CONFLICT))
		return hf_error_set(error, HF_ERROR_CONFLICT, "\"%s/%s\" was replaced while it was read",
				    reading->s3->base.location, reading->key);
	g_propagate_error(error, g_steal_pointer(cause));
	return false;
}

static bool
try_read(void *data, bool *moved, GError **error)
{
	Reading *reading = data;
	uint64_t begin = reading->next;
	g_autofree char *range = range_header(reading);
	const HfPair headers[] = {
		{"range", range}, {reading->etag ? "if-match" : NULL, reading->etag}, {NULL, NULL}};
	HfS3Request request = {.method = "GET",
			       .key = reading->full_key,
			       .headers = headers,
			       .on_body = on_body,
			       .on_body_data = reading};
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) cause = NULL;
	bool is_done;

	reading->is_checked = reading->is_short = false;
	is_done = hf_s3_perform_once(reading->s3->client, &request, &reply, &cause);
	reading->is_empty = reply.status == 416;
	*moved = reading->next - begin >= PROGRESS_BYTES;
	return judge(reading, is_done, &cause, error);
}

/* A range that holds nothing cannot be asked for: the size alone decides. */
static bool
read_nothing(Reading *reading, uint64_t offset, GError **error)
{
	g_auto(HfS3Reply) reply = {0};
	uint64_t total;

	if (!hf_s3_head(reading->s3, reading->full_key, &reply, error) ||
	    !hf_s3_head_bytes(&reply, &total, error))
		return false;
	reading->end = offset;
	return offset <= total || set_beyond(reading, total, error);
}

/* 416 is also the answer for all of an empty object, and for the nothing that follows the last byte. */
static bool
read_empty_end(Reading *reading, uint64_t offset, GError **error)
{
	g_auto(HfS3Reply) reply = {0};
	uint64_t total;

	if (!hf_s3_head(reading->s3, reading->full_key, &reply, error) ||
	    !hf_s3_head_bytes(&reply, &total, error))
		return false;
	if (reading->end == HF_TO_END && offset == total)
		return true;
	return set_beyond(reading, total, error);
}

bool
hf_s3_read(HfStore *self, const char *key, HfRange range, HfStage *into, GError **error)
{
	HfS3 *s3 = (HfS3 *)self;
	g_autofree char *full_key = hf_s3_full_key(s3, key);
	Reading reading = {.s3 = s3, .key = key, .full_key = full_key, .into = into, .next = range.offset};
	g_autoptr(GError) cause = NULL;
	bool is_done;

	if (range.length == 0)
		return read_nothing(&reading, range.offset, error);
	reading.end = range.length == HF_TO_END || range.length > HF_TO_END - range.offset
			      ? HF_TO_END
			      : range.offset + range.length;
	is_done = hf_s3_retry(s3->client, try_read, &reading, false, &cause);
	g_free(reading.etag);
	if (is_done)
		return true;
	if (reading.is_empty && reading.next == range.offset)
		return read_empty_end(&reading, range.offset, error);
	if (reading.is_short && hf_error_is(cause, HF_ERROR_TRANSIENT))
		cause->code = HF_ERROR_CORRUPT;
	g_propagate_error(error, reading.fatal ? reading.fatal : g_steal_pointer(&cause));
	return false;
}

bool
hf_s3_read_version(HfS3 *s3, const char *key, const char *etag, uint64_t bytes, HfStage *into, GError **error)
{
	g_autofree char *full_key = hf_s3_full_key(s3, key);
	Reading reading = {.s3 = s3, .key = key, .full_key = full_key, .into = into, .end = bytes};
	g_autoptr(GError) cause = NULL;
	bool is_done;

	reading.etag = g_strdup(etag);
	is_done = hf_s3_retry(s3->client, try_read, &reading, false, &cause);
	g_free(reading.etag);
	if (is_done)
		return true;
	if (reading.fatal)
		g_propagate_error(error, reading.fatal);
	else if (hf_error_is(cause, HF_ERROR_NOT_FOUND))
		hf_error_set(error, HF_ERROR_CONFLICT, "\"%s/%s\" was removed while it was read",
			     s3->base.location, key);
	else
		g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}
