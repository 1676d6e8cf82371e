/*
 * backup/stage/inflate.h -- raw deflate (RFC 1951) back into plain bytes, by ISA-L or zlib: for gunzip.c alone.
 */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

typedef struct HfInflate HfInflate;

/* What is still to be read, and room still to be filled; a step moves both on. */
typedef struct {
	const uint8_t *in;
	size_t in_bytes;
	uint8_t *out;
	size_t out_bytes;
} HfInflateIo;

typedef enum {
	HF_INFLATE_GOING, /* wants more input, unless out is full */
	HF_INFLATE_ENDED, /* the final block is over */
	HF_INFLATE_DAMAGED,
} HfInflateState;

/* How many bytes the decoder may have read ahead of the end. */
#define HF_INFLATE_AHEAD_MAX 8

HfInflate *hf_inflate_new(void);

/* Begins a new stream. */
void hf_inflate_reset(HfInflate *inflate);

HfInflateState hf_inflate_step(HfInflate *inflate, HfInflateIo *io);

/* Once it has ended: the CRC-32 of the plain bytes; and the bytes behind the end that were read already, their number. */
uint32_t hf_inflate_crc32(const HfInflate *inflate);
size_t hf_inflate_read_ahead(const HfInflate *inflate, uint8_t bytes_out[HF_INFLATE_AHEAD_MAX]);

void hf_inflate_free(HfInflate *inflate);
