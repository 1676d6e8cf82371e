#include "config.h"

#include "backup/source/hasher.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* Beside the caller's own thread and the compressors more than this has nothing to do. */
#define THREADS_MAX 4

typedef struct {
	GBytes *content;
	uint8_t sha256[HF_HASHER_BYTES];
	bool is_done;
} Slot;

/*
 * Contents that wait before a thread is woken: waking one for each was seen to cost a tenth of a run over images of
 * 100 KB.  Who waits for a content that nobody has begun wakes one, too.
 */
#define BATCH 8

/* Numbered from 0, in slots[number % capacity]:  taken <= begun <= pushed. */
struct HfHasher {
	Slot slots[HF_HASHER_CAPACITY];
	uint64_t taken, begun, pushed;
	size_t bytes; /* the caller's alone */
	bool is_stopping;
	pthread_mutex_t lock; /* not a GMutex: ThreadSanitizer does not see into GLib */
	pthread_cond_t came;
	pthread_cond_t done;
	unsigned thread_count;
	GThread *threads[THREADS_MAX];
};

static void
hash(Slot *slot)
{
	gsize len;
	const void *bytes = g_bytes_get_data(slot->content, &len);
	int rc = EVP_Digest(bytes, len, slot->sha256, NULL, EVP_sha256(), NULL);

	/* It fails only where there is no memory, and then GLib ends the process as well. */
	g_assert(rc == 1);
}

static Slot *
begin_next(HfHasher *hasher)
{
	Slot *slot = NULL;

	pthread_mutex_lock(&hasher->lock);
	while (!hasher->is_stopping && hasher->begun == hasher->pushed)
		pthread_cond_wait(&hasher->came, &hasher->lock);
	if (!hasher->is_stopping)
		slot = &hasher->slots[hasher->begun++ % HF_HASHER_CAPACITY];
	pthread_mutex_unlock(&hasher->lock);
	return slot;
}

static gpointer
work(gpointer data)
{
	HfHasher *hasher = data;
	Slot *slot;

	while ((slot = begin_next(hasher))) {
		hash(slot);
		pthread_mutex_lock(&hasher->lock);
		slot->is_done = true;
		pthread_cond_signal(&hasher->done);
		pthread_mutex_unlock(&hasher->lock);
	}
	return NULL;
}

HfHasher *
hf_hasher_new(void)
{
	HfHasher *hasher = g_new0(HfHasher, 1);

	pthread_mutex_init(&hasher->lock, NULL);
	pthread_cond_init(&hasher->came, NULL);
	pthread_cond_init(&hasher->done, NULL);
	hasher->thread_count = MIN(g_get_num_processors(), THREADS_MAX);
	for (unsigned i = 0; i < hasher->thread_count; i++)
		hasher->threads[i] = g_thread_new("sha256", work, hasher);
	return hasher;
}

void
hf_hasher_push(HfHasher *hasher, GBytes *content)
{
	Slot *slot = &hasher->slots[hasher->pushed % HF_HASHER_CAPACITY];

	g_assert(hf_hasher_count(hasher) < HF_HASHER_CAPACITY);
	hasher->bytes += g_bytes_get_size(content);
	pthread_mutex_lock(&hasher->lock);
	slot->content = g_bytes_ref(content);
	slot->is_done = false;
	hasher->pushed++;
	if (hasher->pushed - hasher->begun >= BATCH)
		pthread_cond_signal(&hasher->came);
	pthread_mutex_unlock(&hasher->lock);
}

unsigned
hf_hasher_count(const HfHasher *hasher)
{
	return (unsigned)(hasher->pushed - hasher->taken);
}

size_t
hf_hasher_bytes(const HfHasher *hasher)
{
	return hasher->bytes;
}

void
hf_hasher_take(HfHasher *hasher, uint8_t sha256_out[HF_HASHER_BYTES])
{
	Slot *slot = &hasher->slots[hasher->taken % HF_HASHER_CAPACITY];

	g_assert(hf_hasher_count(hasher) > 0);
	pthread_mutex_lock(&hasher->lock);
	if (hasher->begun <= hasher->taken)
		pthread_cond_broadcast(&hasher->came);
	while (!slot->is_done)
		pthread_cond_wait(&hasher->done, &hasher->lock);
	pthread_mutex_unlock(&hasher->lock);
	memcpy(sha256_out, slot->sha256, HF_HASHER_BYTES);
	hasher->bytes -= g_bytes_get_size(slot->content);
	g_clear_pointer(&slot->content, g_bytes_unref);
	hasher->taken++;
}

void
hf_hasher_free(HfHasher *hasher)
{
	if (!hasher)
		return;
	pthread_mutex_lock(&hasher->lock);
	hasher->is_stopping = true;
	pthread_cond_broadcast(&hasher->came);
	pthread_mutex_unlock(&hasher->lock);
	for (unsigned i = 0; i < hasher->thread_count; i++)
		g_thread_join(hasher->threads[i]);
	for (; hasher->taken < hasher->pushed; hasher->taken++)
		g_bytes_unref(hasher->slots[hasher->taken % HF_HASHER_CAPACITY].content);
	pthread_mutex_destroy(&hasher->lock);
	pthread_cond_destroy(&hasher->came);
	pthread_cond_destroy(&hasher->done);
	g_free(hasher);
}
