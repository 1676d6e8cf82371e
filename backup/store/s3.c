#include "config.h"

#include "backup/store/s3.h"
#include "backup/store/s3-impl.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>

/* S3 User Guide, "Amazon S3 multipart upload limits". */
#define PART_BYTES_MIN ((size_t)5 << 20)
#define PART_BYTES_MAX ((size_t)5 << 30)
#define PART_BYTES_DEFAULT ((size_t)16 << 20)
#define COPY_PART_BYTES_DEFAULT ((uint64_t)256 << 20)
#define CONNECTIONS_DEFAULT 4
/* Each connection is a thread and a part's buffer. */
#define CONNECTIONS_MAX 64

char *
hf_s3_full_key(const HfS3 *s3, const char *key)
{
	return g_strconcat(s3->prefix, key, NULL);
}

void
hf_s3_add_storing(HfS3 *s3, const char *key, GStringChunk *texts, GArray *headers)
{
	hf_s3_storing_headers(s3->storing, key, hf_clock_now_s() + hf_s3_client_skew(s3->client), texts,
			      headers);
}

bool
hf_s3_head(HfS3 *s3, const char *full_key, HfS3Reply *reply_out, GError **error)
{
	HfS3Request request = {.method = "HEAD", .key = full_key, .is_cleanup = s3->base.is_steadfast};

	return hf_s3_perform(s3->client, &request, reply_out, error);
}

bool
hf_s3_head_bytes(const HfS3Reply *reply, uint64_t *bytes_out, GError **error)
{
	const char *length = hf_s3_reply_header(reply, "content-length");
	guint64 bytes;

	if (!length || !g_ascii_string_to_unsigned(length, 10, 0, G_MAXINT64, &bytes, NULL))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "the server does not say how large the object is");
	*bytes_out = bytes;
	return true;
}

static void
clear(HfStore *self)
{
	HfS3 *s3 = (HfS3 *)self;

	hf_s3_client_free(s3->client);
	hf_s3_storing_free(s3->storing);
	g_free(s3->prefix);
}

static const HfStoreOps ops = {
	.list = hf_s3_list,
	.read = hf_s3_read,
	.write = hf_s3_write,
	.create = hf_s3_create,
	.replace = hf_s3_replace,
	.get = hf_s3_get,
	.probe = hf_s3_probe,
	.remove = hf_s3_remove,
	.can_copy = hf_s3_can_copy,
	.copy = hf_s3_copy,
	.fetch_new = hf_s3_fetch_new,
	.is_distant = true,
	.put_new = hf_s3_put_new,
	.unfinished = hf_s3_unfinished,
	.abandon = hf_s3_abandon,
	.upkeep = hf_s3_upkeep,
	.lock = hf_s3_lock,
	.clear = clear,
};

static bool
check_bounds(const HfS3Options *options, GError **error)
{
	const char *prefix = options->prefix ? options->prefix : "";

	if (options->part_bytes &&
	    (options->part_bytes < PART_BYTES_MIN || options->part_bytes > PART_BYTES_MAX))
		return hf_error_set(error, HF_ERROR_USAGE, "a part of %zu bytes: S3 takes 5 MiB to 5 GiB",
				    options->part_bytes);
	if (options->connections > CONNECTIONS_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "%u connections: at most %d are allowed",
				    options->connections, CONNECTIONS_MAX);
	if (prefix[0] == '/' || g_str_has_suffix(prefix, "/"))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "S3_BACKUP_PREFIX \"%s\" begins or ends with a slash: leave it out",
				    prefix);
	return true;
}

HfStore *
hf_s3_open(const HfS3Options *options, HfCredentials *credentials, GError **error)
{
	bool has_prefix = options->prefix && options->prefix[0];
	g_autoptr(HfS3Client) client = hf_s3_client_new(options, credentials, error);
	HfS3 *s3;

	if (!client || !check_bounds(options, error))
		return NULL;
	s3 = g_new0(HfS3, 1);
	hf_store_init(&s3->base, &ops,
		      g_strdup_printf("s3://%s%s%s", options->bucket, has_prefix ? "/" : "",
				      has_prefix ? options->prefix : ""));
	s3->base.endpoint = g_strdup(options->endpoint_url);
	s3->client = g_steal_pointer(&client);
	s3->prefix = has_prefix ? g_strconcat(options->prefix, "/", NULL) : g_strdup("");
	s3->storing = hf_s3_storing_copy(options->storing);
	s3->part_bytes = options->part_bytes ? options->part_bytes : PART_BYTES_DEFAULT;
	s3->copy_part_bytes = options->copy_part_bytes ? options->copy_part_bytes : COPY_PART_BYTES_DEFAULT;
	s3->connections = options->connections ? options->connections : CONNECTIONS_DEFAULT;
	return &s3->base;
}
