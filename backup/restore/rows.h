/*
 * backup/restore/rows.h -- rows of a stored dump into a COPY.
 */
#pragma once

#include "backup/archive/archive.h"
#include "backup/restore/session.h"

typedef struct {
	HfStore *store;
	const HfArchive *archive;
	PGconn *connection;
	const char *table, *sql; /* the COPY */
	uint64_t line;           /* of the dump */
	uint64_t *bytes;         /* added to, atomically; NULL: not wanted */
	uint64_t *copied;        /* rows that the server took, added to, atomically; NULL: not wanted */
	const bool *is_stopped;  /* atomic; NULL: only hf_cancel_check() stops it */
} HfRows;

/* Whole rows that are at hand. */
bool hf_rows_copy_bytes(const HfRows *rows, const char *bytes, size_t len,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The rows of a range of plain bytes: those that begin behind the first line end at or behind its offset (at the offset
 * itself where is_first), up to and with the row whose line end is the first at or behind the range's end, or up to
 * table_end.  So ranges that follow each other copy each row once.
 */
bool hf_rows_copy_range(const HfRows *rows, HfRange range, bool is_first, uint64_t table_end,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same into a COPY that was begun by the caller, who ends it. */
bool hf_rows_send_range(const HfRows *rows, HfRange range, GError **error) G_GNUC_WARN_UNUSED_RESULT;
