#include "config.h"

#include "backup/catalog/image-line.h"
#include "common/error.h"

#include <string.h>

/*
 * The texts of a line, unescaped, one after the other, each closed by a NUL.  A text is never longer than what it was
 * written as with its closing quote, so a scratch of the line's length holds them all.
 */
struct HfImageLineReader {
	char *scratch;
	size_t scratch_bytes;
	char *free; /* where the next text goes */
	const char *at, *end;
	GHashTable *user; /* of texts in scratch */
};

HfImageLineReader *
hf_image_line_reader_new(void)
{
	HfImageLineReader *reader = g_new0(HfImageLineReader, 1);

	reader->user = g_hash_table_new(g_str_hash, g_str_equal);
	return reader;
}

void
hf_image_line_reader_free(HfImageLineReader *reader)
{
	if (!reader)
		return;
	g_hash_table_unref(reader->user);
	g_free(reader->scratch);
	g_free(reader);
}

static void
start(HfImageLineReader *reader, const char *line, size_t len)
{
	if (reader->scratch_bytes < len + 1) {
		g_free(reader->scratch);
		reader->scratch_bytes = 2 * len + 1;
		reader->scratch = g_malloc(reader->scratch_bytes);
	}
	reader->free = reader->scratch;
	reader->at = line;
	reader->end = line + len;
}

static bool
expected(const char *what, GError **error)
{
	return hf_error_set(error, HF_ERROR_CORRUPT, "%s was expected", what);
}

static bool
accept_len(HfImageLineReader *reader, const char *literal, size_t len)
{
	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, literal, len) != 0)
		return false;
	reader->at += len;
	return true;
}

#define ACCEPT(reader, literal) accept_len((reader), (literal), sizeof(literal) - 1)

/* What append_escape() writes; a NUL never was. */
static bool
read_escape(HfImageLineReader *reader, char *byte_out)
{
	int high, low;

	if (ACCEPT(reader, "\\\"")) {
		*byte_out = '"';
		return true;
	}
	if (ACCEPT(reader, "\\\\")) {
		*byte_out = '\\';
		return true;
	}
	if (!ACCEPT(reader, "\\u00") || reader->end - reader->at < 2)
		return false;
	high = g_ascii_xdigit_value(reader->at[0]);
	low = g_ascii_xdigit_value(reader->at[1]);
	reader->at += 2;
	*byte_out = (char)(high << 4 | low);
	return (high == 0 || high == 1) && low >= 0 && *byte_out != 0;
}

/* Up to and with the closing quote; false where there is none, or what stands in front of it is no JSON string. */
static bool
read_string(HfImageLineReader *reader, char **text_out)
{
	char *out = reader->free;

	*text_out = out;
	for (;;) {
		const char *from = reader->at;

		while (reader->at < reader->end && *reader->at != '"' && *reader->at != '\\' &&
		       (unsigned char)*reader->at >= 0x20)
			reader->at++;
		memcpy(out, from, (size_t)(reader->at - from));
		out += reader->at - from;
		if (reader->at == reader->end)
			return false;
		if (*reader->at == '"')
			break;
		if (!read_escape(reader, out++))
			return false;
	}
	reader->at++;
	*out++ = 0;
	reader->free = out;
	return true;
}

static bool
decode_base64(HfImageLineReader *reader, char *text)
{
	gsize len = 0;

	if (!text[0] || !text[1])
		return false;
	g_base64_decode_inplace(text, &len);
	if (len == 0 || memchr(text, 0, len))
		return false;
	text[len] = 0;
	reader->free = text + len + 1;
	return true;
}

typedef struct {
	const char *plain;  /* {"key":" */
	const char *base64; /* {"key_base64":" */
	const char *name;
} Member;

