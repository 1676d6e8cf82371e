#include "config.h"

#include "backup/job/record.h"
#include "backup/job/job-file.h"
#include "backup/job/jobs-table.h"
#include "backup/job/kind.h"
#include "backup/notify/note-impl.h"
#include "common/clock.h"
#include "common/error.h"

#include <signal.h>
#include <string.h>
#include <sys/random.h>

static const char *const words[] = {
	[HF_JOB_QUEUED] = "queued", [HF_JOB_RUNNING] = "running",     [HF_JOB_DONE] = "done",
	[HF_JOB_FAILED] = "failed", [HF_JOB_CANCELLED] = "cancelled", [HF_JOB_INTERRUPTED] = "interrupted",
};

const char *
hf_job_status_word(HfJobStatus status)
{
	return words[status];
}

bool
hf_job_status_is_end(HfJobStatus status)
{
	return status >= HF_JOB_DONE;
}

void
hf_job_record_free(HfJobRecord *record)
{
	if (!record)
		return;
	g_free(record->id);
	g_free(record->kind);
	g_free(record->parameters);
	g_free(record->requested_by);
	g_free(record->set_id);
	g_free(record->file);
	g_free(record->error);
	g_free(record->error_code);
	g_free(record->result);
	g_free(record->phase);
	g_free(record);
}

/* ---- processes ---- */

/* The 22nd field, counted behind the name in brackets, which may hold anything (proc(5)). */
uint64_t
hf_job_pid_ticks(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%ld/stat", (long)pid);
	g_autofree char *text = NULL;
	g_auto(GStrv) fields = NULL;
	const char *behind;

	if (pid <= 0 || !g_file_get_contents(path, &text, NULL, NULL) || !(behind = strrchr(text, ')')) ||
	    !behind[1])
		return 0;
	fields = g_strsplit(behind + 2, " ", -1);
	return g_strv_length(fields) > 19 ? g_ascii_strtoull(fields[19], NULL, 10) : 0;
}

static bool
is_alive(const HfState *state, const HfJobRecord *record)
{
	return hf_job_file_is_held(hf_state_folder(state), record->id);
}

/* ---- settled reading ---- */

typedef struct {
	HfJobsQuery query;
	GPtrArray *records;
} Selection;

static bool
select_records(HfState *state, void *data, GError **error)
{
	Selection *selection = data;
	GPtrArray *records = hf_jobs_table_select(state, &selection->query, error);

	if (!records)
		return false;
	g_clear_pointer(&selection->records, g_ptr_array_unref);
	selection->records = records;
	return true;
}

/* The table leaves alone what has ended since it was read: a job says how it ended before it lets go of its file. */
static bool
interrupt(HfState *state, const char *id, GError **error)
{
	g_autoptr(GPtrArray) records = NULL;
	bool is_ended_here = false;

	if (!hf_jobs_table_interrupt(state, id, hf_clock_now_s(), &is_ended_here, error))
		return false;
	if (!is_ended_here)
		return true;
	records = hf_jobs_table_select(state, &(HfJobsQuery){.id = id, .limit = 1}, error);
	return records && (records->len == 0 || hf_note_job_end(state, records->pdata[0], error));
}

static bool
interrupt_gone(HfState *state, void *data, GError **error)
{
	const GPtrArray *records = data;

	for (guint i = 0; i < records->len; i++) {
		const HfJobRecord *record = records->pdata[i];

		if (!hf_job_status_is_end(record->status) && !is_alive(state, record) &&
		    !interrupt(state, record->id, error))
			return false;
	}
	return true;
}

static bool
has_gone(const HfState *state, const GPtrArray *records)
{
	for (guint i = 0; i < records->len; i++) {
		const HfJobRecord *record = records->pdata[i];

		if (!hf_job_status_is_end(record->status) && !is_alive(state, record))
			return true;
	}
	return false;
}

/* Where the file cannot be written, nobody is told that a dead job runs all the same. */
static void
settle_in_memory(const HfState *state, const GPtrArray *records)
{
	for (guint i = 0; i < records->len; i++) {
		HfJobRecord *record = records->pdata[i];

		if (hf_job_status_is_end(record->status) || is_alive(state, record))
			continue;
		record->status = HF_JOB_INTERRUPTED;
		record->exit = 1;
	}
}

static GPtrArray *
select_settled(HfState *state, const HfJobsQuery *query, GError **error)
{
	Selection selection = {.query = *query};
	g_autoptr(GPtrArray) found = NULL;

	if (!hf_state_run(state, HF_STATE_READ, select_records, &selection, error))
		return NULL;
	found = selection.records;
	if (!has_gone(state, found))
		return g_steal_pointer(&found);
	selection.records = NULL;
	if (!hf_state_run(state, HF_STATE_WRITE, interrupt_gone, found, NULL)) {
		/* What ended between the reading and the look at the file is seen by reading once more. */
		if (!hf_state_run(state, HF_STATE_READ, select_records, &selection, error))
			return NULL;
		settle_in_memory(state, selection.records);
		return selection.records;
	}
	return hf_state_run(state, HF_STATE_READ, select_records, &selection, error) ? selection.records
										     : NULL;
}

