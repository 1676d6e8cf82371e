#include "config.h"

#include "backup/stage/members.h"

#define MIB (1024 * 1024)

static void
test_members_come_back_in_order(void)
{
	static const uint64_t sizes[][2] = {
		{0, 20},        {1, 21},       {127, 128},
		{16383, 16384}, {MIB, 370000}, {UINT64_C(1) << 40, UINT64_C(1) << 33},
	};
	g_autoptr(HfMembers) members = hf_members_new();
	HfMembersIter iter;
	HfMember member;
	uint64_t plain = 0, packed = 0;

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
		hf_members_append(members, sizes[i][0], sizes[i][1]);
	iter = hf_members_begin(members);
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_assert_true(hf_members_next(&iter, &member));
		g_assert_cmpuint(member.plain_offset, ==, plain);
		g_assert_cmpuint(member.plain_bytes, ==, sizes[i][0]);
		g_assert_cmpuint(member.packed_offset, ==, packed);
		g_assert_cmpuint(member.packed_bytes, ==, sizes[i][1]);
		plain += sizes[i][0];
		packed += sizes[i][1];
	}
	g_assert_false(hf_members_next(&iter, &member));
	g_assert_cmpuint(hf_members_count(members), ==, G_N_ELEMENTS(sizes));
	g_assert_cmpuint(hf_members_plain_bytes(members), ==, plain);
	g_assert_cmpuint(hf_members_packed_bytes(members), ==, packed);
}

/* What the header claims of memory; the position of an iterator at the end is the table's size. */
static void
test_a_member_of_a_dump_takes_six_bytes(void)
{
	g_autoptr(HfMembers) members = hf_members_new();
	HfMembersIter iter;
	HfMember member;

	for (int i = 0; i < 1000; i++)
		hf_members_append(members, MIB, 370000 + (uint64_t)i);
	iter = hf_members_begin(members);
	while (hf_members_next(&iter, &member))
		;
	g_assert_cmpuint(iter.position, ==, 6000);
}

/* Members of 10, 0, 20 and 30 plain bytes, 5, 1, 6 and 7 packed ones. */
static HfMembers *
small_table(void)
{
	HfMembers *members = hf_members_new();

	hf_members_append(members, 10, 5);
	hf_members_append(members, 0, 1);
	hf_members_append(members, 20, 6);
	hf_members_append(members, 30, 7);
	return members;
}

static void
test_locate_gives_the_fewest_members(void)
{
	static const struct {
		uint64_t offset, length;
		HfMember span;
		uint64_t skip;
	} cases[] = {
		{0, 1, {0, 10, 0, 5}, 0},     {0, 10, {0, 10, 0, 5}, 0},  {9, 1, {0, 10, 0, 5}, 9},
		{10, 1, {10, 20, 6, 6}, 0},   {9, 2, {0, 30, 0, 12}, 9},  {29, 1, {10, 20, 6, 6}, 19},
		{29, 2, {10, 50, 6, 13}, 19}, {0, 60, {0, 60, 0, 19}, 0}, {59, 1, {30, 30, 12, 7}, 29},
		{30, 30, {30, 30, 12, 7}, 0}, {15, 0, {15, 0, 6, 0}, 0},  {60, 0, {60, 0, 19, 0}, 0},
	};
	g_autoptr(HfMembers) members = small_table();

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		HfMember span;
		uint64_t skip;

		g_assert_true(hf_members_locate(members, cases[i].offset, cases[i].length, &span, &skip));
		g_assert_cmpuint(span.plain_offset, ==, cases[i].span.plain_offset);
		g_assert_cmpuint(span.plain_bytes, ==, cases[i].span.plain_bytes);
		g_assert_cmpuint(span.packed_offset, ==, cases[i].span.packed_offset);
		g_assert_cmpuint(span.packed_bytes, ==, cases[i].span.packed_bytes);
		g_assert_cmpuint(skip, ==, cases[i].skip);
	}
}

static void
test_locate_refuses_what_is_outside(void)
{
	static const uint64_t cases[][2] = {
		{0, 61},
		{60, 1},
		{61, 0},
		{59, 2},
		{1, UINT64_MAX},
		{UINT64_MAX, 1},
		{UINT64_MAX, UINT64_MAX},
	};
	g_autoptr(HfMembers) members = small_table();
	g_autoptr(HfMembers) none = hf_members_new();
	HfMember span;
	uint64_t skip;

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_assert_false(hf_members_locate(members, cases[i][0], cases[i][1], &span, &skip));
	g_assert_false(hf_members_locate(none, 0, 1, &span, &skip));
	g_assert_true(hf_members_locate(none, 0, 0, &span, &skip));
}

/* Through the size at which what was taken is moved out. */
static void
test_take_gives_the_oldest(void)
{
	g_autoptr(HfMembers) members = hf_members_new();
	uint64_t taken = 0, packed = 0, skip;
	HfMember member;

	for (uint64_t i = 0; i < 5000; i++) {
		hf_members_append(members, 1000, i);
		if (i % 3 == 0)
			continue;
		g_assert_true(hf_members_take(members, &member));
		g_assert_cmpuint(member.plain_offset, ==, taken * 1000);
		g_assert_cmpuint(member.packed_offset, ==, packed);
		g_assert_cmpuint(member.packed_bytes, ==, taken);
		packed += taken++;
	}
	g_assert_cmpuint(hf_members_count(members), ==, 5000);
	g_assert_cmpuint(hf_members_plain_bytes(members), ==, 5000000);
	g_assert_false(hf_members_locate(members, 5, 10, &member, &skip));
	g_assert_true(hf_members_locate(members, taken * 1000 + 5, 10, &member, &skip));
	g_assert_cmpuint(member.packed_offset, ==, packed);
	g_assert_cmpuint(skip, ==, 5);
	while (hf_members_take(members, &member))
		taken++;
	g_assert_cmpuint(taken, ==, 5000);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/members/come-back-in-order", test_members_come_back_in_order);
	g_test_add_func("/members/a-member-of-a-dump-takes-six-bytes",
			test_a_member_of_a_dump_takes_six_bytes);
	g_test_add_func("/members/locate-gives-the-fewest-members", test_locate_gives_the_fewest_members);
	g_test_add_func("/members/locate-refuses-what-is-outside", test_locate_refuses_what_is_outside);
	g_test_add_func("/members/take-gives-the-oldest", test_take_gives_the_oldest);
	return g_test_run();
}
