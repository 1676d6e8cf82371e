#include "config.h"

#include "common/error.h"
#include "fcgi/path.h"
#include "fcgi/request.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

static void
refusal_free(HfRefusal *refusal)
{
	if (refusal)
		g_free(refusal->text);
	g_free(refusal);
}

void
hf_request_refuse(HfRequest *request, unsigned status, const char *code, const char *format, ...)
{
	va_list args;

	if (request->refusal)
		return;
	request->refusal = g_new0(HfRefusal, 1);
	request->refusal->status = status;
	request->refusal->code = code;
	va_start(args, format);
	request->refusal->text = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_set_size(request->segments, 0);
}

/* So that it may stand in a log: nothing but printable ASCII. */
static char *
printable(const char *text)
{
	char *copy = g_strndup(text, HF_REQUEST_URI_MAX);

	for (char *c = copy; *c; c++)
		if (!g_ascii_isgraph(*c))
			*c = '?';
	return copy;
}

static bool
is_sane_id(const char *id)
{
	size_t length = id ? strlen(id) : 0;

	if (length == 0 || length > HF_REQUEST_ID_MAX || !g_ascii_isalnum(id[0]))
		return false;
	return strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

static char *
make_id(void)
{
	unsigned char bytes[16] = {0};
	GString *id = g_string_new(NULL);

	/* Without randomness it is still an id, only a poor one. */
	(void)RAND_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		g_string_append_printf(id, "%02x", bytes[i]);
	return g_string_free(id, FALSE);
}

static void
read_target(HfRequest *request, const char *uri)
{
	const char *question = uri ? strchr(uri, '?') : NULL;
	g_autofree char *path = uri ? g_strndup(uri, question ? (size_t)(question - uri) : strlen(uri))
				    : NULL;
	g_autoptr(GError) trouble = NULL;

	request->path = printable(path ? path : "");
	if (!path || strlen(uri) > HF_REQUEST_URI_MAX) {
		hf_request_refuse(request, path ? 414 : 400, "usage", "the path and query are %s",
				  path ? "longer than 8 KiB" : "missing");
		return;
	}
	if (!g_str_has_prefix(path, HF_API_PREFIX)) {
		hf_request_refuse(request, 404, "not_found", "there is nothing but " HF_API_PREFIX "...");
		return;
	}
	if (!hf_path_split(path + strlen(HF_API_PREFIX), HF_REQUEST_SEGMENTS_MAX, request->segments,
			   &trouble))
		hf_request_refuse(request, 400, "usage", "the path is refused: %s", trouble->message);
	else if (question && !hf_path_parse_query(question + 1, request->query, &trouble))
		hf_request_refuse(request, 400, "usage", "the query is refused: %s", trouble->message);
}

static void
read_length(HfRequest *request, const char *text)
{
	char *end = NULL;
	unsigned long long length;

	if (!text || !*text)
		return;
	errno = 0;
	length = g_ascii_isdigit(*text) ? strtoull(text, &end, 10) : 0;
	if (!end || *end || errno != 0)
		hf_request_refuse(request, 400, "usage", "the content length is no number");
	else if (length > HF_REQUEST_BODY_MAX)
		hf_request_refuse(request, 413, "too_large", "the body is longer than %d bytes",
				  HF_REQUEST_BODY_MAX);
	else
		request->body_declared = (size_t)length;
}

static void
read_method(HfRequest *request, const char *method)
{
	request->is_head = g_strcmp0(method, "HEAD") == 0;
	request->method = request->is_head ? g_strdup("GET") : printable(method ? method : "");
	if (strlen(request->method) > 16)
		request->method[16] = 0;
}

HfRequest *
hf_request_new(HfParameterFunc parameter, void *context)
{
	HfRequest *request = g_new0(HfRequest, 1);
	const char *id = parameter(context, "HTTP_X_REQUEST_ID");
	const char *remote = parameter(context, "REMOTE_ADDR");

	request->segments = g_ptr_array_new_with_free_func(g_free);
	request->query = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	request->body = g_byte_array_new();
	request->id = is_sane_id(id) ? g_strdup(id) : make_id();
	request->remote = printable(remote ? remote : "");
	read_method(request, parameter(context, "REQUEST_METHOD"));
	request->authorization = g_strdup(parameter(context, "HTTP_AUTHORIZATION"));
	request->content_type = g_strdup(parameter(context, "CONTENT_TYPE"));
	request->prefer = g_strdup(parameter(context, "HTTP_PREFER"));
	request->accept_encoding = g_strdup(parameter(context, "HTTP_ACCEPT_ENCODING"));
	request->if_none_match = g_strdup(parameter(context, "HTTP_IF_NONE_MATCH"));
	read_target(request, parameter(context, "REQUEST_URI"));
	request->is_internal = request->segments->len > 0 &&
			       strcmp(request->segments->pdata[0], "internal") == 0;
	read_length(request, parameter(context, "CONTENT_LENGTH"));
	return request;
}

void
hf_request_free(HfRequest *request)
{
	if (!request)
		return;
	if (request->authorization)
		OPENSSL_cleanse(request->authorization, strlen(request->authorization));
	g_free(request->authorization);
	g_free(request->method);
	g_free(request->path);
	g_ptr_array_unref(request->segments);
	g_hash_table_unref(request->query);
	g_free(request->content_type);
	g_free(request->prefer);
	g_free(request->accept_encoding);
	g_free(request->if_none_match);
	g_free(request->id);
	g_free(request->remote);
	g_byte_array_unref(request->body);
	refusal_free(request->refusal);
	g_free(request->who);
	g_free(request);
}

const char *
hf_request_query(const HfRequest *request, const char *name)
{
	return g_hash_table_lookup(request->query, name);
}

bool
hf_request_prefers_async(const HfRequest *request)
{
	g_auto(GStrv) preferences = g_strsplit(request->prefer ? request->prefer : "", ",", -1);

	for (char **preference = preferences; *preference; preference++) {
		char *parameters = strchr(*preference, ';');

		if (parameters)
			*parameters = 0;
		if (g_ascii_strcasecmp(g_strstrip(*preference), "respond-async") == 0)
			return true;
	}
	return false;
}

/* A weight of nothing but zeros says no. */
static bool
is_refused(const char *parameters)
{
	const char *weight = parameters ? strstr(parameters, "q=") : NULL;

	return weight && strpbrk(weight, "123456789") == NULL;
}

bool
hf_request_accepts_gzip(const HfRequest *request)
{
	g_auto(GStrv) codings = g_strsplit(request->accept_encoding ? request->accept_encoding : "", ",", 64);

	for (char **coding = codings; *coding; coding++) {
		char *parameters = strchr(*coding, ';');

		if (parameters)
			*parameters++ = 0;
		if (g_ascii_strcasecmp(g_strstrip(*coding), "gzip") == 0)
			return !is_refused(parameters);
	}
	return false;
}
