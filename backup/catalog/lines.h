/*
 * backup/catalog/lines.h -- the end of a chain that hands out whole lines.
 *
 * Memory: one line, at most limit_bytes.  A longer one is CORRUPT, and so is a stream that ends inside a line.
 */
#pragma once

#include "backup/stage/stage.h"

/* One line without its end, closed by a NUL; a line that holds a NUL is CORRUPT before it gets here. */
typedef bool (*HfLineFunc)(void *context, const char *line, size_t len, GError **error);

HfStage *hf_lines_new(size_t limit_bytes, HfLineFunc take, void *context);
