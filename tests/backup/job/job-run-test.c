#include "config.h"

#include "backup/job/job-file.h"
#include "backup/job/run.h"
#include "common/cancel.h"
#include "common/error.h"
#include "tests/backup/job/state-fixture.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID "2024-01-15_02-00-00-abcdef"

/* ---- held ---- */

static void
test_it_is_held_until_it_is_let_go(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GError) error = NULL;
	HfJobFile *file = hf_job_file_make(fixture->folder, ID, &error);

	g_assert_no_error(error);
	g_assert_true(hf_job_file_is_held(fixture->folder, ID));
	g_assert_null(hf_job_file_adopt(fixture->folder, ID, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	hf_job_file_free(file);
	g_assert_false(hf_job_file_is_held(fixture->folder, ID));
	g_assert_false(hf_job_file_is_held(fixture->folder, "nonesuch"));
}

static int is_looking_over;

static gpointer
look_again_and_again(gpointer folder)
{
	while (!__atomic_load_n(&is_looking_over, __ATOMIC_ACQUIRE))
		(void)hf_job_file_is_held(folder, ID);
	return NULL;
}

/* A look must not be what makes a job fail to take it. */
static void
test_who_looks_disturbs_nobody(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	GThread *looker = g_thread_new("looker", look_again_and_again, fixture->folder);

	for (int i = 0; i < 300; i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(HfJobFile) file = hf_job_file_adopt(fixture->folder, ID, &error);

		/* The folder is made by the first job of all. */
		if (i == 0 && !file)
			file = hf_job_file_make(fixture->folder, ID, NULL);
		else
			g_assert_no_error(error);
		g_assert_nonnull(file);
	}
	__atomic_store_n(&is_looking_over, 1, __ATOMIC_RELEASE);
	g_thread_join(looker);
}

static void
test_a_file_that_vanished_is_made_again(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfJobFile) file = hf_job_file_make(fixture->folder, ID, NULL);
	g_autofree char *path = state_fixture_path(fixture, "jobs/" ID ".log");
	g_autoptr(GString) text = g_string_new(NULL);
	uint64_t next = 0;

	hf_job_file_say(file, "before");
	g_assert_cmpint(unlink(path), ==, 0);
	g_assert_false(hf_job_file_is_held(fixture->folder, ID));
	hf_job_file_tend(file);
	g_assert_true(hf_job_file_is_held(fixture->folder, ID));
	hf_job_file_say(file, "after");
	g_assert_true(hf_job_file_read(fixture->folder, ID, 0, text, &next, NULL));
	g_assert_cmpstr(text->str, ==, "after\n");
}

/* ---- the log ---- */

static void
test_reading_goes_on_where_it_ended(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfJobFile) file = hf_job_file_make(fixture->folder, ID, NULL);
	g_autoptr(GString) text = g_string_new(NULL);
	uint64_t next = 0;

	hf_job_file_say(file, "one");
	g_assert_true(hf_job_file_read(fixture->folder, ID, 0, text, &next, NULL));
	hf_job_file_say(file, "two");
	g_string_truncate(text, 0);
	g_assert_true(hf_job_file_read(fixture->folder, ID, next, text, &next, NULL));
	g_assert_cmpstr(text->str, ==, "two\n");
	g_string_truncate(text, 0);
	g_assert_true(hf_job_file_read(fixture->folder, ID, next, text, &next, NULL));
	g_assert_cmpstr(text->str, ==, "");
	/* A place behind the end is one of a log that is gone. */
	g_assert_true(hf_job_file_read(fixture->folder, ID, 1 << 20, text, &next, NULL));
	g_assert_cmpstr(text->str, ==, "one\ntwo\n");
}

static void
test_a_log_is_bounded(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfJobFile) file = hf_job_file_make(fixture->folder, ID, NULL);
	g_autofree char *path = state_fixture_path(fixture, "jobs/" ID ".log");
	g_autoptr(GString) text = g_string_new(NULL);
	struct stat stored;
	uint64_t next = 0;

	for (int i = 0; i < 40000; i++) {
		g_autofree char *line = g_strdup_printf(
			"line %06d of many, each of some length, so that it takes a while", i);

		hf_job_file_say(file, line);
		if (i % 100 == 0)
			hf_job_file_tend(file);
	}
	hf_job_file_tend(file);
	g_assert_cmpint(stat(path, &stored), ==, 0);
	g_assert_cmpuint((uint64_t)stored.st_blocks * 512, <=, 3 * HF_JOB_LOG_BYTES);
	g_assert_true(hf_job_file_read(fixture->folder, ID, 0, text, &next, NULL));
	g_assert_cmpuint(text->len, <=, HF_JOB_LOG_BYTES);
	g_assert_cmpuint(text->len, >, HF_JOB_LOG_BYTES / 2);
	g_assert_true(g_str_has_prefix(text->str, "line "));
	g_assert_true(g_str_has_suffix(
		text->str, "line 039999 of many, each of some length, so that it takes a while\n"));
	g_assert_cmpuint(strlen(text->str), ==, text->len);
}

/* ---- a run ---- */

static uint64_t bytes_so_far;

