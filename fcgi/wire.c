#include "config.h"

#include "fcgi/wire.h"
#include "common/error.h"

#include <string.h>

/* Section 8. */
#define VERSION_1 1
#define HEADER_LEN 8
#define REQUEST_ID 1
#define BEGIN_REQUEST 1
#define END_REQUEST 3
#define STDOUT 6
#define STDERR 7
#define RESPONDER 1
#define CONTENT_MAX 65535

/* Section 5.5. */
enum {
	REQUEST_COMPLETE,
	CANT_MPX_CONN,
	OVERLOADED,
	UNKNOWN_ROLE
};

#define STDERR_MAX 4096

/* ---- writing ---- */

static void
append_record(GByteArray *out, unsigned type, const void *content, size_t len)
{
	/* Records are padded to eight bytes, as section 3.3 recommends. */
	static const uint8_t zeros[7];
	uint8_t padding = (uint8_t)(-len & 7);
	const uint8_t header[HEADER_LEN] = {VERSION_1,           (uint8_t)type, 0,       REQUEST_ID,
					    (uint8_t)(len >> 8), (uint8_t)len,  padding, 0};

	g_assert(len <= CONTENT_MAX);
	g_byte_array_append(out, header, sizeof header);
	if (len > 0)
		g_byte_array_append(out, content, (guint)len);
	g_byte_array_append(out, zeros, padding);
}

void
hf_wire_begin(GByteArray *out)
{
	static const uint8_t body[8] = {0, RESPONDER};

	append_record(out, BEGIN_REQUEST, body, sizeof body);
}

/* Section 3.4: one byte up to 127, else four with the highest bit set. */
static void
append_length(GByteArray *out, size_t len)
{
	const uint8_t bytes[4] = {(uint8_t)(len >> 24 | 0x80), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
				  (uint8_t)len};

	g_assert(len <= G_MAXINT32);
	g_byte_array_append(out, len < 128 ? bytes + 3 : bytes, len < 128 ? 1 : 4);
}

void
hf_wire_pair(GByteArray *params, const char *name, const char *value)
{
	append_length(params, strlen(name));
	append_length(params, strlen(value));
	g_byte_array_append(params, (const guint8 *)name, (guint)strlen(name));
	g_byte_array_append(params, (const guint8 *)value, (guint)strlen(value));
}

void
hf_wire_stream(GByteArray *out, HfWireStream stream, const void *bytes, size_t len)
{
	const uint8_t *next = bytes;

	while (len > 0) {
		size_t piece = MIN(len, CONTENT_MAX);

		append_record(out, stream, next, piece);
		next += piece;
		len -= piece;
	}
	append_record(out, stream, NULL, 0);
}

/* ---- reading ---- */

struct HfWireReader {
	size_t limit;
	GByteArray *stdout_bytes;
	GString *stderr_text;
	uint8_t header[HEADER_LEN];
	size_t header_len;  /* how much of it was read */
	size_t content_len; /* what is still to come of this record */
	size_t padding_len;
	uint8_t end[8]; /* the body of END_REQUEST */
	size_t end_len;
	bool is_ended;
};

HfWireReader *
hf_wire_reader_new(size_t limit_bytes)
{
	HfWireReader *reader = g_new0(HfWireReader, 1);

	reader->limit = limit_bytes;
	reader->stdout_bytes = g_byte_array_new();
	reader->stderr_text = g_string_new(NULL);
	return reader;
}

void
hf_wire_reader_free(HfWireReader *reader)
{
	if (!reader)
		return;
	g_byte_array_unref(reader->stdout_bytes);
	g_string_free(reader->stderr_text, TRUE);
	g_free(reader);
}

