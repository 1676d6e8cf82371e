#include "config.h"

#include "backup/job/jobs-table.h"
#include "backup/job/kind.h"
#include "backup/job/metrics-impl.h"

/* ---- gathering ---- */

/* Of one kind, the newest job of each sort. */
typedef enum {
	RUNNING,
	SUCCEEDED, /* exit 0, or only a warning */
	FAILED,    /* with an exit other than 0, or without a word; not one that somebody stopped */
	DONE,      /* whatever came of it: its duration says something */
	SORTS,
} Sort;

typedef struct {
	const char *kind;
	uint64_t counts[HF_JOB_INTERRUPTED + 1];
	const HfJobRecord *newest[SORTS]; /* NULL where there is none */
} Kind;

static void
take(Kind *kind, Sort sort, const HfJobRecord *record)
{
	if (!kind->newest[sort])
		kind->newest[sort] = record;
}

/* Records come the newest first. */
static void
sort_in(Kind *kind, const HfJobRecord *record)
{
	kind->counts[record->status]++;
	if (hf_job_record_is_void(record))
		return;
	switch (record->status) {
	case HF_JOB_QUEUED:
	case HF_JOB_RUNNING:
		take(kind, RUNNING, record);
		break;
	case HF_JOB_DONE:
		take(kind, hf_job_record_is_good(record) ? SUCCEEDED : FAILED, record);
		take(kind, DONE, record);
		break;
	case HF_JOB_FAILED:
	case HF_JOB_INTERRUPTED:
		take(kind, FAILED, record);
		break;
	case HF_JOB_CANCELLED:
		break;
	}
}

static Kind *
kind_of(GArray *kinds, const char *name)
{
	for (guint i = 0; i < kinds->len; i++)
		if (g_strcmp0(g_array_index(kinds, Kind, i).kind, name) == 0)
			return &g_array_index(kinds, Kind, i);
	return NULL;
}

static GArray *
gather(const GPtrArray *records)
{
	GArray *kinds = g_array_new(FALSE, TRUE, sizeof(Kind));
	size_t count;
	const HfJobKind *all = hf_job_kinds(&count);

	for (size_t i = 0; i < count; i++) {
		Kind kind = {.kind = all[i].name};

		g_array_append_val(kinds, kind);
	}
	for (guint i = 0; i < records->len; i++) {
		const HfJobRecord *record = records->pdata[i];
		Kind *kind = kind_of(kinds, record->kind);

		if (kind)
			sort_in(kind, record);
	}
	return kinds;
}

/* ---- telling ---- */

static void
add_counts(GString *text, const GArray *kinds)
{
	static const char name[] = "holdfast_jobs";

	hf_exposition_begin(text, name, "Jobs by kind and status, of the newest 1000 that this host keeps.");
	for (guint i = 0; i < kinds->len; i++) {
		const Kind *kind = &g_array_index(kinds, Kind, i);

		for (HfJobStatus status = HF_JOB_QUEUED; status <= HF_JOB_INTERRUPTED; status++)
			hf_exposition_add(text, name,
					  (const HfLabel[]){{"kind", kind->kind},
							    {"status", hf_job_status_word(status)},
							    {NULL, NULL}},
					  kind->counts[status]);
	}
}

/* What is told of a record; false where there is nothing to tell. */
typedef struct {
	const char *name, *help;
	Sort sort;
	bool is_ms;
	bool (*value)(const HfJobRecord *record, uint64_t *value_out);
} Family;

static bool
end_of(const HfJobRecord *record, uint64_t *value_out)
{
	*value_out = (uint64_t)MAX(record->finished_s, 0);
	return record->finished_s > 0;
}

static bool
start_of(const HfJobRecord *record, uint64_t *value_out)
{
	*value_out = (uint64_t)MAX(record->started_s > 0 ? record->started_s : record->created_s, 0);
	return true;
}

static bool
duration_of(const HfJobRecord *record, uint64_t *value_out)
{
	*value_out = (uint64_t)MAX(record->duration_ms, 0);
	return true;
}

static bool
bytes_of(const HfJobRecord *record, uint64_t *value_out)
{
	*value_out = record->bytes;
	return record->bytes > 0;
}

static bool
rate_of(const HfJobRecord *record, uint64_t *value_out)
{
	if (record->bytes == 0 || record->duration_ms <= 0)
		return false;
	*value_out = (uint64_t)((double)record->bytes * 1000 / (double)record->duration_ms);
	return true;
}

#define JOB "holdfast_job_"
static const Family families[] = {
	{JOB "last_success_timestamp_seconds", "When the last good job of this kind ended.", SUCCEEDED, false,
	 end_of},
	{JOB "last_failure_timestamp_seconds",
	 "When the last job of this kind that failed, was interrupted, or ended suspect or partial, ended.",
	 FAILED, false, end_of},
	{JOB "last_duration_seconds", "How long the last job of this kind took that was done.", DONE, true,
	 duration_of},
	{JOB "last_bytes", "Plain bytes that the last job of this kind moved that was done.", DONE, false,
	 bytes_of},
	{JOB "last_throughput_bytes_per_second", "These bytes by the duration.", DONE, false, rate_of},
	{JOB "running_started_timestamp_seconds", "When the job of this kind began that runs now.", RUNNING,
	 false, start_of},
};

static void
add_family(GString *text, const Family *family, const GArray *kinds)
{
	hf_exposition_begin(text, family->name, family->help);
	for (guint i = 0; i < kinds->len; i++) {
		const Kind *kind = &g_array_index(kinds, Kind, i);
		const HfJobRecord *record = kind->newest[family->sort];
		const HfLabel labels[] = {{"kind", kind->kind}, {NULL, NULL}};
		uint64_t value;

		if (!record || !family->value(record, &value))
			continue;
		if (family->is_ms)
			hf_exposition_add_ms(text, family->name, labels, value);
		else
			hf_exposition_add(text, family->name, labels, value);
	}
}

static bool
read_work(HfState *state, void *data, GError **error)
{
	GPtrArray **records = data;
	GPtrArray *read = hf_jobs_table_brief(state, error);

	if (!read)
		return false;
	g_clear_pointer(records, g_ptr_array_unref);
	*records = read;
	return true;
}

/* Once it was looked for those that run, one whose process is gone is no longer told as running. */
static GPtrArray *
read_settled(HfState *state, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	g_autoptr(HfJobRecord) running = hf_jobs_running(state, NULL, &trouble);
	GPtrArray *records = NULL;

	(void)running;
	if (trouble) {
		g_propagate_error(error, g_steal_pointer(&trouble));
		return NULL;
	}
	if (hf_state_run(state, HF_STATE_READ, read_work, &records, error))
		return records;
	g_clear_pointer(&records, g_ptr_array_unref);
	return NULL;
}

bool
hf_metrics_add_jobs(HfState *state, GString *text, bool *is_running_out, GError **error)
{
	g_autoptr(GPtrArray) records = read_settled(state, error);
	g_autoptr(GArray) kinds = NULL;

	if (!records)
		return false;
	kinds = gather(records);
	add_counts(text, kinds);
	for (size_t i = 0; i < G_N_ELEMENTS(families); i++)
		add_family(text, &families[i], kinds);
	for (guint i = 0; i < kinds->len; i++)
		*is_running_out = *is_running_out || g_array_index(kinds, Kind, i).newest[RUNNING] != NULL;
	return true;
}
