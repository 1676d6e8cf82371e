#include "config.h"

#include "backup/stage/relay.h"
#include "common/error.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

/*
 * Buffers are numbered from 0 and live in buffers[number % HF_RELAY_BUFFERS]:
 *
 *   taken <= given <= taken + HF_RELAY_BUFFERS
 *
 * [taken, given) are full and the thread's; the next one is filled by the caller, once there is room.
 */
struct HfRelay {
	const char *name;
	size_t buffer_bytes;
	HfRelayTake take;
	void *context;
	char *buffers[HF_RELAY_BUFFERS];
	size_t filled;
	uint64_t given;       /* written by the caller alone, under lock */
	uint64_t taken;       /* guarded by lock */
	GError *failure;      /* the thread's, guarded by lock; once reported, the caller stops */
	bool is_stopping;     /* guarded by lock */
	GThread *thread;      /* NULL until a buffer is full */
	pthread_mutex_t lock; /* not a GMutex: ThreadSanitizer does not see into GLib */
	pthread_cond_t came;
	pthread_cond_t done;
};

HfRelay *
hf_relay_new(const char *name, size_t buffer_bytes, HfRelayTake take, void *context)
{
	HfRelay *relay = g_new0(HfRelay, 1);

	relay->name = name;
	relay->buffer_bytes = buffer_bytes;
	relay->take = take;
	relay->context = context;
	pthread_mutex_init(&relay->lock, NULL);
	pthread_cond_init(&relay->came, NULL);
	pthread_cond_init(&relay->done, NULL);
	return relay;
}

/* ---- the thread ---- */

/* True with the lock held where there is a buffer to take. */
static bool
wait_for_buffer(HfRelay *relay)
{
	while (relay->taken == relay->given && !relay->is_stopping)
		pthread_cond_wait(&relay->came, &relay->lock);
	return relay->taken < relay->given;
}

static gpointer
work(gpointer data)
{
	HfRelay *relay = data;

	pthread_mutex_lock(&relay->lock);
	while (wait_for_buffer(relay)) {
		const char *buffer = relay->buffers[relay->taken % HF_RELAY_BUFFERS];
		bool is_broken = relay->failure != NULL;
		GError *failure = NULL;

		pthread_mutex_unlock(&relay->lock);
		if (!is_broken)
			(void)relay->take(relay->context, buffer, relay->buffer_bytes, &failure);
		pthread_mutex_lock(&relay->lock);
		if (failure)
			relay->failure = failure;
		relay->taken++;
		pthread_cond_signal(&relay->done);
	}
	pthread_mutex_unlock(&relay->lock);
	return NULL;
}

static void
stop_thread(HfRelay *relay)
{
	if (!relay->thread)
		return;
	pthread_mutex_lock(&relay->lock);
	relay->is_stopping = true;
	pthread_cond_signal(&relay->came);
	pthread_mutex_unlock(&relay->lock);
	g_thread_join(g_steal_pointer(&relay->thread));
}

/* ---- the caller's side ---- */

/* Waits until at most so many buffers are the thread's. */
static bool
wait_for_thread(HfRelay *relay, uint64_t buffers, GError **error)
{
	GError *failure = NULL;

	pthread_mutex_lock(&relay->lock);
	while (relay->given - relay->taken > buffers)
		pthread_cond_wait(&relay->done, &relay->lock);
	if (relay->failure)
		failure = g_error_copy(relay->failure);
	pthread_mutex_unlock(&relay->lock);
	if (failure)
		g_propagate_error(error, failure);
	return failure == NULL;
}

/* After this the buffer that is filled is the caller's. */
static bool
make_room(HfRelay *relay, GError **error)
{
	char **buffer = &relay->buffers[relay->given % HF_RELAY_BUFFERS];

	if (!wait_for_thread(relay, HF_RELAY_BUFFERS - 1, error))
		return false;
	if (!*buffer)
		*buffer = g_aligned_alloc(1, relay->buffer_bytes, HF_RELAY_ALIGNMENT);
	return true;
}

static bool
give(HfRelay *relay, GError **error)
{
	g_autoptr(GError) cause = NULL;

	if (!relay->thread)
		relay->thread = g_thread_try_new(relay->name, work, relay, &cause);
	if (!relay->thread)
		return hf_error_set(error, HF_ERROR_FAILED, "start a thread (%s): %s", relay->name,
				    cause->message);
	pthread_mutex_lock(&relay->lock);
	relay->given++;
	pthread_cond_signal(&relay->came);
	pthread_mutex_unlock(&relay->lock);
	relay->filled = 0;
	return true;
}

bool
hf_relay_write(HfRelay *relay, const void *buf, size_t len, GError **error)
{
	const char *bytes = buf;

	while (len > 0) {
		size_t now = MIN(len, relay->buffer_bytes - relay->filled);

		if (relay->filled == 0 && !make_room(relay, error))
			return false;
		memcpy(relay->buffers[relay->given % HF_RELAY_BUFFERS] + relay->filled, bytes, now);
		relay->filled += now;
		bytes += now;
		len -= now;
		if (relay->filled == relay->buffer_bytes && !give(relay, error))
			return false;
	}
	return true;
}

bool
hf_relay_finish(HfRelay *relay, GError **error)
{
	size_t rest = relay->filled;

	if (!wait_for_thread(relay, 0, error))
		return false;
	stop_thread(relay);
	relay->filled = 0;
	return rest == 0 ||
	       relay->take(relay->context, relay->buffers[relay->given % HF_RELAY_BUFFERS], rest, error);
}

void
hf_relay_free(HfRelay *relay)
{
	if (!relay)
		return;
	stop_thread(relay);
	for (int i = 0; i < HF_RELAY_BUFFERS; i++)
		g_aligned_free(relay->buffers[i]);
	g_clear_error(&relay->failure);
	pthread_mutex_destroy(&relay->lock);
	pthread_cond_destroy(&relay->came);
	pthread_cond_destroy(&relay->done);
	g_free(relay);
}