static bool
begin_record(HfWireReader *reader, GError **error)
{
	const uint8_t *header = reader->header;
	unsigned type = header[1], id = (unsigned)header[2] << 8 | header[3];

	reader->content_len = (size_t)header[4] << 8 | header[5];
	reader->padding_len = header[6];
	if (header[0] != VERSION_1)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "what answers does not speak FastCGI (version %u)", header[0]);
	if (id != REQUEST_ID)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "a FastCGI record for request %u, which is not ours", id);
	if (type != STDOUT && type != STDERR && type != END_REQUEST)
		return hf_error_set(error, HF_ERROR_CORRUPT, "a FastCGI record of type %u in a reply", type);
	if (type == END_REQUEST && reader->content_len != sizeof reader->end)
		return hf_error_set(error, HF_ERROR_CORRUPT, "a FastCGI end record of %zu bytes",
				    reader->content_len);
	if (type == STDOUT && reader->content_len > reader->limit - reader->stdout_bytes->len)
		return hf_error_set(error, HF_ERROR_FAILED, "the reply is larger than %zu bytes",
				    reader->limit);
	return true;
}

/* Section 5.5. */
static bool
end_request(HfWireReader *reader, GError **error)
{
	reader->is_ended = true;
	switch (reader->end[4]) {
	case REQUEST_COMPLETE:
		return true;
	case OVERLOADED:
		return hf_error_set(error, HF_ERROR_TRANSIENT, "the service is overloaded");
	case CANT_MPX_CONN:
	case UNKNOWN_ROLE:
		return hf_error_set(error, HF_ERROR_FAILED,
				    "the service refuses the request (protocol status %u)", reader->end[4]);
	default:
		return hf_error_set(error, HF_ERROR_CORRUPT, "an unknown FastCGI protocol status, %u",
				    reader->end[4]);
	}
}

static void
take_content(HfWireReader *reader, const uint8_t *bytes, size_t len)
{
	switch (reader->header[1]) {
	case STDOUT:
		g_byte_array_append(reader->stdout_bytes, bytes, (guint)len);
		break;
	case STDERR:
		g_string_append_len(reader->stderr_text, (const char *)bytes, (gssize)len);
		if (reader->stderr_text->len > STDERR_MAX)
			g_string_erase(reader->stderr_text, 0,
				       (gssize)(reader->stderr_text->len - STDERR_MAX));
		break;
	default:
		memcpy(reader->end + reader->end_len, bytes, len);
		reader->end_len += len;
	}
}

/* Takes what belongs to one part of a record; says how much that was. */
static bool
feed_part(HfWireReader *reader, const uint8_t *bytes, size_t len, size_t *used_out, GError **error)
{
	size_t used;

	if (reader->header_len < HEADER_LEN) {
		used = MIN(len, HEADER_LEN - reader->header_len);
		memcpy(reader->header + reader->header_len, bytes, used);
		reader->header_len += used;
		if (reader->header_len == HEADER_LEN && !begin_record(reader, error))
			return false;
	} else if (reader->content_len > 0) {
		used = MIN(len, reader->content_len);
		take_content(reader, bytes, used);
		reader->content_len -= used;
	} else {
		used = MIN(len, reader->padding_len);
		reader->padding_len -= used;
	}
	*used_out = used;
	if (reader->header_len < HEADER_LEN || reader->content_len > 0)
		return true;
	if (reader->end_len == sizeof reader->end)
		return end_request(reader, error);
	if (reader->padding_len == 0)
		reader->header_len = 0;
	return true;
}

bool
hf_wire_feed(HfWireReader *reader, const void *bytes, size_t len, GError **error)
{
	const uint8_t *next = bytes;

	while (len > 0 && !reader->is_ended) {
		size_t used;

		if (!feed_part(reader, next, len, &used, error))
			return false;
		next += used;
		len -= used;
	}
	return true;
}

bool
hf_wire_is_ended(const HfWireReader *reader)
{
	return reader->is_ended;
}

const GByteArray *
hf_wire_stdout(const HfWireReader *reader)
{
	return reader->stdout_bytes;
}

const char *
hf_wire_stderr(const HfWireReader *reader)
{
	return reader->stderr_text->str;
}
