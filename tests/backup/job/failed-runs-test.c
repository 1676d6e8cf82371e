#include "config.h"

#include "backup/job/failed-runs.h"
#include "tests/backup/job/state-fixture.h"

#include <string.h>

static HfJobStatus
status_of(char letter)
{
	return letter == 'D' || letter == 'E'   ? HF_JOB_DONE
	       : letter == 'F' || letter == 'W' ? HF_JOB_FAILED
	       : letter == 'I'                  ? HF_JOB_INTERRUPTED
						: HF_JOB_CANCELLED;
}

/* A job that ended so; when counts from 1,000 s on. */
static void
add(const StateFixture *fixture, const char *kind, char end, int64_t when)
{
	HfJobStatus status = status_of(end);
	g_autoptr(HfJobFile) file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, kind, &file);
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);
	g_autoptr(GError) error = NULL;
	bool is_cancelled;

	record->status = status;
	record->started_s = 1000 + when;
	record->finished_s = 1001 + when;
	record->error = status == HF_JOB_FAILED ? g_strdup("the power went") : NULL;
	record->error_code = end == 'W' ? g_strdup("conflict") : NULL;
	record->set_id = end == 'D' ? g_strdup("2024-01-15_02-00-00") : NULL;
	g_assert_true(hf_jobs_save(fixture->state, record, &is_cancelled, &error));
	g_assert_no_error(error);
}

/*
 * Jobs, oldest first: the letter of a half (f: both), then D done, F failed, I interrupted, C cancelled, W failed since another
 * was in the way, E done without a set: another host had the slot.
 */
static const struct {
	const char *name, *jobs;
	const char *failed; /* the halves that are, of each run */
} cases[] = {
	{"none", "", ""},
	{"all-done", "dD iD fD", ""},
	{"last-one-failed", "dD dF", "d"},
	{"interrupted-is-failed", "dD dI", "d"},
	{"done-after-it", "dF dD", ""},
	{"cancelled-is-none", "dD dC", ""},
	{"cancelled-after-it-makes-nothing-good", "dF dC", "d"},
	{"other-half-makes-nothing-good", "iF dD", "i"},
	{"full-run-stands-for-both", "dD iD fF", "f"},
	{"half-of-a-full-run-made-good", "fF dD", "i"},
	{"each-half-by-itself", "dF iI", "i d"},
	{"refused-is-none", "dD dW", ""},
	{"refused-after-it-makes-nothing-good", "dF dW", "d"},
	{"run-elsewhere-is-none", "dD dE", ""},
	{"run-elsewhere-makes-nothing-good", "dF dE", "d"},
	{"verify-and-prune-do-not-count", "dD vF pF", ""},
};

static const char *
kind_of(char letter)
{
	return letter == 'd'   ? "backup database"
	       : letter == 'i' ? "backup images"
	       : letter == 'f' ? "backup full"
	       : letter == 'v' ? "verify"
			       : "prune";
}

static char *
halves_of(const GPtrArray *failed)
{
	GString *halves = g_string_new(NULL);

	for (guint i = 0; i < failed->len; i++) {
		const HfFailedRun *run = failed->pdata[i];

		g_string_append_printf(halves, "%s%c", i ? " " : "",
				       run->of[HF_HALF_DATABASE] && run->of[HF_HALF_IMAGES] ? 'f'
				       : run->of[HF_HALF_DATABASE]                          ? 'd'
											    : 'i');
	}
	return g_string_free(halves, FALSE);
}

static void
test_case(gconstpointer data)
{
	size_t number = GPOINTER_TO_SIZE(data);
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_auto(GStrv) jobs = g_strsplit(cases[number].jobs, " ", -1);
	g_autoptr(GPtrArray) failed = NULL;
	g_autofree char *halves = NULL;

	for (int i = 0; jobs[i]; i++)
		add(fixture, kind_of(jobs[i][0]), jobs[i][1], i);
	failed = hf_jobs_failed_runs(fixture->state);
	halves = halves_of(failed);
	g_assert_cmpstr(halves, ==, cases[number].failed);
}

static void
test_says_which_job_and_why(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) failed = NULL;
	const HfFailedRun *run;

	add(fixture, "backup full", 'F', 7);
	failed = hf_jobs_failed_runs(fixture->state);
	g_assert_cmpuint(failed->len, ==, 1);
	run = failed->pdata[0];
	g_assert_cmpint(run->at_s, ==, 1007);
	g_assert_nonnull(strstr(run->what, "(backup full) failed: the power went"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = g_strconcat("/failed-runs/", cases[i].name, NULL);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_case);
	}
	g_test_add_func("/failed-runs/says-which-job-and-why", test_says_which_job_and_why);
	return g_test_run();
}
