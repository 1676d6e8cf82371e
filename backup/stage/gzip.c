/*
 * Memory: see blocks.h; a worker is some 360 KiB with ISA-L (its state and the buffer of its level), and 260 KiB with
 * zlib.
 */
#include "config.h"

#include "backup/stage/blocks.h"
#include "backup/stage/deflate.h"
#include "backup/stage/gzip.h"

#include <string.h>

enum {
	LEVEL_MAX = 9,
	STORED_BLOCK_MAX = 65535, /* RFC 1951 section 3.2.4: the length is two bytes */
	STORED_BLOCK_HEAD = 5,
	HEADER_BYTES = 10,
	TRAILER_BYTES = 8,
	/* The sample: slices spread over the block. */
	SLICE_COUNT = 16,
	SLICE_BYTES = 256,
	SAMPLED_FROM =
		2048, /* fewer bytes say too little: they are packed, and stored if that does not pay */
};

static size_t
stored_bound(size_t plain_bytes)
{
	size_t pieces = MAX((plain_bytes + STORED_BLOCK_MAX - 1) / STORED_BLOCK_MAX, 1);

	return HEADER_BYTES + plain_bytes + pieces * STORED_BLOCK_HEAD + TRAILER_BYTES;
}

static uint8_t *
put_le(uint8_t *at, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		*at++ = (uint8_t)(value >> (8 * i));
	return at;
}

/* One member of stored deflate blocks: RFC 1952 section 2.3 around RFC 1951 section 3.2.4. */
static void
store(HfBlock *block)
{
	/* magic, deflate, no flags, no time, no extra flags, unknown system */
	static const uint8_t header[HEADER_BYTES] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
	const uint8_t *from = block->plain;
	size_t left = block->plain_bytes;
	uint8_t *at = block->packed;

	memcpy(at, header, sizeof header);
	at += sizeof header;
	do {
		uint32_t len = (uint32_t)MIN(left, STORED_BLOCK_MAX);

		left -= len;
		*at++ = left == 0; /* BFINAL, and BTYPE 00 */
		at = put_le(at, len, 2);
		at = put_le(at, ~len, 2);
		memcpy(at, from, len);
		at += len;
		from += len;
	} while (left > 0);
	at = put_le(at, hf_deflate_crc32(0, block->plain, block->plain_bytes), 4);
	at = put_le(at, (uint32_t)block->plain_bytes, 4);
	block->packed_bytes = (size_t)(at - block->packed);
}

/*
 * True where the sampled bytes are spread as evenly as chance would have it: images, archives, what is encrypted.  For
 * even chances the sum of the squared counts of n bytes is n * n / 256 + n; it doubles with each bit of (Renyi's
 * second) entropy that a byte is short of eight.  A quarter more is a third of a bit: no coder of single bytes would
 * save 4 %.  Packing a sample instead was seen to take a third of the processor time of a run over images of 100 KB,
 * since ISA-L makes Huffman tables for each.
 */
static bool
is_incompressible(const HfBlock *block)
{
	size_t stride = block->plain_bytes / SLICE_COUNT;
	size_t slice = MIN(stride, SLICE_BYTES);
	size_t n = slice * SLICE_COUNT, squares = 0;
	/* In the middle of each stride: what stands in front of an image in a tarball says nothing about it. */
	const uint8_t *from = block->plain + (stride - slice) / 2;
	unsigned counts[256] = {0};

	if (block->plain_bytes < SAMPLED_FROM)
		return false;
	for (size_t i = 0; i < SLICE_COUNT; i++)
		for (size_t j = 0; j < slice; j++)
			counts[from[i * stride + j]]++;
	for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
		squares += (size_t)counts[i] * counts[i];
	return squares <= (n * n / 256 + n) * 5 / 4;
}

static bool
gzip_pack(void *data, HfBlock *block, GError **error)
{
	HfDeflate *deflate = data;
	size_t limit = stored_bound(block->plain_bytes);

	(void)error;
	block->packed_bytes = 0;
	if (!is_incompressible(block))
		block->packed_bytes = hf_deflate_member(deflate, block->plain, block->plain_bytes,
							block->packed, limit);
	if (block->packed_bytes == 0)
		store(block);
	return true;
}

static void
gzip_worker_free(void *deflate)
{
	hf_deflate_free(deflate);
}

static void *
gzip_worker_new(int level, GError **error)
{
	return hf_deflate_new(level, error);
}

static const HfBlocksCodec gzip_codec = {
	.name = "gzip",
	.bound = stored_bound,
	.worker_new = gzip_worker_new,
	.pack = gzip_pack,
	.worker_free = gzip_worker_free,
};

HfStage *
hf_gzip_new(HfStage *next, const HfGzipOptions *options, HfMembers *members)
{
	HfBlocksOptions settled = {.level = 1};

	if (options)
		settled = (HfBlocksOptions){
			.level = options->level ? options->level : 1,
			.threads = options->threads,
			.member_bytes = options->member_bytes,
			.cuts_at_marks = options->cuts_at_marks,
		};
	g_assert(settled.level >= 1 && settled.level <= LEVEL_MAX);
	return hf_blocks_new(next, &gzip_codec, &settled, members);
}
