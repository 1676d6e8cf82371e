#include "config.h"

#include "backup/job/metrics.h"
#include "backup/job/cached-sets.h"
#include "backup/job/marks.h"
#include "backup/job/replicas.h"
#include "backup/notify/note.h"
#include "common/error.h"
#include "tests/backup/job/state-fixture.h"

#include <string.h>

static const HfMetricsSchedule schedules[] = {
	{"daily", true, 2000000000}, {"weekly", false, 0}, {NULL, false, 0}};

/* A set of the cache: "kind level status flags", as far as a test says. */
typedef struct {
	const char *id, *kind, *status;
	int level;
	int64_t started_s;
	bool is_suspect, is_accepted, is_damaged, is_adopted, is_held;
	const char *manifest;
} Given;

static void
store_sets(const StateFixture *fixture, const Given *given, size_t count)
{
	g_autoptr(GPtrArray) sets = g_ptr_array_new_with_free_func((GDestroyNotify)hf_cached_set_free);
	g_autoptr(GError) error = NULL;

	for (size_t i = 0; i < count; i++) {
		HfCachedSet *set = hf_cached_set_new(given[i].id);

		set->kind = g_strdup(given[i].kind);
		set->status = g_strdup(given[i].status ? given[i].status : "complete");
		set->level = given[i].level;
		set->started_s = given[i].started_s;
		set->bytes = 1000;
		set->is_suspect = given[i].is_suspect;
		set->is_accepted = given[i].is_accepted;
		set->is_damaged = given[i].is_damaged;
		set->is_adopted = given[i].is_adopted;
		set->is_held = given[i].is_held;
		set->manifest = g_strdup(given[i].manifest);
		g_ptr_array_add(sets, set);
	}
	g_assert_true(hf_cached_sets_replace(fixture->state, sets, 1700000000, &error));
}

static char *
told(const StateFixture *fixture, bool *is_running_out)
{
	static const char *const environment[] = {"REPLICA_1_DIR=/nas", "REPLICA_2_DIR=/usb", NULL};
	g_autoptr(HfSettings) settings = hf_settings_load_from(environment, "/dev/null", NULL);
	g_autoptr(GError) error = NULL;
	char *text = hf_metrics_text(fixture->state, settings, schedules, is_running_out, &error);

	g_assert_no_error(error);
	return text;
}

static char *
text_of(const StateFixture *fixture)
{
	return told(fixture, NULL);
}

/* The line is there, as a whole. */
static void
assert_line(const char *text, const char *line)
{
	g_autofree char *wanted = g_strdup_printf("\n%s\n", line);

	if (!strstr(text, wanted))
		g_test_message("%s", text);
	g_assert_nonnull(strstr(text, wanted));
}

/* No sample of that name. */
static void
assert_absent(const char *text, const char *name)
{
	g_autofree char *sample = g_strdup_printf("\n%s", name);

	g_assert_null(strstr(text, sample));
}

static void
test_an_empty_state_tells_what_is_known(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *text = text_of(fixture);

	assert_line(text, "holdfast_build_info{version=\"" PACKAGE_VERSION "\"} 1");
	assert_line(text, "holdfast_store_seen_timestamp_seconds 0");
	assert_line(text, "holdfast_sets{kind=\"full\",state=\"good\"} 0");
	assert_line(text, "holdfast_jobs{kind=\"backup full\",status=\"failed\"} 0");
	assert_line(text, "holdfast_schedule_enabled{schedule=\"daily\"} 1");
	assert_line(text, "holdfast_schedule_enabled{schedule=\"weekly\"} 0");
	assert_line(text, "holdfast_schedule_next_timestamp_seconds{schedule=\"daily\"} 2000000000");
	assert_absent(text, "holdfast_schedule_next_timestamp_seconds{schedule=\"weekly\"}");
	assert_absent(text, "holdfast_schedule_last_timestamp_seconds");
	assert_absent(text, "holdfast_last_good_set");
	assert_absent(text, "holdfast_database_rows");
	assert_absent(text, "holdfast_job_last");
}

#define LAST "holdfast_last_good_set_timestamp_seconds"

