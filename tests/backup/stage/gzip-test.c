/*
 * The compressing stages, gzip and zstd alike: what they share is tested over both.
 */
#include "config.h"

#include "backup/stage/gzip.h"
#include "backup/stage/zstd.h"
#include "tests/backup/stage/fixture.h"

#include <string.h>

#define MEMBER 40000

/* What the next gzip_stage() and zstd_stage() are made with. */
static struct {
	HfGzipOptions options;
	HfMembers *members;
} now;

static HfStage *
gzip_stage(HfStage *next)
{
	return hf_gzip_new(next, &now.options, now.members);
}

static HfStage *
zstd_stage(HfStage *next)
{
	HfZstdOptions options = {now.options.level, now.options.threads, now.options.member_bytes,
				 now.options.cuts_at_marks};

	return hf_zstd_new(next, &options, now.members);
}

static const struct {
	const char *name;
	MakeStage pack;
	MakeStage unpack;
	const char *judges[4][4];
	int level_max;
} formats[] = {
	{"gzip",
	 gzip_stage,
	 hf_gunzip_new,
	 {{"gunzip", "-c"},
	  {"pigz", "-dc"},
	  {"python3", "-c",
	   "import gzip,sys;sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))"}},
	 9},
	{"zstd", zstd_stage, hf_unzstd_new, {{"zstd", "-dcq"}}, 19},
};

static void
pack(size_t format, const GByteArray *plain, size_t piece_max, Record *record)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(run_through(formats[format].pack, plain, piece_max, record, &error));
	g_assert_no_error(error);
}

static void
assert_unpacks_to(size_t format, const GByteArray *packed, const GByteArray *plain)
{
	g_auto(Record) record;
	g_autoptr(GError) error = NULL;

	record_init(&record);
	g_assert_true(run_through(formats[format].unpack, packed, 5000, &record, &error));
	g_assert_no_error(error);
	assert_same(record.bytes, plain);
}

static void
assert_judges_agree(size_t format, const GByteArray *packed, const GByteArray *plain)
{
	for (int i = 0; formats[format].judges[i][0]; i++) {
		g_autoptr(GByteArray) out = g_byte_array_new();

		g_assert_true(pipe_through(formats[format].judges[i], packed, out));
		assert_same(out, plain);
	}
}

/* Sizes around a member's, in random pieces, on one thread and on many; the table must agree with what came out. */
static void
test_any_size_in_any_pieces(gconstpointer data)
{
	static const size_t sizes[] = {0, 1, 2, MEMBER - 1, MEMBER, MEMBER + 1, 7 * MEMBER, 30 * MEMBER + 3};
	size_t format = GPOINTER_TO_SIZE(data);

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++)
		for (unsigned threads = 1; threads <= 8; threads *= 2) {
			g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, sizes[i]);
			g_autoptr(HfMembers) members = hf_members_new();
			g_auto(Record) record;

			record_init(&record);
			now.options = (HfGzipOptions){.threads = threads, .member_bytes = MEMBER};
			now.members = members;
			pack(format, plain, i % 2 ? 3 * MEMBER : 3000, &record);
			assert_unpacks_to(format, record.bytes, plain);
			g_assert_cmpuint(hf_members_plain_bytes(members), ==, plain->len);
			g_assert_cmpuint(hf_members_packed_bytes(members), ==, record.bytes->len);
			g_assert_cmpuint(hf_members_count(members), ==,
					 MAX((sizes[i] + MEMBER - 1) / MEMBER, 1));
			if (threads == 4)
				assert_judges_agree(format, record.bytes, plain);
		}
}

static void
test_every_level_is_read_by_others(gconstpointer data)
{
	size_t format = GPOINTER_TO_SIZE(data);

	for (int level = 1; level <= formats[format].level_max; level++) {
		g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, 3 * MEMBER);
		g_auto(Record) record;

		record_init(&record);
		now.options = (HfGzipOptions){.level = level, .threads = 2};
		now.members = NULL;
		pack(format, plain, 0, &record);
		assert_unpacks_to(format, record.bytes, plain);
		assert_judges_agree(format, record.bytes, plain);
		g_assert_cmpuint(record.bytes->len, <, plain->len / 2);
	}
}

