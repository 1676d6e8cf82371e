#include "config.h"

#include "backup/catalog/fence.h"
#include "backup/job/job-file.h"
#include "backup/job/lease.h"
#include "backup/job/lease-process.h"
#include "backup/job/progress.h"
#include "backup/job/record.h"
#include "common/error.h"
#include "tests/lib/fixture.h"
#include "tests/lib/racestore.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEGIN_S INT64_C(1705284000)
#define SECONDS 120

/* One host; all of them share a place. */
typedef struct {
	double now_s;
	unsigned drawn, number;
	bool has_gone; /* what is_gone says */
	HfLeaseWorld world;
	HfStore *store;
	HfLeaseSeen *seen;
	RaceFate fate; /* of the next write: 0 again after it */
	unsigned fate_after;
} Host;

static double
now_s(void *data)
{
	return ((Host *)data)->now_s;
}

static int64_t
wall_s(void *data)
{
	return BEGIN_S + (int64_t)((Host *)data)->now_s;
}

static void
draw(void *data, void *buf, size_t len)
{
	Host *host = data;

	for (size_t i = 0; i < len; i++)
		((unsigned char *)buf)[i] = (unsigned char)(host->drawn++ * 37 + host->number * 101);
}

static void
pass(void *data, unsigned ms)
{
	((Host *)data)->now_s += (double)ms / 1000;
}

static bool
is_gone(void *data, const HfLeaseEntry *entry)
{
	(void)entry;
	return ((Host *)data)->has_gone;
}

static RaceFate
fate_of(void *data)
{
	Host *host = data;
	RaceFate fate = host->fate;

	if (fate == RACE_DONE || host->fate_after-- > 0)
		return RACE_DONE;
	host->fate = RACE_DONE;
	return fate;
}

static void
host_begin(Host *host, RacePlace *place)
{
	static unsigned hosts;

	*host = (Host){.now_s = 1000, .number = ++hosts};
	host->world = (HfLeaseWorld){now_s, wall_s, draw, pass, is_gone, host};
	host->store = race_store_new(place, fate_of, host);
	host->seen = hf_lease_seen_load(NULL, "a clock");
}

static void
host_end(Host *host)
{
	hf_store_free(host->store);
	hf_lease_seen_free(host->seen);
}

static HfLease *
lease_of(Host *host, const char *name, const char *kind)
{
	g_autofree char *job = g_strconcat("job-of-", name, NULL);
	const HfLeaseWish wish = {.host = name,
				  .machine = name,
				  .job = job,
				  .kind = kind,
				  .by = "cli",
				  .pid = 1,
				  .ticks = 1,
				  .seconds = SECONDS};

	return hf_lease_new(host->store, &host->world, host->seen, &wish);
}

static HfLeaseVerdict
try_it(HfLease *lease)
{
	g_autoptr(GError) error = NULL;
	HfLeaseVerdict verdict;
	bool is_answered = hf_lease_try(lease, &verdict, &error);

	g_assert_no_error(error);
	g_assert_true(is_answered);
	return verdict;
}

typedef struct {
	RacePlace *place;
	Host one, two;
	HfLease *first, *second;
} Pair;

static void
pair_begin(Pair *pair, const char *first_kind, const char *second_kind)
{
	pair->place = race_place_new();
	host_begin(&pair->one, pair->place);
	host_begin(&pair->two, pair->place);
	pair->first = lease_of(&pair->one, "web1", first_kind);
	pair->second = lease_of(&pair->two, "web2", second_kind);
}

static void
pair_end(Pair *pair)
{
	hf_lease_free(pair->first);
	hf_lease_free(pair->second);
	host_end(&pair->one);
	host_end(&pair->two);
	race_place_free(pair->place);
}

/* Both hosts' clocks. */
static void
time_goes_on(Pair *pair, double seconds)
{
	pair->one.now_s += seconds;
	pair->two.now_s += seconds;
}

/* ---- rules ---- */

static void
test_the_second_is_told_whom_it_met(void)
{
	g_autoptr(GError) error = NULL;
	Pair pair;

	pair_begin(&pair, "backup full", "backup images");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_IN_THE_WAY);
	g_assert_cmpstr(hf_lease_other(pair.second)->host, ==, "web1");
	g_assert_cmpstr(hf_lease_other(pair.second)->job, ==, "job-of-web1");
	g_assert_true(hf_lease_release(pair.first, &error));
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_OURS);
	g_assert_null(hf_lease_other(pair.second));
	pair_end(&pair);
}

