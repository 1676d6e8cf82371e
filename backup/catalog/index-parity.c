#include "config.h"

#include "backup/age/keyring.h"
#include "backup/age/payload.h"
#include "backup/catalog/index-parity.h"
#include "backup/catalog/index-pieces.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

/*
 * What the parity is of: the pieces of the packed index, or, where it is encrypted, the chunks of the stored age file.  A host
 * without an identity makes it from what it can read, and it tells nothing.
 */
typedef struct {
	const HfArchive *index;
	const GPtrArray *pieces;
	const HfPart *sealed; /* NULL: the index is not encrypted */
	guint count;
} Units;

static size_t
head_bytes(const Units *units)
{
	return g_bytes_get_size(units->sealed->prologue);
}

/* False where there are none: an encrypted index of several parts, which takes 100 GiB, has no parity. */
static bool
take_units(const HfArchive *index, const GPtrArray *pieces, Units *units_out)
{
	const HfPart *part = g_ptr_array_index(index->parts, 0);

	*units_out = (Units){.index = index, .pieces = pieces, .count = pieces->len};
	if (!index->is_encrypted)
		return true;
	if (index->parts->len > 1)
		return false;
	units_out->sealed = part;
	units_out->count = (guint)((part->bytes - head_bytes(units_out) + HF_AGE_SEALED_CHUNK_BYTES - 1) /
				   HF_AGE_SEALED_CHUNK_BYTES);
	return true;
}

/* Of the bytes as they are stored where the index is encrypted, else of the packed ones; behind the last, their end. */
static uint64_t
unit_offset(const Units *units, guint i)
{
	if (!units->sealed)
		return hf_index_piece_offset(units->index, units->pieces, i);
	return i < units->count ? head_bytes(units) + (uint64_t)i * HF_AGE_SEALED_CHUNK_BYTES
				: units->sealed->bytes;
}

static size_t
unit_bytes(const Units *units, guint i)
{
	return (size_t)(unit_offset(units, i + 1) - unit_offset(units, i));
}

/* The units [first, end) and what they have in common. */
typedef struct {
	guint first, end;
	uint64_t block_offset; /* of their parity */
	size_t block_bytes;    /* the longest of them */
} Group;

/* The group behind this one; the first one for a group of zeros. */
static Group
next_group(const Units *units, Group group)
{
	Group next = {.first = group.end, .block_offset = group.block_offset + group.block_bytes};

	next.end = MIN(next.first + HF_PARITY_PIECES, units->count);
	for (guint i = next.first; i < next.end; i++)
		next.block_bytes = MAX(next.block_bytes, unit_bytes(units, i));
	return next;
}

static GBytes *
read_packed(HfStore *store, const HfArchive *archive, HfRange range, GError **error)
{
	g_autoptr(HfStage) sink = hf_sink_bytes_new((size_t)range.length);

	if (!hf_archive_read_packed(store, archive, range, sink, error) || !hf_stage_finish(sink, error))
		return NULL;
	return hf_sink_bytes_get(sink);
}

/* The units [first, end), which lie one after the other. */
static GBytes *
read_units(HfStore *store, const Units *units, guint first, guint end, GError **error)
{
	uint64_t offset = unit_offset(units, first);
	HfRange range = {offset, unit_offset(units, end) - offset};
	g_autoptr(HfStage) sink = NULL;

	if (!units->sealed)
		return read_packed(store, units->index, range, error);
	sink = hf_sink_bytes_new((size_t)range.length);
	if (!hf_store_read(store, units->sealed->key, range, sink, error) || !hf_stage_finish(sink, error))
		return NULL;
	return hf_sink_bytes_get(sink);
}

static void
exclusive_or(uint8_t *onto, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		onto[i] ^= bytes[i];
}

/* Of all units of the group but one, the end of which is no unit's: none is left out. */
static void
add_units(uint8_t *onto, GBytes *bytes, const Units *units, const Group *group, guint but)
{
	const uint8_t *at = g_bytes_get_data(bytes, NULL);

	for (guint i = group->first; i < group->end; i++) {
		size_t len = unit_bytes(units, i);

		if (i != but)
			exclusive_or(onto, at, len);
		at += len;
	}
}

bool
hf_index_parity_write(HfStore *store, const HfArchive *index, const GPtrArray *pieces, HfStage *into,
		      GError **error)
{
	Group group = {0};
	Units units;

	if (!take_units(index, pieces, &units))
		return true;
	while (group.end < units.count) {
		g_autoptr(GBytes) bytes = NULL;
		g_autofree uint8_t *block = NULL;

		group = next_group(&units, group);
		bytes = read_units(store, &units, group.first, group.end, error);
		if (!bytes)
			return false;
		block = g_malloc0(group.block_bytes);
		add_units(block, bytes, &units, &group, group.end);
		if (!hf_stage_write(into, block, group.block_bytes, error))
			return false;
	}
	return true;
}

