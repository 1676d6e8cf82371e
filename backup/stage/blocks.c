#include "config.h"

#include "backup/stage/blocks.h"
#include "backup/stage/stage-impl.h"
#include "common/error.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

/* Blocks beside one for each thread: one is filled, the others are small ones that wait, such as images of 100 KB. */
#define SPARE_BLOCKS 6

/*
 * A thread is woken when so many blocks, or so many plain bytes, wait: waking one for each image was seen to cost a tenth
 * of a run.  Who waits for a block that no thread has taken wakes one, too.
 */
#define WAKE_BLOCKS 3
#define WAKE_BYTES ((size_t)256 << 10)

/*
 * Blocks are numbered from 0 and live in slots[number % slot_count]:
 *
 *   emitted <= taken <= submitted <= emitted + slot_count
 *
 * [emitted, taken) are packed or being packed, [taken, submitted) wait for a thread, and submitted is the one that is
 * filled, once there is room for it.
 */
typedef struct {
	HfBlock block;
	GError *error;
	bool is_packed; /* guarded by lock */
	bool has_mark;  /* the caller's alone: a mark follows the member */
} Slot;

typedef struct {
	HfStage stage;
	HfStageOps ops; /* ours, under the codec's name */
	const HfBlocksCodec *codec;
	HfBlocksOptions options;
	HfMembers *members;

	Slot *slots;
	unsigned slot_count;
	size_t filled; /* plain bytes in the block that is filled */
	uint64_t emitted;
	uint64_t submitted; /* written by the caller alone, under lock */

	pthread_mutex_t lock; /* not a GMutex: ThreadSanitizer does not see into GLib */
	pthread_cond_t block_came;
	pthread_cond_t block_packed;
	uint64_t taken;       /* guarded by lock */
	size_t waiting_bytes; /* guarded by lock: plain, of [taken, submitted) */
	bool is_stopping;     /* guarded by lock */
	GThread *threads[HF_BLOCKS_THREADS_MAX];
	unsigned thread_count;
} Blocks;

unsigned
hf_blocks_default_threads(void)
{
	cpu_set_t usable;

	CPU_ZERO(&usable);
	/* It fails where there are more processors than a cpu_set_t holds: then there are enough. */
	if (sched_getaffinity(0, sizeof usable, &usable) != 0)
		return HF_BLOCKS_THREADS_MAX;
	return (unsigned)CLAMP(CPU_COUNT(&usable), 1, HF_BLOCKS_THREADS_MAX);
}

static Slot *
slot_of(Blocks *blocks, uint64_t number)
{
	return &blocks->slots[number % blocks->slot_count];
}

/* --- the threads --- */

/* The next block to pack, or NULL when it is time to end. */
static Slot *
take_slot(Blocks *blocks)
{
	Slot *slot = NULL;

	pthread_mutex_lock(&blocks->lock);
	while (!blocks->is_stopping && blocks->taken == blocks->submitted)
		pthread_cond_wait(&blocks->block_came, &blocks->lock);
	if (!blocks->is_stopping) {
		slot = slot_of(blocks, blocks->taken++);
		blocks->waiting_bytes -= slot->block.plain_bytes;
	}
	pthread_mutex_unlock(&blocks->lock);
	return slot;
}

static void
give_back(Blocks *blocks, Slot *slot)
{
	pthread_mutex_lock(&blocks->lock);
	slot->is_packed = true;
	pthread_cond_signal(&blocks->block_packed);
	pthread_mutex_unlock(&blocks->lock);
}

static gpointer
worker_main(gpointer data)
{
	Blocks *blocks = data;
	const HfBlocksCodec *codec = blocks->codec;
	g_autoptr(GError) error = NULL;
	void *worker = codec->worker_new(blocks->options.level, &error);
	Slot *slot;

	while ((slot = take_slot(blocks))) {
		if (worker)
			(void)codec->pack(worker, &slot->block, &slot->error);
		else
			slot->error = g_error_copy(error);
		give_back(blocks, slot);
	}
	if (worker)
		codec->worker_free(worker);
	return NULL;
}