static HfJobRecord *
first_of(GPtrArray *records)
{
	return records && records->len > 0 ? g_ptr_array_steal_index(records, 0) : NULL;
}

HfJobRecord *
hf_jobs_find(HfState *state, const char *id, GError **error)
{
	g_autoptr(GPtrArray) records = select_settled(state, &(HfJobsQuery){.id = id, .limit = 1}, error);
	HfJobRecord *record = first_of(records);

	if (records && !record)
		hf_error_set(error, HF_ERROR_NOT_FOUND, "there is no job \"%s\": see \"holdfast jobs\"", id);
	return record;
}

GPtrArray *
hf_jobs_list(HfState *state, const char *before_id, unsigned limit, GError **error)
{
	return select_settled(state, &(HfJobsQuery){.before_id = before_id, .limit = limit}, error);
}

/* One that turns out to be gone is no longer among them. */
HfJobRecord *
hf_jobs_running(HfState *state, const char *source, GError **error)
{
	const HfJobsQuery query = {.takes = hf_job_source(source), .is_open = true, .limit = HF_JOBS_KEPT};
	g_autoptr(GPtrArray) records = select_settled(state, &query, error);

	for (guint i = 0; records && i < records->len; i++)
		if (!hf_job_status_is_end(((HfJobRecord *)records->pdata[i])->status))
			return g_ptr_array_steal_index(records, i);
	return NULL;
}

HfJobRecord *
hf_jobs_last_done(HfState *state, const char *kind, GError **error)
{
	const HfJobsQuery query = {.kind = kind, .is_done = true, .limit = 1};
	g_autoptr(GPtrArray) records = select_settled(state, &query, error);

	return first_of(records);
}

/* ---- claiming ---- */

typedef struct {
	const HfJobRequest *request;
	const HfJobKind *kind;
	const HfJobRecord *record;
	HfJobRecord *in_the_way;
} Claim;

/* Only those that could be in the way are looked at: theirs are the files that are opened. */
static bool
settle_open(HfState *state, GError **error)
{
	g_autoptr(GPtrArray) records = hf_jobs_table_select(
		state, &(HfJobsQuery){.is_open = true, .limit = HF_JOBS_KEPT}, error);

	return records && interrupt_gone(state, records, error);
}

static bool
refuse(const Claim *claim, GError **error)
{
	const HfJobRecord *other = claim->in_the_way;
	g_autofree char *process = other->pid > 0 ? g_strdup_printf(", process %ld", (long)other->pid)
						  : g_strdup("");

	return hf_error_set(
		error, HF_ERROR_CONFLICT,
		"\"%s\" has to wait: job %s (\"%s\", asked for by %s%s) is running already: wait for "
		"it, or stop it with \"holdfast jobs --cancel %s\"",
		claim->kind->name, other->id, other->kind, other->requested_by, process, other->id);
}

static bool
advance_mark(HfState *state, const HfJobRequest *request, GError **error)
{
	bool is_reached = false;

	if (!request->mark)
		return true;
	if (!hf_marks_advance(state, request->mark, request->slot_s, &is_reached, error))
		return false;
	if (is_reached)
		return hf_error_set(error, HF_ERROR_CONFLICT,
				    "schedule \"%s\" has been started for this time already", request->mark);
	return hf_note_scheduled(state, request->mark, request->slot_s, error);
}

static bool
claim_work(HfState *state, void *data, GError **error)
{
	Claim *claim = data;
	HfJobCancel cancel;
	g_autoptr(GError) trouble = NULL;

	g_clear_pointer(&claim->in_the_way, hf_job_record_free);
	if (!settle_open(state, error))
		return false;
	claim->in_the_way = hf_jobs_table_in_the_way(state, claim->kind->takes, claim->kind->excludes,
						     &trouble);
	if (trouble) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return false;
	}
	if (claim->in_the_way)
		return refuse(claim, error);
	return advance_mark(state, claim->request, error) &&
	       hf_jobs_table_save(state, claim->record, &cancel, error) &&
	       hf_jobs_table_trim(state, HF_JOBS_KEPT, error);
}

static HfJobRecord *
new_record(const HfJobRequest *request)
{
	HfJobRecord *record = g_new0(HfJobRecord, 1);
	g_autofree char *time = NULL;
	uint32_t tail = 0;

	record->created_s = hf_clock_now_s();
	time = hf_clock_set_id(record->created_s);
	/* Not GLib's numbers, which are the same in every child of one process.  Of four bytes this never gives fewer. */
	(void)!getrandom(&tail, sizeof tail, 0);
	record->id = g_strdup_printf("%s-%06x", time, tail & 0xffffff);
	record->kind = g_strdup(request->kind);
	record->parameters = g_strdup(request->parameters ? request->parameters : "{}");
	record->requested_by = g_strdup(request->requested_by);
	record->exit = -1;
	return record;
}

