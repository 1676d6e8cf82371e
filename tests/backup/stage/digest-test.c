#include "config.h"

#include "backup/stage/digest.h"
#include "backup/stage/sink.h"
#include "tests/backup/stage/fixture.h"

#include <string.h>

/* FIPS 180-4 examples (NIST, "SHA256.pdf") and the empty message. */
static const struct {
	const char *text;
	const char *hex;
} vectors[] = {
	{"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
	{"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
	{"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void
test_published_vectors(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
		g_auto(Record) record;
		g_autoptr(GError) error = NULL;
		g_autoptr(HfStage) digest = NULL;
		char hex[HF_SHA256_HEX_LEN + 1];

		record_init(&record);
		digest = hf_digest_new(recorder_new(NULL, &record));
		for (const char *at = vectors[i].text; *at; at++)
			g_assert_true(hf_stage_write(digest, at, 1, &error));
		g_assert_true(hf_stage_finish(digest, &error));
		hf_digest_hex(digest, hex);
		g_assert_cmpstr(hex, ==, vectors[i].hex);
		g_assert_cmpuint(hf_digest_bytes(digest), ==, strlen(vectors[i].text));
		assert_bytes(record.bytes, vectors[i].text, strlen(vectors[i].text));
	}
}

/* Hashed by a thread of the stage: FIPS 180-4's long message, a million times "a", and then some in odd pieces. */
static void
test_long_streams(void)
{
	static const char *const hexes[] = {
		"cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc711"
		"2cd0", /* 1,000,000: FIPS 180-4 */
	};
	g_autofree char *text = g_strnfill(10000019, 'a');
	const struct {
		size_t len, piece;
	} cases[] = {{1000000, 1000}, {10000019, 1000003}, {10000019, 70001}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(HfStage) digest = hf_digest_new(hf_sink_null_new());
		g_autofree char *expected = g_compute_checksum_for_data(G_CHECKSUM_SHA256,
									(const guchar *)text, cases[i].len);
		char hex[HF_SHA256_HEX_LEN + 1];

		for (size_t at = 0; at < cases[i].len; at += cases[i].piece)
			g_assert_true(hf_stage_write(digest, text + at,
						     MIN(cases[i].piece, cases[i].len - at), &error));
		g_assert_true(hf_stage_finish(digest, &error));
		hf_digest_hex(digest, hex);
		g_assert_cmpstr(hex, ==, i == 0 ? hexes[0] : expected);
	}
}

static void
test_a_long_stream_is_given_up(void)
{
	g_autofree char *text = g_strnfill(5000000, 'a');
	g_autoptr(GError) error = NULL;
	g_autoptr(HfStage) digest = hf_digest_new(hf_sink_null_new());

	g_assert_true(hf_stage_write(digest, text, 5000000, &error));
}

static void
test_check_fails_before_what_is_behind_commits(void)
{
	static const struct {
		uint64_t bytes;
		int vector; /* whose digest is expected of "abc" */
		bool is_good;
	} cases[] = {{3, 1, true}, {2, 1, false}, {4, 1, false}, {3, 0, false}, {0, 0, false}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(Record) record;
		g_autoptr(GError) error = NULL;
		HfStage *check;

		record_init(&record);
		check = hf_digest_check_new(recorder_new(NULL, &record), "some.sql.gz", cases[i].bytes,
					    vectors[cases[i].vector].hex);
		g_assert_true(hf_stage_write(check, "abc", 3, &error));
		g_assert_true(hf_stage_finish(check, &error) == cases[i].is_good);
		g_assert_true(cases[i].is_good || hf_error_is(error, HF_ERROR_CORRUPT));
		g_assert_true(cases[i].is_good || strstr(error->message, "\"some.sql.gz\""));
		hf_stage_free(check);
		g_assert_true(record.is_committed == cases[i].is_good);
		g_assert_true(record.is_discarded == !cases[i].is_good);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/digest/published-vectors", test_published_vectors);
	g_test_add_func("/digest/long-streams", test_long_streams);
	g_test_add_func("/digest/a-long-stream-is-given-up", test_a_long_stream_is_given_up);
	g_test_add_func("/digest/check-fails-before-what-is-behind-commits",
			test_check_fails_before_what_is_behind_commits);
	return g_test_run();
}
