/*
 * backup/stage/digest.h -- an observer that counts and hashes (SHA-256, FIPS 180-4) what flows past.
 */
#pragma once

#include "backup/stage/stage.h"

#include <stdint.h>

#define HF_SHA256_HEX_LEN 64

/* Takes next. */
HfStage *hf_digest_new(HfStage *next);

/* What went past, valid once the chain was finished; hex is lower case with a closing NUL. */
uint64_t hf_digest_bytes(const HfStage *digest);
void hf_digest_hex(const HfStage *digest, char hex_out[HF_SHA256_HEX_LEN + 1]);

/*
 * An observer that fails with CORRUPT at finish unless exactly `bytes` bytes of this digest went past; name is the
 * object's, for the message, and is copied, as is hex.  Takes next.
 */
HfStage *hf_digest_check_new(HfStage *next, const char *name, uint64_t bytes, const char *hex);
