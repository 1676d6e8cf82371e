/*
 * backup/sign/minisign.h -- signature files, as minisign writes and checks them (jedisct1.github.io/minisign, "Signature
 * format").
 *
 * Four lines: an untrusted comment; algorithm, key id and signature; the trusted comment; the signature of the first
 * signature and the trusted comment together.  We write the kind "ED", over the BLAKE2b-512 of the file; "Ed", over the file
 * itself, is read as well.  A file comes from where others can write: all of it is checked, nothing of it is believed before.
 */
#pragma once

#include "backup/sign/keys.h"

/* minisign takes 1,024 bytes of the first comment and 8,192 of the second. */
#define HF_MINISIGN_BYTES_MAX ((size_t)16384)

/* What follows the name of the file that is signed. */
#define HF_MINISIGN_SUFFIX ".minisig"

/* trusted_comment: a line of at most 8,000 bytes.  g_bytes_unref() it. */
GBytes *hf_minisign_sign(const HfSignKey *key, GBytes *message, const char *trusted_comment,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * CORRUPT unless the signature is of this message, by one of keys (of HfVerifyKey), and so is its trusted comment, which goes
 * to *comment_out: g_free() it.
 */
bool hf_minisign_verify(const GArray *keys, GBytes *signature, GBytes *message, char **comment_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
