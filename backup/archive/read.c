#include "config.h"

#include "backup/age/keyring.h"
#include "backup/archive/archive.h"
#include "backup/archive/borrow.h"
#include "backup/stage/gzip.h"
#include "backup/stage/sink.h"
#include "backup/stage/zstd.h"
#include "common/error.h"

#include <string.h>

HfStage *
hf_compression_unpack(HfCompressionKind kind, HfStage *next)
{
	switch (kind) {
	case HF_COMPRESSION_GZIP:
		return hf_gunzip_new(next);
	case HF_COMPRESSION_ZSTD:
		return hf_unzstd_new(next);
	case HF_COMPRESSION_NONE:
		return next;
	}
	g_assert_not_reached();
}

/*
 * Says which object it was, unless the trouble lies behind the archive, where it has a name of its own.  A reader behind
 * it that finds the bytes corrupt found it in this part, before the part's end and its digest came.
 */
static bool
name_part(const HfPart *part, bool is_behind, GError **error)
{
	if (!is_behind || (error && hf_error_is(*error, HF_ERROR_CORRUPT)))
		g_prefix_error(error, "\"%s\": ", part->key);
	return false;
}

HfStage *
hf_archive_open_part(HfStore *store, const HfPart *part, HfStage *next, GError **error)
{
	g_auto(HfAgeKey) key = {0};

	if (!part->prologue)
		return next;
	if (hf_keyring_open(hf_store_keyring(store), part->prologue, &key, error))
		return hf_unage_known_new(next, part->prologue, &key);
	hf_stage_free(next);
	return NULL;
}

static bool
check_part(const HfPart *part, const HfStage *digest, GError **error)
{
	char hex[HF_SHA256_HEX_LEN + 1];
	uint64_t bytes = hf_digest_bytes(digest);

	if (bytes != part->bytes)
		return hf_error_set(
			error, HF_ERROR_CORRUPT,
			"\"%s\" %s: it has %" G_GUINT64_FORMAT " bytes, %" G_GUINT64_FORMAT " were stored",
			part->key, bytes < part->bytes ? "was cut" : "is too long", bytes, part->bytes);
	hf_digest_hex(digest, hex);
	/* "": a file of the earlier implementation, which recorded no digest. */
	if (part->sha256[0] && strcmp(hex, part->sha256) != 0)
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"%s\" was changed: its SHA-256 is not the recorded one", part->key);
	return true;
}

static bool
read_part(HfStore *store, const HfPart *part, HfStage *unpack, const bool *is_behind, GError **error)
{
	g_autoptr(HfStage) digest = NULL;
	HfStage *inside = hf_archive_open_part(store, part, hf_borrow_new(unpack, NULL), error);

	if (!inside)
		return name_part(part, false, error);
	digest = hf_digest_new(inside);
	if (!hf_store_read(store, part->key, HF_WHOLE, digest, error))
		return name_part(part, *is_behind, error);
	return (hf_stage_finish(digest, error) || name_part(part, *is_behind, error)) &&
	       check_part(part, digest, error);
}

bool
hf_archive_read(HfStore *store, const HfArchive *archive, HfStage *into, GError **error)
{
	bool is_behind = false;
	g_autoptr(HfStage)
		unpack = hf_compression_unpack(archive->compression, hf_borrow_new(into, &is_behind));

	hf_archive_prefer_copy(&store, &archive);
	for (guint i = 0; i < archive->parts->len; i++)
		if (!read_part(store, g_ptr_array_index(archive->parts, i), unpack, &is_behind, error))
			return false;
	if (hf_stage_finish(unpack, error))
		return true;
	/* Whatever was missing, was missing at the end of the last part. */
	return name_part(g_ptr_array_index(archive->parts, archive->parts->len - 1), is_behind, error);
}

bool
hf_archive_is_sealed(const HfStore *store, const HfArchive *archive)
{
	return archive->is_encrypted && !hf_keyring_can_read(hf_store_keyring(store));
}

static bool
opens(HfStore *store, const HfArchive *archive)
{
	const HfPart *part = g_ptr_array_index(archive->parts, 0);
	g_auto(HfAgeKey) key = {0};

	return !part->prologue || hf_keyring_open(hf_store_keyring(store), part->prologue, &key, NULL);
}

void
hf_archive_prefer_copy(HfStore **store, const HfArchive **archive)
{
	HfStore *copies = hf_store_copies(*store);

	if (!copies || !(*archive)->copy || opens(*store, *archive))
		return;
	*store = copies;
	*archive = (*archive)->copy;
}

bool
hf_archive_check_stored(HfStore *store, const HfArchive *archive, uint64_t *bytes, GError **error)
{
	for (guint i = 0; i < archive->parts->len; i++) {
		const HfPart *part = g_ptr_array_index(archive->parts, i);
		g_autoptr(HfStage) digest = hf_digest_new(hf_meter_new(hf_sink_null_new(), bytes));

		if (!hf_store_read(store, part->key, HF_WHOLE, digest, error))
			return name_part(part, false, error);
		if (!hf_stage_finish(digest, error) || !check_part(part, digest, error))
			return false;
	}
	return true;
}

