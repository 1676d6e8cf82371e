#include "config.h"

#include "backup/store/s3-meta.h"
#include "common/error.h"

#include <string.h>

/* Where headers are gathered. */
typedef struct {
	const char *key;
	GStringChunk *texts;
	GArray *headers;
} Headers;

/* A value from outside becomes a line of HTTP: a line's end in it would begin another header. */
static bool
add_header(const Headers *headers, const char *name, const char *value, GError **error)
{
	HfPair pair;

	if (!value)
		return true;
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return hf_error_set(error, HF_ERROR_USAGE,
					    "\"%s\": its %s has a control character, which S3 cannot store",
					    headers->key, name);
	pair.name = g_string_chunk_insert(headers->texts, name);
	pair.value = g_string_chunk_insert(headers->texts, value);
	g_array_append_val(headers->headers, pair);
	return true;
}

static bool
add_user_header(const Headers *headers, const char *name, const char *value, GError **error)
{
	g_autofree char *lower = g_ascii_strdown(name, -1);
	g_autofree char *full = g_strconcat(HF_META_USER_HEADER, lower, NULL);

	/* RFC 9110, section 5.6.2: a token. */
	for (const char *c = lower; *c; c++)
		if (!g_ascii_isalnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c))
			return hf_error_set(error, HF_ERROR_USAGE,
					    "\"%s\": \"%s\" cannot be the name of metadata in S3",
					    headers->key, lower);
	return add_header(headers, full, value, error);
}

bool
hf_s3_meta_headers(const char *key, const HfObjectMeta *meta, GStringChunk *texts, GArray *headers,
		   GError **error)
{
	const Headers gathered = {key, texts, headers};
	GHashTableIter each;
	gpointer name, value;

	for (HfMetaField field = 0; field < HF_META_FIELDS; field++)
		if (!add_header(&gathered, hf_meta_header(field), hf_meta_get(meta, field), error))
			return false;
	if (!meta->user)
		return true;
	g_hash_table_iter_init(&each, meta->user);
	while (g_hash_table_iter_next(&each, &name, &value))
		if (!add_user_header(&gathered, name, value, error))
			return false;
	return true;
}

void
hf_s3_meta_from_reply(const HfS3Reply *reply, HfMeta *meta_out)
{
	size_t prefix_len = strlen(HF_META_USER_HEADER);
	GHashTableIter each;
	gpointer name, value;

	for (HfMetaField field = 0; field < HF_META_FIELDS; field++) {
		const char *text = hf_s3_reply_header(reply, hf_meta_header(field));

		if (text)
			hf_meta_set(meta_out, field, g_strdup(text));
	}
	g_hash_table_iter_init(&each, reply->headers);
	while (g_hash_table_iter_next(&each, &name, &value))
		if (g_str_has_prefix(name, HF_META_USER_HEADER))
			hf_meta_add_user(meta_out, (const char *)name + prefix_len, g_strdup(value));
}
