/*
 * backup/store/s3-request.h -- one request to S3: built, signed, sent, judged, and sent again where that may help.
 *
 * An HfS3Client is where requests go and whose they are.  An HfS3Transfer is one try of one request: start() puts
 * everything on a curl handle and signs it at that moment, result() judges what came.  Whoever drives the handle in
 * between is free to use curl_easy_perform() or a curl_multi.  hf_s3_perform() is the plain way: one request, driven
 * to its end, with retries.  A client may be used by several threads at once.
 *
 * A request's members are borrowed and must stay as they are until the request has ended: that makes it safe to send
 * again.
 */
#pragma once

#include "backup/store/s3-sign.h"
#include "backup/store/s3.h"

#include <curl/curl.h>

typedef struct HfS3Client HfS3Client;
typedef struct HfS3Transfer HfS3Transfer;

typedef struct {
	long status;
	GHashTable *headers; /* names in lower case; the last of a name wins */
	GByteArray *body;    /* what was not given to on_body */
	unsigned tries;      /* how often it was sent */
} HfS3Reply;

/* Called for each piece of the body of a reply of 2xx; reply has status and headers. */
typedef bool (*HfS3OnBody)(void *data, const HfS3Reply *reply, const void *buf, size_t len, GError **error);

typedef struct {
	const char *method;
	const char *key;       /* in the bucket, with the prefix, not encoded; NULL: the bucket itself */
	const HfPair *query;   /* raw, closed by a pair of NULLs, or NULL */
	const HfPair *headers; /* in lower case, closed by a pair of NULLs, or NULL; all are signed */
	const void *body;
	size_t body_bytes;
	HfS3OnBody on_body; /* NULL: the body is gathered in the reply, at most 16 MiB */
	void *on_body_data;
	bool fails_in_200; /* a 200 may hold an <Error>, or nothing at all: CompleteMultipartUpload */
	/*
	 * Sent on a connection of its own.  On a kept one that turns out to be dead libcurl sends a request again by itself,
	 * and reply.tries would not say so; where a second arrival makes a difference, it must.
	 */
	bool is_counted;
	bool is_cleanup; /* goes out although a stop was asked for, and gives up early */
	gint *cancel;    /* NULL, or ends the transfer when it becomes other than 0 */
} HfS3Request;

/* Checks and copies options, takes credentials, also on failure. */
HfS3Client *hf_s3_client_new(const HfS3Options *options, HfCredentials *credentials,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;
void hf_s3_client_free(HfS3Client *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfS3Client, hf_s3_client_free)

/* "https://host/bucket" or "https://bucket.host": where requests go, without a slash at its end.  Borrowed. */
const char *hf_s3_client_url(const HfS3Client *client);
const char *hf_s3_client_bucket(const HfS3Client *client);

/* Seconds that the server's clock is ahead of ours, as far as known. */
int64_t hf_s3_client_skew(HfS3Client *client);
void hf_s3_client_set_skew(HfS3Client *client, int64_t skew_s);

/* One try.  free() may be called at any time; a handle in a curl_multi is to be taken out of it before. */
HfS3Transfer *hf_s3_transfer_new(HfS3Client *client, const HfS3Request *request);
bool hf_s3_transfer_start(HfS3Transfer *transfer, GError **error) G_GNUC_WARN_UNUSED_RESULT;
CURL *hf_s3_transfer_handle(HfS3Transfer *transfer);
/* Judges the try by curl's result and the reply.  TRANSIENT: the same may succeed later. */
bool hf_s3_transfer_result(HfS3Transfer *transfer, CURLcode result, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The reply, handed over; the caller clears it. */
void hf_s3_transfer_take_reply(HfS3Transfer *transfer, HfS3Reply *reply_out);
void hf_s3_transfer_free(HfS3Transfer *transfer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfS3Transfer, hf_s3_transfer_free)

/*
 * Runs one_try until it succeeds, fails with something else than TRANSIENT, or was tried often enough; pauses longer
 * and longer in between, with jitter.  This is the one place where S3 requests are retried.  one_try sets *moved where
 * it came so much further that the count may begin anew.  is_cleanup as in HfS3Request.
 */
typedef bool (*HfS3Try)(void *data, bool *moved, GError **error);
bool hf_s3_retry(HfS3Client *client, HfS3Try one_try, void *data, bool is_cleanup,
		 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* How long to wait after so many failed tries: longer and longer, with jitter. */
unsigned hf_s3_retry_pause_ms(unsigned tries);

/* One try, driven to its end.  reply_out is set up in any case, and cleared by the caller. */
bool hf_s3_perform_once(HfS3Client *client, const HfS3Request *request, HfS3Reply *reply_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same with retries: for requests whose on_body is NULL. */
bool hf_s3_perform(HfS3Client *client, const HfS3Request *request, HfS3Reply *reply_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A header of the reply, or NULL.  Borrowed. */
const char *hf_s3_reply_header(const HfS3Reply *reply, const char *name);
/* Unix time of a header such as Date or Last-Modified; 0 where it is absent or not a date. */
int64_t hf_s3_reply_time(const HfS3Reply *reply, const char *name);
/* The ETag without its quotes, or NULL.  g_free() it. */
char *hf_s3_reply_etag(const HfS3Reply *reply);
void hf_s3_reply_clear(HfS3Reply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HfS3Reply, hf_s3_reply_clear)