/* The table of kind.c, across hosts. */
static void
test_kinds_meet_as_on_one_host(void)
{
	static const struct {
		const char *one, *two;
		HfLeaseVerdict second;
	} cases[] = {
		{"backup database", "backup images", HF_LEASE_OURS},
		{"backup database", "backup database", HF_LEASE_IN_THE_WAY},
		{"backup full", "verify", HF_LEASE_OURS},
		{"verify", "restore database", HF_LEASE_OURS},
		{"verify", "prune", HF_LEASE_IN_THE_WAY},
		{"prune", "restore images", HF_LEASE_IN_THE_WAY},
		{"delete", "backup full", HF_LEASE_OURS},
		{"a kind of a later version", "verify", HF_LEASE_IN_THE_WAY},
		{"a kind of a later version", "backup database", HF_LEASE_IN_THE_WAY},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		Pair pair;

		g_test_message("%s, %s", cases[i].one, cases[i].two);
		pair_begin(&pair, cases[i].one, cases[i].two);
		g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
		g_assert_cmpint(try_it(pair.second), ==, cases[i].second);
		pair_end(&pair);
	}
}

static void
test_it_is_taken_over_only_after_it_was_watched(void)
{
	g_autoptr(GError) error = NULL;
	Pair pair;

	pair_begin(&pair, "backup full", "backup full");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	/* However old it is: nobody has watched it yet. */
	time_goes_on(&pair, 10 * SECONDS);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_IN_THE_WAY);
	time_goes_on(&pair, SECONDS);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_IN_THE_WAY);
	g_assert_false(hf_lease_is_sure(pair.first));
	/* A sign of life, and the watch begins anew. */
	g_assert_true(hf_lease_beat(pair.first, NULL, &error));
	g_assert_true(hf_lease_is_sure(pair.first));
	time_goes_on(&pair, SECONDS);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_IN_THE_WAY);
	time_goes_on(&pair, SECONDS * 9 / 8 + 1);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_OURS);
	g_assert_false(hf_lease_beat(pair.first, NULL, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CONFLICT));
	g_assert_nonnull(strstr(error->message, "host \"web2\""));
	g_assert_true(hf_lease_is_lost(pair.first));
	g_assert_true(hf_lease_release(pair.first, NULL));
	g_assert_true(hf_lease_beat(pair.second, NULL, NULL));
	pair_end(&pair);
}

static void
test_a_process_that_has_ended_is_not_waited_for(void)
{
	Pair pair;

	pair_begin(&pair, "backup full", "backup full");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	race_place_put(pair.place, "backup_2024-01-15_02-00-00.claim",
		       "web1 1 ffffffffffffffffffffffffffffffff\n");
	pair.two.has_gone = true;
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_OURS);
	/* It can commit nothing any more: there is nothing to be fenced. */
	g_assert_cmpuint(race_place_count(pair.place, "backup_"), ==, 1);
	pair_end(&pair);
}

/* ---- fences ---- */

static void
test_what_the_sleeper_claimed_is_fenced(void)
{
	Pair pair;
	g_autofree char *claim = NULL;

	pair_begin(&pair, "backup full", "backup full");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	claim = g_strdup_printf("web1 1 %s\n", hf_lease_nonce(pair.first));
	race_place_put(pair.place, "backup_2024-01-15_02-00-00.claim", claim);
	race_place_put(pair.place, "backup_2024-01-15_03-00-00.claim", "web3 1 somebody-elses\n");
	race_place_put(pair.place, "backup_2024-01-15_04-00-00.claim", "an old one\n");
	race_place_put(pair.place, "backup_2024-01-15_01-00-00.claim", claim);
	race_place_put(pair.place, "backup_2024-01-15_01-00-00.json", "{\"it\":\"committed\"}");
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_IN_THE_WAY);
	time_goes_on(&pair, 2 * SECONDS);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_OURS);
	g_assert_true(hf_fence_is(race_place_get(pair.place, "backup_2024-01-15_02-00-00.json"), NULL));
	g_assert_null(race_place_get(pair.place, "backup_2024-01-15_03-00-00.json"));
	g_assert_null(race_place_get(pair.place, "backup_2024-01-15_04-00-00.json"));
	g_assert_false(hf_fence_is(race_place_get(pair.place, "backup_2024-01-15_01-00-00.json"), NULL));
	pair_end(&pair);
}

