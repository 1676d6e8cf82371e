/*
 * backup/store/dir-direct.h -- a file written from its beginning to its end by a thread, past the page cache.
 *
 * O_DIRECT (open(2)) spares the kernel's copy, leaves next to nothing for fsync() to wait for, and does not throw the
 * web application's files out of the page cache; the thread lets the disk and the caller work at the same time.  Where
 * the file system has no O_DIRECT, and for what is smaller than one buffer, it is written the ordinary way.
 *
 * Memory: HF_RELAY_BUFFERS buffers of HF_DIRECT_BYTES (backup/stage/relay.h).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define HF_DIRECT_BYTES ((size_t)2 << 20)

typedef struct HfDirect HfDirect;

/* fd is borrowed, at offset 0 of an empty file; path is for messages and copied. */
HfDirect *hf_direct_new(int fd, const char *path);

/* Copies buf.  The error may be that of bytes that were given earlier. */
bool hf_direct_write(HfDirect *direct, const void *buf, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Waits until the kernel has taken all bytes; syncing them stays the caller's. */
bool hf_direct_finish(HfDirect *direct, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Waits for what is being written. */
void hf_direct_free(HfDirect *direct);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfDirect, hf_direct_free)
