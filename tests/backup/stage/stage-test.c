#include "config.h"

#include "tests/backup/stage/fixture.h"

/* A chain of three recorders. */
typedef struct {
	Record records[3];
	int clock;
	HfStage *head;
} Chain;

static void
chain_init(Chain *chain)
{
	chain->clock = 0;
	chain->head = NULL;
	for (int i = 2; i >= 0; i--) {
		record_init(&chain->records[i]);
		chain->records[i].finish_clock = &chain->clock;
		chain->head = recorder_new(chain->head, &chain->records[i]);
	}
}

static void
chain_clear(Chain *chain)
{
	hf_stage_free(chain->head);
	for (int i = 0; i < 3; i++)
		record_clear(&chain->records[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Chain, chain_clear)

static void
test_finish_commits_head_first(void)
{
	g_auto(Chain) chain;
	g_autoptr(GError) error = NULL;

	chain_init(&chain);
	g_assert_true(hf_stage_write(chain.head, "abc", 3, &error));
	g_assert_true(hf_stage_finish(chain.head, &error));
	for (int i = 0; i < 3; i++) {
		g_assert_true(chain.records[i].is_committed);
		g_assert_cmpint(chain.records[i].finished_at, ==, i + 1);
		assert_bytes(chain.records[i].bytes, "abc", 3);
	}
}

static void
test_a_finished_chain_is_not_discarded(void)
{
	g_auto(Chain) chain;
	g_autoptr(GError) error = NULL;

	chain_init(&chain);
	g_assert_true(hf_stage_finish(chain.head, &error));
	g_clear_pointer(&chain.head, hf_stage_free);
	for (int i = 0; i < 3; i++)
		g_assert_false(chain.records[i].is_discarded);
}

static void
test_free_without_finish_discards(void)
{
	g_auto(Chain) chain;
	g_autoptr(GError) error = NULL;

	chain_init(&chain);
	g_assert_true(hf_stage_write(chain.head, "abc", 3, &error));
	g_clear_pointer(&chain.head, hf_stage_free);
	for (int i = 0; i < 3; i++) {
		g_assert_false(chain.records[i].is_committed);
		g_assert_true(chain.records[i].is_discarded);
	}
}

static void
test_a_failed_finish_discards_what_is_behind(void)
{
	g_auto(Chain) chain;
	g_autoptr(GError) error = NULL;

	chain_init(&chain);
	chain.records[1].fails_at_finish = true;
	g_assert_false(hf_stage_finish(chain.head, &error));
	g_assert_nonnull(error);
	g_assert_true(chain.records[0].is_committed);
	g_assert_false(chain.records[2].is_committed);
	g_clear_pointer(&chain.head, hf_stage_free);
	g_assert_false(chain.records[0].is_discarded);
	g_assert_true(chain.records[1].is_discarded);
	g_assert_true(chain.records[2].is_discarded);
}

static void
assert_is_dead(HfStage *head)
{
	g_autoptr(GError) on_write = NULL;
	g_autoptr(GError) on_mark = NULL;
	g_autoptr(GError) on_finish = NULL;

	g_assert_false(hf_stage_write(head, "x", 1, &on_write));
	g_assert_true(hf_error_is(on_write, HF_ERROR_FAILED));
	g_assert_false(hf_stage_mark(head, &on_mark));
	g_assert_true(hf_error_is(on_mark, HF_ERROR_FAILED));
	g_assert_false(hf_stage_finish(head, &on_finish));
	g_assert_true(hf_error_is(on_finish, HF_ERROR_FAILED));
}

static void
test_a_failed_chain_is_never_written_again(void)
{
	g_auto(Chain) chain;
	g_autoptr(GError) error = NULL;
	int writes;

	chain_init(&chain);
	chain.records[2].fail_at = 2;
	g_assert_false(hf_stage_write(chain.head, "abc", 3, &error));
	g_assert_cmpstr(error->message, ==, "the recorder is full");
	writes = chain.records[0].writes;
	assert_is_dead(chain.head);
	g_assert_cmpint(chain.records[0].writes, ==, writes);
	g_assert_false(chain.records[0].is_committed);
}

static void
test_a_finished_chain_is_never_written_again(void)
{
	g_auto(Chain) chain;
	g_autoptr(GError) error = NULL;

	chain_init(&chain);
	g_assert_true(hf_stage_finish(chain.head, &error));
	assert_is_dead(chain.head);
}

static void
test_marks_pass_through(void)
{
	g_auto(Chain) chain;
	g_autoptr(GError) error = NULL;

	chain_init(&chain);
	g_assert_true(hf_stage_write(chain.head, "abc", 3, &error));
	g_assert_true(hf_stage_mark(chain.head, &error));
	for (int i = 0; i < 3; i++) {
		g_assert_cmpuint(chain.records[i].marks->len, ==, 1);
		g_assert_cmpuint(g_array_index(chain.records[i].marks, size_t, 0), ==, 3);
	}
}

static void
test_a_failed_mark_fails_the_chain(void)
{
	g_auto(Chain) chain;
	g_autoptr(GError) error = NULL;

	chain_init(&chain);
	chain.records[2].fails_at_mark = true;
	g_assert_false(hf_stage_mark(chain.head, &error));
	assert_is_dead(chain.head);
}

static void
test_no_bytes_reach_no_hook(void)
{
	g_auto(Chain) chain;
	g_autoptr(GError) error = NULL;

	chain_init(&chain);
	g_assert_true(hf_stage_write(chain.head, NULL, 0, &error));
	g_assert_cmpint(chain.records[0].writes, ==, 0);
	hf_stage_free(NULL);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/stage/finish-commits-head-first", test_finish_commits_head_first);
	g_test_add_func("/stage/a-finished-chain-is-not-discarded", test_a_finished_chain_is_not_discarded);
	g_test_add_func("/stage/free-without-finish-discards", test_free_without_finish_discards);
	g_test_add_func("/stage/a-failed-finish-discards-what-is-behind",
			test_a_failed_finish_discards_what_is_behind);
	g_test_add_func("/stage/a-failed-chain-is-never-written-again",
			test_a_failed_chain_is_never_written_again);
	g_test_add_func("/stage/a-finished-chain-is-never-written-again",
			test_a_finished_chain_is_never_written_again);
	g_test_add_func("/stage/marks-pass-through", test_marks_pass_through);
	g_test_add_func("/stage/a-failed-mark-fails-the-chain", test_a_failed_mark_fails_the_chain);
	g_test_add_func("/stage/no-bytes-reach-no-hook", test_no_bytes_reach_no_hook);
	return g_test_run();
}
