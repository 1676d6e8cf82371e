/*
 * backup/archive/pull.h -- the lines of a stored archive, pulled one by one, so that they can be merged with others.
 *
 * The archive is read by ranged reads a few MiB long and unpacked a little at a time; each part's size and digest are
 * checked by the time the end is reported.  Memory is bounded whatever the archive unpacks to.
 */
#pragma once

#include "backup/archive/archive.h"

typedef struct HfPull HfPull;

/* Borrows both.  A line is at most line_bytes_max long. */
HfPull *hf_pull_new(HfStore *store, const HfArchive *archive, size_t line_bytes_max);

/*
 * The next line, without its end and not closed by a NUL, borrowed until the next call; or NULL at the end, which was
 * proved.  CORRUPT or NOT_FOUND names the part.
 */
bool hf_pull_line(HfPull *pull, const char **line_out, size_t *len_out,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_pull_free(HfPull *pull);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPull, hf_pull_free)
