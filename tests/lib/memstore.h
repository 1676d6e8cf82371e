/*
 * tests/lib/memstore.h -- a source of images in memory: any key, any order, any trouble.
 */
#pragma once

#include "backup/store/store-impl.h"

HfStore *memstore_new(void);

/* Adds or replaces; each time the object gets a new etag.  type may be NULL. */
void memstore_put(HfStore *store, const char *key, const char *bytes, size_t len, const char *type);
void memstore_remove(HfStore *store, const char *key);
void memstore_clear(HfStore *store);
unsigned memstore_count(const HfStore *store);

/* Lists from the last key to the first. */
void memstore_list_backwards(HfStore *store, bool is_backwards);

/* Reading the key fails with this code (while it streams, where it is large: after half of it); 0: no more. */
void memstore_trouble(HfStore *store, const char *key, int code);

/* The listing fails after so many objects; 0: no more. */
void memstore_cut_list(HfStore *store, unsigned after);

/* The process is asked to stop after so many objects were listed; 0: no more. */
void memstore_stop_after(HfStore *store, unsigned after);

/* How many objects were read so far. */
unsigned memstore_reads(const HfStore *store);

typedef void (*MemstoreFunc)(const char *key, GBytes *content, gpointer context);
void memstore_foreach(HfStore *store, MemstoreFunc call, gpointer context);
