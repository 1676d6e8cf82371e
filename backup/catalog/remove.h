/*
 * backup/catalog/remove.h -- removing objects of which some may be locked.
 *
 * S3 Object Lock refuses to delete a locked version.  That is no failure: somebody wanted it so.  What is refused without a
 * lock is one.
 */
#pragma once

#include "backup/store/upkeep.h"

/* An object that stays for as long as its lock says. */
typedef struct {
	char *key;
	char *lock; /* in words: "until 2024-01-15T02:00:00Z (compliance)" */
} HfRetained;

void hf_retained_free(HfRetained *retained);

/* Removes the keys (of char *), and adds what a lock keeps to retained (of HfRetained). */
bool hf_remove(HfStore *store, const GPtrArray *keys, int64_t now_s, GPtrArray *retained,
	       GError **error) G_GNUC_WARN_UNUSED_RESULT;
