#include "config.h"

#include "backup/stage/blocks.h"
#include "tests/backup/stage/fixture.h"

#include <string.h>

/* A codec that copies, slower for even blocks so that they end out of order, and fails where it meets an 'x'. */
static size_t
copy_bound(size_t plain_bytes)
{
	return plain_bytes;
}

static void *
copy_worker_new(int level, GError **error)
{
	if (level != 1) {
		hf_error_set(error, HF_ERROR_FAILED, "there is no worker");
		return NULL;
	}
	return g_malloc(1);
}

static bool
copy_pack(void *worker, HfBlock *block, GError **error)
{
	(void)worker;
	if (memchr(block->plain, 'x', block->plain_bytes))
		return hf_error_set(error, HF_ERROR_FAILED, "an x was met");
	if (block->plain_bytes > 0 && block->plain[0] % 2 == 0)
		g_usleep(2000);
	memcpy(block->packed, block->plain, block->plain_bytes);
	block->packed_bytes = block->plain_bytes;
	return true;
}

static const HfBlocksCodec copy_codec = {
	.name = "copy",
	.bound = copy_bound,
	.worker_new = copy_worker_new,
	.pack = copy_pack,
	.worker_free = g_free,
};

static HfBlocksOptions options;

static HfStage *
copy_stage(HfStage *next)
{
	return hf_blocks_new(next, &copy_codec, &options, NULL);
}

static GByteArray *
digits_new(size_t len)
{
	GByteArray *bytes = plain_new(PLAIN_ZEROS, len);

	for (size_t i = 0; i < len; i++)
		bytes->data[i] = (guint8)('0' + i % 10);
	return bytes;
}

static void
test_blocks_keep_their_order(void)
{
	g_autoptr(GByteArray) plain = digits_new(997);

	for (unsigned threads = 1; threads <= HF_BLOCKS_THREADS_MAX; threads++) {
		g_autoptr(GError) error = NULL;
		g_auto(Record) record;

		record_init(&record);
		options = (HfBlocksOptions){.level = 1, .threads = threads, .member_bytes = 7};
		g_assert_true(run_through(copy_stage, plain, 20, &record, &error));
		assert_same(record.bytes, plain);
	}
}

/* What was before the block that failed may have gone out, nothing behind it, and nothing is committed. */
static void
test_a_workers_error_fails_the_chain(void)
{
	for (size_t bad = 0; bad < 500; bad += 61) {
		g_autoptr(GByteArray) plain = digits_new(500);
		g_autoptr(GError) error = NULL;
		g_auto(Record) record;

		plain->data[bad] = 'x';
		record_init(&record);
		options = (HfBlocksOptions){.level = 1, .threads = 3, .member_bytes = 10};
		g_assert_false(run_through(copy_stage, plain, 0, &record, &error));
		g_assert_cmpstr(error->message, ==, "an x was met");
		g_assert_cmpuint(record.bytes->len, ==, bad / 10 * 10);
		g_assert_true(record.is_discarded);
		g_assert_false(record.is_committed);
	}
}

static void
test_no_worker_fails_the_chain(void)
{
	g_autoptr(GByteArray) plain = digits_new(100);
	g_autoptr(GError) error = NULL;
	g_auto(Record) record;

	record_init(&record);
	options = (HfBlocksOptions){.level = 2, .threads = 2, .member_bytes = 10};
	g_assert_false(run_through(copy_stage, plain, 0, &record, &error));
	g_assert_cmpstr(error->message, ==, "there is no worker");
	g_assert_false(record.is_committed);
}

static void
test_default_threads_are_a_few(void)
{
	g_assert_cmpuint(hf_blocks_default_threads(), >=, 1);
	g_assert_cmpuint(hf_blocks_default_threads(), <=, HF_BLOCKS_THREADS_MAX);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/blocks/keep-their-order", test_blocks_keep_their_order);
	g_test_add_func("/blocks/a-workers-error-fails-the-chain", test_a_workers_error_fails_the_chain);
	g_test_add_func("/blocks/no-worker-fails-the-chain", test_no_worker_fails_the_chain);
	g_test_add_func("/blocks/default-threads-are-a-few", test_default_threads_are_a_few);
	return g_test_run();
}
