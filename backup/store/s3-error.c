#include "config.h"

#include "backup/store/s3-error.h"
#include "backup/store/s3-xml.h"
#include "common/error.h"

#include <string.h>

typedef struct {
	const char *code; /* NULL closes the table */
	HfError error;
	const char *text;
} Refusal;

#define RIGHTS \
	"access denied: allow this access key s3:ListBucket, s3:ListBucketMultipartUploads, s3:GetObject, " \
	"s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload here"
#define SLOW "the server is busy"
#define UNCONDITIONAL "the server does not support this request"

/* Amazon S3 API Reference, "List of error codes"; QuotaExceeded is Ceph's. */
static const Refusal refusals[] = {
	{"AccessDenied", HF_ERROR_DENIED, RIGHTS},
	{"AllAccessDisabled", HF_ERROR_DENIED, RIGHTS},
	{"BadDigest", HF_ERROR_TRANSIENT, "bytes were damaged on their way"},
	{"ConditionalRequestConflict", HF_ERROR_TRANSIENT, "somebody else is writing it"},
	{"EntityTooLarge", HF_ERROR_FAILED,
	 "the server does not take so much in one part: choose smaller parts"},
	{"ExpiredToken", HF_ERROR_DENIED,
	 "the session token has expired: renew AWS_SESSION_TOKEN and its keys"},
	{"IncompleteBody", HF_ERROR_TRANSIENT, "the request was cut on its way"},
	{"InternalError", HF_ERROR_TRANSIENT, "the server failed"},
	{"InvalidAccessKeyId", HF_ERROR_USAGE,
	 "the server does not know this access key: check AWS_ACCESS_KEY_ID"},
	{"InvalidBucketName", HF_ERROR_USAGE,
	 "not a bucket's name: correct S3_BACKUP_BUCKET or AWS_BUCKET_NAME"},
	{"InvalidRange", HF_ERROR_USAGE, "the range lies beyond the object's end"},
	{"InvalidRequest", HF_ERROR_USAGE,
	 "the server does not take the request: for S3_OBJECT_LOCK_DAYS Object Lock must be on for the "
	 "bucket, a bucket "
	 "that locks by itself wants S3_OBJECT_LOCK_DAYS set, and not every server knows S3_SSE"},
	{"InvalidStorageClass", HF_ERROR_USAGE,
	 "the server does not know this storage class: correct S3_STORAGE_CLASS"},
	{"InvalidTag", HF_ERROR_USAGE, "the server does not accept a tag: correct S3_TAGS"},
	{"InvalidToken", HF_ERROR_DENIED, "the session token is not valid: check AWS_SESSION_TOKEN"},
	{"KMS.NotFoundException", HF_ERROR_USAGE, "there is no such KMS key: correct S3_SSE_KMS_KEY_ID"},
	{"NoSuchBucket", HF_ERROR_USAGE,
	 "the bucket does not exist: create it, or correct S3_BACKUP_BUCKET or AWS_BUCKET_NAME"},
	{"NoSuchKey", HF_ERROR_NOT_FOUND, "no such object"},
	{"NoSuchUpload", HF_ERROR_NOT_FOUND, "the upload is gone: somebody aborted it"},
	{"NotImplemented", HF_ERROR_FAILED, UNCONDITIONAL},
	{"OperationAborted", HF_ERROR_TRANSIENT, "another operation is in progress"},
	{"PreconditionFailed", HF_ERROR_CONFLICT, "it exists already, or has changed"},
	{"QuotaExceeded", HF_ERROR_FAILED, "the quota is used up: raise it, or remove old backups"},
	{"RequestTimeout", HF_ERROR_TRANSIENT, "the server waited too long for the request"},
	{"ServiceUnavailable", HF_ERROR_TRANSIENT, SLOW},
	{"SignatureDoesNotMatch", HF_ERROR_USAGE,
	 "the signature does not match: check AWS_SECRET_ACCESS_KEY"},
	{"SlowDown", HF_ERROR_TRANSIENT, SLOW},
	{"TooManyRequests", HF_ERROR_TRANSIENT, SLOW},
	{"XAmzContentSHA256Mismatch", HF_ERROR_TRANSIENT, "bytes were damaged on their way"},
	{NULL, HF_ERROR_FAILED, NULL},
};

/* Where the body says nothing we know. */
static const struct {
	long status;
	HfError error;
	const char *text;
} statuses[] = {
	{401, HF_ERROR_DENIED, RIGHTS},
	{403, HF_ERROR_DENIED, RIGHTS},
	{404, HF_ERROR_NOT_FOUND, "no such object"},
	{405, HF_ERROR_FAILED, UNCONDITIONAL},
	{408, HF_ERROR_TRANSIENT, SLOW},
	{409, HF_ERROR_CONFLICT, "somebody else holds it, or it changed"},
	{412, HF_ERROR_CONFLICT, "it exists already, or has changed"},
	{416, HF_ERROR_USAGE, "the range lies beyond the object's end"},
	{429, HF_ERROR_TRANSIENT, SLOW},
	{501, HF_ERROR_FAILED, UNCONDITIONAL},
};

/* The codes by which a server says that another region is meant. */
static const char *const region_codes[] = {"AuthorizationHeaderMalformed",
					   "PermanentRedirect",
					   "TemporaryRedirect",
					   "IncorrectEndpoint",
					   "IllegalLocationConstraintException",
					   NULL};