/* Marked, and then its taker died: the next one fences, and comes in. */
static void
test_a_takeover_that_was_cut_is_gone_on_with(void)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(HfLease) third = NULL;
	g_autofree char *claim = NULL;
	HfLeaseVerdict verdict;
	Host three;
	Pair pair;

	pair_begin(&pair, "backup full", "backup full");
	host_begin(&three, pair.place);
	third = lease_of(&three, "web3", "backup full");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	claim = g_strdup_printf("web1 1 %s\n", hf_lease_nonce(pair.first));
	race_place_put(pair.place, "backup_2024-01-15_02-00-00.claim", claim);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_IN_THE_WAY);
	time_goes_on(&pair, 2 * SECONDS);
	pair.two.fate =
		RACE_REFUSED; /* the second host dies behind its mark: get, replace, get, then the listing of claims */
	pair.two.fate_after = 3;
	pair.two.world.pause = pass;
	(void)!hf_lease_try(pair.second, &verdict, &error);
	g_clear_error(&error);
	/* The first notices by its mark, before anything else has happened to it. */
	g_assert_false(hf_lease_beat(pair.first, NULL, &error));
	g_assert_nonnull(strstr(error->message, "web2"));
	g_assert_true(verdict == HF_LEASE_OURS || try_it(third) == HF_LEASE_OURS);
	g_assert_nonnull(race_place_get(pair.place, "backup_2024-01-15_02-00-00.json"));
	host_end(&three);
	pair_end(&pair);
}

/* ---- lost replies, and a store that is worth nothing ---- */

static void
test_a_lost_reply_is_looked_after(void)
{
	for (unsigned after = 0; after < 4; after++) {
		Pair pair;

		pair_begin(&pair, "backup full", "backup full");
		pair.one.fate = RACE_LOST_REPLY;
		pair.one.fate_after = after;
		g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
		g_assert_true(hf_lease_is_sure(pair.first));
		g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_IN_THE_WAY);
		g_assert_true(hf_lease_beat(pair.first, NULL, NULL));
		pair_end(&pair);
	}
}

/* As with a store that lost its way; who waits for others would wait for ever. */
static void
test_a_version_that_may_never_be_replaced_is_an_error(void)
{
	Pair pair;
	HfLeaseVerdict verdict;
	g_autoptr(GError) error = NULL;

	pair_begin(&pair, "backup images", "backup database");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	race_place_set_stubborn(pair.place, true);
	g_assert_false(hf_lease_try(pair.second, &verdict, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_USAGE);
	g_assert_nonnull(strstr(error->message, "LEASES=off"));
	race_place_set_stubborn(pair.place, false);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_OURS);
	pair_end(&pair);
}

static void
test_a_store_without_conditions_is_recognised(void)
{
	static const HfConditions cases[] = {{false, false}, {true, false}, {false, true}};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		HfLeaseVerdict verdict;
		Pair pair;

		pair_begin(&pair, "backup full", "backup full");
		race_place_set_conditions(pair.place, cases[i]);
		g_assert_false(hf_lease_try(pair.first, &verdict, &error));
		g_assert_true(hf_error_is(error, HF_ERROR_USAGE));
		g_assert_nonnull(strstr(error->message, cases[i].has_create ? "If-Match" : "If-None-Match"));
		g_assert_null(race_place_get(pair.place, HF_LEASE_KEY));
		pair_end(&pair);
	}
}

static void
test_an_object_that_was_removed_is_made_again(void)
{
	Pair pair;

	pair_begin(&pair, "backup full", "backup full");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	race_place_remove(pair.place, HF_LEASE_KEY);
	g_assert_true(hf_lease_beat(pair.first, NULL, NULL));
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_IN_THE_WAY);
	pair_end(&pair);
}

/* ---- what it is widened to ---- */

static void
test_pruning_behind_a_backup_keeps_off_readers(void)
{
	g_autoptr(HfLease) reader = NULL;
	bool is_granted;
	Pair pair;

	pair_begin(&pair, "backup full", "verify");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_OURS);
	g_assert_true(hf_lease_widen(pair.first, &is_granted, NULL));
	g_assert_false(is_granted);
	g_assert_cmpstr(hf_lease_other(pair.first)->host, ==, "web2");
	g_assert_true(hf_lease_release(pair.second, NULL));
	g_assert_true(hf_lease_widen(pair.first, &is_granted, NULL));
	g_assert_true(is_granted);
	pair.two.drawn += 5;
	reader = lease_of(&pair.two, "web2", "restore database");
	g_assert_cmpint(try_it(reader), ==, HF_LEASE_IN_THE_WAY);
	pair_end(&pair);
}

