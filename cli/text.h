/*
 * cli/text.h -- numbers and tables for people.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* "0 B", "512 B", "1.0 KiB", "680 MiB": three digits at most.  g_free() all of these. */
char *hf_text_bytes(uint64_t bytes);

/* "1,234,567" */
char *hf_text_count(uint64_t count);

/* "0.4 s", "12 s", "3 min 05 s", "2 h 07 min" */
char *hf_text_duration(double seconds);

/* How long ago: "just now", "5 min", "3 h", "12 d"; "in the future" where it is not past. */
char *hf_text_age(int64_t then_s, int64_t now_s);

/* "unverified", "stored", "read", "restored", "equal".  Static. */
const char *hf_text_level(int level);

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
