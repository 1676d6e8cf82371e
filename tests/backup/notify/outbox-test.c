#include "config.h"

#include "backup/job/marks.h"
#include "backup/job/state-impl.h"
#include "backup/notify/note.h"
#include "backup/notify/outbox.h"
#include "common/clock.h"
#include "tests/backup/job/state-fixture.h"

#include <string.h>
#include <unistd.h>

/* A job that ended so; text members may be NULL. */
static void
end_job(const StateFixture *fixture, const char *kind, HfJobStatus status, const char *result)
{
	g_autoptr(HfJobFile) file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, kind, &file);
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);
	g_autoptr(GError) error = NULL;
	bool is_cancelled;

	record->status = status;
	record->exit = status == HF_JOB_DONE ? 0 : 1;
	if (result && strstr(result, "\"suspect\":true"))
		record->exit = 3;
	record->started_s = record->finished_s = hf_clock_now_s();
	record->error = status == HF_JOB_FAILED ? g_strdup("the power\nwent") : NULL;
	record->set_id = status == HF_JOB_DONE ? g_strdup("2026-11-28_02-00-00") : NULL;
	record->result = g_strdup(result);
	g_assert_true(hf_jobs_save(fixture->state, record, &is_cancelled, &error));
	g_assert_no_error(error);
}

static GPtrArray *
fresh(const StateFixture *fixture)
{
	g_autoptr(GError) error = NULL;
	GPtrArray *found = hf_outbox_fresh(fixture->state, &error);

	g_assert_no_error(error);
	return found;
}

/* The nth message, which must be there. */
static HfMessage *
message_at(const StateFixture *fixture, guint n)
{
	g_autoptr(GPtrArray) found = fresh(fixture);
	g_autoptr(GError) error = NULL;
	HfMessage *message;

	g_assert_cmpuint(found->len, >, n);
	message = hf_message_parse(((const HfOutboxMessage *)found->pdata[n])->body, &error);
	g_assert_no_error(error);
	return message;
}

static void
assert_messages(const StateFixture *fixture, guint count)
{
	g_autoptr(GPtrArray) found = fresh(fixture);

	g_assert_cmpuint(found->len, ==, count);
}

/* ---- what is put in ---- */

static void
a_failure_is_put_in_with_its_reason(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfMessage) message = NULL;

	end_job(fixture, "backup database", HF_JOB_FAILED, NULL);
	message = message_at(fixture, 0);
	g_assert_cmpint(message->event, ==, HF_EVENT_FAILURE);
	g_assert_cmpstr(message->subject, ==, "backup database");
	g_assert_cmpstr(message->title, ==, "Backup of the database failed");
	g_assert_true(g_str_has_prefix(message->text, "the power went\nWhat the job said: \"holdfast jobs "));
}

static void
a_second_failure_is_for_the_heartbeat_alone(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfMessage) message = NULL;

	end_job(fixture, "backup database", HF_JOB_FAILED, NULL);
	end_job(fixture, "backup database", HF_JOB_FAILED, NULL);
	message = message_at(fixture, 1);
	g_assert_true(message->is_quiet);
	g_assert_false(hf_message_is_wanted(message, ~0U));
}

static void
recovery_names_the_trouble(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfMessage) message = NULL;

	end_job(fixture, "backup images", HF_JOB_FAILED, NULL);
	end_job(fixture, "backup images", HF_JOB_DONE, NULL);
	message = message_at(fixture, 1);
	g_assert_cmpint(message->event, ==, HF_EVENT_RECOVERED);
	g_assert_cmpint(message->cause, ==, HF_EVENT_SUCCESS);
	g_assert_cmpstr(message->title, ==, "All well again: Backup of the images succeeded");
	g_assert_nonnull(strstr(message->text, "(failure)"));
	g_assert_true(hf_message_is_wanted(message, 1U << HF_EVENT_SUCCESS));
	g_assert_true(hf_message_is_wanted(message, 1U << HF_EVENT_RECOVERED));
	g_assert_false(hf_message_is_wanted(message, 1U << HF_EVENT_FAILURE));
}

