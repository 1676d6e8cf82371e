/*
 * backup/verify/compare.h -- a restored database's tables against what the index of the set says of them.
 */
#pragma once

#include "backup/catalog/marks.h"
#include "backup/source/scan.h"

typedef enum {
	HF_COMPARE_ROWS, /* names and numbers of rows */
	HF_COMPARE_ALL,  /* bytes and digests, too */
} HfCompareWhat;

/* Adds a difference to proof for each table that differs; its tables and rows count what is equal. */
void hf_compare_tables(const GPtrArray *stored, const GPtrArray *restored, HfCompareWhat what,
		       HfProof *proof);