bool
hf_jobs_claim(HfState *state, const HfJobRequest *request, char **id_out, HfJobFile **file_out,
	      char **running_id_out, GError **error)
{
	g_autoptr(HfJobRecord) record = new_record(request);
	Claim claim = {.request = request, .kind = hf_job_kind_find(request->kind), .record = record};
	HfJobFile *file;
	bool is_claimed;

	*running_id_out = NULL;
	if (!claim.kind)
		return hf_error_set(error, HF_ERROR_USAGE, "\"%s\" is no kind of job", request->kind);
	/* It is held before the record is seen by anybody: else that would be taken for one whose process is gone. */
	file = hf_job_file_make(hf_state_folder(state), record->id, error);
	if (!file)
		return false;
	is_claimed = hf_state_run(state, HF_STATE_WRITE, claim_work, &claim, error);
	if (claim.in_the_way)
		*running_id_out = g_strdup(claim.in_the_way->id);
	hf_job_record_free(claim.in_the_way);
	if (!is_claimed) {
		hf_job_file_discard(file);
		return false;
	}
	hf_job_files_sweep(hf_state_folder(state), HF_JOBS_KEPT);
	*id_out = g_strdup(record->id);
	*file_out = file;
	return true;
}

/* ---- saving, cancelling, the log ---- */

typedef struct {
	const HfJobRecord *record;
	bool is_silent; /* nobody is told of its end */
	HfJobCancel cancel;
} Saving;

/* Whether this is the first to say that the job has ended. */
static bool
is_new_end(HfState *state, const HfJobRecord *record, bool *new_out, GError **error)
{
	g_autoptr(GPtrArray) records = NULL;

	*new_out = false;
	if (!hf_job_status_is_end(record->status))
		return true;
	records = hf_jobs_table_select(state, &(HfJobsQuery){.id = record->id, .limit = 1}, error);
	*new_out = records &&
		   (records->len == 0 || ((const HfJobRecord *)records->pdata[0])->status != record->status);
	return records != NULL;
}

static bool
save_work(HfState *state, void *data, GError **error)
{
	Saving *saving = data;
	bool has_ended;

	return is_new_end(state, saving->record, &has_ended, error) &&
	       hf_jobs_table_save(state, saving->record, &saving->cancel, error) &&
	       (!has_ended || saving->is_silent || hf_note_job_end(state, saving->record, error));
}

/* A job's end is worth more than the word of it, for which there may be no room. */
static bool
save_silently(HfState *state, Saving *saving, GError **error)
{
	g_autoptr(GError) cause = g_steal_pointer(error);

	saving->is_silent = true;
	if (!hf_job_status_is_end(saving->record->status) ||
	    !hf_state_run(state, HF_STATE_WRITE, save_work, saving, NULL)) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	g_warning("job %s: nobody can be told of its end: %s", saving->record->id, cause->message);
	return true;
}

bool
hf_jobs_save(HfState *state, const HfJobRecord *record, bool *cancel_out, GError **error)
{
	Saving saving = {.record = record};
	g_autoptr(GError) cause = NULL;

	if (!hf_state_run(state, HF_STATE_WRITE, save_work, &saving, &cause) &&
	    !save_silently(state, &saving, &cause)) {
		g_propagate_error(error, g_steal_pointer(&cause));
		return false;
	}
	*cancel_out = saving.cancel == HF_CANCEL_UNSIGNALLED;
	return true;
}

typedef struct {
	const char *id;
	HfJobCancel cancel;
} Cancelling;

static bool
cancel_work(HfState *state, void *data, GError **error)
{
	const Cancelling *cancelling = data;

	return hf_jobs_table_cancel(state, cancelling->id, cancelling->cancel, error);
}

/* Between two looks the number could become another process's; when it began tells the two apart. */
static bool
signal_process(const HfJobRecord *record)
{
	return record->pid > 0 && record->pid_ticks != 0 &&
	       hf_job_pid_ticks(record->pid) == record->pid_ticks && kill(record->pid, SIGTERM) == 0;
}

bool
hf_jobs_cancel(HfState *state, const char *id, GError **error)
{
	g_autoptr(HfJobRecord) record = hf_jobs_find(state, id, error);
	Cancelling cancelling = {.id = id};
	g_autoptr(GError) trouble = NULL;

	if (!record)
		return false;
	if (hf_job_status_is_end(record->status))
		return hf_error_set(error, HF_ERROR_CONFLICT, "job \"%s\" has ended: it is %s", id,
				    hf_job_status_word(record->status));
	/* In this order: a job that heard of it twice would take the second for impatience. */
	cancelling.cancel = signal_process(record) ? HF_CANCEL_SIGNALLED : HF_CANCEL_UNSIGNALLED;
	if (hf_state_run(state, HF_STATE_WRITE, cancel_work, &cancelling, &trouble))
		return true;
	if (cancelling.cancel == HF_CANCEL_SIGNALLED)
		return true;
	g_propagate_error(error, g_steal_pointer(&trouble));
	return false;
}

bool
hf_jobs_log(HfState *state, const char *id, uint64_t after, GString *text, uint64_t *next_out, GError **error)
{
	g_autoptr(HfJobRecord) record = hf_jobs_find(state, id, error);

	return record && hf_job_file_read(hf_state_folder(state), record->id, after, text, next_out, error);
}
