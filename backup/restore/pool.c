#include "config.h"

#include "backup/restore/pool.h"
#include "backup/restore/rows.h"
#include "backup/restore/session.h"
#include "common/cancel.h"
#include "common/error.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* What waits in the queue: enough that nobody idles, little enough to be no matter of memory. */
#define QUEUED_BYTES_MAX ((size_t)16 << 20)
/* A statement that began between the flag and the order to stop gets the order again. */
#define STOP_AGAIN_MS 200

typedef struct {
	HfPool *pool;
	PGconn *connection;
	PGcancel *cancel;
	HfStore *store;
	char *settings; /* that are in force */
	const HfPoolTask *task;
	pthread_t thread;
	bool is_started;
} Worker;

struct HfPool {
	HfPoolOptions options;
	GPtrArray *workers;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* guarded by lock */
	GQueue queue; /* of HfPoolTask */
	size_t queued_bytes;
	unsigned busy;
	bool is_stopping;
	GError *error;
};

/* ---- tasks ---- */

HfPoolTask *
hf_pool_task_new(const char *sql, uint64_t line)
{
	HfPoolTask *task = g_new0(HfPoolTask, 1);

	task->sql = g_strdup(sql);
	task->line = line;
	return task;
}

void
hf_pool_task_free(gpointer data)
{
	HfPoolTask *task = data;

	if (!task)
		return;
	g_free(task->sql);
	g_free(task->settings);
	g_free(task->table);
	g_free(task->other);
	g_clear_pointer(&task->rows, g_byte_array_unref);
	g_free(task);
}