/* ---- ranges ---- */

static bool
read_stored_range(HfStore *store, const HfPart *part, HfRange range, HfStage *into, GError **error)
{
	GError *trouble = NULL;

	if (hf_store_read(store, part->key, range, into, &trouble))
		return true;
	/* The manifest says that the range is there, so it is the object that is wrong. */
	if (hf_error_is(trouble, HF_ERROR_USAGE))
		trouble->code = HF_ERROR_CORRUPT;
	g_propagate_error(error, trouble);
	return false;
}

/* range is of the part's packed bytes. */
static bool
read_part_range(HfStore *store, const HfPart *part, HfRange range, HfStage *unpack, GError **error)
{
	g_autoptr(HfStage) chain = NULL;
	g_auto(HfAgeKey) key = {0};
	HfAgeWindow window;

	if (!part->prologue)
		return read_stored_range(store, part, range, unpack, error);
	if (!hf_keyring_open(hf_store_keyring(store), part->prologue, &key, error))
		return false;
	window = hf_age_window(g_bytes_get_size(part->prologue), part->bytes, range.offset, range.length);
	chain = hf_unage_window_new(hf_borrow_new(unpack, NULL), &key, &window,
				    window.offset + window.length == part->bytes, range.length);
	return read_stored_range(store, part, (HfRange){window.offset, window.length}, chain, error) &&
	       hf_stage_finish(chain, error);
}

/* Reads the packed range, which may go across parts, into unpack. */
static bool
read_packed(HfStore *store, const HfArchive *archive, HfRange packed, HfStage *unpack, GError **error)
{
	uint64_t part_offset = 0;

	for (guint i = 0; i < archive->parts->len && packed.length > 0; i++) {
		const HfPart *part = g_ptr_array_index(archive->parts, i);

		if (packed.offset < part_offset + part->packed_bytes) {
			uint64_t skip = packed.offset - part_offset;
			HfRange here = {skip, MIN(packed.length, part->packed_bytes - skip)};

			if (!read_part_range(store, part, here, unpack, error))
				return name_part(part, false, error);
			packed.offset += here.length;
			packed.length -= here.length;
		}
		part_offset += part->packed_bytes;
	}
	return packed.length == 0 ||
	       hf_error_set(error, HF_ERROR_CORRUPT, "bytes behind the archive's end were asked for");
}

bool
hf_archive_read_packed(HfStore *store, const HfArchive *archive, HfRange packed, HfStage *into,
		       GError **error)
{
	hf_archive_prefer_copy(&store, &archive);
	if (packed.offset > archive->packed_bytes || packed.length > archive->packed_bytes - packed.offset)
		return hf_error_set(error, HF_ERROR_CORRUPT, "bytes behind the archive's end were asked for");
	return read_packed(store, archive, packed, into, error);
}

bool
hf_archive_read_members(HfStore *store, const HfArchive *archive, HfRange packed, HfStage *into,
			GError **error)
{
	g_autoptr(HfStage) unpack = hf_compression_unpack(archive->compression, hf_borrow_new(into, NULL));

	return hf_archive_read_packed(store, archive, packed, unpack, error) &&
	       hf_stage_finish(unpack, error);
}

/* What is to be read of the packed stream, and what of it is in front of the wanted bytes. */
static bool
locate(const HfArchive *archive, HfRange range, HfRange *packed_out, uint64_t *skip_out)
{
	HfMember span;

	*skip_out = 0;
	if (archive->compression == HF_COMPRESSION_NONE) {
		*packed_out = range;
		return range.offset <= archive->plain_bytes &&
		       range.length <= archive->plain_bytes - range.offset;
	}
	g_assert(archive->members);
	if (!hf_members_locate(archive->members, range.offset, range.length, &span, skip_out))
		return false;
	*packed_out = (HfRange){span.packed_offset, span.packed_bytes};
	return true;
}

bool
hf_archive_read_range(HfStore *store, const HfArchive *archive, HfRange range, HfStage *into, GError **error)
{
	g_autoptr(HfStage) unpack = NULL;
	HfRange packed;
	uint64_t skip;

	if (range.length == HF_TO_END && range.offset <= archive->plain_bytes)
		range.length = archive->plain_bytes - range.offset;
	if (range.length == 0 && range.offset <= archive->plain_bytes)
		return true;
	if (!locate(archive, range, &packed, &skip))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "the archive holds %" G_GUINT64_FORMAT
				    " bytes: a range beyond its end was asked for",
				    archive->plain_bytes);
	unpack = hf_compression_unpack(archive->compression,
				       hf_slice_new(hf_borrow_new(into, NULL), skip, range.length));
	return read_packed(store, archive, packed, unpack, error) && hf_stage_finish(unpack, error);
}
