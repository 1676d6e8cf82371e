#include "config.h"

#include "backup/job/images-tarball.h"
#include "backup/catalog/names.h"
#include "backup/stage/digest.h"
#include "backup/stage/stage-impl.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/json.h"

#include <string.h>

/* An entry that is in the compressor. */
typedef struct {
	GList link;
	uint64_t plain_end;
	HfPlace *place; /* NULL: nobody asks where it lies */
} Entry;

struct HfImagesTarball {
	HfStage *chain;
	HfTarball *tarball;
	HfMembers *members; /* that came out of the compressor and were not looked at yet */
	char *set_id;
	bool is_packed;    /* else the packed stream is the plain one, and has no members */
	GQueue in_packing; /* of Entry, in order */
	uint64_t objects, bytes;
};

HfImagesTarball *
hf_images_tarball_new(HfSetWriter *writer, const HfArchiveOptions *options, HfArchive *record, GError **error)
{
	HfImagesTarball *tarball = g_new0(HfImagesTarball, 1);
	HfArchiveOptions own = *options;

	tarball->members = hf_members_new();
	tarball->set_id = g_strdup(hf_set_writer_id(writer));
	tarball->is_packed = options->compression.kind != HF_COMPRESSION_NONE;
	g_queue_init(&tarball->in_packing);
	own.live_members = tarball->members;
	tarball->chain = hf_set_writer_archive(writer, HF_IMAGES_PREFIX, &own, record, error);
	if (tarball->chain) {
		tarball->tarball = hf_tarball_new(tarball->chain);
		return tarball;
	}
	hf_images_tarball_free(tarball);
	return NULL;
}

static void
pop_entry(HfImagesTarball *tarball)
{
	Entry *entry = g_queue_peek_head(&tarball->in_packing);

	g_queue_unlink(&tarball->in_packing, &entry->link);
	hf_place_unref(entry->place);
	g_free(entry);
}

void
hf_images_tarball_free(HfImagesTarball *tarball)
{
	if (!tarball)
		return;
	hf_tarball_free(tarball->tarball);
	hf_stage_free(tarball->chain);
	while (tarball->in_packing.length > 0)
		pop_entry(tarball);
	hf_members_free(tarball->members);
	g_free(tarball->set_id);
	g_free(tarball);
}

/* ---- where entries lie ---- */

static void
settle_plain(HfPlace *place, uint64_t start, uint64_t end)
{
	place->packed_offset = start;
	place->packed_bytes = end - start;
	place->is_settled = true;
}

/* The entry that began at start is written. */
static void
note_entry(HfImagesTarball *tarball, uint64_t start, HfPlace *place)
{
	uint64_t end = hf_tarball_offset(tarball->tarball);
	Entry *entry;

	if (!tarball->is_packed) {
		if (place)
			settle_plain(place, start, end);
		return;
	}
	entry = g_new0(Entry, 1);
	entry->link.data = entry;
	entry->plain_end = end;
	entry->place = place ? hf_place_ref(place) : NULL;
	g_queue_push_tail_link(&tarball->in_packing, &entry->link);
}

/* Members end at each entry's end, so each is of one entry. */
void
hf_images_tarball_settle(HfImagesTarball *tarball)
{
	HfMember member;

	while (tarball->in_packing.length > 0 && hf_members_take(tarball->members, &member)) {
		Entry *entry = g_queue_peek_head(&tarball->in_packing);
		HfPlace *place = entry->place;

		if (place && place->packed_bytes == 0)
			place->packed_offset = member.packed_offset;
		if (place)
			place->packed_bytes += member.packed_bytes;
		if (member.plain_offset + member.plain_bytes < entry->plain_end)
			continue;
		if (place)
			place->is_settled = true;
		pop_entry(tarball);
	}
}

bool
hf_images_tarball_drain(HfImagesTarball *tarball, GError **error)
{
	return hf_stage_drain(tarball->chain, error);
}

uint64_t
hf_images_tarball_packed_bytes(const HfImagesTarball *tarball)
{
	return tarball->is_packed ? hf_members_packed_bytes(tarball->members)
				  : hf_tarball_offset(tarball->tarball);
}

/* ---- entries ---- */

static bool
add(HfImagesTarball *tarball, const HfTarEntry *entry, GBytes *content, HfPlace *place, GError **error)
{
	uint64_t start = hf_tarball_offset(tarball->tarball);
	uint64_t data_offset;
	gsize len = 0;
	const void *bytes = content ? g_bytes_get_data(content, &len) : NULL;

	if (!hf_tarball_begin(tarball->tarball, entry, &data_offset, error) ||
	    !hf_tarball_write(tarball->tarball, bytes, len, error) ||
	    !hf_tarball_end(tarball->tarball, error))
		return false;
	if (place)
		place->data_offset = data_offset;
	note_entry(tarball, start, place);
	return true;
}

bool
hf_images_tarball_add(HfImagesTarball *tarball, const HfTarEntry *entry, GBytes *content, HfPlace *place,
		      GError **error)
{
	tarball->objects++;
	tarball->bytes += entry->bytes;
	return add(tarball, entry, content, place, error);
}

