/*
 * backup/source/scan-statement.h -- the two kinds of statements whose text the scan understands.
 */
#pragma once

#include <stdbool.h>

/* The table's name of a "COPY name (columns) FROM stdin", as it is quoted there; g_free() it.  Else NULL. */
char *hf_scan_parse_copy(const char *text);

/* Notes what a "SET standard_conforming_strings = on" says; other statements change nothing. */
void hf_scan_parse_strings(const char *text, bool *are_standard);