/* Each member alone unpacks to the plain bytes that the table says. */
static void
test_each_member_unpacks_alone(gconstpointer data)
{
	size_t format = GPOINTER_TO_SIZE(data);
	g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, 5 * MEMBER + 77);
	g_autoptr(HfMembers) members = hf_members_new();
	g_auto(Record) record;
	HfMembersIter iter;
	HfMember member;

	record_init(&record);
	now.options = (HfGzipOptions){.threads = 3, .member_bytes = MEMBER};
	now.members = members;
	pack(format, plain, 0, &record);
	iter = hf_members_begin(members);
	while (hf_members_next(&iter, &member)) {
		g_autoptr(GByteArray) packed = g_byte_array_new();
		g_autoptr(GByteArray) expected = g_byte_array_new();

		g_byte_array_append(packed, record.bytes->data + member.packed_offset,
				    (guint)member.packed_bytes);
		g_byte_array_append(expected, plain->data + member.plain_offset, (guint)member.plain_bytes);
		assert_unpacks_to(format, packed, expected);
	}
}

/* What cannot be packed grows by under 0.1 %, whatever the level; what is all zeros becomes next to nothing. */
static void
test_extremes_of_the_ratio(gconstpointer data)
{
	static const int levels[] = {1, 2, 3, 6, 9};
	size_t format = GPOINTER_TO_SIZE(data);
	g_autoptr(GByteArray) random = plain_new(PLAIN_RANDOM, 2 * 1024 * 1024 + 5);
	g_autoptr(GByteArray) zeros = plain_new(PLAIN_ZEROS, 2 * 1024 * 1024 + 5);

	for (size_t i = 0; i < G_N_ELEMENTS(levels); i++) {
		g_auto(Record) of_random;
		g_auto(Record) of_zeros;

		record_init(&of_random);
		record_init(&of_zeros);
		now.options = (HfGzipOptions){.level = levels[i]};
		now.members = NULL;
		pack(format, random, 0, &of_random);
		g_assert_cmpuint(of_random.bytes->len, <, random->len + random->len / 1000);
		assert_unpacks_to(format, of_random.bytes, random);
		assert_judges_agree(format, of_random.bytes, random);
		pack(format, zeros, 0, &of_zeros);
		g_assert_cmpuint(of_zeros.bytes->len, <, zeros->len / 90);
		assert_unpacks_to(format, of_zeros.bytes, zeros);
	}
}

/* A short block is not sampled: it does not fit, and is stored. */
static void
test_a_short_incompressible_block_is_stored(void)
{
	for (size_t len = 1; len < 70000; len = len * 3 + 1) {
		g_autoptr(GByteArray) random = plain_new(PLAIN_RANDOM, len);
		g_auto(Record) record;

		record_init(&record);
		now.options = (HfGzipOptions){.threads = 1};
		now.members = NULL;
		pack(0, random, 0, &record);
		g_assert_cmpuint(record.bytes->len, <=, len + 18 + 5 * ((len + 65534) / 65535));
		assert_unpacks_to(0, record.bytes, random);
		assert_judges_agree(0, record.bytes, random);
	}
}

/* The look at a sample must not pass over base64, nor over a block of which half is text. */
static void
test_what_can_be_packed_is_packed(void)
{
	g_autoptr(GByteArray) random = plain_new(PLAIN_RANDOM, MEMBER);
	g_autofree char *base64 = g_base64_encode(random->data, random->len);
	g_autoptr(GByteArray) text = plain_new(PLAIN_TEXT, MEMBER / 2);
	g_autoptr(GByteArray) armoured = g_byte_array_new();
	g_autoptr(GByteArray) mixed = g_byte_array_new();
	GByteArray *const plains[] = {armoured, mixed};

	g_byte_array_append(armoured, (const guint8 *)base64, MEMBER);
	g_byte_array_append(mixed, random->data, MEMBER / 2);
	g_byte_array_append(mixed, text->data, MEMBER / 2);
	for (size_t i = 0; i < G_N_ELEMENTS(plains); i++) {
		g_auto(Record) record;

		record_init(&record);
		now.options = (HfGzipOptions){.threads = 1};
		now.members = NULL;
		pack(0, plains[i], 0, &record);
		g_assert_cmpuint(record.bytes->len, <, plains[i]->len * 19 / 20);
		assert_unpacks_to(0, record.bytes, plains[i]);
	}
}

