/*
 * backup/age/bech32.h -- Bech32 (BIP 173), the spelling of age's keys: a prefix, "1", data in 32 letters, six to check.
 *
 * As age uses it: without BIP 173's limit of 90 characters, upper or lower case throughout, never mixed.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In lower case, closed by a NUL.  The caller wipes and g_free()s what is secret. */
char *hf_bech32_encode(const char *prefix, const uint8_t *data, size_t len);

/* False unless text is prefix (in lower case; text may be in upper) with exactly len bytes and the right checksum. */
bool hf_bech32_decode(const char *text, const char *prefix, uint8_t *data_out, size_t len);
