#include "config.h"

#include "backup/catalog/image-line.h"

#include <string.h>

/* JSON (RFC 8259 section 7) wants these escaped and no others. */
static bool
needs_escape(unsigned char byte)
{
	return byte < 0x20 || byte == '"' || byte == '\\';
}

static void
append_escape(GString *out, unsigned char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char escaped[] = {'\\', 'u', '0', '0', digits[byte >> 4], digits[byte & 0xf]};

	if (byte < 0x20) {
		g_string_append_len(out, escaped, sizeof escaped);
		return;
	}
	g_string_append_c(out, '\\');
	g_string_append_c(out, (char)byte);
}

/* The closing quote included. */
static void
append_string(GString *out, const char *text)
{
	while (*text) {
		const char *end = text;

		while (*end && !needs_escape((unsigned char)*end))
			end++;
		g_string_append_len(out, text, end - text);
		if (*end)
			append_escape(out, (unsigned char)*end++);
		text = end;
	}
	g_string_append_c(out, '"');
}

/* A JSON string holds nothing but Unicode: other bytes stand in NAME_base64 (RFC 4648 section 4). */
static void
append_text(GString *out, const char *lead, const char *name, const char *value)
{
	bool is_text;

	if (!value)
		return;
	is_text = g_utf8_validate(value, -1, NULL);
	g_string_append(out, lead);
	g_string_append_c(out, '"');
	g_string_append(out, name);
	if (is_text) {
		g_string_append(out, "\":\"");
		append_string(out, value);
	} else {
		g_autofree char *base64 = g_base64_encode((const guchar *)value, strlen(value));

		g_string_append(out, "_base64\":\"");
		g_string_append(out, base64);
		g_string_append_c(out, '"');
	}
}

static void
append_number(GString *out, const char *name, uint64_t value)
{
	char digits[20]; /* of 2^64 */
	size_t start = sizeof digits;

	do
		digits[--start] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	g_string_append(out, ",\"");
	g_string_append(out, name);
	g_string_append(out, "\":");
	g_string_append_len(out, digits + start, (gssize)(sizeof digits - start));
}

static void
append_modified(GString *out, int64_t modified_s)
{
	if (modified_s >= 0)
		append_number(out, "modified", (uint64_t)modified_s);
	else
		g_string_append_printf(out, ",\"modified\":%" G_GINT64_FORMAT, modified_s);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

/* As a row of names and values, sorted, so that the same object always makes the same line. */
static void
append_user(GString *out, GHashTable *user)
{
	g_autofree char **names = NULL;
	guint count;

	if (!user || g_hash_table_size(user) == 0)
		return;
	names = (char **)g_hash_table_get_keys_as_array(user, &count);
	qsort(names, count, sizeof *names, compare_names);
	g_string_append(out, ",\"user\":[");
	for (guint i = 0; i < count; i++) {
		append_text(out, i > 0 ? ",{" : "{", "name", names[i]);
		append_text(out, ",", "value", g_hash_table_lookup(user, names[i]));
		g_string_append_c(out, '}');
	}
	g_string_append_c(out, ']');
}

static void
append_sha256(GString *out, const uint8_t sha256[HF_SHA256_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * HF_SHA256_BYTES];

	for (size_t i = 0; i < HF_SHA256_BYTES; i++) {
		hex[2 * i] = digits[sha256[i] >> 4];
		hex[2 * i + 1] = digits[sha256[i] & 0xf];
	}
	g_string_append(out, ",\"sha256\":\"");
	g_string_append_len(out, hex, sizeof hex);
	g_string_append_c(out, '"');
}

static void
append_place(GString *out, const HfImage *image)
{
	append_sha256(out, image->sha256);
	append_text(out, ",", "path", image->path);
	append_number(out, "archive", image->archive);
	if (image->named_in != image->archive)
		append_number(out, "named_in", image->named_in);
	append_number(out, "offset", image->packed_offset);
	append_number(out, "packed", image->packed_bytes);
	append_number(out, "data", image->data_offset);
}

void
hf_image_line_write(GString *out, const HfImage *image)
{
	append_text(out, "{", "key", image->key);
	append_number(out, "bytes", image->bytes);
	append_text(out, ",", "etag", image->etag);
	append_modified(out, image->modified_s);
	append_text(out, ",", "type", image->meta.content_type);
	append_text(out, ",", "cache", image->meta.cache_control);
	append_text(out, ",", "disposition", image->meta.content_disposition);
	append_text(out, ",", "encoding", image->meta.content_encoding);
	append_user(out, image->meta.user);
	if (image->trouble)
		append_text(out, ",", "trouble", image->trouble);
	else
		append_place(out, image);
	g_string_append(out, "}\n");
}

void
hf_image_line_write_head(GString *out, const char *set_id)
{
	g_string_append_printf(out, "{\"format\":\"holdfast-images\",\"version\":1,\"set\":\"%s\"}\n",
			       set_id);
}

void
hf_image_line_write_end(GString *out, uint64_t lines)
{
	g_string_append_printf(out, "{\"end\":true,\"lines\":%" G_GUINT64_FORMAT "}\n", lines);
}

void
hf_image_line_write_piece(GString *out, const HfIndexPiece *piece)
{
	append_text(out, "{", "key", piece->key);
	append_number(out, "offset", piece->offset);
	g_string_append(out, "}\n");
}
