/*
 * cli/text.h -- tables for people; numbers are common/text.h's.
 */
#pragma once

#include "common/text.h"

/* How many columns text takes on a terminal. */
unsigned hf_text_width(const char *text);

typedef struct HfGrid HfGrid;

/* A table whose columns are as wide as their widest cell.  alignment has a letter for each column: 'l' or 'r'. */
HfGrid *hf_grid_new(const char *alignment);

/* One row; as many cells as columns, copied, control characters made harmless. */
void hf_grid_add(HfGrid *grid, const char *const *cells);

/* The whole table, lines closed by "\n", no blanks at their ends; g_free() it. */
char *hf_grid_to_text(const HfGrid *grid);

void hf_grid_free(HfGrid *grid);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfGrid, hf_grid_free)
