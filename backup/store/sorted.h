/*
 * backup/store/sorted.h -- a listing in byte order of key out of a store that does not list so.
 *
 * S3 promises byte order (Amazon S3 API Reference, "ListObjectsV2"); some servers that look like it do not keep the
 * promise.  The store is then listed in passes: each goes through all of it and takes the next 50,000 keys in order.
 * Memory stays constant, and a store of that many objects still needs one pass only.
 */
#pragma once

#include "backup/store/store.h"

/* The objects that are in it in each pass.  Borrows store. */
HfListing *hf_sorted_list(HfStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