gint
hf_pool_task_compare(gconstpointer one, gconstpointer other)
{
	const HfPoolTask *a = *(HfPoolTask *const *)one, *b = *(HfPoolTask *const *)other;

	if (a->weight != b->weight)
		return a->weight > b->weight ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

static size_t
task_bytes(const HfPoolTask *task)
{
	/* A piece of a table that lies in the store weighs as much as a share of the queue, so that few are made ahead. */
	return strlen(task->sql) + (task->rows ? task->rows->len : 0) +
	       (task->is_copy ? QUEUED_BYTES_MAX / 64 : 0);
}

static bool
is_one_of(const char *name, const HfPoolTask *task)
{
	return name && (g_strcmp0(name, task->table) == 0 || g_strcmp0(name, task->other) == 0);
}

static bool
collide(const HfPoolTask *one, const HfPoolTask *other)
{
	return (one->is_exclusive || other->is_exclusive) &&
	       (is_one_of(one->table, other) || is_one_of(one->other, other));
}

typedef enum {
	STANDS_IN_THE_WAY, /* one would wait for the other's lock */
	IS_CROWDED,        /* both make one table longer, and take turns at that */
	IS_FREE
} Turn;

/* With the lock. */
static Turn
turn_of(const HfPool *pool, const HfPoolTask *task)
{
	Turn turn = IS_FREE;

	for (guint i = 0; i < pool->workers->len; i++) {
		const HfPoolTask *other = ((const Worker *)pool->workers->pdata[i])->task;

		if (other && collide(task, other))
			return STANDS_IN_THE_WAY;
		if (other && task->is_copy && other->is_copy && g_strcmp0(task->table, other->table) == 0)
			turn = IS_CROWDED;
	}
	return turn;
}

/* The first of the queue that nobody who is at work stands in the way of; with the lock. */
static HfPoolTask *
take_task(HfPool *pool)
{
	GList *found = NULL;
	HfPoolTask *task;

	for (GList *link = pool->queue.head; link; link = link->next) {
		Turn turn = turn_of(pool, link->data);

		if (turn == IS_FREE || (turn == IS_CROWDED && !found))
			found = link;
		if (turn == IS_FREE)
			break;
	}
	if (!found)
		return NULL;
	task = found->data;
	g_queue_delete_link(&pool->queue, found);
	pool->queued_bytes -= task_bytes(task);
	return task;
}

/* ---- a worker ---- */

static bool
put_settings(Worker *worker, const HfPoolTask *task, GError **error)
{
	if (!task->settings || g_strcmp0(task->settings, worker->settings) == 0)
		return true;
	g_free(worker->settings);
	worker->settings = g_strdup(task->settings);
	return hf_session_run(worker->connection, task->settings, (HfPlace){.line = task->line}, error);
}

static bool
copy_task(Worker *worker, const HfPoolTask *task, GError **error)
{
	const HfRows rows = {
		.store = worker->store,
		.archive = worker->pool->options.archive,
		.connection = worker->connection,
		.table = task->table,
		.sql = task->sql,
		.line = task->line,
		.copied = task->copied,
		.bytes = worker->pool->options.bytes,
		.is_stopped = &worker->pool->is_stopping,
	};

	if (task->rows)
		return hf_rows_copy_bytes(&rows, (const char *)task->rows->data, task->rows->len, error);
	return hf_rows_copy_range(&rows, task->range, task->is_first, task->table_end, error);
}

static bool
do_task(Worker *worker, const HfPoolTask *task, GError **error)
{
	if (!put_settings(worker, task, error))
		return false;
	if (task->is_copy)
		return copy_task(worker, task, error);
	return hf_session_run(worker->connection, task->sql, (HfPlace){.line = task->line}, error);
}

/* With the lock. */
static void
order_to_stop(HfPool *pool)
{
	char words[256];

	__atomic_store_n(&pool->is_stopping, true, __ATOMIC_RELAXED);
	for (guint i = 0; i < pool->workers->len; i++) {
		Worker *worker = pool->workers->pdata[i];

		if (worker->task)
			(void)PQcancel(worker->cancel, words, sizeof words);
	}
	pthread_cond_broadcast(&pool->changed);
}

/* With the lock. */
static void
end_task(Worker *worker, HfPoolTask *task, GError *failure)
{
	HfPool *pool = worker->pool;

	worker->task = NULL;
	pool->busy--;
	hf_pool_task_free(task);
	if (failure && !pool->error && !pool->is_stopping) {
		pool->error = failure;
		order_to_stop(pool);
	} else {
		g_clear_error(&failure);
	}
	pthread_cond_broadcast(&pool->changed);
}

static void *
work(void *data)
{
	Worker *worker = data;
	HfPool *pool = worker->pool;

	pthread_mutex_lock(&pool->lock);
	while (!pool->is_stopping) {
		HfPoolTask *task = take_task(pool);
		GError *failure = NULL;

		if (!task) {
			pthread_cond_wait(&pool->changed, &pool->lock);
			continue;
		}
		worker->task = task;
		pool->busy++;
		pthread_cond_broadcast(&pool->changed);
		pthread_mutex_unlock(&pool->lock);
		(void)!do_task(worker, task, &failure);
		pthread_mutex_lock(&pool->lock);
		end_task(worker, task, failure);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* ---- the pool ---- */

static void
worker_free(gpointer data)
{
	Worker *worker = data;

	PQfreeCancel(worker->cancel);
	PQfinish(worker->connection);
	hf_store_free(worker->store);
	g_free(worker->settings);
	g_free(worker);
}

/* Waits for a change, at most a moment; with the lock. */
static void
wait_a_moment(HfPool *pool)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += STOP_AGAIN_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	(void)pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
}

static void
stop(HfPool *pool)
{
	pthread_mutex_lock(&pool->lock);
	order_to_stop(pool);
	while (pool->busy > 0) {
		wait_a_moment(pool);
		order_to_stop(pool);
	}
	pthread_mutex_unlock(&pool->lock);
	for (guint i = 0; i < pool->workers->len; i++) {
		Worker *worker = pool->workers->pdata[i];

		if (worker->is_started)
			(void)pthread_join(worker->thread, NULL);
	}
}

void
hf_pool_free(HfPool *pool)
{
	if (!pool)
		return;
	stop(pool);
	for (HfPoolTask *task; (task = g_queue_pop_head(&pool->queue));)
		hf_pool_task_free(task);
	g_ptr_array_unref(pool->workers);
	g_clear_error(&pool->error);
	(void)pthread_cond_destroy(&pool->changed);
	(void)pthread_mutex_destroy(&pool->lock);
	g_free(pool);
}

/* Commits on the way need not wait for the disk: the last one of the restore does, and with it all before. */
static const char session_sql[] = "SET synchronous_commit = off";

/* Where we die, the server's side of an index does, too; not every server can. */
static const char interval_sql[] =
	"SELECT pg_catalog.set_config(name, '10s', false) FROM pg_catalog.pg_settings"
	" WHERE name = 'client_connection_check_interval'";

/* More memory for sorts where the server was given plenty: a quarter of its buffers for all connections together. */
static const char memory_sql[] =
	"SELECT pg_catalog.set_config('maintenance_work_mem', least(b.kb / 4 / %u, 1048576)::text || 'kB', "
	"false)"
	" FROM (SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) / 1024 AS kb) b"
	" WHERE least(b.kb / 4 / %u, 1048576) >"
	" pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) / 1024";

static bool
add_worker(HfPool *pool, GError **error)
{
	const HfPoolOptions *options = &pool->options;
	g_autofree char *memory = g_strdup_printf(memory_sql, options->connections, options->connections);
	g_autoptr(PGconn) connection = hf_pg_connect(options->target, error);
	const HfPlace nowhere = {0};
	Worker *worker;

	if (!connection || !hf_session_run(connection, options->preamble, nowhere, error) ||
	    !hf_session_run(connection, session_sql, nowhere, error) ||
	    !hf_session_run(connection, memory, nowhere, error))
		return false;
	(void)!hf_session_run(connection, interval_sql, nowhere, NULL);
	worker = g_new0(Worker, 1);
	worker->pool = pool;
	worker->connection = g_steal_pointer(&connection);
	worker->cancel = PQgetCancel(worker->connection);
	g_ptr_array_add(pool->workers, worker);
	worker->store = options->open_store(options->open_data, error);
	return worker->store != NULL;
}

static bool
add_workers(HfPool *pool, GError **error)
{
	for (unsigned i = 0; i < pool->options.connections; i++) {
		g_autoptr(GError) failure = NULL;

		if (add_worker(pool, &failure))
			continue;
		if (i == 0 || !hf_error_is(failure, HF_ERROR_TRANSIENT)) {
			g_propagate_error(error, g_steal_pointer(&failure));
			return false;
		}
		g_warning("restoring over %u connections only: %s", i, failure->message);
		return true;
	}
	return true;
}

HfPool *
hf_pool_new(const HfPoolOptions *options, GError **error)
{
	g_autoptr(HfPool) pool = g_new0(HfPool, 1);

	pool->options = *options;
	pool->workers = g_ptr_array_new_with_free_func(worker_free);
	(void)pthread_mutex_init(&pool->lock, NULL);
	(void)pthread_cond_init(&pool->changed, NULL);
	g_queue_init(&pool->queue);
	if (!add_workers(pool, error))
		return NULL;
	for (guint i = 0; i < pool->workers->len; i++) {
		Worker *worker = pool->workers->pdata[i];

		worker->is_started = pthread_create(&worker->thread, NULL, work, worker) == 0;
		if (!worker->is_started && i == 0) {
			hf_error_set(error, HF_ERROR_FAILED, "no thread could be started");
			return NULL;
		}
	}
	return g_steal_pointer(&pool);
}

/* With the lock: the failure of a task, once. */
static bool
tell_failure(HfPool *pool, GError **error)
{
	if (pool->error) {
		g_propagate_error(error, g_steal_pointer(&pool->error));
		return false;
	}
	return !pool->is_stopping ||
	       hf_error_set(error, HF_ERROR_FAILED, "the restore was stopped by an earlier failure");
}

bool
hf_pool_add(HfPool *pool, HfPoolTask *task, GError **error)
{
	bool ok;

	pthread_mutex_lock(&pool->lock);
	while (pool->queued_bytes > QUEUED_BYTES_MAX && !pool->is_stopping)
		pthread_cond_wait(&pool->changed, &pool->lock);
	ok = tell_failure(pool, error);
	if (ok) {
		g_queue_push_tail(&pool->queue, task);
		pool->queued_bytes += task_bytes(task);
		pthread_cond_broadcast(&pool->changed);
	}
	pthread_mutex_unlock(&pool->lock);
	if (!ok)
		hf_pool_task_free(task);
	return ok;
}

bool
hf_pool_wait(HfPool *pool, GError **error)
{
	bool ok;

	pthread_mutex_lock(&pool->lock);
	while ((pool->busy > 0 || pool->queue.length > 0) && !pool->is_stopping)
		pthread_cond_wait(&pool->changed, &pool->lock);
	ok = tell_failure(pool, error);
	pthread_mutex_unlock(&pool->lock);
	return ok;
}

unsigned
hf_pool_connections(const HfPool *pool)
{
	return pool->workers->len;
}
