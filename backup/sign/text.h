/*
 * backup/sign/text.h -- the texts that minisign's files are made of: padded Base64 (RFC 4648 section 4), comment lines.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What each file begins with; the rest of the line is for people, and nobody signed it. */
#define HF_SIGN_UNTRUSTED "untrusted comment: "

/* g_free() it. */
char *hf_sign_base64(const uint8_t *bytes, size_t len);

/* False unless text is the canonical spelling of exactly len bytes, padding included. */
bool hf_sign_unbase64(const char *text, size_t text_len, uint8_t *out, size_t len);

/* Takes the line that *text begins with off it, without its end (LF, CR LF, or the text's); NULL where nothing is left. */
const char *hf_sign_next_line(const char **text, size_t *len_out);
