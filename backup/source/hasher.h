/*
 * backup/source/hasher.h -- SHA-256 (FIPS 180-4) of many contents, by threads, taken out in the order they came.
 *
 * Hashing is the dearest thing done to an image (docs/facts.md), so it must not wait for the rest, nor the rest for it.
 * The caller bounds the memory: contents are held until they are taken.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#define HF_HASHER_BYTES 32

/* So many contents at most are held; pushing one more is a programming error. */
#define HF_HASHER_CAPACITY 64

typedef struct HfHasher HfHasher;

HfHasher *hf_hasher_new(void);
/* Holds a reference. */
void hf_hasher_push(HfHasher *hasher, GBytes *content);
/* How many were pushed and not taken; how many bytes they are. */
unsigned hf_hasher_count(const HfHasher *hasher);
size_t hf_hasher_bytes(const HfHasher *hasher);
/* Waits for the oldest, which there must be. */
void hf_hasher_take(HfHasher *hasher, uint8_t sha256_out[HF_HASHER_BYTES]);
/* Waits for what is being hashed. */
void hf_hasher_free(HfHasher *hasher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfHasher, hf_hasher_free)
