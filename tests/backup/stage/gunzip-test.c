/*
 * The readers: what other programs write is read; what is cut or damaged is refused, or is harmless.
 */
#include "config.h"

#include "backup/stage/gzip.h"
#include "backup/stage/zstd.h"
#include "tests/backup/stage/fixture.h"

#include <string.h>
#include <zlib.h>

static HfStage *
gzip_stage(HfStage *next)
{
	static const HfGzipOptions options = {.threads = 1, .member_bytes = 300};

	return hf_gzip_new(next, &options, NULL);
}

static HfStage *
zstd_stage(HfStage *next)
{
	static const HfZstdOptions options = {.threads = 1, .member_bytes = 300};

	return hf_zstd_new(next, &options, NULL);
}

static bool
unpack(MakeStage reader, const GByteArray *packed, size_t piece_max, Record *record, GError **error)
{
	record_init(record);
	return run_through(reader, packed, piece_max, record, error);
}

static void
assert_unpacks(MakeStage reader, const GByteArray *packed, const GByteArray *plain)
{
	static const size_t pieces[] = {0, 5000, 7, 1};
	size_t count = plain->len > 5000 ? 2 : G_N_ELEMENTS(pieces); /* tiny pieces are slow under ASan */

	for (size_t i = 0; i < count; i++) {
		g_autoptr(GError) error = NULL;
		g_auto(Record) record;

		g_assert_true(unpack(reader, packed, pieces[i], &record, &error));
		g_assert_no_error(error);
		g_assert_true(record.is_committed);
		assert_same(record.bytes, plain);
	}
}

