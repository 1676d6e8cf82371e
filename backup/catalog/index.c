#include "config.h"

#include "backup/catalog/index.h"
#include "backup/catalog/lines.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"
#include "common/json.h"

#include <string.h>

#define FORMAT_NAME "holdfast-index"
#define FORMAT_VERSION 1

/* Members in one line: some 14 KB of text, so that neither side holds more. */
#define LINE_MEMBERS 1024

/* A line is a table's name, 2 x 63 x 2 bytes and quotes (PostgreSQL's NAMEDATALEN), escaped six-fold at most, and
 * numbers; or LINE_MEMBERS pairs of at most 40 bytes. */
#define LINE_BYTES_MAX ((size_t)128 << 10)

HfIndex *
hf_index_new(void)
{
	HfIndex *index = g_new0(HfIndex, 1);

	index->tables = g_ptr_array_new_with_free_func((GDestroyNotify)hf_table_free);
	index->members = hf_members_new();
	return index;
}

void
hf_index_free(HfIndex *index)
{
	if (!index)
		return;
	if (index->tables)
		g_ptr_array_unref(index->tables);
	hf_members_free(index->members);
	g_free(index);
}

/* ---- out ---- */

static bool
put_line(HfStage *into, HfJson *object, GError **error)
{
	size_t len;
	const char *text = json_object_to_json_string_length(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

	return hf_stage_write(into, text, len, error) && hf_stage_write(into, "\n", 1, error);
}

static bool
put_head(HfStage *into, const char *id, GError **error)
{
	g_autoptr(HfJson) line = json_object_new_object();

	hf_json_add_text(line, "format", FORMAT_NAME);
	hf_json_add_number(line, "version", FORMAT_VERSION);
	hf_json_add_text(line, "set", id);
	return put_line(into, line, error);
}

static bool
put_table(HfStage *into, const HfTable *table, GError **error)
{
	g_autoptr(HfJson) line = json_object_new_object();
	char hex[2 * HF_TABLE_DIGEST_BYTES + 1];

	for (int i = 0; i < HF_TABLE_DIGEST_BYTES; i++)
		g_snprintf(hex + 2 * i, 3, "%02x", table->digest[i]);
	hf_json_add_bytes(line, "table", table->name);
	hf_json_add_number(line, "rows", table->rows);
	hf_json_add_number(line, "bytes", table->bytes);
	hf_json_add_number(line, "offset", table->offset);
	hf_json_add_number(line, "data_offset", table->data_offset);
	hf_json_add_text(line, "digest", hex);
	return put_line(into, line, error);
}

static bool
put_members(HfStage *into, HfMembersIter *iter, bool *is_end_out, GError **error)
{
	g_autoptr(HfJson) line = json_object_new_object();
	HfJson *pairs = json_object_new_array();
	HfMember member;
	int count = 0;

	hf_json_add(line, "members", pairs);
	while (count < LINE_MEMBERS && hf_members_next(iter, &member)) {
		HfJson *pair = json_object_new_array_ext(2);

		json_object_array_add(pair, json_object_new_uint64(member.plain_bytes));
		json_object_array_add(pair, json_object_new_uint64(member.packed_bytes));
		json_object_array_add(pairs, pair);
		count++;
	}
	*is_end_out = count < LINE_MEMBERS;
	return count == 0 || put_line(into, line, error);
}

static bool
put_end(HfStage *into, uint64_t tables, uint64_t members, GError **error)
{
	g_autoptr(HfJson) line = json_object_new_object();
	HfJson *end = json_object_new_object();

	hf_json_add_number(end, "tables", tables);
	hf_json_add_number(end, "members", members);
	hf_json_add(line, "end", end);
	return put_line(into, line, error);
}

bool
hf_index_write(HfStage *into, const char *id, const GPtrArray *tables, const HfMembers *members,
	       GError **error)
{
	if (!put_head(into, id, error))
		return false;
	for (guint i = 0; i < tables->len; i++)
		if (!put_table(into, g_ptr_array_index(tables, i), error))
			return false;
	if (members) {
		HfMembersIter iter = hf_members_begin(members);

		for (bool is_end = false; !is_end;)
			if (!put_members(into, &iter, &is_end, error))
				return false;
	}
	return put_end(into, tables->len, members ? hf_members_count(members) : 0, error);
}

/* ---- in ---- */

typedef struct {
	HfStage base;
	char *id;
	HfIndex *index;
	bool has_head, has_end;
	HfStage *lines;
} Reader;

static bool
take_head(Reader *reader, HfJson *line, GError **error)
{
	const char *format, *set;
	uint64_t version;

	if (!hf_json_get_text(line, "format", &format, error) ||
	    !hf_json_get_number(line, "version", &version, error) ||
	    !hf_json_get_text(line, "set", &set, error))
		return false;
	if (strcmp(format, FORMAT_NAME) != 0 || version == 0)
		return hf_error_set(error, HF_ERROR_CORRUPT, "format \"%.40s\" is not \"" FORMAT_NAME "\"",
				    format);
	if (version > FORMAT_VERSION)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "version %" G_GUINT64_FORMAT
				    " is newer than this program reads (%d): install a newer holdfast",
				    version, FORMAT_VERSION);
	reader->has_head = true;
	return strcmp(set, reader->id) == 0 ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "it is the index of set \"%.40s\"", set);
}

