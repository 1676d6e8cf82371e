/*
 * tests/backup/store/many-fixture.h -- what the tests of fetch and put share: contents, folders, and a fetch to its end.
 */
#pragma once

#include "backup/store/fetch.h"
#include "backup/store/put.h"

/* len bytes that are another for each seed. */
GBytes *many_content(guint32 seed, size_t len);

/* A size from 0 to 300,000 that is fixed for i; small ones are more frequent, and some are 0. */
size_t many_size(guint32 i);

/* "00042.jpg"; borrowed until the next call. */
const char *many_key(guint32 i);

/* A new folder, and its end with all that is in it. */
char *many_folder_new(void);
void many_folder_free(char *folder);
typedef char many_folder;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(many_folder, many_folder_free)

/* Writes the objects many_key(0) to many_key(count - 1), with many_content(i, many_size(i)), by one put. */
void many_put(HfStore *store, guint32 count);

void many_ask(HfFetch *fetch, const char *key, uint64_t bytes);

/* Asks for all that many_put() wrote. */
void many_ask_all(HfFetch *fetch, guint32 count);

/* Fetches what is pending and wants all of many_put(), in order, but the object called but (or NULL). */
void many_want_all(HfFetch *fetch, guint32 count, const char *but);

/* The next outcome; it must not end. */
const HfFetched *many_next(HfFetch *fetch);
