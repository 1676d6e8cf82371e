/* What was asked for with an upload in parts, and was passed over in silence. */
#include "config.h"

#include "backup/store/s3-impl.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* Sets a subresource of the object. */
static bool
put_subresource(HfS3 *s3, const char *full_key, const char *what, const char *xml, GError **error)
{
	const HfPair query[] = {{what, ""}, {NULL, NULL}};
	g_autofree char *md5 = hf_s3_md5(xml, strlen(xml), error);
	const HfPair headers[] = {{"content-md5", md5}, {"content-type", "application/xml"}, {NULL, NULL}};
	HfS3Request request = {.method = "PUT",
			       .key = full_key,
			       .query = query,
			       .headers = headers,
			       .body = xml,
			       .body_bytes = strlen(xml)};
	g_auto(HfS3Reply) reply = {0};

	return md5 && hf_s3_perform(s3->client, &request, &reply, error);
}

/* Who may store with a lock may set one, too: s3:PutObjectRetention is wanted for both. */
static bool
keep_lock(HfS3 *s3, const char *key, const char *full_key, const HfS3Reply *head, GError **error)
{
	g_autofree char *xml = hf_s3_storing_retention_xml(s3->storing, key,
							   hf_clock_now_s() + hf_s3_client_skew(s3->client));

	if (!xml || hf_s3_reply_header(head, "x-amz-object-lock-mode"))
		return true;
	if (put_subresource(s3, full_key, "retention", xml, error))
		return true;
	g_prefix_error(error, "S3_OBJECT_LOCK_DAYS: ");
	return false;
}

/* Where no number is told, we may not see it, and nothing is known to be amiss. */
static bool
keep_tags(HfS3 *s3, const char *full_key, const HfS3Reply *head, GError **error)
{
	g_autofree char *xml = hf_s3_storing_tagging_xml(s3->storing);

	if (!xml || g_strcmp0(hf_s3_reply_header(head, "x-amz-tagging-count"), "0") != 0)
		return true;
	if (put_subresource(s3, full_key, "tagging", xml, error))
		return true;
	g_prefix_error(error, "S3_TAGS: ");
	return false;
}

bool
hf_s3_keep(HfS3 *s3, const char *key, const HfS3Reply *head, GError **error)
{
	g_autofree char *full_key = hf_s3_full_key(s3, key);

	return keep_lock(s3, key, full_key, head, error) && keep_tags(s3, full_key, head, error);
}