/* ---- back ---- */

static GBytes *
rebuild_unit(HfStore *store, const Units *units, const HfArchive *parity, guint unit)
{
	Group group = {0};
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GBytes) block = NULL;
	g_autofree uint8_t *rebuilt = NULL;

	if (unit >= units->count)
		return NULL;
	do {
		group = next_group(units, group);
	} while (group.end <= unit);
	if (group.block_bytes > parity->packed_bytes ||
	    group.block_offset > parity->packed_bytes - group.block_bytes)
		return NULL;
	bytes = read_units(store, units, group.first, group.end, NULL);
	block = read_packed(store, parity, (HfRange){group.block_offset, group.block_bytes}, NULL);
	if (!bytes || !block)
		return NULL;
	rebuilt = g_memdup2(g_bytes_get_data(block, NULL), group.block_bytes);
	add_units(rebuilt, bytes, units, &group, unit);
	return g_bytes_new_take(g_steal_pointer(&rebuilt), unit_bytes(units, unit));
}

/* The plain bytes of a stored chunk, added to `into`; false where it is not what was stored. */
static bool
decrypt_unit(const Units *units, const HfAgeKey *key, guint unit, GBytes *stored, GByteArray *into)
{
	const HfAgeWindow window = {
		.offset = unit_offset(units, unit), .length = unit_bytes(units, unit), .first_chunk = unit};
	HfStage *sink = hf_sink_bytes_new(HF_AGE_CHUNK_BYTES);
	g_autoptr(HfStage) chain = hf_unage_window_new(sink, key, &window, unit + 1 == units->count,
						       window.length - HF_AGE_TAG_BYTES);
	g_autoptr(GBytes) plain = NULL;

	if (!hf_stage_write(chain, g_bytes_get_data(stored, NULL), g_bytes_get_size(stored), NULL) ||
	    !hf_stage_finish(chain, NULL))
		return false;
	plain = hf_sink_bytes_get(sink);
	g_byte_array_append(into, g_bytes_get_data(plain, NULL), (guint)g_bytes_get_size(plain));
	return true;
}

/* As it is stored, or out of the parity where that was changed. */
static bool
mend_unit(HfStore *store, const Units *units, const HfArchive *parity, guint unit, const HfAgeKey *key,
	  GByteArray *into)
{
	g_autoptr(GBytes) stored = read_units(store, units, unit, unit + 1, NULL);
	g_autoptr(GBytes) rebuilt = NULL;

	if (stored && decrypt_unit(units, key, unit, stored, into))
		return true;
	rebuilt = rebuild_unit(store, units, parity, unit);
	return rebuilt && decrypt_unit(units, key, unit, rebuilt, into);
}

/* The packed bytes of the range, out of the chunks that hold them. */
static GBytes *
rebuild_sealed(HfStore *store, const Units *units, const HfArchive *parity, HfRange range)
{
	guint first = (guint)(range.offset / HF_AGE_CHUNK_BYTES);
	guint end = (guint)((range.offset + range.length + HF_AGE_CHUNK_BYTES - 1) / HF_AGE_CHUNK_BYTES);
	g_autoptr(GByteArray) plain = g_byte_array_new();
	g_autoptr(GBytes) whole = NULL;
	g_auto(HfAgeKey) key = {0};
	size_t skip = (size_t)(range.offset - (uint64_t)first * HF_AGE_CHUNK_BYTES);

	if (!hf_keyring_open(hf_store_keyring(store), units->sealed->prologue, &key, NULL))
		return NULL;
	for (guint i = first; i < end; i++)
		if (!mend_unit(store, units, parity, i, &key, plain))
			return NULL;
	if (skip + range.length > plain->len)
		return NULL;
	whole = g_byte_array_free_to_bytes(g_steal_pointer(&plain));
	return g_bytes_new_from_bytes(whole, skip, (gsize)range.length);
}

GBytes *
hf_index_parity_rebuild(HfStore *store, const HfImagesRecord *record, const GPtrArray *pieces, guint piece)
{
	uint64_t offset = hf_index_piece_offset(record->index, pieces, piece);
	Units units;

	if (!record->parity || piece >= pieces->len || !take_units(record->index, pieces, &units))
		return NULL;
	if (!units.sealed)
		return rebuild_unit(store, &units, record->parity, piece);
	return rebuild_sealed(
		store, &units, record->parity,
		(HfRange){offset, hf_index_piece_offset(record->index, pieces, piece + 1) - offset});
}
