#include "config.h"

#include "backup/stage/deflate.h"
#include "common/error.h"

#define ZLIB_CONST /* next_in is only read */
#include <zlib.h>
#ifdef HAVE_ISAL
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#endif

/* One of the two is there. */
struct HfDeflate {
#ifdef HAVE_ISAL
	struct isal_zstream *isal;
	uint8_t *level_buf;
#endif
	z_stream *zlib;
};

static bool
init_zlib(HfDeflate *self, int level, GError **error)
{
	enum {
		WINDOW_BITS_GZIP = 15 + 16,
		MEM_LEVEL = 8
	}; /* zlib.h, deflateInit2(): gzip header; the default */
	int rc;

	self->zlib = g_new0(z_stream, 1);
	rc = deflateInit2(self->zlib, level, Z_DEFLATED, WINDOW_BITS_GZIP, MEM_LEVEL, Z_DEFAULT_STRATEGY);
	return rc == Z_OK || hf_error_set(error, HF_ERROR_FAILED, "zlib: %s", zError(rc));
}

static size_t
pack_by_zlib(z_stream *zlib, const uint8_t *plain, size_t len, uint8_t *packed, size_t limit)
{
	deflateReset(zlib);
	zlib->next_in = plain;
	zlib->avail_in = (uInt)len;
	zlib->next_out = packed;
	zlib->avail_out = (uInt)limit;
	return deflate(zlib, Z_FINISH) == Z_STREAM_END ? limit - zlib->avail_out : 0;
}

#ifdef HAVE_ISAL

enum {
	ISAL_LEVEL_MAX = ISAL_DEF_MAX_LEVEL
};

static void
init_isal(HfDeflate *self, int level)
{
	static const uint32_t level_buf_bytes[ISAL_LEVEL_MAX + 1] = {
		ISAL_DEF_LVL0_DEFAULT,
		ISAL_DEF_LVL1_DEFAULT,
		ISAL_DEF_LVL2_DEFAULT,
		ISAL_DEF_LVL3_DEFAULT,
	};

	/* Zeroed, since level 3 looks at some of it before it wrote there (valgrind): equal bytes give equal members. */
	self->level_buf = g_malloc0(level_buf_bytes[level]);
	self->isal = g_new0(struct isal_zstream, 1);
	isal_deflate_init(self->isal);
	self->isal->level = (uint32_t)level;
	self->isal->level_buf = self->level_buf;
	self->isal->level_buf_size = level_buf_bytes[level];
	self->isal->gzip_flag = IGZIP_GZIP;
}

static size_t
pack_by_isal(struct isal_zstream *isal, const uint8_t *plain, size_t len, uint8_t *packed, size_t limit)
{
	isal_deflate_reset(isal);
	isal->gzip_flag = IGZIP_GZIP; /* the flag also notes that the header was written */
	isal->end_of_stream = 1;
	isal->flush = NO_FLUSH;
	isal->next_in = (uint8_t *)(uintptr_t)plain; /* only read */
	isal->avail_in = (uint32_t)len;
	isal->next_out = packed;
	isal->avail_out = (uint32_t)limit;
	if (isal_deflate(isal) != COMP_OK || isal->internal_state.state != ZSTATE_END)
		return 0;
	return limit - isal->avail_out;
}

#endif

HfDeflate *
hf_deflate_new(int level, GError **error)
{
	g_autoptr(HfDeflate) self = g_new0(HfDeflate, 1);

#ifdef HAVE_ISAL
	if (level <= ISAL_LEVEL_MAX) {
		init_isal(self, level);
		return g_steal_pointer(&self);
	}
#endif
	return init_zlib(self, level, error) ? g_steal_pointer(&self) : NULL;
}

size_t
hf_deflate_member(HfDeflate *self, const uint8_t *plain, size_t len, uint8_t *packed, size_t limit)
{
	g_assert(len <= G_MAXUINT32 && limit <= G_MAXUINT32);
#ifdef HAVE_ISAL
	if (self->isal)
		return pack_by_isal(self->isal, plain, len, packed, limit);
#endif
	return pack_by_zlib(self->zlib, plain, len, packed, limit);
}

void
hf_deflate_free(HfDeflate *self)
{
	if (!self)
		return;
#ifdef HAVE_ISAL
	g_free(self->isal);
	g_free(self->level_buf);
#endif
	if (self->zlib)
		deflateEnd(self->zlib);
	g_free(self->zlib);
	g_free(self);
}

uint32_t
hf_deflate_crc32(uint32_t crc, const void *buf, size_t len)
{
#ifdef HAVE_ISAL
	return crc32_gzip_refl(crc, buf, len);
#else
	return (uint32_t)crc32_z(crc, buf, len);
#endif
}
