#include "config.h"

#include "common/error.h"
#include "fcgi/answer.h"
#include "fcgi/handlers.h"

#include <string.h>

#define PIECE_BYTES 65536

static char *
option(const char *name, const char *value)
{
	return g_strdup_printf("--%s=%s", name, value);
}

/* ---- a page of them ---- */

HfReply *
hf_handle_objects(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	static const char *const names[] = {"prefix", "after", "limit", NULL};
	const char *prefix = hf_request_query(request, "prefix");
	const char *after = hf_request_query(request, "after");
	g_autofree char *prefix_option = option("prefix", prefix ? prefix : "");
	g_autofree char *after_option = option("after", after ? after : "");
	g_autofree char *limit_option = NULL;
	g_autoptr(GError) error = NULL;
	HfJson *objects = NULL;
	HfJson *reply;
	unsigned limit = 0;
	HfReply *refusal = hf_answer_check_set(arguments[0], route);

	if (!refusal)
		refusal = hf_answer_check_query(request, route, names);
	if (refusal || !hf_answer_limit(request, route, &limit, &refusal))
		return refusal;
	/* Its reply has "next" where more follow. */
	limit_option = g_strdup_printf("--limit=%u", limit);
	reply = hf_tool_run_lines(service->tool,
				  (const char *const[]){"show", "--objects", prefix_option, after_option,
							limit_option, "--", arguments[0], NULL},
				  &objects, &error);
	if (!reply)
		return hf_reply_error(error, route->failure);
	json_object_object_del(reply, "objects");
	hf_json_add(reply, "objects", objects);
	return hf_reply_json(200, reply);
}

/* ---- one ---- */

/*
 * The bytes of an image as a child reads them.  The last piece is held back until the child has ended well, since only
 * then its digest was compared: what is damaged never arrives whole.
 */
typedef struct {
	HfReplySource base;
	HfChild *child;
	uint64_t left;
	size_t len[2];
	unsigned held; /* which of the pieces waits */
	bool is_at_end;
	char pieces[2][PIECE_BYTES];
} ImageSource;

static bool
finish(ImageSource *source, GError **error)
{
	if (!hf_child_wait(source->child, error))
		return false;
	source->is_at_end = true;
	return source->left == 0 ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "%" G_GUINT64_FORMAT " bytes are missing", source->left);
}

static bool
next(HfReplySource *base, const void **bytes_out, size_t *len_out, GError **error)
{
	ImageSource *source = (ImageSource *)base;
	unsigned fresh = !source->held;
	size_t got = 0;

	*len_out = 0;
	if (source->is_at_end)
		return true;
	if (!hf_child_read(source->child, source->pieces[fresh], PIECE_BYTES, &got, error))
		return false;
	if (got > source->left)
		return hf_error_set(error, HF_ERROR_CORRUPT, "more bytes came than the image has");
	source->left -= got;
	if (got == 0 && !finish(source, error))
		return false;
	/* Whoever asks takes no bytes for the end: the first piece is followed at once. */
	source->len[fresh] = got;
	*bytes_out = source->pieces[source->held];
	*len_out = source->len[source->held];
	source->held = fresh;
	return *len_out > 0 || got == 0 ? true : next(base, bytes_out, len_out, error);
}

static void
free_source(HfReplySource *base)
{
	ImageSource *source = (ImageSource *)base;

	hf_child_free(source->child);
	g_free(source);
}

static const char *
text_of(HfJson *object, const char *name)
{
	HfJson *value = NULL;

	return json_object_object_get_ex(object, name, &value) ? json_object_get_string(value) : NULL;
}

/* The image of exactly this key among what begins with it: it comes first. */
static HfJson *
find(HfService *service, const char *set, const char *key, GError **error)
{
	g_autofree char *prefix = option("prefix", key);
	g_autoptr(HfJson) objects = NULL;
	g_autoptr(HfJson) reply = hf_tool_run_lines(
		service->tool,
		(const char *const[]){"show", "--objects", prefix, "--limit=1", "--", set, NULL}, &objects,
		error);
	HfJson *first = reply ? json_object_array_get_idx(objects, 0) : NULL;

	if (!reply)
		return NULL;
	if (!first || g_strcmp0(text_of(first, "key"), key) != 0) {
		hf_error_set(error, HF_ERROR_NOT_FOUND, "set \"%s\" has no image \"%s\"", set, key);
		return NULL;
	}
	if (text_of(first, "trouble")) {
		hf_error_set(error, HF_ERROR_NOT_FOUND,
			     "image \"%s\" could not be read when set \"%s\" was made: %s", key, set,
			     text_of(first, "trouble"));
		return NULL;
	}
	return json_object_get(first);
}

/* It came from whoever stored the image, and is shown to an administrator's browser. */
static const char *
sane_type(const char *type)
{
	size_t length = type ? strlen(type) : 0;

	for (size_t i = 0; i < length; i++)
		if (type[i] < ' ' || type[i] > '~')
			return "application/octet-stream";
	return length > 0 && length < 256 && strchr(type, '/') ? type : "application/octet-stream";
}

/* Never shown in the page's own origin, whatever it is; its name by RFC 6266 and RFC 8187. */
static void
add_headers(HfReply *reply, const char *key, const char *etag)
{
	const char *slash = strrchr(key, '/');
	g_autofree char *name = g_uri_escape_string(slash ? slash + 1 : key, NULL, FALSE);
	g_autofree char *disposition = g_strconcat("attachment; filename*=UTF-8''", name, NULL);

	hf_reply_add_header(reply, "Content-Disposition", disposition);
	hf_reply_add_header(reply, "ETag", etag);
}

static HfReply *
stream(HfService *service, const char *set, const char *key, HfJson *image, GError **error)
{
	g_autofree char *object = option("object", key);
	HfChild *child = hf_tool_start(service->tool, (const char *const[]){"cat", object, "--", set, NULL},
				       error);
	ImageSource *source;
	HfReply *reply;
	HfJson *bytes = NULL;

	if (!child)
		return NULL;
	reply = hf_reply_new(200);
	source = g_new0(ImageSource, 1);
	source->base = (HfReplySource){next, free_source};
	source->child = child;
	source->left = json_object_object_get_ex(image, "bytes", &bytes) ? json_object_get_uint64(bytes) : 0;
	reply->source = &source->base;
	reply->source_bytes = source->left;
	reply->type_owned = g_strdup(sane_type(text_of(image, "type")));
	reply->type = reply->type_owned;
	return reply;
}

HfReply *
hf_handle_object(HfService *service, const HfRequest *request, char **arguments, const HfRoute *route)
{
	g_autoptr(GError) error = NULL;
	HfReply *reply = hf_answer_check_set(arguments[0], route);
	g_autoptr(HfJson) image = NULL;
	g_autofree char *etag = NULL;

	if (reply)
		return reply;
	image = find(service, arguments[0], arguments[1], &error);
	if (!image)
		return hf_reply_error(error, route->failure);
	etag = g_strdup_printf("\"%.32s\"", text_of(image, "sha256") ? text_of(image, "sha256") : "");
	if (hf_answer_is_known(request, etag))
		reply = hf_reply_new(304);
	else
		reply = stream(service, arguments[0], arguments[1], image, &error);
	if (!reply)
		return hf_reply_error(error, route->failure);
	add_headers(reply, arguments[1], etag);
	return reply;
}