/* A tarball's header, nearly all zeros, must not make an image look as if it could be packed. */
static void
test_a_header_in_front_does_not_deceive(void)
{
	g_autoptr(GByteArray) plain = plain_new(PLAIN_ZEROS, 1536);
	g_autoptr(GByteArray) image = plain_new(PLAIN_RANDOM, 5 * MEMBER);
	g_auto(Record) record;

	g_byte_array_append(plain, image->data, image->len);
	record_init(&record);
	now.options = (HfGzipOptions){.threads = 1};
	now.members = NULL;
	pack(0, plain, 0, &record);
	/* Stored: a gzip header, a trailer, and five bytes for each 65,535. */
	g_assert_cmpuint(record.bytes->len, ==, plain->len + 18 + 5 * ((plain->len + 65534) / 65535));
	assert_unpacks_to(0, record.bytes, plain);
}

/* RFC 1952 section 2.3.1: no name, no time; 255 or 3 for the system.  So equal plain bytes are equal packed ones. */
static void
test_headers_are_plain(void)
{
	static const PlainKind kinds[] = {PLAIN_TEXT, PLAIN_RANDOM};
	static const int levels[] = {1, 6};

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		for (size_t k = 0; k < G_N_ELEMENTS(levels); k++) {
			g_autoptr(GByteArray) plain = plain_new(kinds[i], MEMBER);
			g_auto(Record) record;

			record_init(&record);
			now.options = (HfGzipOptions){.level = levels[k], .threads = 1};
			now.members = NULL;
			pack(0, plain, 0, &record);
			g_assert_true(memcmp(record.bytes->data, "\x1f\x8b\x08\0\0\0\0\0", 8) == 0);
			g_assert_true(record.bytes->data[9] == 255 || record.bytes->data[9] == 3);
		}
}

static void
write_pattern(HfStage *head, const GByteArray *plain, const size_t *cuts, GError **error)
{
	size_t at = 0;

	for (; *cuts != G_MAXSIZE; cuts++) {
		g_assert_true(hf_stage_write(head, plain->data + at, *cuts - at, error));
		g_assert_true(hf_stage_mark(head, error));
		at = *cuts;
	}
	g_assert_true(hf_stage_write(head, plain->data + at, plain->len - at, error));
	g_assert_true(hf_stage_finish(head, error));
}

/* Packed offsets of the ends of those members whose plain end is in `cuts`. */
static void
assert_marks(const Record *record, const HfMembers *members, const size_t *cuts)
{
	HfMembersIter iter = hf_members_begin(members);
	HfMember member;
	guint found = 0;

	while (*cuts == 0) { /* before the first member */
		g_assert_cmpuint(g_array_index(record->marks, size_t, found++), ==, 0);
		cuts++;
	}
	while (hf_members_next(&iter, &member)) {
		if (*cuts == G_MAXSIZE || member.plain_offset + member.plain_bytes != *cuts)
			continue;
		g_assert_cmpuint(found, <, record->marks->len);
		g_assert_cmpuint(g_array_index(record->marks, size_t, found), ==,
				 member.packed_offset + member.packed_bytes);
		found++;
		cuts++;
	}
	g_assert_cmpuint(*cuts, ==, G_MAXSIZE);
	g_assert_cmpuint(found, ==, record->marks->len);
}

