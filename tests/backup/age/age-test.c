/* The stages: against age's own vector and program, and a table of damage. */
#include "config.h"

#include "backup/age/age.h"
#include "backup/age/payload.h"
#include "backup/stage/sink.h"
#include "tests/backup/stage/fixture.h"

#include <glib/gstdio.h>
#include <string.h>

#define IDENTITY "AGE-SECRET-KEY-1XMWWC06LY3EE5RYTXM9MFLAZ2U56JJJ36S0MYPDRWSVLUL66MV4QX3S7F6"

static HfAgeIdentities *identities;
static HfAgeRecipients *recipients;

static HfStage *
lock(HfStage *next)
{
	g_autoptr(GError) error = NULL;
	HfStage *age = hf_age_new(next, recipients, &error);

	g_assert_no_error(error);
	return age;
}

static HfStage *
unlock(HfStage *next)
{
	return hf_unage_new(next, identities);
}

static GByteArray *
locked(const GByteArray *plain)
{
	g_auto(Record) record;
	g_autoptr(GError) error = NULL;

	record_init(&record);
	g_assert_true(run_through(lock, plain, 70000, &record, &error));
	return g_byte_array_ref(record.bytes);
}

/* The testkit's vector "x25519", whole: the three bytes "age". */
static void
test_testkit_vector(void)
{
	static const char base64[] = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBURWlGMHlwcXIrYnB2Y3FY"
				     "TnlDVkpwTDdPdXdQZFZ3UEw3S1FFYkZET0NjCkVtRUNBRWNLTituL1ZzOVNiV2lW"
				     "K0h1MHIrRThSNzdEZFdZeWQ4M253N1UKLS0tIFZuKzU0anFpaVVDRStXWmNFVlkz"
				     "ZjFzcUhqbHUvejFMQ1EvVDdYbTdxSTAK7s9ix86RtDMnTmjU8vkTTLdMW/73vqpS"
				     "yPC8DpksHoMx+2Y=";
	gsize len;
	guchar *bytes = g_base64_decode(base64, &len);
	g_autoptr(GByteArray) file = g_byte_array_new_take(bytes, len);

	for (size_t piece = 0; piece < 4; piece++) {
		g_auto(Record) record;
		g_autoptr(GError) error = NULL;

		record_init(&record);
		g_assert_true(run_through(unlock, file, piece, &record, &error));
		assert_bytes(record.bytes, "age", 3);
	}
}

static const size_t sizes[] = {
	0,     1, HF_AGE_CHUNK_BYTES - 1, HF_AGE_CHUNK_BYTES, HF_AGE_CHUNK_BYTES + 1, 3 * HF_AGE_CHUNK_BYTES,
	500000};

static void
test_round_trip(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autoptr(GByteArray) plain = plain_new(PLAIN_RANDOM, sizes[i]);
		g_autoptr(GByteArray) file = locked(plain);
		g_auto(Record) record;
		g_autoptr(GError) error = NULL;

		record_init(&record);
		g_assert_true(run_through(unlock, file, 70000, &record, &error));
		assert_same(record.bytes, plain);
	}
}

static char *
identity_file(void)
{
	g_autoptr(GError) error = NULL;
	char *path = NULL;
	int fd = g_file_open_tmp("holdfast-age-XXXXXX", &path, &error);

	g_assert_no_error(error);
	g_assert_true(g_close(fd, NULL));
	g_assert_true(g_file_set_contents(path, IDENTITY "\n", -1, NULL));
	return path;
}

static void
test_age_opens_ours(void)
{
	g_autofree char *path = identity_file();
	const char *const argv[] = {"age", "-d", "-i", path, NULL};

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, sizes[i]);
		g_autoptr(GByteArray) file = locked(plain);
		g_autoptr(GByteArray) out = g_byte_array_new();

		g_assert_true(pipe_through(argv, file, out));
		assert_same(out, plain);
	}
	g_assert_cmpint(g_remove(path), ==, 0);
}

static void
test_ours_opens_age(void)
{
	g_autofree char *path = identity_file();
	/* -i while encrypting: to the identity's own recipient. */
	const char *const argv[] = {"age", "-e", "-i", path, NULL};

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		g_autoptr(GByteArray) plain = plain_new(PLAIN_TEXT, sizes[i]);
		g_autoptr(GByteArray) file = g_byte_array_new();
		g_auto(Record) record;
		g_autoptr(GError) error = NULL;

		record_init(&record);
		g_assert_true(pipe_through(argv, plain, file));
		g_assert_true(run_through(unlock, file, 30000, &record, &error));
		assert_same(record.bytes, plain);
	}
	g_assert_cmpint(g_remove(path), ==, 0);
}

/* ---- damage: a file of three chunks, the last one of 1,000 bytes ---- */

