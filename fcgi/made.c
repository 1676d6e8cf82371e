#include "config.h"

#include "fcgi/answer.h"
#include "fcgi/made.h"

#define ZLIB_CONST /* it does not write to what it reads */
#include <zlib.h>

bool
hf_made_is_current(const HfMade *made, uint64_t version, int64_t now_s)
{
	return made->body && made->version == version && now_s < made->until_s &&
	       made->until_s - now_s <= HF_MADE_S;
}

/* NULL where it cannot be packed; 31: a gzip stream of the largest window (zlib.h, deflateInit2). */
static GBytes *
pack(GBytes *body)
{
	z_stream stream = {0};
	gsize len;
	const void *bytes = g_bytes_get_data(body, &len);
	g_autofree Bytef *packed = NULL;
	uLong bound;
	int result;

	if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return NULL;
	bound = deflateBound(&stream, len);
	packed = g_malloc(bound);
	stream.next_in = bytes;
	stream.avail_in = (uInt)len;
	stream.next_out = packed;
	stream.avail_out = (uInt)bound;
	result = deflate(&stream, Z_FINISH);
	(void)deflateEnd(&stream);
	return result == Z_STREAM_END ? g_bytes_new(packed, stream.total_out) : NULL;
}

void
hf_made_clear(HfMade *made)
{
	g_clear_pointer(&made->body, g_bytes_unref);
	g_clear_pointer(&made->packed, g_bytes_unref);
	g_clear_pointer(&made->etag, g_free);
	g_clear_pointer(&made->packed_etag, g_free);
}

void
hf_made_keep(HfMade *made, GBytes *body, uint64_t version)
{
	hf_made_clear(made);
	made->body = g_bytes_ref(body);
	made->packed = pack(body);
	made->etag = hf_answer_etag(body);
	made->packed_etag = made->packed ? hf_answer_etag(made->packed) : NULL;
	made->version = version;
}

HfReply *
hf_made_reply(const HfMade *made, const HfRequest *request, const char *type)
{
	bool is_packed = made->packed && hf_request_accepts_gzip(request);
	const char *etag = is_packed ? made->packed_etag : made->etag;
	HfReply *reply;

	if (hf_answer_is_known(request, etag))
		reply = hf_reply_new(304);
	else
		reply = hf_reply_bytes(200, type, is_packed ? made->packed : made->body);
	hf_reply_add_header(reply, "ETag", etag);
	hf_reply_add_header(reply, "Vary", "Accept-Encoding");
	if (is_packed && reply->body)
		hf_reply_add_header(reply, "Content-Encoding", "gzip");
	return reply;
}
