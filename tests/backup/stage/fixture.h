/*
 * tests/backup/stage/fixture.h -- a sink that records, plain bytes to pack, and chains run to their end.
 */
#pragma once

#include "backup/stage/stage.h"
#include "common/error.h"

#include <stdint.h>

/* What became of a chain; lives longer than its sink. */
typedef struct {
	GByteArray *bytes;
	GArray *marks;  /* of size_t: bytes->len when the mark came */
	size_t fail_at; /* a write that would pass this many bytes fails; 0: never */
	bool fails_at_mark;
	bool fails_at_finish;
	int writes; /* how often the hook was called */
	bool is_committed;
	bool is_discarded;
	int *finish_clock; /* shared: counts the finishes, and says which this one was */
	int finished_at;
} Record;

void record_init(Record *record);
void record_clear(Record *record);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Record, record_clear)

/* A last stage, or with next one in the middle that passes everything on. */
HfStage *recorder_new(HfStage *next, Record *record);

typedef enum {
	PLAIN_TEXT,
	PLAIN_RANDOM,
	PLAIN_ZEROS,
} PlainKind;

GByteArray *plain_new(PlainKind kind, size_t len);

/* Writes bytes in pieces of random length, 0 among them, at most piece_max long; 0: all in one. */
bool write_in_pieces(HfStage *head, const GByteArray *bytes, size_t piece_max, GError **error);

/* Runs bytes through the chain that `make` builds in front of a recorder, to its finish. */
typedef HfStage *(*MakeStage)(HfStage *next);
bool run_through(MakeStage make, const GByteArray *bytes, size_t piece_max, Record *record, GError **error);

/* g_assert_cmpmem() counts in int. */
void assert_bytes(const GByteArray *bytes, const void *expected, size_t len);
void assert_same(const GByteArray *a, const GByteArray *b);

/* What a program makes of bytes on its standard input; true where it exits with 0. */
bool pipe_through(const char *const *argv, const GByteArray *bytes, GByteArray *out);