static bool
parse_digest(const char *hex, uint8_t digest_out[HF_TABLE_DIGEST_BYTES])
{
	if (strlen(hex) != 2 * HF_TABLE_DIGEST_BYTES || strspn(hex, "0123456789abcdef") != strlen(hex))
		return false;
	for (int i = 0; i < HF_TABLE_DIGEST_BYTES; i++)
		digest_out[i] = (uint8_t)(g_ascii_xdigit_value(hex[2 * i]) << 4 |
					  g_ascii_xdigit_value(hex[2 * i + 1]));
	return true;
}

static bool
parse_table(HfJson *line, HfTable *table, GError **error)
{
	const char *digest;

	return hf_json_get_bytes(line, "table", &table->name, error) &&
	       hf_json_get_number(line, "rows", &table->rows, error) &&
	       hf_json_get_number(line, "bytes", &table->bytes, error) &&
	       hf_json_get_number(line, "offset", &table->offset, error) &&
	       hf_json_get_number(line, "data_offset", &table->data_offset, error) &&
	       hf_json_get_text(line, "digest", &digest, error) &&
	       (parse_digest(digest, table->digest) ||
		hf_error_set(error, HF_ERROR_CORRUPT, "member \"digest\" is not one"));
}

static bool
take_table(Reader *reader, HfJson *line, GError **error)
{
	HfTable *table = g_new0(HfTable, 1);
	HfIndex *index = reader->index;

	if (!parse_table(line, table, error)) {
		hf_table_free(table);
		return false;
	}
	g_ptr_array_add(index->tables, table);
	if (table->rows > INT64_MAX - index->rows)
		return hf_error_set(error, HF_ERROR_CORRUPT, "the number of rows is out of bounds");
	index->rows += table->rows;
	return true;
}

static bool
take_member(Reader *reader, HfJson *pair, GError **error)
{
	HfMembers *members = reader->index->members;
	uint64_t plain, packed;

	if (!json_object_is_type(pair, json_type_array) || json_object_array_length(pair) != 2)
		return hf_error_set(error, HF_ERROR_CORRUPT, "a member is not a pair of numbers");
	if (!hf_json_to_number(json_object_array_get_idx(pair, 0), "members", &plain, error) ||
	    !hf_json_to_number(json_object_array_get_idx(pair, 1), "members", &packed, error))
		return false;
	if (plain > INT64_MAX - hf_members_plain_bytes(members) ||
	    packed > INT64_MAX - hf_members_packed_bytes(members))
		return hf_error_set(error, HF_ERROR_CORRUPT, "the members' sizes are out of bounds");
	hf_members_append(members, plain, packed);
	return true;
}

static bool
take_members(Reader *reader, HfJson *line, GError **error)
{
	HfJson *pairs;

	if (!hf_json_get_array(line, "members", &pairs, error))
		return false;
	for (size_t i = 0; i < json_object_array_length(pairs); i++)
		if (!take_member(reader, json_object_array_get_idx(pairs, i), error))
			return false;
	return true;
}

static bool
take_end(Reader *reader, HfJson *line, GError **error)
{
	uint64_t tables, members;
	HfJson *end;

	if (!hf_json_get_object(line, "end", &end, error) ||
	    !hf_json_get_number(end, "tables", &tables, error) ||
	    !hf_json_get_number(end, "members", &members, error))
		return false;
	reader->has_end = true;
	return (tables == reader->index->tables->len &&
		members == hf_members_count(reader->index->members)) ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "lines are missing: its closing line counts others");
}

static bool
take_line(void *context, const char *text, size_t len, GError **error)
{
	Reader *reader = context;
	g_autoptr(HfJson) line = hf_json_parse(text, len, error);

	if (!line)
		return false;
	if (reader->has_end)
		return hf_error_set(error, HF_ERROR_CORRUPT, "something follows its closing line");
	if (!reader->has_head)
		return take_head(reader, line, error);
	if (json_object_object_get_ex(line, "members", NULL))
		return take_members(reader, line, error);
	if (json_object_object_get_ex(line, "end", NULL))
		return take_end(reader, line, error);
	return take_table(reader, line, error);
}

static bool
reader_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	return hf_stage_write(((Reader *)self)->lines, buf, len, error);
}

static bool
reader_finish(HfStage *self, GError **error)
{
	Reader *reader = (Reader *)self;

	return hf_stage_finish(reader->lines, error) &&
	       (reader->has_end || hf_error_set(error, HF_ERROR_CORRUPT, "its closing line is missing"));
}

static void
reader_clear(HfStage *self)
{
	Reader *reader = (Reader *)self;

	hf_stage_free(reader->lines);
	g_free(reader->id);
}

static const HfStageOps reader_ops = {
	.name = "index", .write = reader_write, .finish = reader_finish, .clear = reader_clear};

HfStage *
hf_index_reader_new(const char *id, HfIndex *index)
{
	Reader *reader = g_new0(Reader, 1);

	hf_stage_init(&reader->base, &reader_ops, NULL);
	reader->id = g_strdup(id);
	reader->index = index;
	reader->lines = hf_lines_new(LINE_BYTES_MAX, take_line, reader);
	return &reader->base;
}
