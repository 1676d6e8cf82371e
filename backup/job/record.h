/*
 * backup/job/record.h -- the record of a job: who asked for what, how far it is, and what came of it.
 *
 * A job is one process.  It is alive as long as it holds its file (job-file.h); a record that says otherwise is settled
 * before anybody sees it: a job whose process is gone is INTERRUPTED, never RUNNING.  The newest 1,000 are kept.
 */
#pragma once

#include "backup/job/state.h"
#include "common/json.h"

#include <sys/types.h>

/* So many jobs are kept, the newest. */
#define HF_JOBS_KEPT 1000

/* As they stand in state.db: never renumber. */
typedef enum {
	HF_JOB_QUEUED = 0,
	HF_JOB_RUNNING = 1,
	HF_JOB_DONE = 2, /* exit 0, or 3 where what came of it is partial or suspect */
	HF_JOB_FAILED = 3,
	HF_JOB_CANCELLED = 4,
	HF_JOB_INTERRUPTED = 5, /* its process is gone without a word */
} HfJobStatus;

/* "queued", "running", "done", "failed", "cancelled", "interrupted".  Static. */
const char *hf_job_status_word(HfJobStatus status);
bool hf_job_status_is_end(HfJobStatus status);

typedef struct {
	char *id;           /* "2026-11-27_02-00-00-7f3a9c": when it was asked for, and a tail */
	char *kind;         /* see kind.h */
	char *parameters;   /* a JSON object, as text; passwords are left out once the job runs */
	char *requested_by; /* "cli:root", "api:SUB", "schedule:daily" */
	HfJobStatus status;
	int exit;           /* as the command's exit status would be, 0 to 3; -1 while it has not ended */
	pid_t pid;          /* 0: not running yet */
	uint64_t pid_ticks; /* when that process began, in clock ticks after boot (proc(5), starttime) */
	bool is_cancel_requested;
	int64_t created_s, started_s, finished_s; /* Unix time; 0: not yet */
	int64_t duration_ms;                      /* from its start to its end; 0 while it has not ended */
	char *set_id, *file, *error, *error_code; /* NULL where not known */
	char *result; /* NULL, or a JSON object as text: what `holdfast ... --json` would have printed */
	char *phase;
	uint64_t bytes, estimated_bytes, objects, estimated_objects; /* estimates: 0 is not known */
	uint64_t bytes_per_s;                                        /* of late; 0 once it has ended */
} HfJobRecord;

void hf_job_record_free(HfJobRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfJobRecord, hf_job_record_free)

/*
 * As the API and `holdfast jobs --json` tell it: "id", "kind", "status", "requestedBy", "parameters", "created", "started",
 * "finished" (RFC 3339), "duration" (s, with decimals), "exit", "set", "file", "error", "code", "cancelRequested", "result", and
 * "progress" {"phase", "bytes", "estimatedBytes", "bytesPerSecond", "objects", "estimatedObjects"}.  The caller owns it.
 */
HfJson *hf_job_record_to_json(const HfJobRecord *record, int64_t now_s);

/*
 * What a job that was done warned of, where what it made is as good as any all the same: a replica that is behind ends a backup with
 * exit 3, and with "warning" in its result.  NULL where there is none.  g_free() it.
 */
char *hf_job_record_warning(const HfJobRecord *record);

/* Done, and what it made is good: exit 0, or only a warning. */
bool hf_job_record_is_good(const HfJobRecord *record);

/* Ended without having run: another job was in its way, or another host had run the schedule's slot.  Neither good nor bad. */
bool hf_job_record_is_void(const HfJobRecord *record);

typedef struct {
	const char *kind;
	const char *parameters; /* NULL: {} */
	const char *requested_by;
	/*
	 * NULL, or a schedule whose mark (marks.h) is advanced to slot_s in the same transaction.  Where it has reached that
	 * slot already nothing is claimed: CONFLICT without a running job.
	 */
	const char *mark;
	int64_t slot_s;
} HfJobRequest;

typedef struct HfJobFile HfJobFile;

/*
 * Makes a queued job, in one transaction, and its file, which the caller holds from then on: hf_job_start() passes it to
 * the job's process, and who is the job's process itself keeps it.  CONFLICT names the job that holds what this one
 * would take, and *running_id_out, which is NULL in all other cases, is its id: g_free() it.  USAGE for an unknown kind.
 */
bool hf_jobs_claim(HfState *state, const HfJobRequest *request, char **id_out, HfJobFile **file_out,
		   char **running_id_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* NOT_FOUND where there is none. */
HfJobRecord *hf_jobs_find(HfState *state, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Of HfJobRecord, the newest first, at most limit; before_id NULL, or those that are older than that one. */
GPtrArray *hf_jobs_list(HfState *state, const char *before_id, unsigned limit,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The newest job that has not ended and takes source ("database", "images", or NULL: any).  NULL without an error where
 * there is none.
 */
HfJobRecord *hf_jobs_running(HfState *state, const char *source, GError **error);

/* The newest job that ended as DONE, of a kind, or of any where that is NULL.  NULL without an error: there is none. */
HfJobRecord *hf_jobs_last_done(HfState *state, const char *kind, GError **error);

/*
 * Asks a job to stop: TERM to its process, made sure of by its file and by when it began; where it cannot be signalled,
 * it sees the request within a second.  It ends as CANCELLED later.  CONFLICT where it has ended.
 */
bool hf_jobs_cancel(HfState *state, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Appends what the job said from byte `after` on to text, at most its last 256 KiB; *next_out is where the next call goes
 * on.  A job that said nothing, or whose log is gone, gives nothing.  NOT_FOUND where there is no such job.
 */
bool hf_jobs_log(HfState *state, const char *id, uint64_t after, GString *text, uint64_t *next_out,
		 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ---- for the process that is the job ---- */

/*
 * Writes the whole record, also where it vanished with the file that held it; its end together with the message that tells
 * of it (backup/notify/note.h).  *cancel_out tells that somebody asked this job to stop and could not signal it.
 */
bool hf_jobs_save(HfState *state, const HfJobRecord *record, bool *cancel_out,
		  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* When a process began, in clock ticks after boot; 0 where there is no such process. */
uint64_t hf_job_pid_ticks(pid_t pid);
