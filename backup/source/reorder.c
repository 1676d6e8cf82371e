#include "config.h"

#include "backup/source/reorder.h"

#include <pthread.h>

typedef struct {
	char *bytes;
	size_t len;
	uint64_t piece;
	bool ends_piece;
} Chunk;

/* [taken, filled) wait for the consumer; chunks[filled % count] is the reader's.  Both are guarded by the lock. */
typedef struct {
	Chunk *chunks;
	uint64_t taken, filled;
	uint64_t piece;           /* the reader's alone: what it claimed */
	pthread_cond_t has_space; /* for the lane's reader */
} Lane;

struct HfReorder {
	Lane lanes[HF_REORDER_LANES_MAX];
	unsigned lane_count;
	unsigned chunks_a_lane;
	uint64_t pieces;
	uint64_t wanted; /* the consumer's alone: the oldest piece that has not ended */
	Lane *held;      /* the consumer's alone: the lane whose oldest chunk it looks at, or NULL */

	pthread_mutex_t lock;      /* not a GMutex: ThreadSanitizer does not see into GLib */
	pthread_cond_t chunk_came; /* for the consumer */
	uint64_t claimed;          /* guarded by lock */
	bool is_stopped;           /* guarded by lock */
	GError *error;             /* guarded by lock */
};

HfReorder *
hf_reorder_new(unsigned lanes, uint64_t pieces)
{
	HfReorder *self = g_new0(HfReorder, 1);

	g_assert(lanes >= 1 && lanes <= HF_REORDER_LANES_MAX);
	self->lane_count = lanes;
	self->pieces = pieces;
	self->chunks_a_lane = (unsigned)(HF_REORDER_BYTES / HF_REORDER_CHUNK_BYTES / lanes);
	pthread_mutex_init(&self->lock, NULL);
	pthread_cond_init(&self->chunk_came, NULL);
	for (unsigned i = 0; i < lanes; i++) {
		self->lanes[i].chunks = g_new0(Chunk, self->chunks_a_lane);
		pthread_cond_init(&self->lanes[i].has_space, NULL);
	}
	return self;
}

/* ---- readers ---- */

bool
hf_reorder_claim(HfReorder *self, unsigned lane, uint64_t *piece_out)
{
	bool is_claimed;

	pthread_mutex_lock(&self->lock);
	is_claimed = !self->is_stopped && self->claimed < self->pieces;
	if (is_claimed)
		*piece_out = self->lanes[lane].piece = self->claimed++;
	pthread_mutex_unlock(&self->lock);
	return is_claimed;
}

char *
hf_reorder_space(HfReorder *self, unsigned lane_number)
{
	Lane *lane = &self->lanes[lane_number];
	Chunk *chunk = NULL;

	pthread_mutex_lock(&self->lock);
	while (!self->is_stopped && lane->filled - lane->taken == self->chunks_a_lane)
		pthread_cond_wait(&lane->has_space, &self->lock);
	if (!self->is_stopped)
		chunk = &lane->chunks[lane->filled % self->chunks_a_lane];
	pthread_mutex_unlock(&self->lock);
	if (chunk && !chunk->bytes)
		chunk->bytes = g_malloc(HF_REORDER_CHUNK_BYTES);
	return chunk ? chunk->bytes : NULL;
}

void
hf_reorder_commit(HfReorder *self, unsigned lane_number, size_t len, bool ends_piece)
{
	Lane *lane = &self->lanes[lane_number];
	Chunk *chunk = &lane->chunks[lane->filled % self->chunks_a_lane];

	g_assert(len <= HF_REORDER_CHUNK_BYTES);
	chunk->len = len;
	chunk->piece = lane->piece;
	chunk->ends_piece = ends_piece;
	pthread_mutex_lock(&self->lock);
	lane->filled++;
	pthread_cond_signal(&self->chunk_came);
	pthread_mutex_unlock(&self->lock);
}

static void
stop_locked(HfReorder *self)
{
	self->is_stopped = true;
	pthread_cond_signal(&self->chunk_came);
	for (unsigned i = 0; i < self->lane_count; i++)
		pthread_cond_signal(&self->lanes[i].has_space);
}

void
hf_reorder_fail(HfReorder *self, GError *error)
{
	pthread_mutex_lock(&self->lock);
	if (self->error)
		g_error_free(error);
	else
		self->error = error;
	stop_locked(self);
	pthread_mutex_unlock(&self->lock);
}

void
hf_reorder_stop(HfReorder *self)
{
	pthread_mutex_lock(&self->lock);
	stop_locked(self);
	pthread_mutex_unlock(&self->lock);
}

/* ---- the consumer ---- */

/* The lane at whose head the wanted piece lies, or NULL where it has not come. */
static Lane *
find_wanted(HfReorder *self)
{
	for (unsigned i = 0; i < self->lane_count; i++) {
		Lane *lane = &self->lanes[i];

		if (lane->taken < lane->filled &&
		    lane->chunks[lane->taken % self->chunks_a_lane].piece == self->wanted)
			return lane;
	}
	return NULL;
}

static void
give_back(HfReorder *self)
{
	if (!self->held)
		return;
	self->held->taken++;
	pthread_cond_signal(&self->held->has_space);
	self->held = NULL;
}

bool
hf_reorder_next(HfReorder *self, HfReorderChunk *chunk_out, GError **error)
{
	const Chunk *chunk = NULL;

	g_assert(self->wanted < self->pieces);
	pthread_mutex_lock(&self->lock);
	give_back(self);
	while (!self->error && !self->is_stopped && !(self->held = find_wanted(self)))
		pthread_cond_wait(&self->chunk_came, &self->lock);
	g_assert(self->held || self->error); /* the consumer is who stops it otherwise */
	if (self->error)
		g_propagate_error(error, g_error_copy(self->error));
	else
		chunk = &self->held->chunks[self->held->taken % self->chunks_a_lane];
	pthread_mutex_unlock(&self->lock);
	if (!chunk)
		return false;
	*chunk_out = (HfReorderChunk){chunk->bytes, chunk->len, chunk->ends_piece};
	if (chunk->ends_piece)
		self->wanted++;
	return true;
}

void
hf_reorder_free(HfReorder *self)
{
	if (!self)
		return;
	for (unsigned i = 0; i < self->lane_count; i++) {
		for (unsigned j = 0; j < self->chunks_a_lane; j++)
			g_free(self->lanes[i].chunks[j].bytes);
		g_free(self->lanes[i].chunks);
		pthread_cond_destroy(&self->lanes[i].has_space);
	}
	pthread_cond_destroy(&self->chunk_came);
	pthread_mutex_destroy(&self->lock);
	g_clear_error(&self->error);
	g_free(self);
}