/* A text that may be absent: *text_out is then NULL. */
static bool
find_text(HfImageLineReader *reader, const Member *member, const char **text_out, GError **error)
{
	char *text = NULL;

	*text_out = NULL;
	if (accept_len(reader, member->plain, strlen(member->plain))) {
		if (!read_string(reader, &text))
			return expected(member->name, error);
	} else if (accept_len(reader, member->base64, strlen(member->base64))) {
		if (!read_string(reader, &text) || !decode_base64(reader, text))
			return expected(member->name, error);
	}
	*text_out = text;
	return true;
}

static bool
get_text(HfImageLineReader *reader, const Member *member, const char **text_out, GError **error)
{
	return find_text(reader, member, text_out, error) && (*text_out || expected(member->name, error));
}

/* Digits as JSON has them: no sign, no leading zero. */
static bool
read_digits(HfImageLineReader *reader, uint64_t *value_out)
{
	const char *from = reader->at;
	uint64_t value = 0;

	while (reader->at < reader->end && g_ascii_isdigit(*reader->at)) {
		uint64_t digit = (uint64_t)(*reader->at - '0');

		if (value > (INT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
		reader->at++;
	}
	*value_out = value;
	return reader->at > from && (*from != '0' || reader->at == from + 1);
}

static bool
get_number(HfImageLineReader *reader, const char *member, uint64_t *value_out, GError **error)
{
	return (accept_len(reader, member, strlen(member)) && read_digits(reader, value_out)) ||
	       expected(member + 1, error);
}

static bool
get_small(HfImageLineReader *reader, const char *member, unsigned *value_out, GError **error)
{
	uint64_t value;

	if (!get_number(reader, member, &value, error))
		return false;
	*value_out = (unsigned)value;
	return value <= UINT32_MAX || expected(member + 1, error);
}

static bool
get_modified(HfImageLineReader *reader, int64_t *modified_out, GError **error)
{
	bool is_negative;
	uint64_t value;

	if (!ACCEPT(reader, ",\"modified\":"))
		return expected("\"modified\"", error);
	is_negative = ACCEPT(reader, "-");
	if (!read_digits(reader, &value))
		return expected("\"modified\"", error);
	*modified_out = is_negative ? -(int64_t)value : (int64_t)value;
	return true;
}

static bool
read_user(HfImageLineReader *reader, GHashTable **user_out, GError **error)
{
	static const Member name_member = {"{\"name\":\"", "{\"name_base64\":\"", "\"name\""};
	static const Member value_member = {",\"value\":\"", ",\"value_base64\":\"", "\"value\""};

	if (!ACCEPT(reader, ",\"user\":["))
		return true;
	g_hash_table_remove_all(reader->user);
	do {
		const char *name, *value;

		if (!get_text(reader, &name_member, &name, error) ||
		    !get_text(reader, &value_member, &value, error))
			return false;
		if (!ACCEPT(reader, "}"))
			return expected("the end of a name and value", error);
		g_hash_table_insert(reader->user, (gpointer)(uintptr_t)name, (gpointer)(uintptr_t)value);
	} while (ACCEPT(reader, ","));
	*user_out = reader->user;
	return ACCEPT(reader, "]") || expected("the end of \"user\"", error);
}

static bool
read_meta(HfImageLineReader *reader, HfObjectMeta *meta, GError **error)
{
	static const Member type = {",\"type\":\"", ",\"type_base64\":\"", "\"type\""};
	static const Member cache = {",\"cache\":\"", ",\"cache_base64\":\"", "\"cache\""};
	static const Member disposition = {",\"disposition\":\"", ",\"disposition_base64\":\"",
					   "\"disposition\""};
	static const Member encoding = {",\"encoding\":\"", ",\"encoding_base64\":\"", "\"encoding\""};

	return find_text(reader, &type, &meta->content_type, error) &&
	       find_text(reader, &cache, &meta->cache_control, error) &&
	       find_text(reader, &disposition, &meta->content_disposition, error) &&
	       find_text(reader, &encoding, &meta->content_encoding, error) &&
	       read_user(reader, &meta->user, error);
}

static bool
read_sha256(HfImageLineReader *reader, uint8_t sha256[HF_SHA256_BYTES], GError **error)
{
	if (!ACCEPT(reader, ",\"sha256\":\"") || reader->end - reader->at <= 2 * HF_SHA256_BYTES)
		return expected("\"sha256\"", error);
	for (size_t i = 0; i < HF_SHA256_BYTES; i++) {
		int high = g_ascii_xdigit_value(reader->at[2 * i]);
		int low = g_ascii_xdigit_value(reader->at[2 * i + 1]);

		if (high < 0 || low < 0)
			return expected("\"sha256\"", error);
		sha256[i] = (uint8_t)(high << 4 | low);
	}
	reader->at += 2 * HF_SHA256_BYTES;
	return ACCEPT(reader, "\"") || expected("\"sha256\"", error);
}

static bool
read_place(HfImageLineReader *reader, HfImage *image, GError **error)
{
	static const Member path = {",\"path\":\"", ",\"path_base64\":\"", "\"path\""};

	if (!read_sha256(reader, image->sha256, error) || !find_text(reader, &path, &image->path, error) ||
	    !get_small(reader, ",\"archive\":", &image->archive, error))
		return false;
	image->named_in = image->archive;
	if (reader->end - reader->at > 3 && reader->at[2] == 'n' &&
	    !get_small(reader, ",\"named_in\":", &image->named_in, error))
		return false;
	return get_number(reader, ",\"offset\":", &image->packed_offset, error) &&
	       get_number(reader, ",\"packed\":", &image->packed_bytes, error) &&
	       get_number(reader, ",\"data\":", &image->data_offset, error);
}

static bool
read_end(HfImageLineReader *reader, GError **error)
{
	return (ACCEPT(reader, "}") && reader->at == reader->end) || expected("the line's end", error);
}

static const Member key_member = {"{\"key\":\"", "{\"key_base64\":\"", "\"key\""};

bool
hf_image_line_read(HfImageLineReader *reader, const char *line, size_t len, HfImage *image_out,
		   GError **error)
{
	static const Member etag = {",\"etag\":\"", ",\"etag_base64\":\"", "\"etag\""};
	static const Member trouble = {",\"trouble\":\"", ",\"trouble_base64\":\"", "\"trouble\""};
	HfImage image = {.line = line, .line_len = len};

	start(reader, line, len);
	if (!get_text(reader, &key_member, &image.key, error) ||
	    !get_number(reader, ",\"bytes\":", &image.bytes, error) ||
	    !find_text(reader, &etag, &image.etag, error) ||
	    !get_modified(reader, &image.modified_s, error) || !read_meta(reader, &image.meta, error) ||
	    !find_text(reader, &trouble, &image.trouble, error))
		return false;
	if (!image.trouble && !read_place(reader, &image, error))
		return false;
	if (!*image.key)
		return expected("\"key\"", error);
	*image_out = image;
	return read_end(reader, error);
}

bool
hf_image_line_is_end(const char *line, size_t len, uint64_t *lines_out)
{
	HfImageLineReader reader = {.at = line, .end = line + len};

	return ACCEPT(&reader, "{\"end\":true,\"lines\":") && read_digits(&reader, lines_out) &&
	       ACCEPT(&reader, "}") && reader.at == reader.end;
}

bool
hf_image_line_read_piece(HfImageLineReader *reader, const char *line, size_t len, HfIndexPiece *piece_out,
			 GError **error)
{
	const char *key;
	uint64_t offset;

	start(reader, line, len);
	if (!get_text(reader, &key_member, &key, error) ||
	    !get_number(reader, ",\"offset\":", &offset, error) || !read_end(reader, error))
		return false;
	*piece_out = (HfIndexPiece){g_strdup(key), offset};
	return true;
}
