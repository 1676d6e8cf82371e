/*
 * backup/source/scan-digest.h -- the arithmetic of a table's digest: the sum modulo 2^128 of its rows' XXH3-128.
 */
#pragma once

#include "backup/source/scan.h"

#define XXH_INLINE_ALL /* a call into the library for each row would cost as much as its hash */
#include <xxhash.h>

typedef unsigned __int128 HfRowSum;

static inline HfRowSum
hf_scan_load_sum(const uint8_t bytes[HF_TABLE_DIGEST_BYTES])
{
	HfRowSum value = 0;

	for (size_t i = 0; i < HF_TABLE_DIGEST_BYTES; i++)
		value = value << 8 | bytes[i];
	return value;
}

static inline void
hf_scan_store_sum(uint8_t bytes[HF_TABLE_DIGEST_BYTES], HfRowSum value)
{
	for (size_t i = HF_TABLE_DIGEST_BYTES; i-- > 0; value >>= 8)
		bytes[i] = (uint8_t)value;
}

static inline HfRowSum
hf_scan_widen(XXH128_hash_t hash)
{
	return (HfRowSum)hash.high64 << 64 | hash.low64;
}
