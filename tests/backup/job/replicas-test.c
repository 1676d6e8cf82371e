/* How far behind replicas are, as the state remembers it. */
#include "config.h"

#include "backup/job/replicas.h"
#include "tests/backup/job/state-fixture.h"

static void
note(const StateFixture *fixture, HfReplicaSeen seen)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_replicas_note(fixture->state, &seen, &error));
	g_assert_no_error(error);
}

/* The one row; the caller frees the array. */
static const HfReplicaState *
only_row(const StateFixture *fixture, GPtrArray **rows_out)
{
	g_autoptr(GError) error = NULL;

	*rows_out = hf_replicas_list(fixture->state, &error);
	g_assert_no_error(error);
	g_assert_cmpuint((*rows_out)->len, ==, 1);
	return (*rows_out)->pdata[0];
}

static void
test_behind_since_is_when_it_began(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) rows = NULL;
	const HfReplicaState *row;

	note(fixture, (HfReplicaSeen){"replica-1", "s3://b/p", NULL, 0, 1000});
	note(fixture, (HfReplicaSeen){"replica-1", "s3://b/p", "down", 1, 2000});
	note(fixture, (HfReplicaSeen){"replica-1", NULL, "still down", 2, 3000});
	row = only_row(fixture, &rows);
	g_assert_cmpstr(row->place, ==, "s3://b/p");
	g_assert_cmpint(row->level_s, ==, 1000);
	g_assert_cmpint(row->behind_since_s, ==, 2000);
	g_assert_cmpint(row->tried_s, ==, 3000);
	g_assert_cmpuint(row->missing, ==, 2);
	g_assert_cmpstr(row->error, ==, "still down");
}

static void
test_being_level_ends_it(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) rows = NULL;
	const HfReplicaState *row;

	note(fixture, (HfReplicaSeen){"replica-1", "/nas", "down", 3, 1000});
	note(fixture, (HfReplicaSeen){"replica-1", "/nas", NULL, 0, 2000});
	row = only_row(fixture, &rows);
	g_assert_cmpint(row->level_s, ==, 2000);
	g_assert_cmpint(row->behind_since_s, ==, 0);
	g_assert_null(row->error);
}

static void
test_another_place_begins_anew(void)
{
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(GPtrArray) rows = NULL;
	const HfReplicaState *row;

	note(fixture, (HfReplicaSeen){"replica-1", "/nas", NULL, 0, 1000});
	note(fixture, (HfReplicaSeen){"replica-1", "/other", "full", 3, 2000});
	row = only_row(fixture, &rows);
	g_assert_cmpint(row->level_s, ==, 0);
	g_assert_cmpint(row->behind_since_s, ==, 2000);
	g_assert_cmpstr(row->place, ==, "/other");
}

static void
test_the_settings_say_which_there_are(void)
{
	static const char *const environment[] = {"REPLICA_1_DIR=/nas", "REPLICA_3_BUCKET=b", NULL};
	g_autoptr(StateFixture) fixture = state_fixture_new();
	g_autoptr(HfSettings) settings = hf_settings_load_from(environment, "/dev/null", NULL);
	g_autoptr(GPtrArray) replicas = NULL;
	const HfReplicaState *first, *second;

	note(fixture, (HfReplicaSeen){"replica-2", "/gone", "no longer set", 3, 1000});
	note(fixture, (HfReplicaSeen){"replica-1", "/nas", NULL, 0, 1000});
	replicas = hf_replicas_of(fixture->state, settings, NULL);
	g_assert_cmpuint(replicas->len, ==, 2);
	first = replicas->pdata[0];
	second = replicas->pdata[1];
	g_assert_cmpstr(first->name, ==, "replica-1");
	g_assert_cmpint(first->level_s, ==, 1000);
	g_assert_cmpstr(second->name, ==, "replica-3");
	g_assert_cmpint(second->tried_s, ==, 0);
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/replicas/behind-since-is-when-it-began", test_behind_since_is_when_it_began);
	g_test_add_func("/replicas/being-level-ends-it", test_being_level_ends_it);
	g_test_add_func("/replicas/another-place-begins-anew", test_another_place_begins_anew);
	g_test_add_func("/replicas/the-settings-say-which-there-are", test_the_settings_say_which_there_are);
	return g_test_run();
}