static size_t
prologue_of(const GByteArray *file)
{
	const char *closing = memmem(file->data, file->len, "\n---", 4);
	const char *end = memchr(closing + 1, '\n', 100);

	return (size_t)(end + 1 - (const char *)file->data) + HF_AGE_NONCE_BYTES;
}

static void
cut_at(GByteArray *file, size_t len)
{
	g_byte_array_set_size(file, (guint)len);
}

static void
drop_last_chunk(GByteArray *file)
{
	cut_at(file, file->len - 1000 - HF_AGE_TAG_BYTES);
}
static void
drop_last_byte(GByteArray *file)
{
	cut_at(file, file->len - 1);
}
static void
cut_in_head(GByteArray *file)
{
	cut_at(file, prologue_of(file) - HF_AGE_NONCE_BYTES - 3);
}
static void
cut_in_nonce(GByteArray *file)
{
	cut_at(file, prologue_of(file) - 5);
}
static void
cut_behind_nonce(GByteArray *file)
{
	cut_at(file, prologue_of(file));
}
static void
empty(GByteArray *file)
{
	cut_at(file, 0);
}
static void
flip_middle_bit(GByteArray *file)
{
	file->data[file->len / 2] ^= 4;
}
static void
flip_last_bit(GByteArray *file)
{
	file->data[file->len - 1] ^= 1;
}
static void
flip_nonce(GByteArray *file)
{
	file->data[prologue_of(file) - 1] ^= 1;
}
static void
extend(GByteArray *file)
{
	g_byte_array_append(file, (const guint8 *)"x", 1);
}

static void
swap_two_chunks(GByteArray *file)
{
	uint8_t *first = file->data + prologue_of(file);
	uint8_t *second = first + HF_AGE_SEALED_CHUNK_BYTES;

	for (size_t i = 0; i < HF_AGE_SEALED_CHUNK_BYTES; i++) {
		uint8_t byte = first[i];

		first[i] = second[i];
		second[i] = byte;
	}
}

static void
repeat_first_chunk(GByteArray *file)
{
	uint8_t *first = file->data + prologue_of(file);

	memcpy(first + HF_AGE_SEALED_CHUNK_BYTES, first, HF_AGE_SEALED_CHUNK_BYTES);
}

static void
repeat_last_chunk(GByteArray *file)
{
	size_t last = 1000 + HF_AGE_TAG_BYTES;
	g_autofree uint8_t *copy = g_memdup2(file->data + file->len - last, last);

	g_byte_array_append(file, copy, (guint)last);
}

static const struct {
	const char *name;
	void (*damage)(GByteArray *file);
} cases[] = {
	{"/age/truncated-at-a-chunk", drop_last_chunk},
	{"/age/truncated-by-a-byte", drop_last_byte},
	{"/age/truncated-in-the-head", cut_in_head},
	{"/age/truncated-in-the-nonce", cut_in_nonce},
	{"/age/truncated-behind-the-nonce", cut_behind_nonce},
	{"/age/empty", empty},
	{"/age/bit-flipped", flip_middle_bit},
	{"/age/last-bit-flipped", flip_last_bit},
	{"/age/nonce-changed", flip_nonce},
	{"/age/two-chunks-swapped", swap_two_chunks},
	{"/age/a-chunk-repeated", repeat_first_chunk},
	{"/age/last-chunk-repeated", repeat_last_chunk},
	{"/age/extended", extend},
};

