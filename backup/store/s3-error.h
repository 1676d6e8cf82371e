/*
 * backup/store/s3-error.h -- S3's refusals, in words that name the bucket or key, and the remedy.
 *
 * S3 says what is wrong by a code in the XML body ("Amazon S3 API Reference", "Error responses"), and by the status
 * alone where there is no body, as for HEAD.
 */
#pragma once

#include "backup/store/s3-request.h"

typedef struct {
	const char *url; /* of the bucket */
	const char *bucket;
	const char *key;     /* NULL: the bucket itself */
	const char *region;  /* that was signed for */
	const char *ca_file; /* NULL: the system's */
	int64_t skew_s;      /* that the reply's Date shows, beyond what is corrected already */
	unsigned stall_s;
} HfS3Subject;

/* The <Code> of an error reply, or NULL.  g_free() it. */
char *hf_s3_error_code(const HfS3Reply *reply);

/* From a reply that is not a success.  Always false. */
bool hf_s3_error_from_reply(const HfS3Subject *subject, const HfS3Reply *reply, GError **error);

/* From curl's own failure; detail is its error buffer.  Always false. */
bool hf_s3_error_from_curl(const HfS3Subject *subject, CURLcode result, const char *detail, GError **error);