/* The newest one that is good, for each kind and level: what is suspect, partial or damaged counts for nothing. */
static void
test_the_last_good_set_is_told_by_kind_and_level(void)
{
	static const Given given[] = {
		{.id = "a.sql.gz",
		 .kind = "database",
		 .status = "adopted",
		 .is_adopted = true,
		 .started_s = 50},
		{.id = "a", .kind = "full", .level = 4, .started_s = 100, .is_held = true},
		{.id = "b", .kind = "database", .level = 2, .started_s = 200},
		{.id = "c", .kind = "images", .level = 1, .started_s = 300},
		{.id = "d", .kind = "database", .level = 1, .started_s = 400, .is_suspect = true},
		{.id = "e", .kind = "images", .level = 1, .started_s = 500, .status = "partial"},
		{.id = "f", .is_damaged = true, .status = "damaged", .started_s = 600},
	};
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *text = NULL;

	store_sets(fixture, given, G_N_ELEMENTS(given));
	text = text_of(fixture);
	assert_line(text, LAST "{kind=\"database\",level=\"1\"} 200");
	assert_line(text, LAST "{kind=\"database\",level=\"2\"} 200");
	assert_line(text, LAST "{kind=\"database\",level=\"3\"} 100");
	assert_line(text, LAST "{kind=\"database\",level=\"4\"} 100");
	assert_line(text, LAST "{kind=\"images\",level=\"1\"} 300");
	assert_line(text, LAST "{kind=\"images\",level=\"4\"} 100");
	assert_line(text, "holdfast_sets{kind=\"database\",state=\"suspect\"} 1");
	assert_line(text, "holdfast_sets{kind=\"database\",state=\"adopted\"} 1");
	assert_line(text, "holdfast_sets{kind=\"images\",state=\"partial\"} 1");
	assert_line(text, "holdfast_sets{kind=\"unknown\",state=\"damaged\"} 1");
	assert_line(text, "holdfast_sets_held 1");
	assert_line(text, "holdfast_store_bytes 7000");
	assert_line(text, "holdfast_store_seen_timestamp_seconds 1700000000");
}

static void
test_an_accepted_set_is_good_again(void)
{
	static const Given given[] = {
		{.id = "a", .kind = "database", .level = 1, .started_s = 100},
		{.id = "b",
		 .kind = "database",
		 .level = 1,
		 .started_s = 200,
		 .is_suspect = true,
		 .is_accepted = true},
	};
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *text = NULL;

	store_sets(fixture, given, G_N_ELEMENTS(given));
	text = text_of(fixture);
	assert_line(text, LAST "{kind=\"database\",level=\"1\"} 200");
	assert_line(text, "holdfast_sets{kind=\"database\",state=\"suspect\"} 0");
}

#define MANIFEST \
	"{\"database\":{\"tables\":3,\"rows\":12,\"archive\":{\"plain_bytes\":100,\"packed_bytes\":40," \
	"\"parts\":[" \
	"{\"bytes\":30},{\"bytes\":12}]}}," \
	"\"images\":{\"objects\":7,\"bytes\":70,\"added\":1,\"changed\":2,\"deleted\":3,\"references\":{" \
	"\"missing\":4}," \
	"\"archives\":[{\"archive\":{\"plain_bytes\":5,\"packed_bytes\":6,\"parts\":[{\"bytes\":7}]}}," \
	"{\"archive\":{\"plain_bytes\":10,\"packed_bytes\":20,\"parts\":[{\"bytes\":30}]}}]}," \
	"\"metrics\":{\"duration_ms\":1500,\"cpu_ms\":20,\"retries\":2,\"phases\":[{\"name\":" \
	"\"dump\\\"ing\",\"ms\":7}]}}"