/* A thread for each block in flight, as far as there may be; one that cannot be started matters only if it is the first. */
static bool
start_threads(Blocks *blocks, GError **error)
{
	uint64_t wanted = MIN(blocks->submitted + 1 - blocks->emitted, blocks->options.threads);

	while (blocks->thread_count < wanted) {
		g_autoptr(GError) cause = NULL;
		GThread *thread = g_thread_try_new(blocks->codec->name, worker_main, blocks, &cause);

		if (!thread)
			return blocks->thread_count > 0 ||
			       hf_error_set(error, HF_ERROR_FAILED, "start a thread for %s: %s",
					    blocks->codec->name, cause->message);
		blocks->threads[blocks->thread_count++] = thread;
	}
	return true;
}

static void
stop_threads(Blocks *blocks)
{
	pthread_mutex_lock(&blocks->lock);
	blocks->is_stopping = true;
	pthread_cond_broadcast(&blocks->block_came);
	pthread_mutex_unlock(&blocks->lock);
	for (unsigned i = 0; i < blocks->thread_count; i++)
		g_thread_join(blocks->threads[i]);
	blocks->thread_count = 0;
}

/* --- the caller's side --- */

static bool
is_oldest_packed(Blocks *blocks)
{
	bool is_packed;

	if (blocks->emitted == blocks->submitted)
		return false;
	pthread_mutex_lock(&blocks->lock);
	is_packed = slot_of(blocks, blocks->emitted)->is_packed;
	pthread_mutex_unlock(&blocks->lock);
	return is_packed;
}

static void
wait_for_oldest(Blocks *blocks)
{
	Slot *slot = slot_of(blocks, blocks->emitted);

	pthread_mutex_lock(&blocks->lock);
	if (blocks->taken <= blocks->emitted)
		pthread_cond_broadcast(&blocks->block_came);
	while (!slot->is_packed)
		pthread_cond_wait(&blocks->block_packed, &blocks->lock);
	pthread_mutex_unlock(&blocks->lock);
}

static bool
emit_oldest(Blocks *blocks, GError **error)
{
	Slot *slot = slot_of(blocks, blocks->emitted);
	const HfBlock *block = &slot->block;

	wait_for_oldest(blocks);
	if (slot->error) {
		g_propagate_error(error, g_steal_pointer(&slot->error));
		return false;
	}
	if (!hf_stage_emit(&blocks->stage, block->packed, block->packed_bytes, error))
		return false;
	if (blocks->members)
		hf_members_append(blocks->members, block->plain_bytes, block->packed_bytes);
	if (slot->has_mark && !hf_stage_emit_mark(&blocks->stage, error))
		return false;
	blocks->emitted++;
	return true;
}

/* After this the block that is filled has a slot with buffers. */
static bool
make_room(Blocks *blocks, GError **error)
{
	HfBlock *block;

	if (blocks->submitted - blocks->emitted == blocks->slot_count && !emit_oldest(blocks, error))
		return false;
	block = &slot_of(blocks, blocks->submitted)->block;
	if (!block->plain) {
		block->packed_limit = blocks->codec->bound(blocks->options.member_bytes);
		block->plain = g_malloc(blocks->options.member_bytes);
		block->packed = g_malloc(block->packed_limit);
	}
	return true;
}

static bool
submit(Blocks *blocks, bool has_mark, GError **error)
{
	Slot *slot = slot_of(blocks, blocks->submitted);

	while (is_oldest_packed(blocks))
		if (!emit_oldest(blocks, error))
			return false;
	if (!start_threads(blocks, error))
		return false;
	slot->block.plain_bytes = blocks->filled;
	slot->has_mark = has_mark;
	blocks->filled = 0;
	pthread_mutex_lock(&blocks->lock);
	slot->is_packed = false;
	blocks->submitted++;
	blocks->waiting_bytes += slot->block.plain_bytes;
	if (blocks->waiting_bytes >= WAKE_BYTES || blocks->submitted - blocks->taken >= WAKE_BLOCKS)
		pthread_cond_signal(&blocks->block_came);
	pthread_mutex_unlock(&blocks->lock);
	return true;
}

