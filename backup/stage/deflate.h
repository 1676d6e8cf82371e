/*
 * backup/stage/deflate.h -- one gzip member from one block of plain bytes, by ISA-L or zlib: for gzip.c alone.
 *
 * Levels 1 to 3 are ISA-L's, 4 to 9 zlib's; without ISA-L all are zlib's.  The state, some 360 KiB, is used over and over.
 */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

typedef struct HfDeflate HfDeflate;

/* NULL where there is no memory for it. */
HfDeflate *hf_deflate_new(int level, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Packs len bytes, at most 4 GiB - 1, into one gzip member (RFC 1952: no name, no time) of at most limit bytes; gives its
 * size, or 0 where it does not fit.
 */
size_t hf_deflate_member(HfDeflate *deflate, const uint8_t *plain, size_t len, uint8_t *packed, size_t limit);

void hf_deflate_free(HfDeflate *deflate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfDeflate, hf_deflate_free)

/* The CRC-32 of gzip (RFC 1952 section 8) carried on over len more bytes; begin with 0. */
uint32_t hf_deflate_crc32(uint32_t crc, const void *buf, size_t len);