static void
test_how_far_it_is_can_be_seen(void)
{
	const HfProgress progress = {.bytes = 77, .estimated_bytes = 100, .phase = "dumping"};
	g_autoptr(GPtrArray) alive = NULL;
	const HfLeaseEntry *entry;
	Pair pair;

	pair_begin(&pair, "backup full", "backup full");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	g_assert_true(hf_lease_beat(pair.first, &progress, NULL));
	g_assert_true(hf_lease_look(pair.two.store, &pair.two.world, pair.two.seen, NULL));
	alive = hf_lease_seen_alive(pair.two.seen, 0);
	g_assert_cmpuint(alive->len, ==, 1);
	entry = alive->pdata[0];
	g_assert_cmpstr(entry->phase, ==, "dumping");
	g_assert_cmpuint(entry->bytes, ==, 77);
	pair_end(&pair);
}

/* ---- what is handed on in a file ---- */

static void
test_a_watch_is_handed_on(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	g_autoptr(HfLeaseSeen) later = NULL;
	g_autoptr(HfLeaseSeen) other_clock = NULL;
	g_autoptr(HfLease) again = NULL;
	Pair pair;

	pair_begin(&pair, "backup full", "backup full");
	g_assert_cmpint(try_it(pair.first), ==, HF_LEASE_OURS);
	g_assert_cmpint(try_it(pair.second), ==, HF_LEASE_IN_THE_WAY);
	hf_lease_seen_save(pair.two.seen, fixture->folder, BEGIN_S);
	time_goes_on(&pair, 2 * SECONDS);
	later = hf_lease_seen_load(fixture->folder, "a clock");
	other_clock = hf_lease_seen_load(fixture->folder, "the same machine, started again");
	hf_lease_seen_free(pair.two.seen);
	pair.two.seen = g_steal_pointer(&other_clock);
	again = lease_of(&pair.two, "web2", "backup full");
	g_assert_cmpint(try_it(again), ==, HF_LEASE_IN_THE_WAY);
	g_clear_pointer(&again, hf_lease_free);
	hf_lease_seen_free(pair.two.seen);
	pair.two.seen = g_steal_pointer(&later);
	again = lease_of(&pair.two, "web2", "backup full");
	g_assert_cmpint(try_it(again), ==, HF_LEASE_OURS);
	pair_end(&pair);
}

/* ---- processes ---- */

static void
test_which_process_has_ended(void)
{
	g_autofree char *machine = hf_lease_machine();
	HfLeaseEntry entry = {.host = (char[]){"web1"}, .machine = machine, .pid = getpid()};
	pid_t child;

	g_assert_cmpstr(machine, !=, "");
	entry.ticks = hf_job_pid_ticks(getpid());
	g_assert_false(hf_lease_process_is_gone(&entry, "web1", machine));
	entry.ticks++; /* another process has its number by now */
	g_assert_true(hf_lease_process_is_gone(&entry, "web1", machine));
	g_assert_false(hf_lease_process_is_gone(&entry, "web2", machine));
	g_assert_false(hf_lease_process_is_gone(&entry, "web1", "another start"));
	child = fork();
	if (child == 0)
		_exit(0);
	entry.pid = child;
	entry.ticks = hf_job_pid_ticks(child);
	while (!hf_lease_process_is_gone(&entry, "web1", machine)) /* also while nobody has waited for it */
		g_usleep(1000);
	g_assert_cmpint(waitpid(child, NULL, 0), ==, child);
	g_assert_true(hf_lease_process_is_gone(&entry, "web1", machine));
}

/* What a restart of the machine leaves: the job's file, which nobody holds. */
static void
test_which_job_has_ended(void)
{
	g_autoptr(Fixture) fixture = fixture_new();
	HfLeaseEntry entry = {.job = (char[]){"2024-01-15_02-00-00-7f3a9c"}};
	g_autoptr(GError) error = NULL;
	HfJobFile *file = hf_job_file_make(fixture->folder, entry.job, &error);

	g_assert_no_error(error);
	g_assert_false(hf_lease_job_is_gone(&entry, fixture->folder));
	hf_job_file_free(file);
	g_assert_true(hf_lease_job_is_gone(&entry, fixture->folder));
	g_assert_false(hf_lease_job_is_gone(&entry, NULL));
	entry.job = (char[]){"2024-01-15_02-00-00-000000"};
	g_assert_false(hf_lease_job_is_gone(&entry, fixture->folder));
	entry.job = (char[]){"../jobs/2024-01-15_02-00-00-7f3a9c"};
	g_assert_false(hf_lease_job_is_gone(&entry, fixture->folder));
	entry.job = (char[]){""};
	g_assert_false(hf_lease_job_is_gone(&entry, fixture->folder));
}

