/*
 * backup/age/base64.h -- Base64 (RFC 4648 section 4) without padding and in its one canonical spelling, as age wants it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* g_free() it. */
char *hf_age_base64(const uint8_t *bytes, size_t len);

/* False unless text is the canonical spelling of exactly len bytes (RFC 4648 section 3.5: bits left over are zero). */
bool hf_age_unbase64(const char *text, size_t text_len, uint8_t *out, size_t len);
