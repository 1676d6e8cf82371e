/*
 * tests/fuzz/readers.h -- what the fuzzers of the readers share.
 */
#pragma once

#include "backup/stage/stage.h"

#include <stdint.h>

/* More plain bytes than this stop a run: an input that unpacks for ever tells nothing. */
#define FUZZ_PLAIN_MAX (1024 * 1024)

/* All bytes through the reader in pieces of piece bytes; NULL where it refused them. */
GBytes *fuzz_unpack(HfStage *(*reader)(HfStage *next), const uint8_t *data, size_t len, size_t piece);

/* Aborts unless the bytes give the same in one piece and in small ones; gives what they gave. */
GBytes *fuzz_unpack_in_any_pieces(HfStage *(*reader)(HfStage *next), const uint8_t *data, size_t len);
