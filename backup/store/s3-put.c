#include "config.h"

#include "backup/store/put-impl.h"
#include "backup/store/s3-impl.h"
#include "backup/store/s3-meta.h"
#include "backup/store/s3-multi.h"

/* Empty objects weigh nothing: their number is bounded, too. */
#define OBJECTS_A_CONNECTION 4

typedef struct {
	HfPut base;
	HfS3 *s3;
	HfS3Multi *multi;
	GQueue objects; /* of Object: in flight */
	size_t held_bytes;
} S3Put;

typedef struct {
	HfS3Job job;
	GList link;
	S3Put *put;
	char *full_key;
	GStringChunk *texts;
	GArray *headers;
	GBytes *content;
} Object;

static void
object_free(Object *object)
{
	S3Put *put = object->put;

	hf_s3_multi_take_out(put->multi, &object->job);
	g_queue_unlink(&put->objects, &object->link);
	put->held_bytes -= g_bytes_get_size(object->content);
	g_bytes_unref(object->content);
	g_array_unref(object->headers);
	g_string_chunk_free(object->texts);
	g_free(object->full_key);
	g_free(object);
}

/* S3's errors name the bucket and the key. */
static void
on_end(HfS3Job *job, const HfS3Reply *reply, const GError *error)
{
	Object *object = (Object *)job;
	HfPut *put = &object->put->base;

	(void)reply;
	if (error && !put->ended)
		put->ended = g_error_copy(error);
	object_free(object);
}

static Object *
object_new(S3Put *put, const char *key, GBytes *content)
{
	Object *object = g_new0(Object, 1);

	object->put = put;
	object->link.data = object;
	object->full_key = hf_s3_full_key(put->s3, key);
	object->texts = g_string_chunk_new(256);
	object->headers = g_array_new(TRUE, TRUE, sizeof(HfPair));
	object->content = g_bytes_ref(content);
	put->held_bytes += g_bytes_get_size(content);
	g_queue_push_tail_link(&put->objects, &object->link);
	return object;
}

static bool
has_room(const S3Put *put, size_t bytes)
{
	const HfPutOptions *options = &put->base.options;

	if (put->objects.length == 0)
		return true;
	return put->objects.length < options->connections * OBJECTS_A_CONNECTION &&
	       put->held_bytes <= options->memory_bytes && bytes <= options->memory_bytes - put->held_bytes;
}

/* The digest of what will be locked. */
static bool
add_md5(Object *object, const char *key, GError **error)
{
	gsize len;
	const void *bytes = g_bytes_get_data(object->content, &len);
	g_autofree char *digest = NULL;
	HfPair md5 = {"content-md5", NULL};

	if (!hf_s3_storing_wants_md5(object->put->s3->storing, key))
		return true;
	digest = hf_s3_md5(bytes, len, error);
	if (!digest)
		return false;
	md5.value = g_string_chunk_insert(object->texts, digest);
	g_array_append_val(object->headers, md5);
	return true;
}

static bool
put_object(HfPut *self, const char *key, const HfObjectMeta *meta, GBytes *content, GError **error)
{
	S3Put *put = (S3Put *)self;
	Object *object;

	while (!self->ended && !has_room(put, g_bytes_get_size(content)))
		if (!hf_s3_multi_step(put->multi, true, error))
			return false;
	if (self->ended)
		return false;
	object = object_new(put, key, content);
	if (!hf_s3_meta_headers(object->full_key, meta, object->texts, object->headers, error)) {
		object_free(object);
		return false;
	}
	hf_s3_add_storing(put->s3, key, object->texts, object->headers);
	if (!add_md5(object, key, error)) {
		object_free(object);
		return false;
	}
	object->job.request = (HfS3Request){.method = "PUT",
					    .key = object->full_key,
					    .headers = (const HfPair *)(const void *)object->headers->data};
	object->job.request.body = g_bytes_get_data(content, &object->job.request.body_bytes);
	object->job.end = on_end;
	hf_s3_multi_add(put->multi, &object->job);
	return hf_s3_multi_step(put->multi, false, error);
}

static bool
put_finish(HfPut *self, GError **error)
{
	S3Put *put = (S3Put *)self;

	while (put->objects.length > 0 && !self->ended)
		if (!hf_s3_multi_step(put->multi, true, error))
			return false;
	return true;
}

static void
put_clear(HfPut *self)
{
	S3Put *put = (S3Put *)self;

	while (put->objects.length > 0)
		object_free(g_queue_peek_head(&put->objects));
	hf_s3_multi_free(put->multi);
}

static const HfPutOps put_ops = {put_object, put_finish, put_clear};

HfPut *
hf_s3_put_new(HfStore *self, const HfPutOptions *options)
{
	S3Put *put = g_new0(S3Put, 1);

	hf_put_init(&put->base, &put_ops, options);
	put->s3 = (HfS3 *)self;
	put->multi = hf_s3_multi_new(put->s3->client, options->connections);
	return &put->base;
}
