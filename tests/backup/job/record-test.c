#include "config.h"

#include "backup/job/record.h"
#include "backup/job/marks.h"
#include "common/error.h"
#include "tests/backup/job/state-fixture.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- claiming ---- */

static void
test_a_claimed_job_is_queued_and_has_what_was_asked(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	const HfJobRequest request = {"verify", "{\"set\":\"latest\",\"level\":2}", "api:anna", NULL, 0};
	g_autoptr(GError) error = NULL;
	g_autofree char *id = NULL;
	g_autofree char *running = NULL;
	g_autoptr(HfJobFile) file = NULL;
	g_autoptr(HfJobRecord) record = NULL;

	g_assert_true(hf_jobs_claim(fixture->state, &request, &id, &file, &running, &error));
	g_assert_true(
		g_regex_match_simple("^\\d{4}-\\d\\d-\\d\\d_\\d\\d-\\d\\d-\\d\\d-[0-9a-f]{6}$", id, 0, 0));
	record = state_fixture_find(fixture, id);
	g_assert_cmpint(record->status, ==, HF_JOB_QUEUED);
	g_assert_cmpstr(record->kind, ==, "verify");
	g_assert_cmpstr(record->parameters, ==, request.parameters);
	g_assert_cmpstr(record->requested_by, ==, "api:anna");
	g_assert_cmpint(record->exit, ==, -1);
}

static void
test_an_unknown_kind_is_usage(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	const HfJobRequest request = {.kind = "format disk", .requested_by = "cli:test"};
	g_autoptr(GError) error = NULL;
	g_autofree char *id = NULL;
	g_autofree char *running = NULL;
	g_autoptr(HfJobFile) file = NULL;

	g_assert_false(hf_jobs_claim(fixture->state, &request, &id, &file, &running, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
}

/* What runs, what is asked for beside it, and whether it may. */
static const struct {
	const char *running, *asked;
	bool may_run;
} pairs[] = {
	{"backup database", "backup database", false},
	{"backup database", "backup images", true},
	{"backup images", "backup images", false},
	{"backup full", "backup database", false},
	{"backup images", "backup full", false},
	{"backup full", "verify", true},
	{"verify", "backup full", true},
	{"verify", "verify", true},
	{"prune", "backup images", false},
	{"backup database", "prune", false},
	{"verify", "prune", false},
	{"prune", "restore images", false},
	{"prune", "prune", false},
	{"delete", "verify", false},
	{"backup full", "delete", true},
	{"delete", "backup full", true},
	{"restore database", "restore images", true},
};

static void
test_who_may_run_beside_whom(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
		g_autoptr(StateFixture) fixture = state_fixture_new();
		const HfJobRequest request = {.kind = pairs[i].asked, .requested_by = "cli:test"};
		g_autoptr(HfJobFile) first = NULL;
		g_autoptr(HfJobFile) second = NULL;
		g_autofree char *holder = state_fixture_claim(fixture, pairs[i].running, &first);
		g_autofree char *id = NULL;
		g_autofree char *running = NULL;
		g_autoptr(GError) error = NULL;
		bool may_run = hf_jobs_claim(fixture->state, &request, &id, &second, &running, &error);

		g_test_message("%s beside %s", pairs[i].asked, pairs[i].running);
		g_assert_cmpint(may_run, ==, pairs[i].may_run);
		g_assert_cmpstr(running, ==, may_run ? NULL : holder);
		if (!may_run) {
			g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
			g_assert_nonnull(strstr(error->message, holder));
		}
	}
}

#define RACERS 8

/* Says how it went, and keeps what it has until all have said so. */
static void
race(const char *folder, int gate, int said, int end)
{
	const HfJobRequest request = {.kind = "backup full", .requested_by = "cli:test"};
	HfState *state = hf_state_open(folder, NULL);
	char *id = NULL, *running = NULL, byte;
	HfJobFile *file = NULL;
	bool is_claimed;

	/* All of them are let go at once. */
	(void)!read(gate, &byte, 1);
	is_claimed = state && hf_jobs_claim(state, &request, &id, &file, &running, NULL);
	(void)!write(said, is_claimed ? "w" : running ? "t" : "?", 1);
	(void)!read(end, &byte, 1);
	_exit(0);
}

static void
test_of_several_processes_exactly_one_wins(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	int won = 0, told = 0, gate[2], said[2], end[2];

	g_assert_cmpint(pipe(gate) | pipe(said) | pipe(end), ==, 0);
	for (int i = 0; i < RACERS; i++) {
		if (fork() != 0)
			continue;
		close(gate[1]);
		close(end[1]);
		race(fixture->folder, gate[0], said[1], end[0]);
	}
	close(gate[1]);
	for (int i = 0; i < RACERS; i++) {
		char word = 0;

		g_assert_cmpint(read(said[0], &word, 1), ==, 1);
		won += word == 'w';
		told += word == 't';
	}
	close(end[1]);
	while (wait(NULL) > 0)
		;
	g_assert_cmpint(won, ==, 1);
	g_assert_cmpint(told, ==, RACERS - 1);
}

/* ---- gone without a word ---- */

static void
test_a_job_whose_process_is_killed_is_interrupted(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) records = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *next = NULL;
	g_autoptr(HfJobFile) file = NULL;
	const HfJobRecord *record;
	char byte;
	int ready[2];
	pid_t child;

	g_assert_cmpint(pipe(ready), ==, 0);
	child = fork();
	if (child == 0) {
		HfState *state = hf_state_open(fixture->folder, NULL);
		const HfJobRequest request = {.kind = "backup full", .requested_by = "cli:test"};
		char *id, *running;
		HfJobFile *held;

		if (hf_jobs_claim(state, &request, &id, &held, &running, NULL))
			(void)!write(ready[1], "x", 1);
		pause();
	}
	g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	records = hf_jobs_list(fixture->state, NULL, 10, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(records->len, ==, 1);
	record = records->pdata[0];
	g_assert_cmpint(record->status, ==, HF_JOB_INTERRUPTED);
	g_assert_cmpint(record->exit, ==, 1);
	g_assert_cmpstr(record->error_code, ==, "interrupted");
	g_assert_cmpint(record->finished_s, >, 0);
	g_assert_null(hf_jobs_running(fixture->state, "database", &error));
	next = state_fixture_claim(fixture, "backup full", &file);
}

static void
test_a_dead_job_is_not_in_the_way_of_a_claim(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	HfJobFile *first = NULL;
	g_autoptr(HfJobFile) second = NULL;
	g_autofree char *dead = state_fixture_claim(fixture, "backup full", &first);
	g_autofree char *id = NULL;
	g_autoptr(HfJobRecord) record = NULL;

	hf_job_file_free(first);
	/* Nobody has looked at the first one meanwhile. */
	id = state_fixture_claim(fixture, "backup full", &second);
	record = state_fixture_find(fixture, dead);
	g_assert_cmpint(record->status, ==, HF_JOB_INTERRUPTED);
}

static void
test_what_has_ended_stays_as_it_ended(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *id = state_fixture_done(fixture, "backup full");
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);

	g_assert_cmpint(record->status, ==, HF_JOB_DONE);
}

