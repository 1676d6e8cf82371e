/*
 * tests/backup/store/s3-fixture.h -- what the tests of the S3 store share: the real server, and the fault proxy.
 *
 * The server's address comes from HF_TEST_S3_*; without it the tests fail.  Each program has a bucket of its own, made
 * by the first fixture call and left to the server, which is thrown away.
 */
#pragma once

#include "backup/store/s3-impl.h"
#include "backup/store/s3.h"

/* The value of an environment variable; ends the program where it is missing. */
const char *fixture_env(const char *name);

HfCredentials *fixture_credentials(void);
HfCredentials *fixture_other_credentials(void);

/* The bucket of this program; it exists. */
const char *fixture_bucket(void);

/* A store at endpoint (NULL: the server itself), with prefix (NULL: none), four tries and parts of 5 MiB. */
HfStore *fixture_store(const char *endpoint, const char *prefix);
/* The same; a connection is given up that is silent for so long.  Where requests are counted, no busy server must be. */
HfStore *fixture_store_stalling(const char *endpoint, const char *prefix, unsigned stall_s);

/* Runs awscli with arguments (NULL-terminated) after "aws --endpoint-url ... "; its output, which must succeed. */
char *fixture_aws(const char *first, ...) G_GNUC_NULL_TERMINATED;

/* bytes of a fixed pattern in which no two pages are equal. */
GBytes *fixture_bytes(size_t len);

/* Stores bytes under key, in pieces of 100,000. */
bool fixture_put(HfStore *store, const char *key, GBytes *bytes, GError **error);
/* The range of the object, at most 64 MiB. */
GBytes *fixture_get(HfStore *store, const char *key, HfRange range, GError **error);
/* All keys with prefix, joined by newlines. */
char *fixture_keys(HfStore *store, const char *prefix, const char *start_after, GError **error);

/* The number of multipart uploads of the bucket that are not finished. */
unsigned fixture_uploads(void);

/* Starts the proxy in front of the server; its address is borrowed. */
const char *fixture_proxy(void);
/* Replaces the proxy's faults by a JSON list, and its counts by zeros. */
void fixture_faults(const char *json);
/* How many requests of this method ("PUT") came since, or how many faults were done ("faults"), or are held ("held"). */
unsigned fixture_count(const char *method);
/* Waits until it is so many. */
void fixture_wait(const char *method, unsigned count);
/* Ends the proxy. */
void fixture_end(void);