static bool
blocks_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Blocks *blocks = (Blocks *)self;
	const uint8_t *at = buf;

	while (len > 0) {
		size_t now = MIN(len, blocks->options.member_bytes - blocks->filled);

		if (!make_room(blocks, error))
			return false;
		memcpy(slot_of(blocks, blocks->submitted)->block.plain + blocks->filled, at, now);
		blocks->filled += now;
		at += now;
		len -= now;
		if (blocks->filled == blocks->options.member_bytes &&
		    !submit(blocks, !blocks->options.cuts_at_marks, error))
			return false;
	}
	return true;
}

static bool
blocks_mark(HfStage *self, GError **error)
{
	Blocks *blocks = (Blocks *)self;

	if (!blocks->options.cuts_at_marks)
		return true;
	if (blocks->filled > 0)
		return submit(blocks, true, error);
	if (blocks->submitted == blocks->emitted)
		return hf_stage_emit_mark(self, error);
	slot_of(blocks, blocks->submitted - 1)->has_mark = true;
	return true;
}

static bool
blocks_drain(HfStage *self, GError **error)
{
	Blocks *blocks = (Blocks *)self;

	while (blocks->emitted < blocks->submitted)
		if (!emit_oldest(blocks, error))
			return false;
	return true;
}

/* A stream of no bytes is one member of none: a file of no members is no gzip file. */
static bool
blocks_finish(HfStage *self, GError **error)
{
	Blocks *blocks = (Blocks *)self;

	if (blocks->filled > 0 || blocks->submitted == 0) {
		if (!make_room(blocks, error) || !submit(blocks, !blocks->options.cuts_at_marks, error))
			return false;
	}
	return blocks_drain(self, error);
}

static void
blocks_clear(HfStage *self)
{
	Blocks *blocks = (Blocks *)self;

	stop_threads(blocks);
	for (unsigned i = 0; i < blocks->slot_count; i++) {
		g_free(blocks->slots[i].block.plain);
		g_free(blocks->slots[i].block.packed);
		g_clear_error(&blocks->slots[i].error);
	}
	g_free(blocks->slots);
	pthread_mutex_destroy(&blocks->lock);
	pthread_cond_destroy(&blocks->block_came);
	pthread_cond_destroy(&blocks->block_packed);
}

HfStage *
hf_blocks_new(HfStage *next, const HfBlocksCodec *codec, const HfBlocksOptions *options, HfMembers *members)
{
	Blocks *blocks = g_new0(Blocks, 1);

	blocks->ops = (HfStageOps){
		.name = codec->name,
		.write = blocks_write,
		.mark = blocks_mark,
		.drain = blocks_drain,
		.finish = blocks_finish,
		.clear = blocks_clear,
	};
	hf_stage_init(&blocks->stage, &blocks->ops, next);
	blocks->codec = codec;
	blocks->options = *options;
	if (blocks->options.threads == 0)
		blocks->options.threads = hf_blocks_default_threads();
	blocks->options.threads = MIN(blocks->options.threads, HF_BLOCKS_THREADS_MAX);
	if (blocks->options.member_bytes == 0)
		blocks->options.member_bytes = HF_BLOCKS_MEMBER_BYTES;
	g_assert(blocks->options.member_bytes <= HF_BLOCKS_MEMBER_BYTES_MAX);
	blocks->members = members;
	blocks->slot_count = blocks->options.threads + SPARE_BLOCKS;
	blocks->slots = g_new0(Slot, blocks->slot_count);
	pthread_mutex_init(&blocks->lock, NULL);
	pthread_cond_init(&blocks->block_came, NULL);
	pthread_cond_init(&blocks->block_packed, NULL);
	return &blocks->stage;
}