/* What changed is told against the last one that was done. */
static void
a_success_tells_what_changed(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfMessage) message = NULL;
	const HfFact *changes = NULL;

	end_job(fixture, "backup full", HF_JOB_DONE,
		"{\"stored_bytes\":1048576,\"rows\":1000,\"tables\":3,\"database\":\"shop\",\"level\":1}");
	end_job(fixture, "backup full", HF_JOB_DONE,
		"{\"stored_bytes\":3145728,\"rows\":900,\"tables\":3,\"database\":\"shop\",\"level\":2,"
		"\"images\":{\"added\":1204,\"changed\":0,\"deleted\":1,\"objects\":5,\"bytes\":6}}");
	message = message_at(fixture, 1);
	for (guint i = 0; i < message->facts->len; i++)
		if (strcmp(((const HfFact *)message->facts->pdata[i])->label, "Since the last") == 0)
			changes = message->facts->pdata[i];
	g_assert_nonnull(changes);
	g_assert_cmpstr(
		changes->text, ==,
		"as many tables; -100 rows; +2.0 MiB stored; images: 1,204 new, 0 changed, 1 deleted");
}

static void
a_suspect_set_tells_its_alarms(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfMessage) message = NULL;

	end_job(fixture, "backup full", HF_JOB_DONE,
		"{\"suspect\":true,\"status\":\"complete\",\"alarms\":[\"table x\\r\\nlost rows\"]}");
	message = message_at(fixture, 0);
	g_assert_cmpint(message->event, ==, HF_EVENT_SUSPECT);
	g_assert_cmpstr(message->title, ==, "Backup of database and images is suspect");
	g_assert_true(g_str_has_prefix(message->text, "table x  lost rows\n"));
	g_assert_nonnull(strstr(message->text, "holdfast accept 2026-11-28_02-00-00"));
}

/* Kinds and ends that nobody is told of. */
static void
some_ends_are_nobodys_business(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();

	end_job(fixture, "backup database", HF_JOB_CANCELLED, NULL);
	end_job(fixture, "restore database", HF_JOB_FAILED, NULL);
	end_job(fixture, "delete", HF_JOB_FAILED, NULL);
	assert_messages(fixture, 0);
}

static void
an_end_that_is_written_twice_is_told_once(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfJobFile) file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, "backup database", &file);
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);
	bool is_cancelled;

	record->status = HF_JOB_DONE;
	for (int i = 0; i < 2; i++)
		g_assert_true(hf_jobs_save(fixture->state, record, &is_cancelled, NULL));
	assert_messages(fixture, 1);
}

static void
a_job_whose_process_is_gone_is_told_of_once(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	HfJobFile *file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, "backup database", &file);
	g_autoptr(HfMessage) message = NULL;

	hf_job_file_free(file);
	for (int i = 0; i < 3; i++) {
		g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);

		g_assert_cmpint(record->status, ==, HF_JOB_INTERRUPTED);
	}
	assert_messages(fixture, 1);
	message = message_at(fixture, 0);
	g_assert_cmpstr(message->title, ==, "Backup of the database was interrupted");
}

static void
a_missed_run_is_told_with_its_claim(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	int64_t slot_s = hf_clock_now_s() - 7200;
	const HfJobRequest request = {
		.kind = "backup full", .requested_by = "schedule:daily", .mark = "daily", .slot_s = slot_s};
	g_autofree char *id = NULL;
	g_autofree char *running = NULL;
	g_autoptr(HfJobFile) file = NULL;
	g_autoptr(HfMessage) message = NULL;

	g_assert_true(hf_jobs_claim(fixture->state, &request, &id, &file, &running, NULL));
	assert_messages(fixture, 1);
	message = message_at(fixture, 0);
	g_assert_cmpint(message->event, ==, HF_EVENT_MISSED);
	g_assert_cmpstr(message->title, ==, "The daily backup was not started at its time");
}

