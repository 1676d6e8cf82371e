/*
 * backup/store/s3-impl.h -- the store on a bucket, for the files that are it: s3.c, s3-list.c, s3-read.c, s3-upload.c,
 * s3-small.c, s3-remove.c, s3-upkeep.c, s3-copy.c, s3-fetch.c and s3-put.c, each with some of the operations of
 * store-impl.h.
 */
#pragma once

#include "backup/store/s3-request.h"
#include "backup/store/store-impl.h"

typedef struct {
	HfStore base;
	HfS3Client *client;
	char *prefix;         /* "", or closed by a slash */
	HfS3Storing *storing; /* NULL: objects are stored as the bucket has it */
	size_t part_bytes;
	uint64_t copy_part_bytes;
	unsigned connections;
	bool is_etag_bare;     /* If-Match is understood without quotes only: Ceph RGW */
	bool is_unconditional; /* If-None-Match is not understood, which was said once */
} HfS3;

HfListing *hf_s3_list(HfStore *self, const char *prefix, const char *start_after, GError **error);
bool hf_s3_read(HfStore *self, const char *key, HfRange range, HfStage *into, GError **error);
HfStage *hf_s3_write(HfStore *self, const char *key, const HfObjectMeta *meta, GError **error);
bool hf_s3_create(HfStore *self, const char *key, GBytes *bytes, GError **error);
bool hf_s3_replace(HfStore *self, const char *key, GBytes *bytes, const char *etag, GError **error);
bool hf_s3_get(HfStore *self, const char *key, size_t limit_bytes, GBytes **bytes_out, char **etag_out,
	       GError **error);
bool hf_s3_probe(HfStore *self, const char *key, HfConditions *found_out, GError **error);
bool hf_s3_remove(HfStore *self, const char *const *keys, GError **error);
bool hf_s3_can_copy(const HfStore *self, const HfStore *from);
bool hf_s3_copy(HfStore *self, HfStore *from, const char *key, uint64_t bytes, GError **error);
HfFetch *hf_s3_fetch_new(HfStore *self, const HfFetchOptions *options);
HfPut *hf_s3_put_new(HfStore *self, const HfPutOptions *options);

GPtrArray *hf_s3_unfinished(HfStore *self, const char *prefix, int64_t before_s, GError **error);
bool hf_s3_abandon(HfStore *self, const HfUnfinished *unfinished, GError **error);
bool hf_s3_upkeep(HfStore *self, HfUpkeep *upkeep_out, GError **error);
bool hf_s3_lock(HfStore *self, const char *key, HfObjectLock *lock_out, GError **error);

/* Appends what is asked of the bucket for key, relative to the store, where something is (s3-storing.h). */
void hf_s3_add_storing(HfS3 *s3, const char *key, GStringChunk *texts, GArray *headers);

/*
 * After an upload in parts: locks and tags the object where head, the reply to a HEAD, shows that it is not.  Ceph RGW 16
 * takes neither where such an upload is begun.
 */
bool hf_s3_keep(HfS3 *s3, const char *key, const HfS3Reply *head, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The key in the bucket.  g_free() it. */
char *hf_s3_full_key(const HfS3 *s3, const char *key);

/* Asks for the object's headers, on a steadfast handle although a stop was asked for.  NOT_FOUND where there is none.  reply_out as with hf_s3_perform(). */
bool hf_s3_head(HfS3 *s3, const char *full_key, HfS3Reply *reply_out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The size that a HEAD's reply gives; CORRUPT where it gives none. */
bool hf_s3_head_bytes(const HfS3Reply *reply, uint64_t *bytes_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Reads all bytes of one version of an object, which has as many: etag is as the server writes it, with quotes.
 * CONFLICT where it was replaced or removed.
 */
bool hf_s3_read_version(HfS3 *s3, const char *key, const char *etag, uint64_t bytes, HfStage *into,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The parts of "bytes 0-99/1234" (RFC 9110, section 14.4); false where the reply has no such header. */
bool hf_s3_reply_range(const HfS3Reply *reply, uint64_t *first_out, uint64_t *total_out);
