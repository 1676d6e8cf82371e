/*
 * backup/store/s3.h -- a bucket as a store: Amazon S3 and whatever speaks its protocol.
 *
 * Uploads go out in parts of one fixed size, several at a time, each retried alone; what fits into one part is one PUT.
 * Every request is signed with Signature Version 4, the payload's SHA-256 included, anew on each try, with the clock
 * corrected by what the server's Date header taught.  5xx, 429, SlowDown, timeouts and resets are retried with jittered
 * pauses, a bounded number of times.  Memory: (connections + 1) x part_bytes while an upload is open.
 */
#pragma once

#include "backup/store/s3-credentials.h"
#include "backup/store/s3-storing.h"
#include "backup/store/store.h"

/* Zero and NULL mean the default, which is written behind each. */
typedef struct {
	const char *bucket;       /* required */
	const char *prefix;       /* "": the whole bucket.  No slash at either end */
	const char *region;       /* "us-east-1" */
	const char *endpoint_url; /* NULL: AWS's own for region; "http://127.0.0.1:7480" and the like */
	bool force_path_style;    /* false: bucket.host where the bucket's name can be part of a host name */
	bool use_accelerate;      /* S3 Transfer Acceleration: AWS alone, without an endpoint_url */
	const HfS3Storing *storing; /* NULL: nothing special; copied */
	const char *ca_file;        /* NULL: the system's; a PEM file of a private CA */
	size_t part_bytes;          /* 16 MiB; 5 MiB to 5 GiB (S3 User Guide, "multipart upload limits") */
	uint64_t copy_part_bytes;   /* 256 MiB: what a server copies by one request (hf_store_copy()) */
	unsigned connections;       /* 4: parts in flight */
	unsigned tries;             /* 6 */
	unsigned stall_s;           /* 30: a transfer under 1 byte/s for so long is a timeout */
} HfS3Options;

/*
 * Opens a bucket without asking it anything; options are copied, credentials are taken, also on failure.
 * USAGE where an option is out of bounds; the message names the setting.
 */
HfStore *hf_s3_open(const HfS3Options *options, HfCredentials *credentials,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;