static void
a_run_in_time_is_not_missed(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	const HfJobRequest request = {.kind = "backup full",
				      .requested_by = "schedule:daily",
				      .mark = "daily",
				      .slot_s = hf_clock_now_s() - 60};
	g_autofree char *id = NULL;
	g_autofree char *running = NULL;
	g_autoptr(HfJobFile) file = NULL;

	g_assert_true(hf_jobs_claim(fixture->state, &request, &id, &file, &running, NULL));
	assert_messages(fixture, 0);
}

static void
a_replica_is_told_of_when_it_changes(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	static const bool is_behind[] = {false, true, true, false, false};
	static const HfEvent told[] = {HF_EVENT_REPLICA_LEVEL, HF_EVENT_REPLICA_BEHIND, HF_EVENT_RECOVERED,
				       HF_EVENT_REPLICA_LEVEL};
	g_autoptr(GError) error = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(is_behind); i++)
		g_assert_true(hf_notify_replica(fixture->state, "replica-1", is_behind[i],
						is_behind[i] ? "it is full" : NULL, &error));
	g_assert_no_error(error);
	assert_messages(fixture, G_N_ELEMENTS(told));
	for (guint i = 0; i < G_N_ELEMENTS(told); i++) {
		g_autoptr(HfMessage) message = message_at(fixture, i);

		g_assert_cmpint(message->event, ==, told[i]);
	}
}

/* ---- a crash ---- */

/* A process that is killed in the middle leaves the end and the message, or neither. */
static int
die_while_ending(HfState *state, const char *folder)
{
	g_autoptr(GPtrArray) jobs = hf_jobs_list(state, NULL, 1, NULL);
	HfJobRecord *record = jobs->pdata[0];
	bool is_cancelled;

	(void)folder;
	record->status = HF_JOB_FAILED;
	if (!hf_jobs_save(state, record, &is_cancelled, NULL))
		return 1;
	_exit(9);
}

static void
what_was_ended_is_told_after_a_crash(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfJobFile) file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, "backup database", &file);

	g_assert_cmpint(state_fixture_in_child(fixture, false, die_while_ending), ==, 9);
	assert_messages(fixture, 1);
}

/* Whatever is wrong with the tables of messages, a job's end is recorded; the next write makes the file anew. */
static void
a_table_that_is_gone_loses_no_end(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfJobFile) file = NULL;
	g_autofree char *id = state_fixture_claim(fixture, "backup database", &file);
	g_autoptr(HfJobRecord) record = state_fixture_find(fixture, id);
	g_autoptr(HfJobRecord) found = NULL;
	bool is_cancelled;

	g_assert_cmpint(
		sqlite3_exec(hf_state_handle(fixture->state), "DROP TABLE messages", NULL, NULL, NULL), ==,
		SQLITE_OK);
	record->status = HF_JOB_DONE;
	g_test_expect_message("holdfast", G_LOG_LEVEL_WARNING, "*is damaged*");
	g_assert_true(hf_jobs_save(fixture->state, record, &is_cancelled, NULL));
	g_test_assert_expected_messages();
	found = state_fixture_find(fixture, id);
	g_assert_cmpint(found->status, ==, HF_JOB_DONE);
	assert_messages(fixture, 1);
}

/* ---- deliveries ---- */

static void
spread(const StateFixture *fixture, int64_t message, const char *channel, bool is_latest_only)
{
	g_autoptr(GPtrArray) channels = g_ptr_array_new();
	HfSpread one = {channel, is_latest_only};

	g_ptr_array_add(channels, &one);
	g_assert_true(hf_outbox_spread(fixture->state, message, channels, NULL));
}

static int64_t
seq_at(const StateFixture *fixture, guint n)
{
	g_autoptr(GPtrArray) found = fresh(fixture);

	g_assert_cmpuint(found->len, >, n);
	return ((const HfOutboxMessage *)found->pdata[n])->seq;
}

