/*
 * backup/stage/zstd.h -- zstd (RFC 8878), compressed in parallel, in frames that can be unpacked alone; and its reader.
 *
 * The same idea as gzip.h: each block becomes a frame of its own with its content size and checksum; `zstd -d` reads
 * the result as one file.  Memory as in gzip.h; the high levels' contexts are large, so there may be fewer threads than
 * were asked for, and the process stays under 64 MiB at level 19 as well (seen: 42).
 */
#pragma once

#include "backup/stage/members.h"
#include "backup/stage/stage.h"

/* Zero means the default, which is written behind each. */
typedef struct {
	int level;           /* 1; to 19 */
	unsigned threads;    /* the number of processors this process may use, at most 8 */
	size_t member_bytes; /* 1 MiB */
	bool cuts_at_marks;  /* as in gzip.h */
} HfZstdOptions;

/* options may be NULL; members may be NULL, is borrowed, and grows as frames are written.  Takes next. */
HfStage *hf_zstd_new(HfStage *next, const HfZstdOptions *options, HfMembers *members);

/* Unpacks one frame after the other; CORRUPT as hf_gunzip_new().  Windows over 128 MiB and the formats before
 * version 1.0 are refused; skippable frames are skipped.  Takes next. */
HfStage *hf_unzstd_new(HfStage *next);
