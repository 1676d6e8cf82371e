/*
 * backup/source/scan.h -- an observer that reads a plain SQL dump as it flows past.
 *
 * It follows the dump as psql would (quotes, dollar quotes, comments, backslash commands) and looks into each
 * "COPY ... FROM stdin;" block: rows, bytes, where they lie, and a digest that does not depend on the rows' order, so
 * that a restored database, dumped again, can be compared with the original whatever order its rows come in.
 *
 * It insists on the dump's closing line: a dump that was cut anywhere fails at finish.
 */
#pragma once

#include "backup/stage/stage.h"

#include <stdint.h>

typedef enum {
	HF_SCAN_DATABASE, /* "-- PostgreSQL database dump complete" */
	HF_SCAN_GLOBALS,  /* "-- PostgreSQL database cluster dump complete" */
} HfScanKind;

#define HF_TABLE_DIGEST_BYTES 16

typedef struct {
	char *name; /* as the COPY statement names it, quoted: public."Odd name" */
	uint64_t rows;
	uint64_t bytes;       /* of its rows in COPY's text format, line ends included */
	uint64_t offset;      /* of the COPY statement's first byte in the plain stream */
	uint64_t data_offset; /* of its first row's first byte */
	uint8_t digest
		[HF_TABLE_DIGEST_BYTES]; /* sum modulo 2^128 of XXH3-128 of each row without its line end, big-endian; no seed */
} HfTable;

/* next may be NULL: the scan is then the end of the chain.  Takes next. */
HfStage *hf_scan_new(HfStage *next, HfScanKind kind);

/* The tables so far, of HfTable, in the order of the dump; a name comes once.  Borrowed; owned by the scan. */
const GPtrArray *hf_scan_tables(const HfStage *scan);

/* The sum of the tables' rows; the table whose rows flow past now, or NULL.  For progress. */
uint64_t hf_scan_rows(const HfStage *scan);
const char *hf_scan_current_table(const HfStage *scan);

void hf_table_free(HfTable *table);
