#include "config.h"

#include "backup/job/lease-keeper.h"
#include "backup/catalog/fence.h"
#include "backup/job/kind.h"
#include "backup/job/lease-process.h"
#include "backup/store/open.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/error.h"
#include "common/host.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* So many signs of life while a lease holds, and so many more tries where one did not arrive. */
#define BEATS 3
#define BEATS_AGAIN 12
/* How often a job that waits looks whether it may come in. */
#define WAIT_MS_MAX 5000
#define WORDS_BYTES_MAX 64

struct HfLeaseKeeper {
	HfStore *store; /* NULL: there are no leases */
	HfLeaseWorld world;
	HfLeaseSeen *seen;
	HfLease *lease; /* guarded by lock, and so is all that it uses */
	char *folder;
	char *machine;
	HfJobLook look;
	unsigned seconds;
	GError *lost;  /* set once, by whoever notices; guarded by lock */
	bool has_lost; /* atomic: lost is there to be read */
	bool has_warned;
	bool is_stopping;
	pthread_mutex_t lock; /* not GLib's, which ThreadSanitizer does not know */
	pthread_cond_t wake;
	GThread *beater;
};

/* ---- the world ---- */

static double
world_now_s(void *data)
{
	(void)data;
	return hf_lease_clock_s();
}

static int64_t
world_wall_s(void *data)
{
	(void)data;
	return hf_clock_now_s();
}

/* Of so few bytes it never gives fewer (getrandom(2)). */
static void
world_random(void *data, void *buf, size_t len)
{
	(void)data;
	(void)!getrandom(buf, len, 0);
}

static void
world_pause(void *data, unsigned ms)
{
	(void)data;
	g_usleep((gulong)ms * 1000);
}

static bool
world_is_gone(void *data, const HfLeaseEntry *entry)
{
	const HfLeaseKeeper *keeper = data;

	return hf_lease_process_is_gone(entry, hf_host_name(), keeper->machine) ||
	       hf_lease_job_is_gone(entry, keeper->folder);
}

static HfLeaseWorld
world_of(HfLeaseKeeper *keeper)
{
	return (HfLeaseWorld){world_now_s, world_wall_s, world_random, world_pause, world_is_gone, keeper};
}

/* ---- settings ---- */

bool
hf_lease_mode(const HfSettings *settings, HfLeaseMode *mode_out, GError **error)
{
	static const char *const words[] = {"auto", "required", "off"};
	const char *word = hf_settings_text(settings, HF_SET_LEASES);

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
		if (strcmp(word, words[i]) == 0) {
			*mode_out = (HfLeaseMode)i;
			return true;
		}
	return hf_error_set(error, HF_ERROR_USAGE, "LEASES=\"%s\": auto, required or off is wanted", word);
}

static bool
only_reads(const HfLeaseJob *job)
{
	const HfJobKind *kind = hf_job_kind_find(job->kind);

	return kind && kind->takes == HF_JOB_READS;
}

/* ---- signs of life ---- */

/* With the lock held. */
static void
note_lost(HfLeaseKeeper *keeper, const GError *cause)
{
	if (keeper->has_lost)
		return;
	keeper->lost = g_error_copy(cause);
	__atomic_store_n(&keeper->has_lost, true, __ATOMIC_RELEASE);
	hf_cancel_request();
}

const GError *
hf_lease_keeper_lost(const HfLeaseKeeper *keeper)
{
	return keeper && __atomic_load_n(&keeper->has_lost, __ATOMIC_ACQUIRE) ? keeper->lost : NULL;
}

/* With the lock held. */
static bool
beat(HfLeaseKeeper *keeper, GError **error)
{
	g_autoptr(GError) cause = NULL;
	HfProgress now = {0};
	bool has_progress = keeper->look && keeper->look(&now);

	if (hf_lease_beat(keeper->lease, has_progress ? &now : NULL, &cause)) {
		hf_lease_seen_save(keeper->seen, keeper->folder, hf_clock_now_s());
		return true;
	}
	if (hf_lease_is_lost(keeper->lease))
		note_lost(keeper, cause);
	g_propagate_error(error, g_steal_pointer(&cause));
	return false;
}

