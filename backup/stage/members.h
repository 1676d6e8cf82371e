/*
 * backup/stage/members.h -- where the members of a compressed stream lie.
 *
 * A compressed stream is a row of members (gzip members, RFC 1952 section 2.2; zstd frames, RFC 8878 section 3), each of
 * which can be unpacked alone.  This table says, for each, how many plain bytes it holds and how many packed ones it
 * takes, so any range of plain bytes is one range of packed ones.
 *
 * It grows by two varints a member: six bytes where both sizes are from 16 KiB to under 2 MiB, as with members of 1 MiB
 * of a dump; about 6 MB of memory for a terabyte (twice that where the array has just doubled).  There is no index:
 * hf_members_locate() reads the table from its beginning, some 15 ms for a terabyte.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct HfMembers HfMembers;

typedef struct {
	uint64_t plain_offset; /* in the plain stream */
	uint64_t plain_bytes;
	uint64_t packed_offset; /* in the packed stream, counted through all its parts */
	uint64_t packed_bytes;
} HfMember;

/* Walks the table from its beginning; a plain value, made by hf_members_begin(). */
typedef struct {
	const HfMembers *members;
	size_t position;
	HfMember next;
} HfMembersIter;

HfMembers *hf_members_new(void);
void hf_members_append(HfMembers *members, uint64_t plain_bytes, uint64_t packed_bytes);
uint64_t hf_members_count(const HfMembers *members);
uint64_t hf_members_plain_bytes(const HfMembers *members);
uint64_t hf_members_packed_bytes(const HfMembers *members);

HfMembersIter hf_members_begin(const HfMembers *members);
bool hf_members_next(HfMembersIter *iter, HfMember *member_out); /* false at the end */

/*
 * The packed range of the fewest members that hold the plain range [offset, offset + length), and how many plain bytes
 * come before offset in the first of them.  False where the range is not wholly inside the stream.
 */
bool hf_members_locate(const HfMembers *members, uint64_t offset, uint64_t length, HfMember *span_out,
		       uint64_t *skip_out);

/*
 * Takes the oldest member out of the table, so that a table of any length needs no memory; false where there is none.
 * Counts and offsets stay those of the whole stream; walking and locating see what is left.
 */
bool hf_members_take(HfMembers *members, HfMember *member_out);

void hf_members_free(HfMembers *members);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfMembers, hf_members_free)
