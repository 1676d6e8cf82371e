/*
 * Hosts that start at once, in simulation: each is a thread, one of them runs at a time, and at each request to the store
 * another may have its turn.  Time is made up.  Hosts are stopped for minutes between any two requests, die, have clocks an
 * hour apart, and lose replies to what was done all the same.
 */
#include "config.h"

#include "backup/catalog/names.h"
#include "backup/job/lease.h"
#include "common/clock.h"
#include "common/error.h"
#include "tests/lib/racestore.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS_MAX 5
#define ROUNDS 1000
#define SECONDS 120
#define BEGIN_S INT64_C(1705284000)

typedef struct Race Race;

typedef struct {
	Race *race;
	unsigned number;
	char name[16];
	HfStore *store;
	HfLeaseSeen *seen;
	HfLeaseWorld world;
	HfLease *lease; /* while it works under it */
	double asleep_until_s;
	bool is_dead, has_ended;
	unsigned commits, losses, grants, slots_taken;
	pthread_t thread;
} Host;

/* Of a hundred requests. */
typedef struct {
	unsigned stops, deaths, troubles;
} Odds;

struct Race {
	GRand *dice;
	Odds odds;
	RacePlace *place;
	Host hosts[HOSTS_MAX];
	unsigned count;
	unsigned ids; /* of sets, so far */
	bool has_slot;
	double now_s;
	int turn;           /* whose; -1: nobody's */
	const Host *holder; /* who came in last */
	char *violation;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

/* ---- whose turn it is ---- */

/* Of those that are awake one by lot; where all sleep, time goes on to the first that wakes. */
static void
pass_on(Race *race)
{
	unsigned awake[HOSTS_MAX], count = 0;
	double first_s = G_MAXDOUBLE;

	for (unsigned i = 0; i < race->count; i++)
		if (!race->hosts[i].has_ended)
			first_s = MIN(first_s, race->hosts[i].asleep_until_s);
	race->now_s = first_s < G_MAXDOUBLE ? MAX(race->now_s, first_s) : race->now_s;
	for (unsigned i = 0; i < race->count; i++)
		if (!race->hosts[i].has_ended && race->hosts[i].asleep_until_s <= race->now_s)
			awake[count++] = i;
	race->turn = count > 0 ? (int)awake[g_rand_int_range(race->dice, 0, (gint32)count)] : -1;
	pthread_cond_broadcast(&race->changed);
}

static void
wait_for_turn(Host *host)
{
	while (host->race->turn != (int)host->number)
		pthread_cond_wait(&host->race->changed, &host->race->lock);
}

static void
sleep_s(Host *host, double seconds)
{
	if (host->is_dead)
		return;
	host->asleep_until_s = host->race->now_s + seconds;
	pass_on(host->race);
	wait_for_turn(host);
}

static bool
falls(Race *race, unsigned of_100)
{
	return (unsigned)g_rand_int_range(race->dice, 0, 100) < of_100;
}

/* In front of each request. */
static RaceFate
on_request(void *data)
{
	Host *host = data;
	Race *race = host->race;

	if (host->is_dead)
		return RACE_REFUSED;
	sleep_s(host, falls(race, race->odds.stops) ? g_rand_double_range(race->dice, 1, 4 * SECONDS)
						    : g_rand_double_range(race->dice, 0, 0.05));
	host->is_dead = falls(race, race->odds.deaths);
	if (host->is_dead || falls(race, race->odds.troubles))
		return host->is_dead || falls(race, 50) ? RACE_REFUSED : RACE_LOST_REPLY;
	return RACE_DONE;
}

/* ---- a host's world ---- */

/* Each machine has been up for another time. */
static double
host_now_s(void *data)
{
	const Host *host = data;

	return host->race->now_s + 5000 * (host->number + 1);
}

/* The first host's clock is an hour slow, the third's an hour fast, and so on. */
static int64_t
host_wall_s(void *data)
{
	const Host *host = data;

	return BEGIN_S + (int64_t)host->race->now_s + 3600 * ((int64_t)host->number - 1);
}

static void
host_random(void *data, void *buf, size_t len)
{
	Host *host = data;

	for (size_t i = 0; i < len; i++)
		((unsigned char *)buf)[i] = (unsigned char)g_rand_int_range(host->race->dice, 0, 256);
}

static void
host_pause(void *data, unsigned ms)
{
	sleep_s(data, (double)ms / 1000);
}

static bool
host_is_gone(void *data, const HfLeaseEntry *entry)
{
	(void)data, (void)entry;
	return false;
}

/* ---- the job ---- */

static void
violated(Race *race, const char *what, const Host *host)
{
	if (!race->violation)
		race->violation = g_strdup_printf("%s, host %s, at %.1f s", what, host->name, race->now_s);
}

/* Nobody else counts on its lease at this moment. */
static void
check_alone(Host *host)
{
	Race *race = host->race;

	for (unsigned i = 0; i < race->count; i++) {
		const Host *other = &race->hosts[i];

		if (other != host && !other->is_dead && other->lease && hf_lease_is_sure(other->lease) &&
		    hf_lease_is_sure(host->lease))
			violated(race, "two at once", host);
	}
}

static bool
claim(Host *host, char **id_out)
{
	g_autofree char *key = NULL;
	g_autofree char *text = g_strdup_printf("%s 1 %s\n", host->name, hf_lease_nonce(host->lease));
	g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));

	*id_out = hf_clock_set_id(BEGIN_S + host->race->ids++);
	key = hf_name_claim(*id_out);
	return hf_store_create(host->store, key, bytes, NULL);
}