/* ---- saving ---- */

static void
test_a_record_that_vanished_comes_back(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *path = state_fixture_path(fixture, "state.db");
	g_autoptr(HfJobFile) file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, "backup full", &file);
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);
	g_autoptr(HfJobRecord) found = NULL;
	g_autoptr(HfJobRecord) running = NULL;
	g_autoptr(GError) error = NULL;
	bool is_cancelled;

	g_assert_cmpint(unlink(path), ==, 0);
	record->status = HF_JOB_RUNNING;
	record->bytes = 12345;
	g_assert_true(hf_jobs_save(fixture->state, record, &is_cancelled, &error));
	found = state_fixture_find(fixture, id);
	g_assert_cmpuint(found->bytes, ==, 12345);
	running = hf_jobs_running(fixture->state, "images", &error);
	g_assert_cmpstr(running->id, ==, id);
}

/* ---- listing ---- */

static void
test_lists_are_newest_first_and_go_on(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *a = state_fixture_done(fixture, "verify");
	g_autofree char *b = state_fixture_done(fixture, "backup full");
	g_autofree char *c = state_fixture_done(fixture, "verify");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) head = hf_jobs_list(fixture->state, NULL, 2, &error);
	g_autoptr(GPtrArray) rest = hf_jobs_list(fixture->state, b, 2, &error);
	g_autoptr(HfJobRecord) last = hf_jobs_last_done(fixture->state, "backup full", &error);
	g_autoptr(HfJobRecord) none = hf_jobs_last_done(fixture->state, "prune", &error);

	g_assert_no_error(error);
	g_assert_cmpuint(head->len, ==, 2);
	g_assert_cmpstr(((HfJobRecord *)head->pdata[0])->id, ==, c);
	g_assert_cmpstr(((HfJobRecord *)head->pdata[1])->id, ==, b);
	g_assert_cmpuint(rest->len, ==, 1);
	g_assert_cmpstr(((HfJobRecord *)rest->pdata[0])->id, ==, a);
	g_assert_cmpstr(last->id, ==, b);
	g_assert_null(none);
}