static void
assert_corrupt(MakeStage reader, const GByteArray *packed)
{
	g_autoptr(GError) error = NULL;
	g_auto(Record) record;

	g_assert_false(unpack(reader, packed, 0, &record, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	g_assert_nonnull(strstr(error->message, "stream, byte "));
	g_assert_true(record.is_discarded);
	g_assert_false(record.is_committed);
}

static GByteArray *
copy(const GByteArray *bytes)
{
	GByteArray *other = g_byte_array_sized_new(bytes->len + 1);

	return g_byte_array_append(other, bytes->data, bytes->len);
}

/* --- what others write --- */

static const struct {
	const char *name;
	MakeStage reader;
	const char *argv[5];
} writers[] = {
	{"/gunzip/reads-gzip-1", hf_gunzip_new, {"gzip", "-1nc"}},
	{"/gunzip/reads-gzip-2", hf_gunzip_new, {"gzip", "-2nc"}},
	{"/gunzip/reads-gzip-3", hf_gunzip_new, {"gzip", "-3nc"}},
	{"/gunzip/reads-gzip-4", hf_gunzip_new, {"gzip", "-4nc"}},
	{"/gunzip/reads-gzip-5", hf_gunzip_new, {"gzip", "-5nc"}},
	{"/gunzip/reads-gzip-6", hf_gunzip_new, {"gzip", "-6nc"}},
	{"/gunzip/reads-gzip-7", hf_gunzip_new, {"gzip", "-7nc"}},
	{"/gunzip/reads-gzip-8", hf_gunzip_new, {"gzip", "-8nc"}},
	{"/gunzip/reads-gzip-9", hf_gunzip_new, {"gzip", "-9nc"}},
	{"/gunzip/reads-gzip-rsyncable", hf_gunzip_new, {"gzip", "--rsyncable", "-c"}},
	{"/gunzip/reads-pigz", hf_gunzip_new, {"pigz", "-c"}},
	{"/gunzip/reads-pigz-11", hf_gunzip_new, {"pigz", "-11c"}},
	{"/gunzip/reads-pigz-0", hf_gunzip_new, {"pigz", "-0c"}},
	{"/unzstd/reads-zstd-1", hf_unzstd_new, {"zstd", "-1cq"}},
	{"/unzstd/reads-zstd-19", hf_unzstd_new, {"zstd", "-19cq"}},
	{"/unzstd/reads-zstd-long", hf_unzstd_new, {"zstd", "--long=27", "-cq"}},
	{"/unzstd/reads-zstd-without-a-checksum", hf_unzstd_new, {"zstd", "--no-check", "-cq"}},
};

/* Alone, and after another one: concatenated files are one stream. */
static void
test_reads_what_others_write(gconstpointer data)
{
	size_t writer = GPOINTER_TO_SIZE(data);
	static const size_t sizes[] = {0, 1, 1000, 200000};

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autoptr(GByteArray) plain = plain_new(i % 2 ? PLAIN_TEXT : PLAIN_RANDOM, sizes[i]);
		g_autoptr(GByteArray) packed = g_byte_array_new();
		g_autoptr(GByteArray) twice = NULL;
		g_autoptr(GByteArray) twice_plain = copy(plain);

		g_assert_true(pipe_through(writers[writer].argv, plain, packed));
		assert_unpacks(writers[writer].reader, packed, plain);
		twice = copy(packed);
		g_byte_array_append(twice, packed->data, packed->len);
		g_byte_array_append(twice_plain, plain->data, plain->len);
		assert_unpacks(writers[writer].reader, twice, twice_plain);
	}
}

/* --- headers, RFC 1952 section 2.3 --- */

enum {
	FTEXT = 1,
	FHCRC = 2,
	FEXTRA = 4,
	FNAME = 8,
	FCOMMENT = 16
};

/* The same member under a header with these flags; hcrc_off is added to the header's checksum. */
static GByteArray *
with_header(const GByteArray *member, uint8_t flags, unsigned hcrc_off)
{
	static const uint8_t extra[] = {6, 0, 'A', 'p', 2, 0, 0xff, 0x00};
	uint8_t head[10] = {0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 2, 3};
	GByteArray *out = g_byte_array_new();

	g_byte_array_append(out, head, sizeof head);
	if (flags & FEXTRA)
		g_byte_array_append(out, extra, sizeof extra);
	if (flags & FNAME)
		g_byte_array_append(out, (const guint8 *)"a name.sql", 11);
	if (flags & FCOMMENT)
		g_byte_array_append(out, (const guint8 *)"", 1);
	if (flags & FHCRC) {
		unsigned sum = (unsigned)crc32(0, out->data, out->len) + hcrc_off;
		uint8_t bytes[] = {(uint8_t)sum, (uint8_t)(sum >> 8)};

		g_byte_array_append(out, bytes, sizeof bytes);
	}
	return g_byte_array_append(out, member->data + 10, member->len - 10);
}

static GByteArray *
small_member(GByteArray **plain_out)
{
	static const char *const argv[] = {"gzip", "-9nc", NULL};
	GByteArray *packed = g_byte_array_new();

	*plain_out = plain_new(PLAIN_TEXT, 400);
	g_assert_true(pipe_through(argv, *plain_out, packed));
	return packed;
}

static void
test_reads_every_kind_of_header(void)
{
	g_autoptr(GByteArray) plain = NULL;
	g_autoptr(GByteArray) member = small_member(&plain);

	for (uint8_t flags = 0; flags < 32; flags++) {
		g_autoptr(GByteArray) packed = with_header(member, flags, 0);

		assert_unpacks(hf_gunzip_new, packed, plain);
	}
}

static void
test_refuses_bad_headers(void)
{
	g_autoptr(GByteArray) plain = NULL;
	g_autoptr(GByteArray) member = small_member(&plain);

	for (unsigned flags = 32; flags < 256; flags += 32) {
		g_autoptr(GByteArray) reserved = with_header(member, (uint8_t)flags, 0);

		assert_corrupt(hf_gunzip_new, reserved);
	}
	for (uint8_t flags = FHCRC; flags < 32; flags = (uint8_t)((flags + 1) | FHCRC)) {
		g_autoptr(GByteArray) wrong = with_header(member, flags, 1);

		assert_corrupt(hf_gunzip_new, wrong);
	}
}

static void
test_an_empty_extra_field_is_read(void)
{
	g_autoptr(GByteArray) plain = NULL;
	g_autoptr(GByteArray) member = small_member(&plain);
	g_autoptr(GByteArray) packed = g_byte_array_new();

	member->data[3] = FEXTRA;
	g_byte_array_append(packed, member->data, 10);
	g_byte_array_append(packed, (const guint8 *)"\0\0", 2);
	g_byte_array_append(packed, member->data + 10, member->len - 10);
	assert_unpacks(hf_gunzip_new, packed, plain);
}

/* --- damage --- */

static const struct {
	const char *name;
	MakeStage reader;
	MakeStage ours;      /* or */
	const char *argv[4]; /* somebody else's */
	PlainKind kind;
	unsigned harmless_max; /* bits in which a flip may leave the plain bytes as they are */
} samples[] = {
	/* A gzip header has 49 such bits: time, extra flags, system, FTEXT; and padding up to 7 bits. */
	{"gunzip/of-gzip", hf_gunzip_new, NULL, {"gzip", "-9nc"}, PLAIN_TEXT, 56},
	{"gunzip/of-a-fixed-block", hf_gunzip_new, NULL, {"pigz", "-1nc"}, PLAIN_TEXT, 56},
	{"gunzip/of-members", hf_gunzip_new, gzip_stage, {NULL}, PLAIN_TEXT, 2 * 56},
	{"gunzip/of-stored-members", hf_gunzip_new, gzip_stage, {NULL}, PLAIN_RANDOM, 2 * 56},
	/* A zstd header has an unused bit, and a window of a byte that may be larger than needed; a table or a size may be
	   written in two ways.  The checksum says that the bytes are the same. */
	{"unzstd/of-zstd", hf_unzstd_new, NULL, {"zstd", "-19cq"}, PLAIN_TEXT, 32},
	{"unzstd/of-frames", hf_unzstd_new, zstd_stage, {NULL}, PLAIN_TEXT, 32},
	{"unzstd/of-stored-frames", hf_unzstd_new, zstd_stage, {NULL}, PLAIN_RANDOM, 32},
};

static GByteArray *
make_sample(size_t sample, GByteArray **plain_out)
{
	g_auto(Record) record;
	g_autoptr(GError) error = NULL;

	*plain_out = plain_new(samples[sample].kind, 500);
	record_init(&record);
	if (samples[sample].ours)
		g_assert_true(run_through(samples[sample].ours, *plain_out, 0, &record, &error));
	else
		g_assert_true(pipe_through(samples[sample].argv, *plain_out, record.bytes));
	return copy(record.bytes);
}

/* A cut is seen at every byte, but between two members, where only who counts them can see it. */
static void
test_every_cut_is_seen(gconstpointer data)
{
	size_t sample = GPOINTER_TO_SIZE(data);
	g_autoptr(GByteArray) plain = NULL;
	g_autoptr(GByteArray) packed = make_sample(sample, &plain);
	g_autoptr(GByteArray) cut = copy(packed);
	unsigned accepted = 0;

	assert_unpacks(samples[sample].reader, packed, plain);
	for (guint len = packed->len; len-- > 0;) {
		g_autoptr(GError) error = NULL;
		g_auto(Record) record;

		g_byte_array_set_size(cut, len);
		if (!unpack(samples[sample].reader, cut, 0, &record, &error)) {
			g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
			continue;
		}
		accepted++;
		assert_bytes(record.bytes, plain->data, 300);
	}
	g_assert_cmpuint(accepted, ==, samples[sample].ours ? 1 : 0);
}

static void
test_no_flipped_bit_gives_other_bytes(gconstpointer data)
{
	size_t sample = GPOINTER_TO_SIZE(data);
	g_autoptr(GByteArray) plain = NULL;
	g_autoptr(GByteArray) packed = make_sample(sample, &plain);
	unsigned harmless = 0;

	for (guint bit = 0; bit < 8 * packed->len; bit++) {
		g_autoptr(GError) error = NULL;
		g_auto(Record) record;

		packed->data[bit / 8] ^= (guint8)(1 << (bit % 8));
		if (unpack(samples[sample].reader, packed, bit % 2 ? 0 : 40, &record, &error)) {
			assert_same(record.bytes, plain);
			harmless++;
		} else {
			g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
		}
		packed->data[bit / 8] ^= (guint8)(1 << (bit % 8));
	}
	g_test_message("%u of %u bits are harmless", harmless, 8 * packed->len);
	g_assert_cmpuint(harmless, <=, samples[sample].harmless_max);
}

static void
test_what_follows_the_end_is_refused(gconstpointer data)
{
	static const struct {
		const char *bytes;
		guint len;
	} tails[] = {{"\0", 1},
		     {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
		     {"\n", 1},
		     {"\x1f", 1},
		     {"\x28", 1},
		     {"\x1f\x8b", 2},
		     {"\x28\xb5\x2f\xfd", 4},
		     {"garbage, and enough of it", 25}};
	size_t sample = GPOINTER_TO_SIZE(data);
	g_autoptr(GByteArray) plain = NULL;
	g_autoptr(GByteArray) packed = make_sample(sample, &plain);

	for (size_t i = 0; i < G_N_ELEMENTS(tails); i++) {
		g_autoptr(GByteArray) longer = copy(packed);

		g_byte_array_append(longer, (const guint8 *)tails[i].bytes, tails[i].len);
		assert_corrupt(samples[sample].reader, longer);
	}
}

static void
test_what_is_no_archive_is_refused(void)
{
	static const char *const others[] = {"", "x", "-- PostgreSQL database dump\n", "BZh91AY&SY",
					     "PK\3\4"};

	for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
		g_autoptr(GByteArray) bytes = g_byte_array_new();

		g_byte_array_append(bytes, (const guint8 *)others[i], (guint)strlen(others[i]));
		assert_corrupt(hf_gunzip_new, bytes);
		assert_corrupt(hf_unzstd_new, bytes);
	}
}

/* --- zstd's own --- */

static void
test_skippable_frames_are_skipped(void)
{
	static const uint8_t skippable[] = {0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
	g_autoptr(GByteArray) plain = NULL;
	g_autoptr(GByteArray) frames = make_sample(G_N_ELEMENTS(samples) - 2, &plain);
	g_autoptr(GByteArray) packed = g_byte_array_new();

	g_byte_array_append(packed, skippable, sizeof skippable);
	g_byte_array_append(packed, frames->data, frames->len);
	g_byte_array_append(packed, skippable, sizeof skippable);
	assert_unpacks(hf_unzstd_new, packed, plain);
	g_byte_array_set_size(packed, packed->len - 1);
	assert_corrupt(hf_unzstd_new, packed);
}

static void
test_a_huge_window_is_refused(void)
{
	static const char *const argv[] = {"zstd", "--ultra", "--long=28", "-1cq", NULL};
	g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, 100);
	g_autoptr(GByteArray) packed = g_byte_array_new();

	/* From a pipe the size is not known, so the frame asks for the whole window. */
	g_assert_true(pipe_through(argv, plain, packed));
	assert_corrupt(hf_unzstd_new, packed);
}

static const struct {
	const char *name;
	GTestDataFunc run;
} damages[] = {
	{"every-cut-is-seen", test_every_cut_is_seen},
	{"no-flipped-bit-gives-other-bytes", test_no_flipped_bit_gives_other_bytes},
	{"what-follows-the-end-is-refused", test_what_follows_the_end_is_refused},
};

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(writers); i++)
		g_test_add_data_func(writers[i].name, GSIZE_TO_POINTER(i), test_reads_what_others_write);
	g_test_add_func("/gunzip/reads-every-kind-of-header", test_reads_every_kind_of_header);
	g_test_add_func("/gunzip/refuses-bad-headers", test_refuses_bad_headers);
	g_test_add_func("/gunzip/an-empty-extra-field-is-read", test_an_empty_extra_field_is_read);
	for (size_t i = 0; i < G_N_ELEMENTS(samples); i++)
		for (size_t k = 0; k < G_N_ELEMENTS(damages); k++) {
			g_autofree char *path = g_strdup_printf("/%s/%s", samples[i].name, damages[k].name);

			g_test_add_data_func(path, GSIZE_TO_POINTER(i), damages[k].run);
		}
	g_test_add_func("/readers/what-is-no-archive-is-refused", test_what_is_no_archive_is_refused);
	g_test_add_func("/unzstd/skippable-frames-are-skipped", test_skippable_frames_are_skipped);
	g_test_add_func("/unzstd/a-huge-window-is-refused", test_a_huge_window_is_refused);
	return g_test_run();
}
