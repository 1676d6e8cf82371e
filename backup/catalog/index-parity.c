#include "config.h"

#include "backup/catalog/index-parity.h"
#include "backup/catalog/index-pieces.h"
#include "backup/stage/sink.h"
#include "common/error.h"

#include <string.h>

/* The pieces [first, end) and what they have in common. */
typedef struct {
	guint first, end;
	uint64_t block_offset; /* of their parity */
	size_t block_bytes;    /* the longest of them */
} Group;

static size_t
piece_bytes(const HfArchive *index, const GPtrArray *pieces, guint i)
{
	return (size_t)(hf_index_piece_offset(index, pieces, i + 1) -
			hf_index_piece_offset(index, pieces, i));
}

/* The group behind this one; the first one for a group of zeros. */
static Group
next_group(const HfArchive *index, const GPtrArray *pieces, Group group)
{
	Group next = {.first = group.end, .block_offset = group.block_offset + group.block_bytes};

	next.end = MIN(next.first + HF_PARITY_PIECES, pieces->len);
	for (guint i = next.first; i < next.end; i++)
		next.block_bytes = MAX(next.block_bytes, piece_bytes(index, pieces, i));
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

/* The stored bytes of a group's pieces, which lie one after the other. */
static GBytes *
read_group(HfStore *store, const HfArchive *index, const GPtrArray *pieces, const Group *group,
	   GError **error)
{
	uint64_t offset = hf_index_piece_offset(index, pieces, group->first);
	HfRange range = {offset, hf_index_piece_offset(index, pieces, group->end) - offset};

	return read_packed(store, index, range, error);
}

static void
exclusive_or(uint8_t *onto, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		onto[i] ^= bytes[i];
}

/* Of all pieces of the group but one, the end of which is no piece's: none is left out. */
static void
add_pieces(uint8_t *onto, GBytes *bytes, const HfArchive *index, const GPtrArray *pieces, const Group *group,
	   guint but)
{
	const uint8_t *at = g_bytes_get_data(bytes, NULL);

	for (guint i = group->first; i < group->end; i++) {
		size_t len = piece_bytes(index, pieces, i);

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

	while (group.end < pieces->len) {
		g_autoptr(GBytes) bytes = NULL;
		g_autofree uint8_t *block = NULL;

		group = next_group(index, pieces, group);
		bytes = read_group(store, index, pieces, &group, error);
		if (!bytes)
			return false;
		block = g_malloc0(group.block_bytes);
		add_pieces(block, bytes, index, pieces, &group, group.end);
		if (!hf_stage_write(into, block, group.block_bytes, error))
			return false;
	}
	return true;
}

GBytes *
hf_index_parity_rebuild(HfStore *store, const HfImagesRecord *record, const GPtrArray *pieces, guint piece)
{
	Group group = {0};
	g_autoptr(GBytes) bytes = NULL;
	g_autoptr(GBytes) block = NULL;
	g_autofree uint8_t *rebuilt = NULL;

	if (!record->parity || piece >= pieces->len)
		return NULL;
	do {
		group = next_group(record->index, pieces, group);
	} while (group.end <= piece);
	if (group.block_bytes > record->parity->packed_bytes ||
	    group.block_offset > record->parity->packed_bytes - group.block_bytes)
		return NULL;
	bytes = read_group(store, record->index, pieces, &group, NULL);
	block = read_packed(store, record->parity, (HfRange){group.block_offset, group.block_bytes}, NULL);
	if (!bytes || !block)
		return NULL;
	rebuilt = g_memdup2(g_bytes_get_data(block, NULL), group.block_bytes);
	add_pieces(rebuilt, bytes, record->index, pieces, &group, piece);
	return g_bytes_new_take(g_steal_pointer(&rebuilt), piece_bytes(record->index, pieces, piece));
}