static void
test_sizes_and_cost_come_from_the_manifest(void)
{
	static const Given given[] = {
		{.id = "a", .kind = "full", .level = 1, .started_s = 100, .manifest = MANIFEST}};
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *text = NULL;

	store_sets(fixture, given, G_N_ELEMENTS(given));
	text = text_of(fixture);
	assert_line(text, "holdfast_last_good_set_plain_bytes{kind=\"database\"} 100");
	assert_line(text, "holdfast_last_good_set_stored_bytes{kind=\"database\"} 42");
	assert_line(text, "holdfast_last_good_set_plain_bytes{kind=\"images\"} 15");
	assert_line(text, "holdfast_last_good_set_packed_bytes{kind=\"images\"} 26");
	assert_line(text, "holdfast_last_good_set_stored_bytes{kind=\"images\"} 37");
	assert_line(text, "holdfast_database_rows 12");
	assert_line(text, "holdfast_images_missing 4");
	assert_line(text, "holdfast_last_good_run_duration_seconds{kind=\"images\"} 1.500");
	assert_line(text, "holdfast_last_good_run_retries{kind=\"database\"} 2");
	assert_line(text,
		    "holdfast_last_good_run_phase_seconds{kind=\"database\",phase=\"dump\\\"ing\"} 0.007");
	assert_absent(text, "holdfast_last_good_run_requests{");
}

/* The state is ours, but what it keeps was read from a store that others may write to. */
static const char *const strange[] = {
	"",
	"{}",
	"[]",
	"7",
	"{\"database\":7,\"images\":[],\"metrics\":\"x\"}",
	"{\"database\":{\"rows\":-1,\"tables\":\"3\",\"archive\":{\"parts\":7}}}",
	"{\"images\":{\"archives\":[7,{\"archive\":null},null],\"references\":[]}}",
	"{\"metrics\":{\"phases\":[7,null,{\"name\":7,\"ms\":1},{\"name\":\"a\"}],\"duration_ms\":1e3}}",
};

static void
test_a_strange_manifest_leaves_its_samples_out(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(strange); i++) {
		const Given given[] = {
			{.id = "a", .kind = "full", .level = 1, .started_s = 100, .manifest = strange[i]}};
		g_autoptr(StateFixture) fixture = state_fixture_new();
		g_autofree char *text = NULL;

		store_sets(fixture, given, 1);
		text = text_of(fixture);
		assert_line(text, LAST "{kind=\"images\",level=\"1\"} 100");
		assert_absent(text, "holdfast_database_rows");
		assert_absent(text, "holdfast_last_good_run_phase_seconds");
	}
}

/* ---- jobs ---- */

static void
end_job(const StateFixture *fixture, const char *kind, HfJobStatus status, int exit, int64_t at_s)
{
	HfJobFile *file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, kind, &file);
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);
	g_autoptr(GError) error = NULL;
	bool is_cancelled;

	record->status = status;
	record->exit = exit;
	record->started_s = at_s - 5;
	record->finished_s = at_s;
	record->duration_ms = 5000;
	record->bytes = 10000;
	g_assert_true(hf_jobs_save(fixture->state, record, &is_cancelled, &error));
	hf_job_file_free(file);
}

#define KIND "{kind=\"backup full\"}"

static void
test_jobs_are_told_by_how_they_ended(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *text = NULL;

	end_job(fixture, "backup full", HF_JOB_DONE, 0, 1000);
	end_job(fixture, "backup full", HF_JOB_DONE, 3, 2000);
	end_job(fixture, "backup full", HF_JOB_CANCELLED, 1, 3000);
	end_job(fixture, "verify", HF_JOB_INTERRUPTED, 1, 4000);
	g_assert_true(hf_marks_set(fixture->state, "daily", 1234, NULL));
	text = text_of(fixture);
	assert_line(text, "holdfast_jobs{kind=\"backup full\",status=\"done\"} 2");
	assert_line(text, "holdfast_jobs{kind=\"backup full\",status=\"cancelled\"} 1");
	assert_line(text, "holdfast_jobs{kind=\"verify\",status=\"interrupted\"} 1");
	assert_line(text, "holdfast_job_last_success_timestamp_seconds" KIND " 1000");
	assert_line(text, "holdfast_job_last_failure_timestamp_seconds" KIND " 2000");
	assert_line(text, "holdfast_job_last_failure_timestamp_seconds{kind=\"verify\"} 4000");
	assert_line(text, "holdfast_job_last_duration_seconds" KIND " 5.000");
	assert_line(text, "holdfast_job_last_throughput_bytes_per_second" KIND " 2000");
	assert_line(text, "holdfast_schedule_last_timestamp_seconds{schedule=\"daily\"} 1234");
	assert_absent(text, "holdfast_job_last_success_timestamp_seconds{kind=\"verify\"}");
	assert_absent(text, "holdfast_job_running_started_timestamp_seconds{");
}

