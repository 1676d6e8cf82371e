/*
 * fcgi/records.h -- a large reply, written to the web server without libfcgi's buffer.
 *
 * libfcgi copies a reply into records of 8 KB and writes each by itself.  A reply that is kept ready in memory is better
 * written from where it lies, in records of the largest size and few calls.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From this length on it is worth it. */
#define HF_RECORDS_WORTH_BYTES ((size_t)32 << 10)

/* Room for a status of 1,000 backups and its records, so that the worker need not wait for nginx to read (unix(7)). */
#define HF_RECORDS_SOCKET_BYTES (208 << 10)

/*
 * Writes bytes to a blocking socket as FCGI_STDOUT records of a request (FastCGI 1.0, sections 3.3 and 5.3).  Whatever libfcgi
 * holds of that stream must have been flushed.  False where the peer has gone, or takes nothing for as long as SO_SNDTIMEO says.
 */
bool hf_records_put(int fd, uint16_t request_id, const void *bytes, size_t len);