static void
test_damage(gconstpointer data)
{
	void (*damage)(GByteArray *) = cases[GPOINTER_TO_SIZE(data)].damage;
	g_autoptr(GByteArray) plain = plain_new(PLAIN_RANDOM, 2 * HF_AGE_CHUNK_BYTES + 1000);
	g_autoptr(GByteArray) file = locked(plain);
	g_auto(Record) record;
	g_autoptr(GError) error = NULL;

	damage(file);
	record_init(&record);
	g_assert_false(run_through(unlock, file, 10000, &record, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
	g_assert_false(record.is_committed);
	/* Nothing that was not as it was written has been passed on. */
	g_assert_cmpuint(record.bytes->len, <=, plain->len);
	assert_bytes(record.bytes, plain->data, record.bytes->len);
}

static void
test_an_empty_last_chunk_is_refused(void)
{
	g_autofree HfAgeChunks *chunks = g_new0(HfAgeChunks, 1);
	g_autoptr(GError) error = NULL;
	uint8_t sealed[HF_AGE_SEALED_CHUNK_BYTES];
	uint8_t plain[HF_AGE_CHUNK_BYTES] = {0};
	uint8_t nonce[HF_AGE_AEAD_NONCE_BYTES];
	const uint8_t *at = sealed;
	size_t got;

	chunks->ends_in_last = true;
	hf_age_chunk_nonce(0, false, nonce);
	g_assert_true(hf_age_seal(&chunks->key, nonce, (HfAgeSpan){plain, sizeof plain}, sealed, &error));
	g_assert_true(hf_age_chunks_take(chunks, &at, sealed + sizeof sealed, &got, &error));
	hf_age_chunk_nonce(1, true, nonce);
	g_assert_true(hf_age_seal(&chunks->key, nonce, (HfAgeSpan){plain, 0}, sealed, &error));
	at = sealed;
	g_assert_true(hf_age_chunks_take(chunks, &at, sealed + HF_AGE_TAG_BYTES, &got, &error));
	g_assert_cmpuint(got, ==, sizeof plain);
	g_assert_false(hf_age_chunks_end(chunks, &got, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CORRUPT);
}

/* ---- ranges ---- */

static void
read_window(const GByteArray *file, const GByteArray *plain, size_t offset, size_t length)
{
	size_t prologue_bytes = prologue_of(file);
	g_autoptr(GBytes) prologue = g_bytes_new(file->data, prologue_bytes);
	HfAgeWindow window = hf_age_window(prologue_bytes, file->len, offset, length);
	g_autoptr(GError) error = NULL;
	g_auto(HfAgeKey) key;
	g_auto(Record) record;
	g_autoptr(HfStage) head = NULL;

	record_init(&record);
	g_assert_true(hf_age_open_prologue(prologue, identities, &key, &error));
	/* No more than the chunks that hold the range. */
	g_assert_cmpuint(window.length, <=, length + 2 * HF_AGE_SEALED_CHUNK_BYTES);
	head = hf_unage_window_new(recorder_new(NULL, &record), &key, &window,
				   window.offset + window.length == file->len, length);
	g_assert_true(hf_stage_write(head, file->data + window.offset, window.length, &error));
	g_assert_true(hf_stage_finish(head, &error));
	g_assert_no_error(error);
	assert_bytes(record.bytes, plain->data + offset, length);
}

static void
test_ranges(void)
{
	static const size_t lengths[] = {200000, HF_AGE_CHUNK_BYTES, 3 * HF_AGE_CHUNK_BYTES};

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		g_autoptr(GByteArray) plain = plain_new(PLAIN_RANDOM, lengths[i]);
		g_autoptr(GByteArray) file = locked(plain);
		uint64_t plain_bytes;

		g_assert_true(hf_age_plain_bytes(file->len, prologue_of(file), &plain_bytes));
		g_assert_cmpuint(plain_bytes, ==, lengths[i]);
		for (int n = 0; n < 200; n++) {
			size_t offset = (size_t)g_test_rand_int_range(0, (gint32)lengths[i]);
			size_t length = (size_t)g_test_rand_int_range(1, (gint32)(lengths[i] - offset) + 1);

			read_window(file, plain, offset, length);
		}
		read_window(file, plain, 0, lengths[i]);
		read_window(file, plain, lengths[i] - 1, 1);
	}
}

static void
test_no_file_is_of_such_a_length(void)
{
	static const uint64_t lengths[] = {0,
					   99,
					   100,
					   115,
					   100 + HF_AGE_SEALED_CHUNK_BYTES + HF_AGE_TAG_BYTES,
					   100 + HF_AGE_SEALED_CHUNK_BYTES + 1};
	uint64_t plain;

	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++)
		g_assert_false(hf_age_plain_bytes(lengths[i], 100, &plain));
	g_assert_true(hf_age_plain_bytes(116, 100, &plain));
	g_assert_cmpuint(plain, ==, 0);
}

int
main(int argc, char **argv)
{
	g_autoptr(HfSecret) secret = NULL;
	uint8_t public_key[HF_AGE_KEY_BYTES];
	int status;

	g_test_init(&argc, &argv, NULL);
	secret = hf_secret_new(IDENTITY, strlen(IDENTITY), "test", NULL);
	identities = hf_age_identities_parse(secret, "test", NULL);
	recipients = hf_age_recipients_parse("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
					     NULL);
	g_assert_true(hf_age_x25519(&g_array_index(identities->keys, HfAgeKey, 0), NULL, public_key, NULL));
	memcpy(g_array_index(recipients->keys, HfAgeKey, 0).bytes, public_key, sizeof public_key);

	g_test_add_func("/age/vector-of-the-testkit", test_testkit_vector);
	g_test_add_func("/age/round-trip-at-every-edge-of-a-chunk", test_round_trip);
	g_test_add_func("/age/age-opens-what-we-write", test_age_opens_ours);
	g_test_add_func("/age/we-open-what-age-writes", test_ours_opens_age);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_test_add_data_func(cases[i].name, GSIZE_TO_POINTER(i), test_damage);
	g_test_add_func("/age/an-empty-last-chunk-is-refused", test_an_empty_last_chunk_is_refused);
	g_test_add_func("/age/ranges-are-the-bytes-of-the-whole", test_ranges);
	g_test_add_func("/age/lengths-that-no-file-has", test_no_file_is_of_such_a_length);
	status = g_test_run();
	hf_age_identities_free(identities);
	hf_age_recipients_free(recipients);
	return status;
}