static void
test_members_end_at_marks(gconstpointer data)
{
	static const size_t cuts[] = {
		0, 10, 500, MEMBER, 3 * MEMBER, 3 * MEMBER + 1, 8 * MEMBER, 8 * MEMBER + 9, G_MAXSIZE};
	size_t format = GPOINTER_TO_SIZE(data);

	for (unsigned threads = 1; threads <= 8; threads++) {
		g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, 9 * MEMBER);
		g_autoptr(HfMembers) members = hf_members_new();
		g_autoptr(GError) error = NULL;
		g_autoptr(HfStage) head = NULL;
		g_auto(Record) record;

		record_init(&record);
		now.options = (HfGzipOptions){
			.threads = threads, .member_bytes = MEMBER, .cuts_at_marks = true};
		now.members = members;
		head = formats[format].pack(recorder_new(NULL, &record));
		write_pattern(head, plain, cuts, &error);
		assert_marks(&record, members, cuts);
		assert_unpacks_to(format, record.bytes, plain);
	}
}

/* Two marks at one place are one; a mark at the end of a member that was full already follows that member. */
static void
test_marks_without_bytes_make_no_member(gconstpointer data)
{
	size_t format = GPOINTER_TO_SIZE(data);
	g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, 2 * MEMBER);
	g_autoptr(HfMembers) members = hf_members_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStage) head = NULL;
	g_auto(Record) record;

	record_init(&record);
	now.options = (HfGzipOptions){.threads = 2, .member_bytes = MEMBER, .cuts_at_marks = true};
	now.members = members;
	head = formats[format].pack(recorder_new(NULL, &record));
	g_assert_true(hf_stage_write(head, plain->data, plain->len, &error));
	for (int i = 0; i < 20; i++)
		g_assert_true(hf_stage_mark(head, &error));
	g_assert_true(hf_stage_finish(head, &error));
	g_assert_cmpuint(hf_members_count(members), ==, 2);
	g_assert_cmpuint(record.marks->len, >=, 1);
	for (guint i = 0; i < record.marks->len; i++)
		g_assert_cmpuint(g_array_index(record.marks, size_t, i), ==, record.bytes->len);
}

static void
test_a_mark_follows_each_member(gconstpointer data)
{
	size_t format = GPOINTER_TO_SIZE(data);
	static const size_t ends[] = {MEMBER, 2 * MEMBER, 2 * MEMBER + 8, G_MAXSIZE};
	g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, 2 * MEMBER + 8);
	g_autoptr(HfMembers) members = hf_members_new();
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStage) head = NULL;
	g_auto(Record) record;

	record_init(&record);
	now.options = (HfGzipOptions){.threads = 2, .member_bytes = MEMBER};
	now.members = members;
	head = formats[format].pack(recorder_new(NULL, &record));
	g_assert_true(hf_stage_write(head, plain->data, 100, &error));
	g_assert_true(hf_stage_mark(head, &error)); /* means nothing here */
	g_assert_true(hf_stage_write(head, plain->data + 100, plain->len - 100, &error));
	g_assert_true(hf_stage_finish(head, &error));
	assert_marks(&record, members, ends);
}

static void
test_free_without_finish_discards(gconstpointer data)
{
	size_t format = GPOINTER_TO_SIZE(data);
	g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, 20 * MEMBER);

	for (int round = 0; round < 20; round++) {
		g_autoptr(GError) error = NULL;
		g_auto(Record) record;
		HfStage *head;

		record_init(&record);
		now.options = (HfGzipOptions){.threads = 4, .member_bytes = MEMBER};
		now.members = NULL;
		head = formats[format].pack(recorder_new(NULL, &record));
		g_assert_true(hf_stage_write(head, plain->data, (size_t)round * MEMBER, &error));
		hf_stage_free(head);
		g_assert_true(record.is_discarded);
		g_assert_false(record.is_committed);
	}
}

static void
test_a_full_destination_is_reported(gconstpointer data)
{
	size_t format = GPOINTER_TO_SIZE(data);
	g_autoptr(GByteArray) plain = plain_new(PLAIN_RANDOM, 20 * MEMBER);

	for (size_t fail_at = 1; fail_at < plain->len; fail_at += 3 * MEMBER) {
		g_autoptr(GError) error = NULL;
		g_auto(Record) record;

		record_init(&record);
		record.fail_at = fail_at;
		now.options = (HfGzipOptions){.threads = 3, .member_bytes = MEMBER};
		now.members = NULL;
		g_assert_false(run_through(formats[format].pack, plain, 0, &record, &error));
		g_assert_cmpstr(error->message, ==, "the recorder is full");
		g_assert_false(record.is_committed);
	}
}