static unsigned
count_logs(const StateFixture *fixture)
{
	g_autofree char *path = state_fixture_path(fixture, "jobs");
	g_autoptr(GDir) entries = g_dir_open(path, 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(entries))
		count++;
	return count;
}

static void
test_history_is_bounded(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *first = state_fixture_done(fixture, "verify");
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) records = NULL;

	for (int i = 0; i < HF_JOBS_KEPT + 5; i++)
		g_free(state_fixture_done(fixture, "verify"));
	records = hf_jobs_list(fixture->state, NULL, 2 * HF_JOBS_KEPT, &error);
	g_assert_cmpuint(records->len, ==, HF_JOBS_KEPT);
	g_assert_cmpuint(count_logs(fixture), ==, HF_JOBS_KEPT);
	g_assert_null(hf_jobs_find(fixture->state, first, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
}

/* ---- cancelling ---- */

static void
test_a_cancelled_job_gets_a_signal(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfJobFile) file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, "backup full", &file);
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);
	g_autoptr(HfJobRecord) asked = NULL;
	g_autoptr(GError) error = NULL;
	bool has_to_look = true;
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	record->status = HF_JOB_RUNNING;
	record->pid = child;
	record->pid_ticks = hf_job_pid_ticks(child);
	g_assert_cmpuint(record->pid_ticks, >, 0);
	g_assert_true(hf_jobs_save(fixture->state, record, &has_to_look, &error));
	g_assert_true(hf_jobs_cancel(fixture->state, id, &error));
	waitpid(child, &status, 0);
	g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	g_assert_true(hf_jobs_save(fixture->state, record, &has_to_look, &error));
	g_assert_false(has_to_look);
	asked = state_fixture_find(fixture, id);
	g_assert_true(asked->is_cancel_requested);
}

static void
test_another_process_of_the_same_number_is_left_alone(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfJobFile) file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, "backup full", &file);
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);
	g_autoptr(GError) error = NULL;
	bool has_to_look = false;

	record->status = HF_JOB_RUNNING;
	record->pid = getpid(); /* were it signalled, this test would end */
	record->pid_ticks = hf_job_pid_ticks(getpid()) - 1;
	g_assert_true(hf_jobs_save(fixture->state, record, &has_to_look, &error));
	g_assert_true(hf_jobs_cancel(fixture->state, id, &error));
	g_assert_true(hf_jobs_save(fixture->state, record, &has_to_look, &error));
	g_assert_true(has_to_look);
}

