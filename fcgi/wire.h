/*
 * fcgi/wire.h -- the records of FastCGI 1.0, as a client of the responder role sends and reads them.
 *
 * The FastCGI Specification, version 1.0 (M. R. Brown, 29 April 1996): records in section 3.3, name-value pairs in 3.4,
 * begin, params, stdin, stdout, stderr and end in section 5, the responder in 6.2, all numbers in section 8.  One request
 * a connection, which the application closes, so the request's id is always 1.
 *
 * The reader takes bytes as they come, in pieces of any size, and holds no more of a reply than it was allowed.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Appends FCGI_BEGIN_REQUEST: responder, connection not kept. */
void hf_wire_begin(GByteArray *out);

/* Appends a name-value pair to a block of params, which hf_wire_stream() then makes records of. */
void hf_wire_pair(GByteArray *params, const char *name, const char *value);

typedef enum {
	HF_WIRE_PARAMS = 4,
	HF_WIRE_STDIN = 5
} HfWireStream;

/* Appends a whole stream: its records, and the empty one that ends it. */
void hf_wire_stream(GByteArray *out, HfWireStream stream, const void *bytes, size_t len);

typedef struct HfWireReader HfWireReader;

/* limit_bytes bounds what is taken of stdout; of stderr the last 4 KiB are kept. */
HfWireReader *hf_wire_reader_new(size_t limit_bytes);
void hf_wire_reader_free(HfWireReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfWireReader, hf_wire_reader_free)

/*
 * CORRUPT where the bytes are no reply to our request, FAILED where it is too large or the application gave the request
 * up, TRANSIENT where it says that it is overloaded.  After an error nothing more may be fed.
 */
bool hf_wire_feed(HfWireReader *reader, const void *bytes, size_t len,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* FCGI_END_REQUEST was read; what is fed from then on is not looked at. */
bool hf_wire_is_ended(const HfWireReader *reader);

/* What came on stdout and stderr up to now.  Borrowed. */
const GByteArray *hf_wire_stdout(const HfWireReader *reader);
const char *hf_wire_stderr(const HfWireReader *reader);
