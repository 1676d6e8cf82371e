/*
 * backup/store/s3-sign.h -- AWS Signature Version 4.
 *
 * A pure function: a request, a time and a key in, the Authorization header out.  It follows "Create a signed AWS API
 * request" (IAM User Guide) in S3's variant: the path is percent-encoded once and never normalised, so that a key such
 * as "a//../b" is signed as it is sent.  The secret key and the session token never become part of a string that
 * could be logged: what is signed is fed to the hash piece by piece.
 */
#pragma once

#include "backup/store/s3-credentials.h"

#include <stdint.h>

typedef struct {
	const char *name;
	const char *value;
} HfPair;

/* SHA-256 in lower-case hexadecimal digits, with the closing NUL. */
typedef struct {
	char text[65];
} HfSha256Hex;

typedef struct {
	const char *method;
	const char *path;      /* as it is sent: percent-encoded, begins with a slash */
	const char *query;     /* canonical, from hf_s3_sign_query(); "" for none */
	const HfPair *headers; /* all that are signed, names in lower case, closed by a pair of NULLs */
	const char *payload_sha256;
	const char *region;
	const char *service; /* "s3" */
	const char *time;    /* "20130524T000000Z": the x-amz-date that is among the headers */
} HfSignRequest;

HfSha256Hex hf_s3_sign_sha256(const void *bytes, size_t len);

/* "20130524T000000Z".  g_free() it. */
char *hf_s3_sign_time(int64_t unix_s);

/* Percent-encodes all but letters, digits and "-._~" (and "/" where it is kept).  g_free() it. */
char *hf_s3_sign_escape(const char *text, bool keeps_slash);

/*
 * The canonical query string of raw names and values, closed by a pair of NULLs: encoded, sorted by encoded name, then
 * value.  It is also what is sent.  pairs may be NULL.  g_free() it.
 */
char *hf_s3_sign_query(const HfPair *pairs);

/* "AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...".  g_free() it. */
char *hf_s3_sign_authorization(const HfSignRequest *request, const HfAccessKey *key);