bool
hf_images_tarball_link(HfImagesTarball *tarball, const HfTarEntry *entry, GError **error)
{
	tarball->objects++;
	return add(tarball, entry, NULL, NULL, error);
}

/* ---- large ones ---- */

/* The end of a chain that writes into the open entry. */
typedef struct {
	HfStage base;
	HfTarball *tarball;
	uint64_t *bytes;
	bool *has_failed;
} EntrySink;

static bool
entry_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	EntrySink *sink = (EntrySink *)self;

	*sink->has_failed = !hf_tarball_write(sink->tarball, buf, len, error);
	*sink->bytes += len;
	return !*sink->has_failed;
}

static const HfStageOps entry_ops = {.name = "tar entry", .write = entry_write};

static HfStage *
entry_sink_new(HfTarball *tarball, uint64_t *bytes, bool *has_failed)
{
	EntrySink *sink = g_new0(EntrySink, 1);

	hf_stage_init(&sink->base, &entry_ops, NULL);
	sink->tarball = tarball;
	sink->bytes = bytes;
	sink->has_failed = has_failed;
	return &sink->base;
}

static bool
write_zeros(HfTarball *tarball, uint64_t count, GError **error)
{
	static const char zeros[65536];

	while (count > 0) {
		size_t len = (size_t)MIN(count, sizeof zeros);

		if (!hf_tarball_write(tarball, zeros, len, error))
			return false;
		count -= len;
	}
	return true;
}

static void
from_hex(const char *hex, uint8_t *sha256_out)
{
	for (size_t i = 0; i < HF_SHA256_HEX_LEN / 2; i++)
		sha256_out[i] = (uint8_t)(g_ascii_xdigit_value(hex[2 * i]) << 4 |
					  g_ascii_xdigit_value(hex[2 * i + 1]));
}

/* What belongs to the object alone: the run goes on behind it. */
static bool
is_object_trouble(const GError *trouble)
{
	return hf_error_is(trouble, HF_ERROR_CONFLICT) || hf_error_is(trouble, HF_ERROR_NOT_FOUND) ||
	       hf_error_is(trouble, HF_ERROR_DENIED) || hf_error_is(trouble, HF_ERROR_CORRUPT);
}

static bool
stream_content(HfImagesTarball *tarball, const HfTarEntry *entry, HfFetch *fetch, uint8_t *sha256_out,
	       GError **trouble_out, GError **error)
{
	uint64_t bytes = 0;
	bool has_failed = false;
	g_autoptr(HfStage) digest = hf_digest_new(entry_sink_new(tarball->tarball, &bytes, &has_failed));
	GError *trouble = NULL;
	char hex[HF_SHA256_HEX_LEN + 1];

	if (!hf_fetch_stream(fetch, digest, &trouble)) {
		if (has_failed || !is_object_trouble(trouble)) {
			g_propagate_error(error, trouble);
			return false;
		}
		g_propagate_error(trouble_out, trouble);
		return write_zeros(tarball->tarball, entry->bytes - bytes, error);
	}
	if (!hf_stage_finish(digest, error))
		return false;
	hf_digest_hex(digest, hex);
	from_hex(hex, sha256_out);
	return true;
}

bool
hf_images_tarball_stream(HfImagesTarball *tarball, const HfTarEntry *entry, HfFetch *fetch, HfPlace *place,
			 uint8_t *sha256_out, GError **trouble_out, GError **error)
{
	uint64_t start = hf_tarball_offset(tarball->tarball);

	if (!hf_tarball_begin(tarball->tarball, entry, &place->data_offset, error) ||
	    !stream_content(tarball, entry, fetch, sha256_out, trouble_out, error) ||
	    !hf_tarball_end(tarball->tarball, error))
		return false;
	note_entry(tarball, start, place);
	tarball->objects++;
	tarball->bytes += entry->bytes;
	return true;
}

/* ---- the end ---- */

static bool
add_manifest(HfImagesTarball *tarball, const char *source, GError **error)
{
	g_autoptr(HfJson) object = json_object_new_object();
	g_autofree char *text = NULL;
	g_autoptr(GBytes) content = NULL;
	HfTarEntry entry = {.key = "manifest.json", .path = "manifest.json", .modified_s = hf_clock_now_s()};

	hf_json_add_text(object, "format", "holdfast-images-archive");
	hf_json_add_number(object, "version", 1);
	hf_json_add_text(object, "set", tarball->set_id);
	hf_json_add_bytes(object, "source", source);
	hf_json_add_number(object, "objects", tarball->objects);
	hf_json_add_number(object, "bytes", tarball->bytes);
	text = g_strconcat(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
									  JSON_C_TO_STRING_NOSLASHESCAPE),
			   "\n", NULL);
	entry.bytes = strlen(text);
	content = g_bytes_new(text, strlen(text));
	return add(tarball, &entry, content, NULL, error);
}

bool
hf_images_tarball_finish(HfImagesTarball *tarball, const char *source, GError **error)
{
	return add_manifest(tarball, source, error) && hf_tarball_close(tarball->tarball, error) &&
	       hf_stage_finish(tarball->chain, error);
}