/* One that runs makes the text stale soon; one whose process is gone does not run. */
static void
test_a_job_that_runs_is_told_as_long_as_it_does(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	HfJobFile *file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, "prune", &file);
	bool is_running = false;
	g_autofree char *before = told(fixture, &is_running);
	g_autofree char *after = NULL;

	g_assert_true(is_running);
	g_assert_nonnull(
		strstr(before, "\nholdfast_job_running_started_timestamp_seconds{kind=\"prune\"} 1"));
	assert_line(before, "holdfast_jobs{kind=\"prune\",status=\"queued\"} 1");
	hf_job_file_free(file);
	after = told(fixture, &is_running);
	g_assert_false(is_running);
	assert_line(after, "holdfast_jobs{kind=\"prune\",status=\"interrupted\"} 1");
	assert_absent(after, "holdfast_job_running_started_timestamp_seconds{");
}

static void
test_replicas_of_the_settings_are_told(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	const HfReplicaSeen gone = {"replica-3", "/old", "no longer set", 1, 1000};
	const HfReplicaSeen level = {"replica-1", "/nas", NULL, 0, 2000};
	const HfReplicaSeen behind = {"replica-1", "/nas", "it is down", 4, 3000};
	g_autofree char *text = NULL;

	g_assert_true(hf_replicas_note(fixture->state, &gone, NULL));
	g_assert_true(hf_replicas_note(fixture->state, &level, NULL));
	text = text_of(fixture);
	assert_line(text, "holdfast_replica_level{replica=\"replica-1\"} 1");
	assert_line(text, "holdfast_replica_level{replica=\"replica-2\"} 0");
	assert_absent(text, "replica-3");
	assert_absent(text, "holdfast_replica_behind_since_timestamp_seconds{");
	g_free(text);
	g_assert_true(hf_replicas_note(fixture->state, &behind, NULL));
	text = text_of(fixture);
	assert_line(text, "holdfast_replica_level{replica=\"replica-1\"} 0");
	assert_line(text, "holdfast_replica_level_timestamp_seconds{replica=\"replica-1\"} 2000");
	assert_line(text, "holdfast_replica_behind_since_timestamp_seconds{replica=\"replica-1\"} 3000");
	assert_line(text, "holdfast_replica_missing_sets{replica=\"replica-1\"} 4");
}

static void
test_what_waits_to_be_told_is_counted(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autofree char *text = text_of(fixture);

	assert_line(text, "holdfast_outbox_waiting 0");
	assert_absent(text, "\nholdfast_outbox_oldest_timestamp_seconds 1");
	g_free(text);
	g_assert_true(hf_notify_replica(fixture->state, "replica-1", true, "it is down", NULL));
	text = text_of(fixture);
	assert_line(text, "holdfast_outbox_waiting 1");
	g_assert_nonnull(strstr(text, "\nholdfast_outbox_oldest_timestamp_seconds 1"));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/metrics/an-empty-state-tells-what-is-known",
			test_an_empty_state_tells_what_is_known);
	g_test_add_func("/metrics/the-last-good-set-is-told-by-kind-and-level",
			test_the_last_good_set_is_told_by_kind_and_level);
	g_test_add_func("/metrics/an-accepted-set-is-good-again", test_an_accepted_set_is_good_again);
	g_test_add_func("/metrics/sizes-and-cost-come-from-the-manifest",
			test_sizes_and_cost_come_from_the_manifest);
	g_test_add_func("/metrics/a-strange-manifest-leaves-its-samples-out",
			test_a_strange_manifest_leaves_its_samples_out);
	g_test_add_func("/metrics/jobs-are-told-by-how-they-ended", test_jobs_are_told_by_how_they_ended);
	g_test_add_func("/metrics/a-job-that-runs-is-told-as-long-as-it-does",
			test_a_job_that_runs_is_told_as_long_as_it_does);
	g_test_add_func("/metrics/replicas-of-the-settings-are-told", test_replicas_of_the_settings_are_told);
	g_test_add_func("/metrics/what-waits-to-be-told-is-counted", test_what_waits_to_be_told_is_counted);
	return g_test_run();
}
