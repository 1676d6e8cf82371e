/*
 * backup/restore/pool.h -- several connections that work on one restore at the same time.
 *
 * Tasks are statements and pieces of tables; each is done by one connection.  Two that would wait for each other's locks
 * are never at work together.  The first failure stops all.
 */
#pragma once

#include "backup/archive/archive.h"
#include "backup/source/postgres.h"

typedef struct HfPool HfPool;

/* How another thread gets a handle of its own on the same store. */
typedef HfStore *(*HfStoreOpener)(gpointer data, GError **error);

typedef struct {
	const HfPgTarget *target;
	const char *preamble; /* the dump's SETs, run first on each connection */
	const HfArchive *archive;
	HfStoreOpener open_store;
	gpointer open_data;
	unsigned connections;
	uint64_t *bytes; /* plain bytes of rows that were copied, added atomically; NULL: not wanted */
} HfPoolOptions;

/* A piece of work; all owned.  Zero where it does not apply. */
typedef struct {
	char *sql;
	char *settings;      /* NULL, or SETs that must be in force for it */
	uint64_t line;       /* of the dump */
	char *table, *other; /* what it locks */
	bool is_exclusive;   /* nobody else may work on table or other meanwhile */
	uint64_t weight;     /* the larger first: see hf_pool_task_compare() */
	GByteArray *rows;    /* of a COPY, where they are at hand */
	/* Else of a COPY: the rows that begin behind the first line end at or behind range.offset, or at it where
	   is_first; up to and with the one that the range's end cuts, or to the table's end. */
	bool is_copy, is_first;
	HfRange range;
	uint64_t table_end;
	uint64_t *copied; /* borrowed: of a COPY, rows that the server took are added, atomically */
} HfPoolTask;

HfPoolTask *hf_pool_task_new(const char *sql, uint64_t line);
void hf_pool_task_free(gpointer task);
/* For g_ptr_array_sort(): larger first, then in the dump's order. */
gint hf_pool_task_compare(gconstpointer one, gconstpointer other);

/*
 * Opens the connections.  Where the server has no room for all of them, those that it has room for do the work; the
 * first one's failure is the error.  Borrows what options point to.
 */
HfPool *hf_pool_new(const HfPoolOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes the task, also on failure; waits while too much is queued.  Fails where an earlier task did. */
bool hf_pool_add(HfPool *pool, HfPoolTask *task, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Until all that was added is done. */
bool hf_pool_wait(HfPool *pool, GError **error) G_GNUC_WARN_UNUSED_RESULT;

unsigned hf_pool_connections(const HfPool *pool);

/* Stops what still goes on. */
void hf_pool_free(HfPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPool, hf_pool_free)
