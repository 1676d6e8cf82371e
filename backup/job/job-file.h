/*
 * backup/job/job-file.h -- folder/jobs/ID.log: what a job says, and the sign that it is alive.
 *
 * The job's process holds the file with an open file description lock (fcntl(2), F_OFD_SETLK).  Such a lock passes through
 * fork and exec, so it is held without a gap from before the job's record exists to the end of its process, however that
 * ends; and whoever asks for it disturbs nobody.  The file may vanish with the state at any time: the job makes another.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What is kept of a log: so much of its end, and up to twice as much while it grows. */
#define HF_JOB_LOG_BYTES ((uint64_t)256 << 10)

typedef struct HfJobFile HfJobFile;

/* A new file, held.  CONFLICT where there is one of that name. */
HfJobFile *hf_job_file_make(const char *folder, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The file of a job that was started for us: standard error is it, and is held already.  Where standard error is
 * something else, the file is opened and held: CONFLICT where somebody else holds it.
 */
HfJobFile *hf_job_file_adopt(const char *folder, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether a process holds it.  False where there is no such file. */
bool hf_job_file_is_held(const char *folder, const char *id);

/* The descriptor, close-on-exec, opened for appending.  Borrowed. */
int hf_job_file_fd(const HfJobFile *file);

/* Appends text and a line end, which may be lost on a full disk. */
void hf_job_file_say(const HfJobFile *file, const char *text);

/*
 * From time to time, by the job: gives back what is too old, and makes the file anew where it vanished.  What is said to
 * standard error goes to the new one where it went to the old one.
 */
void hf_job_file_tend(HfJobFile *file);

/* See hf_jobs_log(). */
bool hf_job_file_read(const char *folder, const char *id, uint64_t after, GString *text, uint64_t *next_out,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes all files but the newest ones. */
void hf_job_files_sweep(const char *folder, unsigned kept);

/* Lets go: the job counts as gone from now on. */
void hf_job_file_free(HfJobFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfJobFile, hf_job_file_free)

/* The same, and removes the file: for a job that was never claimed. */
void hf_job_file_discard(HfJobFile *file);