static struct timespec
end_after(double seconds)
{
	struct timespec end;
	long whole = (long)seconds;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += whole;
	end.tv_nsec += (long)((seconds - (double)whole) * 1e9);
	end.tv_sec += end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	return end;
}

static gpointer
run_beater(gpointer data)
{
	HfLeaseKeeper *keeper = data;
	double pause_s = (double)keeper->seconds / BEATS;

	pthread_mutex_lock(&keeper->lock);
	while (!keeper->is_stopping) {
		struct timespec end = end_after(pause_s);
		g_autoptr(GError) trouble = NULL;

		if (pthread_cond_timedwait(&keeper->wake, &keeper->lock, &end) != ETIMEDOUT ||
		    keeper->is_stopping)
			continue;
		pause_s = (double)keeper->seconds / BEATS;
		if (beat(keeper, &trouble) || keeper->has_lost)
			continue;
		pause_s = (double)keeper->seconds / BEATS_AGAIN;
		if (!keeper->has_warned)
			g_warning("the lease of this job could not be renewed: %s", trouble->message);
		keeper->has_warned = true;
	}
	pthread_mutex_unlock(&keeper->lock);
	return NULL;
}

/* The guard: called by the job's threads, before what cannot be taken back. */
static bool
guard(void *data, HfFenceCare care, GError **error)
{
	HfLeaseKeeper *keeper = data;
	bool is_ours;

	pthread_mutex_lock(&keeper->lock);
	is_ours = (care == HF_FENCE_LOOK && hf_lease_is_sure(keeper->lease)) || beat(keeper, error);
	pthread_mutex_unlock(&keeper->lock);
	return is_ours;
}

static void
start_beating(HfLeaseKeeper *keeper)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&keeper->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&keeper->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	hf_fence_set_guard(guard, keeper, hf_lease_nonce(keeper->lease));
	keeper->beater = g_thread_new("lease", run_beater, keeper);
}

static void
stop_beating(HfLeaseKeeper *keeper)
{
	if (!keeper->beater)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper->is_stopping = true;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&keeper->lock);
	g_thread_join(keeper->beater);
	hf_fence_set_guard(NULL, NULL, NULL);
	pthread_cond_destroy(&keeper->wake);
	pthread_mutex_destroy(&keeper->lock);
}

static void
release(HfLeaseKeeper *keeper)
{
	g_autoptr(GError) trouble = NULL;

	if (!keeper->beater)
		return;
	if (!keeper->has_lost && !hf_lease_release(keeper->lease, &trouble))
		g_warning("the lease of this job could not be given back, other hosts wait for its end, %u "
			  "s: %s",
			  keeper->seconds, trouble->message);
	hf_lease_seen_save(keeper->seen, keeper->folder, hf_clock_now_s());
}

void
hf_lease_keeper_free(HfLeaseKeeper *keeper)
{
	if (!keeper)
		return;
	stop_beating(keeper);
	release(keeper);
	hf_lease_free(keeper->lease);
	g_clear_pointer(&keeper->seen, hf_lease_seen_free);
	hf_store_free(keeper->store);
	g_clear_error(&keeper->lost);
	g_free(keeper->folder);
	g_free(keeper->machine);
	g_free(keeper);
}

/* ---- taking it ---- */

void
hf_lease_met_clear(HfLeaseMet *met)
{
	g_clear_pointer(&met->other, hf_lease_entry_free);
}

static char *
describe(const HfLeaseEntry *other)
{
	g_autofree char *since = hf_clock_rfc3339(other->since_s);

	return g_strdup_printf("job %s of host \"%s\" (\"%s\", process %" G_GINT64_FORMAT ", since %s)",
			       *other->job ? other->job : "?", other->host, other->kind, other->pid, since);
}

