/*
 * backup/stage/relay.h -- hands a stream of bytes to a thread of its own, through a few buffers: what a stage does with it
 * (hashing, writing to a disk) then goes on beside what the caller does next.
 *
 * For who writes a stage: the thread lives inside it, and nothing of it is seen outside.  The thread starts when the
 * first buffer is full, so a short stream costs none.  Memory: HF_RELAY_BUFFERS buffers, taken from the system only as far as they are
 * filled.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* With two, who fills them was seen to wait for whoever takes them each time that two threads had to share a core. */
#define HF_RELAY_BUFFERS 4

/* Buffers begin at a multiple of it: what O_DIRECT asks for (open(2), NOTES) with the disks in use. */
#define HF_RELAY_ALIGNMENT 4096

/*
 * Takes the next bytes of the stream: a whole buffer, in the relay's thread, or the rest, which is less, in that of
 * hf_relay_finish().  Never two calls at once.  After one that failed there is no further one.
 */
typedef bool (*HfRelayTake)(void *context, const void *buf, size_t len, GError **error);

typedef struct HfRelay HfRelay;

/* name is the thread's, static, 15 bytes at most; context is borrowed. */
HfRelay *hf_relay_new(const char *name, size_t buffer_bytes, HfRelayTake take, void *context);

/* Copies buf.  The error may be that of bytes that were given earlier. */
bool hf_relay_write(HfRelay *relay, const void *buf, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Returns when all bytes were taken; nothing can be written afterwards. */
bool hf_relay_finish(HfRelay *relay, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Not finished: waits for the buffers that are full, and forgets the rest. */
void hf_relay_free(HfRelay *relay);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfRelay, hf_relay_free)