static void
a_delivery_waits_until_it_is_settled(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) waiting = NULL;
	g_autoptr(GPtrArray) after = NULL;
	HfDelivery *delivery;

	end_job(fixture, "backup database", HF_JOB_FAILED, NULL);
	spread(fixture, seq_at(fixture, 0), "email a@example.org", false);
	assert_messages(fixture, 0);
	waiting = hf_outbox_waiting(fixture->state, NULL);
	g_assert_cmpuint(waiting->len, ==, 1);
	delivery = waiting->pdata[0];
	g_assert_cmpstr(delivery->channel, ==, "email a@example.org");
	delivery->status = HF_DELIVERY_DONE;
	delivery->tries = 1;
	g_assert_true(hf_outbox_settle(fixture->state, delivery, NULL));
	after = hf_outbox_waiting(fixture->state, NULL);
	g_assert_cmpuint(after->len, ==, 0);
}

static void
a_newer_heartbeat_makes_the_older_void(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) list = NULL;

	end_job(fixture, "backup database", HF_JOB_FAILED, NULL);
	end_job(fixture, "backup database", HF_JOB_DONE, NULL);
	spread(fixture, seq_at(fixture, 0), "heartbeat", true);
	spread(fixture, seq_at(fixture, 0), "heartbeat", true);
	list = hf_outbox_list(fixture->state, 10, NULL);
	g_assert_cmpuint(list->len, ==, 2);
	g_assert_cmpint(((const HfDelivery *)list->pdata[0])->status, ==, HF_DELIVERY_WAITING);
	g_assert_cmpint(((const HfDelivery *)list->pdata[1])->status, ==, HF_DELIVERY_DROPPED);
}

static void
the_newest_messages_are_kept(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) found = NULL;
	g_autoptr(GPtrArray) list = NULL;

	for (int i = 0; i < HF_MESSAGES_KEPT + 20; i++) {
		g_autofree char *replica = g_strdup_printf("replica-%d", i);

		g_assert_true(hf_notify_replica(fixture->state, replica, true, NULL, NULL));
	}
	found = fresh(fixture);
	g_assert_cmpuint(found->len, ==, HF_MESSAGES_KEPT);
	list = hf_outbox_list(fixture->state, 5, NULL);
	g_assert_cmpuint(list->len, ==, 5);
	g_assert_cmpstr(((const HfDelivery *)list->pdata[0])->subject, ==, "replica-1019");
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/outbox/a-failure-is-put-in-with-its-reason", a_failure_is_put_in_with_its_reason);
	g_test_add_func("/outbox/a-second-failure-is-for-the-heartbeat-alone",
			a_second_failure_is_for_the_heartbeat_alone);
	g_test_add_func("/outbox/recovery-names-the-trouble", recovery_names_the_trouble);
	g_test_add_func("/outbox/a-success-tells-what-changed", a_success_tells_what_changed);
	g_test_add_func("/outbox/a-suspect-set-tells-its-alarms", a_suspect_set_tells_its_alarms);
	g_test_add_func("/outbox/some-ends-are-nobodys-business", some_ends_are_nobodys_business);
	g_test_add_func("/outbox/an-end-that-is-written-twice-is-told-once",
			an_end_that_is_written_twice_is_told_once);
	g_test_add_func("/outbox/a-job-whose-process-is-gone-is-told-of-once",
			a_job_whose_process_is_gone_is_told_of_once);
	g_test_add_func("/outbox/a-missed-run-is-told-with-its-claim", a_missed_run_is_told_with_its_claim);
	g_test_add_func("/outbox/a-run-in-time-is-not-missed", a_run_in_time_is_not_missed);
	g_test_add_func("/outbox/a-replica-is-told-of-when-it-changes", a_replica_is_told_of_when_it_changes);
	g_test_add_func("/outbox/what-was-ended-is-told-after-a-crash", what_was_ended_is_told_after_a_crash);
	g_test_add_func("/outbox/a-table-that-is-gone-loses-no-end", a_table_that_is_gone_loses_no_end);
	g_test_add_func("/outbox/a-delivery-waits-until-it-is-settled", a_delivery_waits_until_it_is_settled);
	g_test_add_func("/outbox/a-newer-heartbeat-makes-the-older-void",
			a_newer_heartbeat_makes_the_older_void);
	g_test_add_func("/outbox/the-newest-messages-are-kept", the_newest_messages_are_kept);
	return g_test_run();
}