/* Options may be absent: the defaults. */
static void
test_defaults(void)
{
	g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, 3 * 1024 * 1024 + 1);
	g_autoptr(HfMembers) of_gzip = hf_members_new();
	g_autoptr(HfMembers) of_zstd = hf_members_new();
	g_autoptr(GError) error = NULL;
	g_auto(Record) first;
	g_auto(Record) second;
	HfStage *heads[2];

	record_init(&first);
	record_init(&second);
	heads[0] = hf_gzip_new(recorder_new(NULL, &first), NULL, of_gzip);
	heads[1] = hf_zstd_new(recorder_new(NULL, &second), NULL, of_zstd);
	for (int i = 0; i < 2; i++) {
		g_assert_true(hf_stage_write(heads[i], plain->data, plain->len, &error));
		g_assert_true(hf_stage_finish(heads[i], &error));
		hf_stage_free(heads[i]);
	}
	g_assert_cmpuint(hf_members_count(of_gzip), ==, 4);
	g_assert_cmpuint(hf_members_count(of_zstd), ==, 4);
	assert_unpacks_to(0, first.bytes, plain);
	assert_unpacks_to(1, second.bytes, plain);
}

static const struct {
	const char *name;
	GTestDataFunc run;
} shared[] = {
	{"any-size-in-any-pieces", test_any_size_in_any_pieces},
	{"every-level-is-read-by-others", test_every_level_is_read_by_others},
	{"each-member-unpacks-alone", test_each_member_unpacks_alone},
	{"extremes-of-the-ratio", test_extremes_of_the_ratio},
	{"members-end-at-marks", test_members_end_at_marks},
	{"marks-without-bytes-make-no-member", test_marks_without_bytes_make_no_member},
	{"a-mark-follows-each-member", test_a_mark_follows_each_member},
	{"free-without-finish-discards", test_free_without_finish_discards},
	{"a-full-destination-is-reported", test_a_full_destination_is_reported},
};

/* After a mark and a drain nothing is held back, and the stream goes on. */
static void
test_drain_brings_all_out(void)
{
	const HfGzipOptions options = {.threads = 2, .cuts_at_marks = true};
	g_auto(Record) record = {0};
	g_autoptr(HfMembers) members = hf_members_new();
	g_autoptr(HfStage) chain = NULL;

	record_init(&record);
	chain = hf_gzip_new(recorder_new(NULL, &record), &options, members);
	for (unsigned i = 1; i <= 20; i++) {
		g_assert_true(hf_stage_write(chain, "content", 7, NULL));
		g_assert_true(hf_stage_mark(chain, NULL));
		g_assert_true(hf_stage_drain(chain, NULL));
		g_assert_cmpuint(hf_members_count(members), ==, i);
		g_assert_cmpuint(hf_members_packed_bytes(members), ==, record.bytes->len);
	}
	g_assert_true(hf_stage_finish(chain, NULL));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t format = 0; format < G_N_ELEMENTS(formats); format++)
		for (size_t i = 0; i < G_N_ELEMENTS(shared); i++) {
			g_autofree char *path = g_strdup_printf("/%s/%s", formats[format].name,
								shared[i].name);

			g_test_add_data_func(path, GSIZE_TO_POINTER(format), shared[i].run);
		}
	g_test_add_func("/gzip/what-can-be-packed-is-packed", test_what_can_be_packed_is_packed);
	g_test_add_func("/gzip/a-header-in-front-does-not-deceive", test_a_header_in_front_does_not_deceive);
	g_test_add_func("/gzip/a-short-incompressible-block-is-stored",
			test_a_short_incompressible_block_is_stored);
	g_test_add_func("/gzip/headers-are-plain", test_headers_are_plain);
	g_test_add_func("/gzip/defaults", test_defaults);
	g_test_add_func("/gzip/drain-brings-all-out", test_drain_brings_all_out);
	return g_test_run();
}