static void
test_what_has_ended_cannot_be_cancelled(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *id = state_fixture_done(fixture, "backup full");
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_jobs_cancel(fixture->state, id, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_clear_error(&error);
	g_assert_false(hf_jobs_cancel(fixture->state, "2024-01-01_00-00-00-abcdef", &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
}

/* ---- marks ---- */

static void
test_a_slot_is_claimed_once(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	const HfJobRequest request = {"verify", NULL, "schedule:daily", "daily", 1000};
	g_autoptr(GError) error = NULL;
	g_autofree char *id = NULL;
	g_autofree char *again = NULL;
	g_autofree char *running = NULL;
	g_autoptr(HfJobFile) file = NULL;
	g_autoptr(HfJobFile) other = NULL;
	int64_t slot_s = 0;

	g_assert_true(hf_jobs_claim(fixture->state, &request, &id, &file, &running, &error));
	g_assert_false(hf_jobs_claim(fixture->state, &request, &again, &other, &running, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_assert_null(running);
	g_clear_error(&error);
	g_assert_true(hf_marks_get(fixture->state, "daily", &slot_s, &error));
	g_assert_cmpint(slot_s, ==, 1000);
	g_assert_true(hf_marks_get(fixture->state, "weekly", &slot_s, &error));
	g_assert_cmpint(slot_s, ==, 0);
}

static void
test_a_refused_claim_leaves_the_mark(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	const HfJobRequest request = {"backup full", NULL, "schedule:daily", "daily", 1000};
	g_autoptr(HfJobFile) file = NULL;
	g_autofree char *holder = state_fixture_claim(fixture, "backup full", &file);
	g_autofree char *id = NULL;
	g_autofree char *running = NULL;
	g_autoptr(HfJobFile) other = NULL;
	g_autoptr(GError) error = NULL;
	int64_t slot_s = -1;

	g_assert_false(hf_jobs_claim(fixture->state, &request, &id, &other, &running, &error));
	g_assert_cmpstr(running, ==, holder);
	g_clear_error(&error);
	g_assert_true(hf_marks_get(fixture->state, "daily", &slot_s, &error));
	g_assert_cmpint(slot_s, ==, 0);
}

/* What an end comes to: a replica that is behind leaves the backup good; what never ran is neither good nor bad. */
static void
test_an_end_is_good_bad_or_void(void)
{
	static const struct {
		HfJobStatus status;
		int exit;
		const char *set, *code, *result;
		uint64_t bytes;
		bool is_good, is_void;
	} rows[] = {
		{HF_JOB_DONE, 0, "s", NULL, NULL, 1, true, false},
		{HF_JOB_DONE, 3, "s", NULL, "{\"warning\":\"a replica is behind\"}", 1, true, false},
		{HF_JOB_DONE, 3, "s", NULL, "{\"suspect\":true}", 1, false, false},
		{HF_JOB_DONE, 3, "s", NULL, "not JSON", 1, false, false},
		{HF_JOB_DONE, 3, "s", NULL, "[]", 1, false, false},
		{HF_JOB_DONE, 0, NULL, NULL, "{\"already\":true}", 0, true, true},
		{HF_JOB_FAILED, 1, NULL, "conflict", NULL, 0, false, true},
		{HF_JOB_FAILED, 1, NULL, "conflict", NULL, 1000, false, false},
		{HF_JOB_FAILED, 1, NULL, "failed", "{\"warning\":\"w\"}", 0, false, false},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		HfJobRecord record = {.status = rows[i].status, .exit = rows[i].exit, .bytes = rows[i].bytes};

		record.set_id = (char *)(uintptr_t)rows[i].set;
		record.error_code = (char *)(uintptr_t)rows[i].code;
		record.result = (char *)(uintptr_t)rows[i].result;
		g_assert_true(hf_job_record_is_good(&record) == rows[i].is_good);
		g_assert_true(hf_job_record_is_void(&record) == rows[i].is_void);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/jobs/a-claimed-job-is-queued-and-has-what-was-asked",
			test_a_claimed_job_is_queued_and_has_what_was_asked);
	g_test_add_func("/jobs/an-unknown-kind-is-usage", test_an_unknown_kind_is_usage);
	g_test_add_func("/jobs/who-may-run-beside-whom", test_who_may_run_beside_whom);
	g_test_add_func("/jobs/of-several-processes-exactly-one-wins",
			test_of_several_processes_exactly_one_wins);
	g_test_add_func("/jobs/a-job-whose-process-is-killed-is-interrupted",
			test_a_job_whose_process_is_killed_is_interrupted);
	g_test_add_func("/jobs/a-dead-job-is-not-in-the-way-of-a-claim",
			test_a_dead_job_is_not_in_the_way_of_a_claim);
	g_test_add_func("/jobs/what-has-ended-stays-as-it-ended", test_what_has_ended_stays_as_it_ended);
	g_test_add_func("/jobs/a-record-that-vanished-comes-back", test_a_record_that_vanished_comes_back);
	g_test_add_func("/jobs/lists-are-newest-first-and-go-on", test_lists_are_newest_first_and_go_on);
	g_test_add_func("/jobs/history-is-bounded", test_history_is_bounded);
	g_test_add_func("/jobs/a-cancelled-job-gets-a-signal", test_a_cancelled_job_gets_a_signal);
	g_test_add_func("/jobs/another-process-of-the-same-number-is-left-alone",
			test_another_process_of_the_same_number_is_left_alone);
	g_test_add_func("/jobs/what-has-ended-cannot-be-cancelled", test_what_has_ended_cannot_be_cancelled);
	g_test_add_func("/jobs/an-end-is-good-bad-or-void", test_an_end_is_good_bad_or_void);
	g_test_add_func("/jobs/a-slot-is-claimed-once", test_a_slot_is_claimed_once);
	g_test_add_func("/jobs/a-refused-claim-leaves-the-mark", test_a_refused_claim_leaves_the_mark);
	return g_test_run();
}
