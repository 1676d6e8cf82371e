/*
 * backup/stage/gzip.h -- gzip, compressed in parallel, in members that can be unpacked alone; and its reader.
 *
 * The plain stream is cut into blocks, each compressed by a thread of the stage into one gzip member (RFC 1952), and
 * written in order: every gunzip reads the result as one file.  Levels 1 to 3 are ISA-L's, 4 to 9 zlib's; without ISA-L
 * all are zlib's.  A sample of a block decides whether it goes out as stored deflate blocks (RFC 1951 section 3.2.4).
 *
 * Memory: at most (threads + 6) x (member_bytes plain + as much packed), see blocks.h.
 */
#pragma once

#include "backup/stage/members.h"
#include "backup/stage/stage.h"

/* Zero means the default, which is written behind each. */
typedef struct {
	int level;           /* 1; to 9 */
	unsigned threads;    /* the number of processors this process may use, at most 8 */
	size_t member_bytes; /* 1 MiB: costs nothing in ratio against one stream (docs/facts.md) */
	bool cuts_at_marks; /* false: passes on a mark behind each member.  true: ends a member at each mark that
	                        comes in and passes on those alone */
} HfGzipOptions;

/* options may be NULL; members may be NULL, is borrowed, and grows as members are written.  Takes next. */
HfStage *hf_gzip_new(HfStage *next, const HfGzipOptions *options, HfMembers *members);

/*
 * Unpacks one gzip member after the other.  CORRUPT where a header, CRC or length is wrong, where bytes that are no
 * member follow one (zeros, too, which gzip(1) only warns of), and, at finish, where the stream ends inside a member or
 * holds none.  Plain bytes are passed on before their member's CRC was seen: what is behind must not commit before finish.
 * A file that was cut between two members cannot be told from a whole one here: hf_digest_check_new() can.  Takes next.
 */
HfStage *hf_gunzip_new(HfStage *next);
