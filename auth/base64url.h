/*
 * auth/base64url.h -- base64 with the URL's alphabet and without padding (RFC 4648 section 5, RFC 7515 section 2).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Decodes len letters, closed by a NUL that *len_out does not count; g_free() it.  NULL where a letter is none of the
 * alphabet, and where the letters are not the one spelling of the bytes: bits that stand for nothing must be 0, or one
 * token would have several texts.
 */
unsigned char *hf_base64url_decode(const char *text, size_t len, size_t *len_out);

/* g_free() it. */
char *hf_base64url_encode(const void *bytes, size_t len);
