/*
 * backup/store/s3-storing.h -- how a bucket is asked to keep what is stored in it: encryption on the server's side, storage
 * class, tags, Object Lock.
 *
 * Which of it an object gets depends on what it is.  All are encrypted and tagged.  What belongs to a set for as long as the
 * set exists is locked; a claim, a hold, a proof are replaced or removed in good time, and are not.  Only what a restore
 * alone reads goes into another storage class: runs read manifests and indexes again and again.
 */
#pragma once

#include "backup/store/keeping.h"
#include "backup/store/s3-sign.h"

typedef struct HfS3Storing HfS3Storing;

/* As the settings S3_* give them; NULL: the bucket's own ways. */
typedef struct {
	const char *encryption;    /* S3_SSE: "AES256" or "aws:kms" */
	const char *kms_key_id;    /* S3_SSE_KMS_KEY_ID: only with aws:kms */
	const char *storage_class; /* S3_STORAGE_CLASS */
	const char *tags;          /* S3_TAGS: "name=value,name=value" */
	unsigned lock_days;        /* S3_OBJECT_LOCK_DAYS; 0: nothing is locked */
	const char *lock_mode;     /* S3_OBJECT_LOCK_MODE: "GOVERNANCE" or "COMPLIANCE" */
	HfKeepingFunc keeping;
} HfS3StoringOptions;

/* Checks and copies; USAGE names the setting and what is allowed. */
HfS3Storing *hf_s3_storing_new(const HfS3StoringOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;
HfS3Storing *hf_s3_storing_copy(const HfS3Storing *storing); /* NULL gives NULL */
void hf_s3_storing_free(HfS3Storing *storing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfS3Storing, hf_s3_storing_free)

/*
 * Appends the headers of a PutObject or CreateMultipartUpload of key, which is relative to the store; their texts lie in
 * texts.  now_s is the server's time, which a lock counts from.  storing may be NULL: nothing is appended.
 */
void hf_s3_storing_headers(const HfS3Storing *storing, const char *key, int64_t now_s, GStringChunk *texts,
			   GArray *headers);

/* Whether a lock goes with it: each body then needs a Content-MD5 (API Reference, "PutObject", "UploadPart"). */
bool hf_s3_storing_wants_md5(const HfS3Storing *storing, const char *key);

/*
 * The same as bodies of PutObjectRetention and PutObjectTagging (API Reference); NULL where nothing of that kind is asked
 * for.  g_free() it.
 */
char *hf_s3_storing_retention_xml(const HfS3Storing *storing, const char *key, int64_t now_s);
char *hf_s3_storing_tagging_xml(const HfS3Storing *storing);

/* The value of Content-MD5; FAILED where OpenSSL refuses MD5. */
char *hf_s3_md5(const void *bytes, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;