static bool
refuse(const HfLeaseJob *job, const HfLeaseEntry *other, GError **error)
{
	g_autofree char *who = describe(other);

	return hf_error_set(
		error, HF_ERROR_CONFLICT,
		"\"%s\" has to wait: %s is running already: wait for it, or stop it there; where that "
		"host is gone, try again %u s from now",
		job->kind, who, other->seconds + other->seconds / 8 + 1);
}

/* Until the next look; sooner where a stop was asked for. */
static bool
wait_a_while(const HfLeaseKeeper *keeper, GError **error)
{
	struct pollfd stop = {.fd = hf_cancel_fd(), .events = POLLIN};

	(void)poll(&stop, 1, (int)MIN(keeper->seconds * 1000 / BEATS_AGAIN, WAIT_MS_MAX));
	return hf_cancel_check(error);
}

static bool
try_once(HfLeaseKeeper *keeper, HfLeaseVerdict *verdict, HfLeaseMet *met, GError **error)
{
	bool is_answered = hf_lease_try(keeper->lease, verdict, error);
	const HfLeaseEntry *other = hf_lease_other(keeper->lease);

	hf_lease_seen_save(keeper->seen, keeper->folder, hf_clock_now_s());
	hf_lease_met_clear(met);
	if (is_answered && *verdict != HF_LEASE_OURS && other)
		met->other = hf_lease_entry_copy(other);
	return is_answered;
}

static bool
take(HfLeaseKeeper *keeper, const HfLeaseJob *job, HfLeaseMet *met, GError **error)
{
	bool waits = job->schedule || only_reads(job), has_told = false;

	for (;;) {
		HfLeaseVerdict verdict;
		g_autofree char *who = NULL;

		if (!try_once(keeper, &verdict, met, error))
			return false;
		if (verdict != HF_LEASE_IN_THE_WAY) {
			met->is_slot_taken = verdict == HF_LEASE_SLOT_TAKEN;
			return true;
		}
		if (!waits)
			return refuse(job, met->other, error);
		who = describe(met->other);
		if (!has_told)
			g_message("waiting for %s", who);
		has_told = true;
		if (!wait_a_while(keeper, error))
			return false;
	}
}

/* "api:SUB" would carry people's names into the store. */
static char *
coarse(const char *requested_by)
{
	if (g_str_has_prefix(requested_by, "schedule:"))
		return g_strndup(requested_by, WORDS_BYTES_MAX);
	return g_strndup(requested_by, strcspn(requested_by, ":"));
}

static bool
prepare(HfLeaseKeeper *keeper, const HfSettings *settings, const HfLeaseJob *job, GError **error)
{
	g_autofree char *clock = hf_lease_clock_name();
	g_autofree char *by = coarse(job->requested_by);
	HfLeaseWish wish = {.host = hf_host_name(),
			    .job = job->job,
			    .kind = job->kind,
			    .by = by,
			    .pid = getpid(),
			    .ticks = hf_job_pid_ticks(getpid()),
			    .schedule = job->schedule,
			    .slot_s = job->slot_s};

	keeper->store = hf_store_open_settings(settings, error);
	if (!keeper->store)
		return false;
	hf_store_set_steadfast(keeper->store);
	keeper->seconds = wish.seconds = (unsigned)hf_settings_number(settings, HF_SET_LEASE_SECONDS);
	keeper->folder = g_strdup(hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR));
	wish.machine = keeper->machine = hf_lease_machine();
	keeper->look = job->look;
	keeper->world = world_of(keeper);
	keeper->seen = hf_lease_seen_load(keeper->folder, clock);
	keeper->lease = hf_lease_new(keeper->store, &keeper->world, keeper->seen, &wish);
	return true;
}

/*
 * Where there can be no leases, two hosts are not kept apart, which is said; who only reads does not need to be told, and must be
 * able to restore whatever the store is like.  That the store cannot be reached is the job's own trouble.
 */