/* The store is asked, and then perhaps the host is stopped, before what is asked for arrives. */
static bool
commit(Host *host, const char *id)
{
	g_autofree char *key = hf_name_manifest(id);
	g_autoptr(GBytes) bytes = g_bytes_new_static("{\"format\":\"holdfast\"}", 21);
	g_autoptr(GError) cause = NULL;

	if (!hf_lease_beat(host->lease, NULL, NULL))
		return false;
	check_alone(host);
	if (!hf_store_create(host->store, key, bytes, &cause) &&
	    (!hf_error_is(cause, HF_ERROR_TRANSIENT) || race_place_get(host->race->place, key) == NULL ||
	     !g_bytes_equal(race_place_get(host->race->place, key), bytes)))
		return false;
	/* From when another one came in it is too late. */
	if (host->race->holder != host)
		violated(host->race, "a commit after a takeover", host);
	return true;
}

static bool
work(Host *host)
{
	g_autofree char *id = NULL;
	unsigned steps = (unsigned)g_rand_int_range(host->race->dice, 0, 6);
	bool is_done;

	check_alone(host);
	is_done = claim(host, &id);
	for (unsigned i = 0; is_done && i < steps; i++) {
		g_autoptr(GError) cause = NULL;

		sleep_s(host, g_rand_double_range(host->race->dice, 1, SECONDS / 3.0));
		if (!hf_lease_beat(host->lease, NULL, &cause))
			is_done = !hf_lease_is_lost(host->lease);
	}
	return is_done && commit(host, id);
}

/* Until it is in; true where it is. */
static bool
come_in(Host *host, HfLease *lease, HfLeaseVerdict *verdict)
{
	while (!host->is_dead) {
		g_autoptr(GError) cause = NULL;

		if (!hf_lease_try(lease, verdict, &cause)) {
			if (hf_lease_is_lost(lease))
				return false;
			sleep_s(host, 1);
		} else if (*verdict == HF_LEASE_IN_THE_WAY) {
			sleep_s(host, 10);
		} else {
			return !host->is_dead;
		}
	}
	return false;
}

/* One job from its start to its end; true where there is nothing more to do. */
static bool
run_job(Host *host)
{
	g_autofree char *job = g_strdup_printf("job-of-%s", host->name);
	const HfLeaseWish wish = {.host = host->name,
				  .machine = host->name,
				  .job = job,
				  .kind = "backup full",
				  .by = "cli",
				  .pid = 1,
				  .ticks = 1,
				  .seconds = SECONDS,
				  .schedule = host->race->has_slot ? "daily" : NULL,
				  .slot_s = BEGIN_S};
	g_autoptr(HfLease) lease = hf_lease_new(host->store, &host->world, host->seen, &wish);
	HfLeaseVerdict verdict;
	bool is_done;

	if (!come_in(host, lease, &verdict))
		return host->is_dead;
	if (verdict == HF_LEASE_SLOT_TAKEN) {
		host->slots_taken++;
		return true;
	}
	host->lease = lease;
	host->race->holder = host;
	host->grants++;
	is_done = work(host) && !host->is_dead;
	host->commits += is_done;
	host->losses += hf_lease_is_lost(lease);
	(void)!hf_lease_release(lease, NULL);
	host->lease = NULL;
	return is_done || host->is_dead || host->race->has_slot;
}

static void *
live(void *data)
{
	Host *host = data;

	pthread_mutex_lock(&host->race->lock);
	wait_for_turn(host);
	while (!run_job(host))
		;
	host->has_ended = true;
	pass_on(host->race);
	pthread_mutex_unlock(&host->race->lock);
	return NULL;
}

