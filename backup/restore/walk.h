/*
 * backup/restore/walk.h -- the statements of a stored dump, one after the other, without the rows in between.
 *
 * The rows of the tables are jumped over by the set's index: what is read of a dump of any size is its statements, by
 * ranged reads of the members that hold them.  A COPY that the index does not describe exactly (a table whose rows come
 * in two blocks) is not jumped over: its rows are then pulled by the caller.
 */
#pragma once

#include "backup/archive/archive.h"
#include "backup/source/scan.h"

typedef struct HfWalk HfWalk;

typedef struct {
	const char *text; /* the statement, closed by NUL; NULL at the end of the dump */
	size_t len;
	bool is_command; /* a backslash command */
	uint64_t offset; /* of its first byte in the plain stream */
	uint64_t line;   /* of the dump, from 1: as psql counts */
	/* a COPY ... FROM stdin: */
	bool is_copy;
	const HfTable *
		table; /* whose rows are [data_offset, data_offset + bytes); NULL: pull them by hf_walk_rows() */
	uint64_t data_offset;
} HfWalkItem;

/*
 * Begins at byte offset, which is in front of a statement and is on the given line.  archive needs its members unless it
 * is not compressed.  All is borrowed; tables, of HfTable, may be NULL.
 */
typedef struct {
	HfStore *store;
	const HfArchive *archive;
	const GPtrArray *tables;
	uint64_t offset, line;
} HfWalkOptions;
HfWalk *hf_walk_new(const HfWalkOptions *options);

/* The next statement, borrowed until the next call.  CORRUPT where the dump ends within one. */
bool hf_walk_next(HfWalk *walk, HfWalkItem *item_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Behind a COPY without a table: the next whole rows, with their line ends; *bytes_out is NULL at their end. */
bool hf_walk_rows(HfWalk *walk, const char **bytes_out, size_t *len_out,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Plain bytes [offset, offset + len) appended to bytes: cheap near to where the walk is. */
bool hf_walk_read(HfWalk *walk, uint64_t offset, uint64_t len, GByteArray *bytes,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Plain bytes that were read from the store so far. */
uint64_t hf_walk_bytes(const HfWalk *walk);

void hf_walk_free(HfWalk *walk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfWalk, hf_walk_free)