/* ---- bytes that are no leases ---- */

#define ENTRY_WITH(member) \
	"{\"format\":\"holdfast-leases\",\"version\":1,\"writes\":1,\"leases\":[{" member \
	"\"host\":\"h\",\"machine\":\"\",\"pid\":1,\"ticks\":1,\"job\":\"\",\"kind\":\"prune\",\"by\":" \
	"\"cli\"," \
	"\"since\":\"2024-01-15T02:00:00Z\",\"beat\":1}],\"slots\":[],\"lost\":[]}"
#define NONCE "\"nonce\":\"0123456789abcdef0123456789abcdef\","

static void
test_damage(void)
{
	static const char *const cases[] = {
		"",
		"{",
		"[]",
		"{\"format\":\"holdfast-lease\",\"version\":1,\"writes\":1,\"leases\":[],\"slots\":[],"
		"\"lost\":[]}",
		"{\"format\":\"holdfast-leases\",\"version\":2,\"writes\":1,\"leases\":[],\"slots\":[],"
		"\"lost\":[]}",
		"{\"format\":\"holdfast-leases\",\"version\":1,\"writes\":-1,\"leases\":[],\"slots\":[],"
		"\"lost\":[]}",
		"{\"format\":\"holdfast-leases\",\"version\":1,\"writes\":1,\"leases\":{},\"slots\":[],"
		"\"lost\":[]}",
		"{\"format\":\"holdfast-leases\",\"version\":1,\"writes\":1,\"leases\":[1],\"slots\":[],"
		"\"lost\":[]}",
		"{\"format\":\"holdfast-leases\",\"version\":1,\"writes\":1,\"leases\":[],\"slots\":[{}],"
		"\"lost\":[]}",
		"{\"format\":\"holdfast-leases\",\"version\":1,\"writes\":1,\"leases\":[],\"slots\":[],"
		"\"lost\":[null]}",
		ENTRY_WITH("\"nonce\":\"xyz\",\"seconds\":120,"),
		ENTRY_WITH(NONCE "\"seconds\":0,"),
		ENTRY_WITH(NONCE "\"seconds\":86401,"),
		ENTRY_WITH(NONCE "\"seconds\":\"120\","),
		ENTRY_WITH(NONCE),
	};
	static const char good[] = ENTRY_WITH(NONCE "\"seconds\":120,");
	g_autoptr(HfLeaseTable) table = hf_lease_table_parse(good, strlen(good), NULL);

	g_assert_nonnull(table);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		g_test_message("%s", cases[i]);
		g_assert_null(hf_lease_table_parse(cases[i], strlen(cases[i]), &error));
		g_assert_true(hf_error_is(error, HF_ERROR_CORRUPT));
	}
	for (size_t len = 0; len < strlen(good); len++)
		g_assert_null(hf_lease_table_parse(good, len, NULL));
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define TEST(name, function) g_test_add_func("/lease/" name, function)
	TEST("the-second-is-told-whom-it-met", test_the_second_is_told_whom_it_met);
	TEST("kinds-meet-as-on-one-host", test_kinds_meet_as_on_one_host);
	TEST("it-is-taken-over-only-after-it-was-watched", test_it_is_taken_over_only_after_it_was_watched);
	TEST("a-process-that-has-ended-is-not-waited-for", test_a_process_that_has_ended_is_not_waited_for);
	TEST("what-the-sleeper-claimed-is-fenced", test_what_the_sleeper_claimed_is_fenced);
	TEST("a-takeover-that-was-cut-is-gone-on-with", test_a_takeover_that_was_cut_is_gone_on_with);
	TEST("a-lost-reply-is-looked-after", test_a_lost_reply_is_looked_after);
	TEST("a-version-that-may-never-be-replaced-is-an-error",
	     test_a_version_that_may_never_be_replaced_is_an_error);
	TEST("a-store-without-conditions-is-recognised", test_a_store_without_conditions_is_recognised);
	TEST("an-object-that-was-removed-is-made-again", test_an_object_that_was_removed_is_made_again);
	TEST("pruning-behind-a-backup-keeps-off-readers", test_pruning_behind_a_backup_keeps_off_readers);
	TEST("how-far-it-is-can-be-seen", test_how_far_it_is_can_be_seen);
	TEST("a-watch-is-handed-on", test_a_watch_is_handed_on);
	TEST("which-process-has-ended", test_which_process_has_ended);
	TEST("which-job-has-ended", test_which_job_has_ended);
	TEST("damage", test_damage);
#undef TEST
	return g_test_run();
}
