/*
 * backup/catalog/index.h -- the index of a database archive: its tables, then its member table (docs/format.md).
 */
#pragma once

#include "backup/archive/archive.h"
#include "backup/source/scan.h"

/* Writes the index of set id into the chain, which is left open.  tables is of HfTable; members may be NULL. */
bool hf_index_write(HfStage *into, const char *id, const GPtrArray *tables, const HfMembers *members,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What an index holds; owned by the reader until they are taken with g_steal_pointer(). */
typedef struct {
	GPtrArray *tables; /* of HfTable */
	HfMembers *members;
	uint64_t rows;
} HfIndex;

void hf_index_free(HfIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfIndex, hf_index_free)

/*
 * The end of a chain that parses an index of set id; at finish CORRUPT where its closing line did not come or does not
 * agree.  index is borrowed and filled.
 */
HfStage *hf_index_reader_new(const char *id, HfIndex *index);
HfIndex *hf_index_new(void);