static bool
look(HfProgress *now_out)
{
	*now_out = (HfProgress){.bytes = __atomic_add_fetch(&bytes_so_far, 1000, __ATOMIC_RELAXED),
				.phase = "dumping"};
	return true;
}

static HfJobRun *
begin_run(const StateFixture *fixture, char **id_out)
{
	HfJobFile *file = NULL;

	*id_out = state_fixture_claim(fixture, "backup full", &file);
	return hf_job_run_begin(fixture->state, file, state_fixture_find(fixture, *id_out), look);
}

static void
test_progress_is_written_at_most_twice_a_second(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfState) other = hf_state_open(fixture->folder, NULL);
	g_autofree char *id = NULL;
	gint64 begin = g_get_monotonic_time();
	HfJobRun *run = begin_run(fixture, &id);
	uint64_t version = hf_state_version(other);
	unsigned writes = 0;
	double passed_s;

	/* As many as it takes to see some; a slow machine makes fewer writes, never more. */
	while (writes < 3) {
		uint64_t now = hf_state_version(other);

		writes += now != version;
		version = now;
		g_usleep(1000);
	}
	passed_s = (double)(g_get_monotonic_time() - begin) / G_USEC_PER_SEC;
	g_assert_cmpfloat(writes, <=, passed_s * HF_JOB_WRITES_PER_S + 1);
	{
		g_autoptr(HfJobRecord) record = hf_jobs_find(other, id, NULL);

		g_assert_cmpint(record->status, ==, HF_JOB_RUNNING);
		g_assert_cmpstr(record->phase, ==, "dumping");
		g_assert_cmpuint(record->bytes, >, 0);
		g_assert_cmpuint(record->bytes_per_s, >, 0);
		g_assert_cmpint(record->pid, ==, getpid());
	}
	hf_job_run_end(run, &(HfJobOutcome){.status = HF_JOB_DONE});
}

static void
test_an_end_is_written_before_the_file_is_let_go(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *id = NULL;
	HfJobRun *run = begin_run(fixture, &id);
	g_autoptr(HfJobRecord) record = NULL;

	hf_job_run_end(run, &(HfJobOutcome){.status = HF_JOB_FAILED,
					    .exit = 1,
					    .error = "disk \"x\" is full",
					    .error_code = "failed",
					    .result = "{\"success\":false}"});
	record = state_fixture_find(fixture, id);
	g_assert_cmpint(record->status, ==, HF_JOB_FAILED);
	g_assert_cmpint(record->exit, ==, 1);
	g_assert_cmpstr(record->error, ==, "disk \"x\" is full");
	g_assert_cmpstr(record->result, ==, "{\"success\":false}");
	g_assert_cmpuint(record->bytes_per_s, ==, 0);
	g_assert_false(hf_job_file_is_held(fixture->folder, id));
}

/* Where the one who asks may not send signals: another user, another container. */
static void
test_a_job_that_cannot_be_signalled_sees_the_request(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfState) other = hf_state_open(fixture->folder, NULL);
	HfJobFile *file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, "backup full", &file);
	HfJobRun *run;

	/* It is queued still, so nobody knows its process. */
	g_assert_true(hf_jobs_cancel(other, id, NULL));
	run = hf_job_run_begin(fixture->state, file, state_fixture_find(fixture, id), look);
	while (!hf_cancel_is_requested())
		g_usleep(1000);
	hf_job_run_end(run, &(HfJobOutcome){.status = HF_JOB_CANCELLED, .exit = 1});
	hf_cancel_reset();
}

static void
test_a_state_that_cannot_be_written_is_warned_about_once(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *id = NULL;
	g_autofree char *path = state_fixture_path(fixture, "state.db");
	HfJobRun *run = begin_run(fixture, &id);

	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*cannot be kept up*BACKUP_STATE_DIR*");
	/* root may write anywhere, but not into a folder. */
	g_assert_cmpint(unlink(path), ==, 0);
	g_assert_cmpint(mkdir(path, 0700), ==, 0);
	hf_job_run_end(run, &(HfJobOutcome){.status = HF_JOB_DONE});
	g_test_assert_expected_messages();
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/job-file/is-held-until-it-is-let-go", test_it_is_held_until_it_is_let_go);
	g_test_add_func("/job-file/who-looks-disturbs-nobody", test_who_looks_disturbs_nobody);
	g_test_add_func("/job-file/that-vanished-is-made-again", test_a_file_that_vanished_is_made_again);
	g_test_add_func("/job-file/reading-goes-on-where-it-ended", test_reading_goes_on_where_it_ended);
	g_test_add_func("/job-file/a-log-is-bounded", test_a_log_is_bounded);
	g_test_add_func("/job-run/progress-is-written-at-most-twice-a-second",
			test_progress_is_written_at_most_twice_a_second);
	g_test_add_func("/job-run/an-end-is-written-before-the-file-is-let-go",
			test_an_end_is_written_before_the_file_is_let_go);
	g_test_add_func("/job-run/that-cannot-be-signalled-sees-the-request",
			test_a_job_that_cannot_be_signalled_sees_the_request);
	g_test_add_func("/job-run/a-state-that-cannot-be-written-is-warned-about-once",
			test_a_state_that_cannot_be_written_is_warned_about_once);
	return g_test_run();
}
