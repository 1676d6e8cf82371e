#include "config.h"

#include "backup/stage/members.h"

/* What was taken is moved out of the table at this size, so that moving the rest costs next to nothing a member. */
#define TAKEN_BYTES_MAX 4096

/* Varints: seven bits a byte, the lowest first, the top bit set on all but the last. */
struct HfMembers {
	GByteArray *table;
	size_t taken_bytes;    /* of the table: members that were taken out */
	uint64_t taken_plain;  /* plain bytes of those members */
	uint64_t taken_packed; /* packed bytes of those members */
	uint64_t count;
	uint64_t plain_bytes;
	uint64_t packed_bytes;
};

HfMembers *
hf_members_new(void)
{
	HfMembers *members = g_new0(HfMembers, 1);

	members->table = g_byte_array_new();
	return members;
}

static void
append_varint(GByteArray *table, uint64_t value)
{
	uint8_t bytes[10]; /* 64 bits, seven a byte */
	guint len = 0;

	while (value >= 0x80) {
		bytes[len++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	bytes[len++] = (uint8_t)value;
	g_byte_array_append(table, bytes, len);
}

static uint64_t
read_varint(const GByteArray *table, size_t *position)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = table->data[(*position)++];
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	return value;
}

void
hf_members_append(HfMembers *members, uint64_t plain_bytes, uint64_t packed_bytes)
{
	append_varint(members->table, plain_bytes);
	append_varint(members->table, packed_bytes);
	members->count++;
	members->plain_bytes += plain_bytes;
	members->packed_bytes += packed_bytes;
}

uint64_t
hf_members_count(const HfMembers *members)
{
	return members->count;
}

uint64_t
hf_members_plain_bytes(const HfMembers *members)
{
	return members->plain_bytes;
}

uint64_t
hf_members_packed_bytes(const HfMembers *members)
{
	return members->packed_bytes;
}

HfMembersIter
hf_members_begin(const HfMembers *members)
{
	return (HfMembersIter){
		.members = members,
		.position = members->taken_bytes,
		.next = {.plain_offset = members->taken_plain, .packed_offset = members->taken_packed},
	};
}

bool
hf_members_next(HfMembersIter *iter, HfMember *member_out)
{
	const GByteArray *table = iter->members->table;

	if (iter->position == table->len)
		return false;
	iter->next.plain_bytes = read_varint(table, &iter->position);
	iter->next.packed_bytes = read_varint(table, &iter->position);
	*member_out = iter->next;
	iter->next.plain_offset += iter->next.plain_bytes;
	iter->next.packed_offset += iter->next.packed_bytes;
	return true;
}

bool
hf_members_locate(const HfMembers *members, uint64_t offset, uint64_t length, HfMember *span_out,
		  uint64_t *skip_out)
{
	HfMembersIter iter = hf_members_begin(members);
	HfMember member = {0};
	HfMember span = {.plain_offset = offset, .packed_offset = members->packed_bytes};

	if (offset < members->taken_plain || offset > members->plain_bytes ||
	    length > members->plain_bytes - offset)
		return false;
	while (hf_members_next(&iter, &member))
		if (member.plain_offset + member.plain_bytes > offset) {
			span = member;
			break;
		}
	if (length == 0)
		span = (HfMember){.plain_offset = offset, .packed_offset = span.packed_offset};
	while (span.plain_offset + span.plain_bytes < offset + length && hf_members_next(&iter, &member)) {
		span.plain_bytes += member.plain_bytes;
		span.packed_bytes += member.packed_bytes;
	}
	*span_out = span;
	*skip_out = offset - span.plain_offset;
	return true;
}

bool
hf_members_take(HfMembers *members, HfMember *member_out)
{
	HfMembersIter iter = hf_members_begin(members);

	if (!hf_members_next(&iter, member_out))
		return false;
	members->taken_bytes = iter.position;
	members->taken_plain = iter.next.plain_offset;
	members->taken_packed = iter.next.packed_offset;
	if (members->taken_bytes >= TAKEN_BYTES_MAX) {
		g_byte_array_remove_range(members->table, 0, (guint)members->taken_bytes);
		members->taken_bytes = 0;
	}
	return true;
}

void
hf_members_free(HfMembers *members)
{
	if (!members)
		return;
	g_byte_array_unref(members->table);
	g_free(members);
}
