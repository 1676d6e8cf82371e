/*
 * backup/store/expect-impl.h -- for store.c, which asks before it reads; those who expect include expect.h.
 */
#pragma once

#include "backup/store/store.h"

typedef struct HfExpected HfExpected;

/*
 * The content of an object that was expected and has been taken, once; the caller owns the reference.  NULL where it was not:
 * read it.
 */
GBytes *hf_store_take_expected(HfStore *store, const char *key);
