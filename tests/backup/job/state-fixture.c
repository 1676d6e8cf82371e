#include "config.h"

#include "tests/backup/job/state-fixture.h"
#include "common/error.h"

#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

StateFixture *
state_fixture_new(void)
{
	g_autoptr(GError) error = NULL;
	StateFixture *fixture = g_new0(StateFixture, 1);

	fixture->folder = g_dir_make_tmp("holdfast-state.XXXXXX", &error);
	g_assert_no_error(error);
	fixture->state = hf_state_open(fixture->folder, &error);
	g_assert_no_error(error);
	return fixture;
}

static void
remove_all(const char *path)
{
	g_autoptr(GDir) entries = g_dir_open(path, 0, NULL);
	const char *name;

	while (entries && (name = g_dir_read_name(entries))) {
		g_autofree char *entry = g_build_filename(path, name, NULL);

		remove_all(entry);
	}
	if (entries)
		(void)rmdir(path);
	else
		(void)unlink(path);
}

void
state_fixture_free(StateFixture *fixture)
{
	if (!fixture)
		return;
	hf_state_free(fixture->state);
	remove_all(fixture->folder);
	g_free(fixture->folder);
	g_free(fixture);
}

char *
state_fixture_path(const StateFixture *fixture, const char *name)
{
	return g_build_filename(fixture->folder, name, NULL);
}

char *
state_fixture_claim(const StateFixture *fixture, const char *kind, HfJobFile **file_out)
{
	const HfJobRequest request = {.kind = kind, .requested_by = "cli:test"};
	g_autoptr(GError) error = NULL;
	g_autofree char *running = NULL;
	char *id = NULL;
	bool is_claimed = hf_jobs_claim(fixture->state, &request, &id, file_out, &running, &error);

	g_assert_no_error(error);
	g_assert_true(is_claimed);
	return id;
}

char *
state_fixture_done(const StateFixture *fixture, const char *kind)
{
	HfJobFile *file = NULL;
	char *id = state_fixture_claim(fixture, kind, &file);
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);
	g_autoptr(GError) error = NULL;
	bool is_cancelled;

	record->status = HF_JOB_DONE;
	record->exit = 0;
	record->started_s = record->finished_s = record->created_s;
	g_assert_true(hf_jobs_save(fixture->state, record, &is_cancelled, &error));
	hf_job_file_free(file);
	return id;
}

HfJobRecord *
state_fixture_find(const StateFixture *fixture, const char *id)
{
	g_autoptr(GError) error = NULL;
	HfJobRecord *record = hf_jobs_find(fixture->state, id, &error);

	g_assert_no_error(error);
	return record;
}

pid_t
state_fixture_fork(const StateFixture *fixture, bool as_nobody,
		   int (*work)(HfState *state, const char *folder))
{
	pid_t child = fork();

	if (child == 0) {
		HfState *state = NULL;

		if (as_nobody && getuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
			_exit(99);
		state = hf_state_open(fixture->folder, NULL);
		_exit(work(state, fixture->folder));
	}
	return child;
}

int
state_fixture_wait(pid_t child)
{
	int status = 0;

	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int
state_fixture_in_child(const StateFixture *fixture, bool as_nobody,
		       int (*work)(HfState *state, const char *folder))
{
	return state_fixture_wait(state_fixture_fork(fixture, as_nobody, work));
}