static char *
subject_name(const HfS3Subject *subject)
{
	return subject->key ? g_strdup_printf("\"s3://%s/%s\"", subject->bucket, subject->key)
			    : g_strdup_printf("\"s3://%s\"", subject->bucket);
}

char *
hf_s3_error_code(const HfS3Reply *reply)
{
	return hf_s3_xml_find(reply->body->data, reply->body->len, "Error/Code");
}

static bool
set_region_error(const HfS3Subject *subject, const HfS3Reply *reply, GError **error)
{
	g_autofree char *in_body = hf_s3_xml_find(reply->body->data, reply->body->len, "Error/Region");
	g_autofree char *endpoint = hf_s3_xml_find(reply->body->data, reply->body->len, "Error/Endpoint");
	const char *in_header = hf_s3_reply_header(reply, "x-amz-bucket-region");
	const char *region = in_body ? in_body : in_header;
	g_autofree char *name = subject_name(subject);

	if (region)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "%s: the bucket is in region \"%s\", not \"%s\": set AWS_REGION (or "
				    "S3_BACKUP_REGION) to \"%s\"",
				    name, region, subject->region, region);
	return hf_error_set(
		error, HF_ERROR_USAGE,
		"%s: the bucket is not in region \"%s\"%s%s: correct AWS_REGION (or S3_BACKUP_REGION)", name,
		subject->region, endpoint ? ", its address is " : "", endpoint ? endpoint : "");
}

static bool
set_skew_error(const HfS3Subject *subject, GError **error)
{
	g_autofree char *name = subject_name(subject);

	return hf_error_set(error, HF_ERROR_FAILED,
			    "%s: this machine's clock and that of %s differ by %" G_GINT64_FORMAT
			    " s: set the clock (timedatectl set-ntp true)",
			    name, subject->url, (gint64)ABS(subject->skew_s));
}

/* S3 User Guide, "Working with archived objects". */
static bool
set_archived_error(const HfS3Subject *subject, GError **error)
{
	return hf_error_set(error, HF_ERROR_DENIED,
			    "\"s3://%s/%s\" lies in an archive storage class, and cannot be read before S3 "
			    "has brought a copy "
			    "back, which takes hours: \"aws s3api restore-object --bucket %s --key %s "
			    "--restore-request Days=7\" "
			    "for each object that RESTORE.txt names, then again",
			    subject->bucket, subject->key ? subject->key : "", subject->bucket,
			    subject->key ? subject->key : "KEY");
}

static bool
set_by_status(const HfS3Subject *subject, long status, const char *code, GError **error)
{
	g_autofree char *name = subject_name(subject);
	HfError kind = status >= 500 ? HF_ERROR_TRANSIENT : HF_ERROR_FAILED;
	const char *text = status >= 500 ? SLOW : "the server refused the request";

	for (size_t i = 0; i < G_N_ELEMENTS(statuses); i++)
		if (statuses[i].status == status) {
			kind = statuses[i].error;
			text = statuses[i].text;
		}
	return hf_error_set(error, kind, "%s: %s (%s answered %ld%s%s)", name, text, subject->url, status,
			    code ? " " : "", code ? code : "");
}

bool
hf_s3_error_from_reply(const HfS3Subject *subject, const HfS3Reply *reply, GError **error)
{
	g_autofree char *code = hf_s3_error_code(reply);
	g_autofree char *name = subject_name(subject);

	if (reply->status == 301 || reply->status == 307 || (code && g_strv_contains(region_codes, code)))
		return set_region_error(subject, reply, error);
	if (g_strcmp0(code, "RequestTimeTooSkewed") == 0)
		return set_skew_error(subject, error);
	if (g_strcmp0(code, "InvalidObjectState") == 0)
		return set_archived_error(subject, error);
	for (const Refusal *refusal = refusals; code && refusal->code; refusal++)
		if (strcmp(refusal->code, code) == 0)
			return hf_error_set(error, refusal->error, "%s: %s (%s answered %ld %s)", name,
					    refusal->text, subject->url, reply->status, code);
	return set_by_status(subject, reply->status, code, error);
}

static bool
set_tls_error(const HfS3Subject *subject, CURLcode result, const char *detail, GError **error)
{
	if (result == CURLE_SSL_CACERT_BADFILE)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "\"%s\" cannot be read as certificates: correct AWS_CA_BUNDLE",
				    subject->ca_file);
	return hf_error_set(
		error, HF_ERROR_USAGE,
		"%s: the server's certificate is not trusted (%s): set AWS_CA_BUNDLE to the PEM file "
		"of the CA that signed it",
		subject->url, detail);
}

bool
hf_s3_error_from_curl(const HfS3Subject *subject, CURLcode result, const char *detail, GError **error)
{
	const char *words = detail[0] ? detail : curl_easy_strerror(result);
	g_autofree char *name = subject_name(subject);

	switch ((int)result) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "%s cannot be reached (%s): check AWS_ENDPOINT_URL (or "
				    "S3_BACKUP_ENDPOINT_URL) and the network",
				    subject->url, words);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
		return set_tls_error(subject, result, words, error);
	case CURLE_OPERATION_TIMEDOUT:
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "%s: %s did not move a byte for %u s: check the network", name,
				    subject->url, subject->stall_s);
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SSL_CONNECT_ERROR:
		return hf_error_set(error, HF_ERROR_TRANSIENT, "%s: the connection to %s broke (%s)", name,
				    subject->url, words);
	default:
		return hf_error_set(error, HF_ERROR_FAILED, "%s: %s: %s", name, subject->url, words);
	}
}
