/*
 * backup/stage/blocks.h -- what the compressing stages share: for gzip.c and zstd.c alone.
 *
 * The plain stream is copied, once, into blocks; threads of the stage pack each into a member of its own; the caller's
 * thread, and no other, passes the members on in their order.  A codec knows how to pack one block and nothing else.
 *
 * Threads are started when there is a block for them, so a short stream costs one.  Nobody spins: whoever has nothing
 * to do sleeps on a condition.
 *
 * Memory: threads + 6 blocks (one for each thread, one that is filled, and some that wait), each member_bytes plain and
 * codec->bound(member_bytes) packed, taken from the system only as far as they are filled; and a codec's worker for each
 * thread.  With 1 MiB and gzip that is 16.1 MiB and 2 x 0.4 MiB on 2 threads, 28.1 MiB and 8 x 0.4 MiB on 8, at most.
 */
#pragma once

#include "backup/stage/members.h"
#include "backup/stage/stage.h"

#include <stdint.h>

#define HF_BLOCKS_THREADS_MAX 8
#define HF_BLOCKS_MEMBER_BYTES (1024 * 1024)
/* The codecs count in 32 bits; far below that, so that a mistake cannot ask for all memory. */
#define HF_BLOCKS_MEMBER_BYTES_MAX (64 * 1024 * 1024)

typedef struct {
	uint8_t *plain;
	size_t plain_bytes;
	uint8_t *packed;
	size_t packed_limit; /* codec->bound(member_bytes) */
	size_t packed_bytes; /* set by pack() */
} HfBlock;

/* All but bound() are called in a thread of the stage. */
typedef struct {
	const char *name;
	size_t (*bound)(size_t plain_bytes); /* the longest member that so many bytes become */
	void *(*worker_new)(int level, GError **error);
	bool (*pack)(void *worker, HfBlock *block, GError **error);
	void (*worker_free)(void *worker);
} HfBlocksCodec;

/* As in gzip.h; level is the codec's own and already settled. */
typedef struct {
	int level;
	unsigned threads;
	size_t member_bytes;
	bool cuts_at_marks;
} HfBlocksOptions;

/* The processors this process may use (sched_getaffinity), at most HF_BLOCKS_THREADS_MAX. */
unsigned hf_blocks_default_threads(void);

/* codec outlives the stage; options are copied; members may be NULL and is borrowed.  Takes next. */
HfStage *hf_blocks_new(HfStage *next, const HfBlocksCodec *codec, const HfBlocksOptions *options,
		       HfMembers *members);