static bool
go_without(HfLeaseMode mode, const HfLeaseJob *job, const GError *cause)
{
	bool cannot_be = hf_error_is(cause, HF_ERROR_USAGE) || hf_error_is(cause, HF_ERROR_DENIED) ||
			 hf_error_is(cause, HF_ERROR_CORRUPT);

	if (hf_error_is(cause, HF_ERROR_CONFLICT) || hf_error_is(cause, HF_ERROR_CANCELLED))
		return false;
	if (only_reads(job)) {
		g_info("this job has no lease: %s", cause->message);
		return true;
	}
	if (mode == HF_LEASES_REQUIRED || !cannot_be)
		return false;
	g_warning("this job has no lease, so that another host's at the same time would not be noticed: %s",
		  cause->message);
	return true;
}

/* Who reads makes no folder where there is none. */
static bool
has_place(const HfLeaseKeeper *keeper)
{
	const char *location = hf_store_location(keeper->store);

	return !g_path_is_absolute(location) || g_file_test(location, G_FILE_TEST_IS_DIR);
}

HfLeaseKeeper *
hf_lease_keep(const HfSettings *settings, const HfLeaseJob *job, HfLeaseMet *met_out, GError **error)
{
	g_autoptr(HfLeaseKeeper) keeper = g_new0(HfLeaseKeeper, 1);
	g_autoptr(GError) cause = NULL;
	HfLeaseMode mode;

	*met_out = (HfLeaseMet){0};
	if (!hf_lease_mode(settings, &mode, error))
		return NULL;
	if (mode == HF_LEASES_OFF)
		return g_steal_pointer(&keeper);
	/* Settings that are wrong are told of by the job itself, which reads more of them. */
	if (!prepare(keeper, settings, job, &cause) || (only_reads(job) && !has_place(keeper)))
		return g_steal_pointer(&keeper);
	if (take(keeper, job, met_out, &cause)) {
		if (met_out->is_slot_taken)
			return NULL;
		start_beating(keeper);
		return g_steal_pointer(&keeper);
	}
	if (go_without(mode, job, cause))
		return g_steal_pointer(&keeper);
	if (mode == HF_LEASES_REQUIRED && !hf_error_is(cause, HF_ERROR_CONFLICT))
		g_prefix_error(&cause, "LEASES=required: ");
	g_propagate_error(error, g_steal_pointer(&cause));
	return NULL;
}

/* ---- besides ---- */

bool
hf_lease_keeper_may_remove(HfLeaseKeeper *keeper, char **why_not_out)
{
	g_autoptr(GError) trouble = NULL;
	bool is_granted = false, is_asked;

	*why_not_out = NULL;
	if (!keeper || !keeper->beater)
		return true;
	pthread_mutex_lock(&keeper->lock);
	is_asked = hf_lease_widen(keeper->lease, &is_granted, &trouble);
	if (hf_lease_is_lost(keeper->lease))
		note_lost(keeper, trouble);
	if (is_asked && !is_granted) {
		g_autofree char *who = describe(hf_lease_other(keeper->lease));

		*why_not_out = g_strdup_printf("%s needs them", who);
	}
	pthread_mutex_unlock(&keeper->lock);
	if (!is_asked)
		*why_not_out = g_strdup(trouble->message);
	return is_granted;
}

bool
hf_lease_refresh(const HfSettings *settings, HfStore *store, GError **error)
{
	const char *folder = hf_settings_text(settings, HF_SET_BACKUP_STATE_DIR);
	g_autofree char *clock = hf_lease_clock_name();
	g_autofree char *machine = hf_lease_machine();
	HfLeaseKeeper keeper = {.machine = machine};
	const HfLeaseWorld world = world_of(&keeper);
	g_autoptr(HfLeaseSeen) seen = NULL;
	HfLeaseMode mode;

	if (!hf_lease_mode(settings, &mode, error))
		return false;
	if (mode == HF_LEASES_OFF)
		return true;
	seen = hf_lease_seen_load(folder, clock);
	if (!hf_lease_look(store, &world, seen, error))
		return false;
	hf_lease_seen_save(seen, folder, hf_clock_now_s());
	return true;
}
