/*
 * backup/store/s3-meta.h -- metadata as S3's headers: Amazon S3 User Guide, "Working with object metadata".
 */
#pragma once

#include "backup/store/meta.h"
#include "backup/store/s3-request.h"

/*
 * Appends the headers that keep meta; their texts lie in texts.  USAGE, naming key, for what would not be a line of HTTP:
 * a name that is no token, a value with a control character.  All else goes out as it is, whatever its encoding.
 */
bool hf_s3_meta_headers(const char *key, const HfObjectMeta *meta, GStringChunk *texts, GArray *headers,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The other way: what a reply to GET or HEAD says. */
void hf_s3_meta_from_reply(const HfS3Reply *reply, HfMeta *meta_out);
