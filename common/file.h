/*
 * common/file.h -- a small file, read at once.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Reads a file of at most limit_bytes into memory, closed by a NUL that *len_out does not count; g_free() it, after
 * OPENSSL_cleanse() where it is a secret.  NOT_FOUND, DENIED and USAGE (too large, a folder) name it.  A pipe is read as
 * well, as in `--env-file <(command)`.
 */
bool hf_file_read_small(const char *path, size_t limit_bytes, char **text_out, size_t *len_out,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;
