#include "config.h"

#include "backup/stage/inflate.h"

#ifdef HAVE_ISAL

#include <isa-l/igzip_lib.h>

struct HfInflate {
	struct inflate_state isal;
};

HfInflate *
hf_inflate_new(void)
{
	HfInflate *self = g_new0(HfInflate, 1);

	isal_inflate_init(&self->isal);
	self->isal.crc_flag = ISAL_GZIP_NO_HDR;
	return self;
}

void
hf_inflate_reset(HfInflate *self)
{
	isal_inflate_reset(&self->isal);
	self->isal.crc_flag = ISAL_GZIP_NO_HDR;
}

HfInflateState
hf_inflate_step(HfInflate *self, HfInflateIo *io)
{
	struct inflate_state *isal = &self->isal;
	uint32_t in_bytes = (uint32_t)MIN(io->in_bytes, G_MAXINT32);
	uint32_t out_bytes = (uint32_t)MIN(io->out_bytes, G_MAXINT32);
	int rc;

	isal->next_in = (uint8_t *)(uintptr_t)io->in; /* only read */
	isal->avail_in = in_bytes;
	isal->next_out = io->out;
	isal->avail_out = out_bytes;
	rc = isal_inflate(isal);
	io->in += in_bytes - isal->avail_in;
	io->in_bytes -= in_bytes - isal->avail_in;
	io->out += out_bytes - isal->avail_out;
	io->out_bytes -= out_bytes - isal->avail_out;
	if (rc != ISAL_DECOMP_OK)
		return HF_INFLATE_DAMAGED;
	return isal->block_state == ISAL_BLOCK_FINISH ? HF_INFLATE_ENDED : HF_INFLATE_GOING;
}

uint32_t
hf_inflate_crc32(const HfInflate *self)
{
	return self->isal.crc;
}

/* ISA-L leaves in its bit buffer what it loaded and did not need; the rest of the last byte is padding. */
size_t
hf_inflate_read_ahead(const HfInflate *self, uint8_t bytes_out[HF_INFLATE_AHEAD_MAX])
{
	size_t count = (size_t)MAX(self->isal.read_in_length, 0) / 8;
	uint64_t bits = self->isal.read_in >> (self->isal.read_in_length % 8);

	for (size_t i = 0; i < count; i++, bits >>= 8)
		bytes_out[i] = (uint8_t)bits;
	return count;
}

void
hf_inflate_free(HfInflate *self)
{
	g_free(self);
}

#else

#include "backup/stage/deflate.h"

#define ZLIB_CONST /* next_in is only read */
#include <zlib.h>

struct HfInflate {
	z_stream zlib;
	uint32_t crc;
};

HfInflate *
hf_inflate_new(void)
{
	enum {
		WINDOW_BITS_RAW = -15
	}; /* zlib.h, inflateInit2(): no header */
	HfInflate *self = g_new0(HfInflate, 1);

	/* It can only lack memory, as g_new0() above; inflate() then refuses the stream. */
	(void)inflateInit2(&self->zlib, WINDOW_BITS_RAW);
	return self;
}

void
hf_inflate_reset(HfInflate *self)
{
	inflateReset(&self->zlib);
	self->crc = 0;
}

HfInflateState
hf_inflate_step(HfInflate *self, HfInflateIo *io)
{
	z_stream *zlib = &self->zlib;
	uInt in_bytes = (uInt)MIN(io->in_bytes, G_MAXINT32);
	uInt out_bytes = (uInt)MIN(io->out_bytes, G_MAXINT32);
	const uint8_t *made = io->out;
	int rc;

	zlib->next_in = io->in;
	zlib->avail_in = in_bytes;
	zlib->next_out = io->out;
	zlib->avail_out = out_bytes;
	rc = inflate(zlib, Z_NO_FLUSH);
	io->in += in_bytes - zlib->avail_in;
	io->in_bytes -= in_bytes - zlib->avail_in;
	io->out += out_bytes - zlib->avail_out;
	io->out_bytes -= out_bytes - zlib->avail_out;
	self->crc = hf_deflate_crc32(self->crc, made, out_bytes - zlib->avail_out);
	if (rc == Z_STREAM_END)
		return HF_INFLATE_ENDED;
	return rc == Z_OK || rc == Z_BUF_ERROR ? HF_INFLATE_GOING : HF_INFLATE_DAMAGED;
}

uint32_t
hf_inflate_crc32(const HfInflate *self)
{
	return self->crc;
}

/* zlib gives back what it did not need. */
size_t
hf_inflate_read_ahead(const HfInflate *self, uint8_t bytes_out[HF_INFLATE_AHEAD_MAX])
{
	(void)self;
	(void)bytes_out;
	return 0;
}

void
hf_inflate_free(HfInflate *self)
{
	inflateEnd(&self->zlib);
	g_free(self);
}

#endif