/* ---- a race ---- */

static void
begin_host(Race *race, unsigned number)
{
	Host *host = &race->hosts[number];

	host->race = race;
	host->number = number;
	g_snprintf(host->name, sizeof host->name, "host%u", number);
	host->store = race_store_new(race->place, on_request, host);
	host->seen = hf_lease_seen_load(NULL, host->name);
	host->world = (HfLeaseWorld){host_now_s, host_wall_s, host_random, host_pause, host_is_gone, host};
}

static void
race_begin(Race *race, guint32 seed, const Odds *odds, unsigned hosts)
{
	*race = (Race){.dice = g_rand_new_with_seed(seed), .odds = *odds, .count = hosts, .turn = -1};
	race->place = race_place_new();
	pthread_mutex_init(&race->lock, NULL);
	pthread_cond_init(&race->changed, NULL);
	for (unsigned i = 0; i < hosts; i++)
		begin_host(race, i);
}

static void
race_run(Race *race)
{
	pthread_mutex_lock(&race->lock);
	for (unsigned i = 0; i < race->count; i++)
		g_assert_cmpint(pthread_create(&race->hosts[i].thread, NULL, live, &race->hosts[i]), ==, 0);
	pass_on(race);
	pthread_mutex_unlock(&race->lock);
	for (unsigned i = 0; i < race->count; i++)
		pthread_join(race->hosts[i].thread, NULL);
}

static void
race_end(Race *race)
{
	for (unsigned i = 0; i < race->count; i++) {
		hf_store_free(race->hosts[i].store);
		hf_lease_seen_free(race->hosts[i].seen);
	}
	race_place_free(race->place);
	g_rand_free(race->dice);
	pthread_cond_destroy(&race->changed);
	pthread_mutex_destroy(&race->lock);
}

typedef struct {
	unsigned races, starts, grants, commits, losses, deaths;
} Sums;

/* Never two at once, and never none: whoever lives has committed in the end. */
static void
judge(const Race *race, guint32 seed, Sums *sums)
{
	if (race->violation)
		g_error("seed %u: %s", seed, race->violation);
	for (unsigned i = 0; i < race->count; i++) {
		const Host *host = &race->hosts[i];

		g_assert_true(host->is_dead || host->commits == 1);
		sums->starts++;
		sums->grants += host->grants;
		sums->commits += host->commits;
		sums->losses += host->losses;
		sums->deaths += host->is_dead;
	}
	sums->races++;
}

static unsigned
rounds(void)
{
	const char *text = g_getenv("HF_TEST_ROUNDS");

	return text ? (unsigned)g_ascii_strtoull(text, NULL, 10) : ROUNDS;
}

static void
test_never_two_at_once_never_none(void)
{
	static const Odds odds = {.stops = 4, .deaths = 1, .troubles = 6};
	Sums sums = {0};

	for (guint32 seed = 1; seed <= rounds(); seed++) {
		Race race;

		race_begin(&race, seed, &odds, 2 + seed % (HOSTS_MAX - 1));
		race_run(&race);
		judge(&race, seed, &sums);
		race_end(&race);
	}
	g_test_message(
		"%u races of 2 to %d hosts, %u starts: %u leases, %u commits, %u lost by sleeping, %u deaths",
		sums.races, HOSTS_MAX, sums.starts, sums.grants, sums.commits, sums.losses, sums.deaths);
	g_assert_cmpuint(sums.losses, >, 0);
	g_assert_cmpuint(sums.deaths, >, 0);
}

/* A slot is one host's, and all others see that it is. */
static void
test_a_slot_is_started_once(void)
{
	static const Odds odds = {.stops = 2, .troubles = 10};

	for (guint32 seed = 1; seed <= rounds() / 4; seed++) {
		Race race;
		unsigned grants = 0, taken = 0;

		race_begin(&race, 100000 + seed, &odds, 2 + seed % (HOSTS_MAX - 1));
		race.has_slot = true;
		race_run(&race);
		g_assert_null(race.violation);
		for (unsigned i = 0; i < race.count; i++) {
			grants += race.hosts[i].grants;
			taken += race.hosts[i].slots_taken;
		}
		g_assert_cmpuint(grants, ==, 1);
		g_assert_cmpuint(taken, ==, race.count - 1);
		race_end(&race);
	}
}

int
main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/lease-race/never-two-at-once-never-none", test_never_two_at_once_never_none);
	g_test_add_func("/lease-race/a-slot-is-started-once", test_a_slot_is_started_once);
	return g_test_run();
}
