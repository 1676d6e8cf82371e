#include "config.h"

#include "backup/job/run.h"
#include "common/cancel.h"
#include "common/clock.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

/* How much the newest half second counts in the rate: what is shown is about the last two seconds. */
#define RATE_SHARE 0.25

/* How often the end is tried: whoever is in the way may hold the file for some seconds. */
#define END_TRIES 3

struct HfJobRun {
	HfState *state; /* used by one thread at a time: the ticker's, while there is one */
	HfJobFile *file;
	HfJobRecord *record; /* likewise */
	HfJobLook look;
	double started_s; /* of the clock that is never set */
	double looked_s;
	double bytes_per_s;
	bool has_warned;
	bool has_asked;       /* to stop, on behalf of somebody who could not signal us */
	bool is_stopping;     /* guarded by lock */
	pthread_mutex_t lock; /* not GLib's, which ThreadSanitizer does not know */
	pthread_cond_t wake;
	GThread *ticker;
};

static bool
save(HfJobRun *run)
{
	g_autoptr(GError) trouble = NULL;
	bool is_asked = false;

	if (!hf_jobs_save(run->state, run->record, &is_asked, &trouble)) {
		if (!run->has_warned)
			g_warning("job %s: its record cannot be kept up: %s", run->record->id,
				  trouble->message);
		run->has_warned = true;
		return false;
	}
	if (is_asked && !run->has_asked) {
		run->has_asked = true;
		hf_cancel_request();
	}
	return true;
}

static void
take_progress(HfJobRun *run)
{
	HfJobRecord *record = run->record;
	double now_s = hf_clock_monotonic_s();
	double passed_s = now_s - run->looked_s;
	HfProgress now = {0};

	if (!run->look(&now) || passed_s <= 0)
		return;
	if (now.bytes >= record->bytes)
		run->bytes_per_s += RATE_SHARE *
				    ((double)(now.bytes - record->bytes) / passed_s - run->bytes_per_s);
	run->looked_s = now_s;
	g_free(record->phase);
	record->phase = g_strdup(now.phase);
	record->bytes = now.bytes;
	record->estimated_bytes = now.estimated_bytes;
	record->objects = now.objects;
	record->estimated_objects = now.estimated_objects;
	record->bytes_per_s = (uint64_t)run->bytes_per_s;
}

static struct timespec
next_tick(void)
{
	const long step_ns = 1000000000L / HF_JOB_WRITES_PER_S;
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += step_ns;
	end.tv_sec += end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	return end;
}

static void
init_wake(HfJobRun *run)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&run->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&run->wake, &attributes);
	pthread_condattr_destroy(&attributes);
}

static gpointer
tick(gpointer data)
{
	HfJobRun *run = data;

	pthread_mutex_lock(&run->lock);
	while (!run->is_stopping) {
		struct timespec end = next_tick();

		/* Woken before its time, it begins a new wait: two ticks are never closer than they may be. */
		if (pthread_cond_timedwait(&run->wake, &run->lock, &end) != ETIMEDOUT || run->is_stopping)
			continue;
		pthread_mutex_unlock(&run->lock);
		hf_job_file_tend(run->file);
		take_progress(run);
		(void)save(run);
		pthread_mutex_lock(&run->lock);
	}
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

HfJobRun *
hf_job_run_begin(HfState *state, HfJobFile *file, HfJobRecord *record, HfJobLook look)
{
	HfJobRun *run = g_new0(HfJobRun, 1);

	run->state = state;
	run->file = file;
	run->record = record;
	run->look = look;
	run->started_s = run->looked_s = hf_clock_monotonic_s();
	record->status = HF_JOB_RUNNING;
	record->started_s = hf_clock_now_s();
	record->pid = getpid();
	record->pid_ticks = hf_job_pid_ticks(record->pid);
	(void)save(run);
	init_wake(run);
	run->ticker = g_thread_new("job", tick, run);
	return run;
}

static void
stop_ticker(HfJobRun *run)
{
	pthread_mutex_lock(&run->lock);
	run->is_stopping = true;
	pthread_cond_signal(&run->wake);
	pthread_mutex_unlock(&run->lock);
	g_thread_join(run->ticker);
	pthread_cond_destroy(&run->wake);
	pthread_mutex_destroy(&run->lock);
}

static void
note_end(HfJobRecord *record, const HfJobOutcome *outcome)
{
	record->status = outcome->status;
	record->exit = outcome->exit;
	record->finished_s = hf_clock_now_s();
	record->bytes_per_s = 0;
	record->set_id = g_strdup(outcome->set_id);
	record->file = g_strdup(outcome->file);
	record->error = g_strdup(outcome->error);
	record->error_code = g_strdup(outcome->error_code);
	record->result = g_strdup(outcome->result);
}

void
hf_job_run_end(HfJobRun *run, const HfJobOutcome *outcome)
{
	if (!run)
		return;
	stop_ticker(run);
	note_end(run->record, outcome);
	run->record->duration_ms = (int64_t)((hf_clock_monotonic_s() - run->started_s) * 1000);
	hf_job_file_tend(run->file);
	for (int tries = 0; tries < END_TRIES && !save(run); tries++)
		;
	hf_job_record_free(run->record);
	/* Last: who finds it free and the record without an end takes the job for interrupted. */
	hf_job_file_free(run->file);
	g_free(run);
}

const HfJobFile *
hf_job_run_file(const HfJobRun *run)
{
	return run->file;
}
