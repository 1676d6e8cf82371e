#include "config.h"

#include "backup/job/marks.h"
#include "backup/job/metrics-impl.h"

static void
add_build(GString *text)
{
	const HfLabel labels[] = {{"version", PACKAGE_VERSION}, {NULL, NULL}};

	hf_exposition_begin(text, "holdfast_build_info", "The program's version, as a label.");
	hf_exposition_add(text, "holdfast_build_info", labels, 1);
}

/* ---- schedules ---- */

static void
add_enabled(GString *text, const HfMetricsSchedule *schedules)
{
	static const char name[] = "holdfast_schedule_enabled";

	hf_exposition_begin(text, name, "Whether the timer starts this schedule.");
	for (; schedules->name; schedules++)
		hf_exposition_add(text, name, (const HfLabel[]){{"schedule", schedules->name}, {NULL, NULL}},
				  schedules->is_enabled);
}

static void
add_next(GString *text, const HfMetricsSchedule *schedules)
{
	static const char name[] = "holdfast_schedule_next_timestamp_seconds";

	hf_exposition_begin(text, name, "When the schedule starts its next run.");
	for (; schedules->name; schedules++)
		if (schedules->is_enabled && schedules->next_s > 0)
			hf_exposition_add(text, name,
					  (const HfLabel[]){{"schedule", schedules->name}, {NULL, NULL}},
					  (uint64_t)schedules->next_s);
}

static bool
add_last(HfState *state, GString *text, const HfMetricsSchedule *schedules, GError **error)
{
	static const char name[] = "holdfast_schedule_last_timestamp_seconds";
	int64_t slot_s;

	hf_exposition_begin(text, name, "The time of the schedule that was started last.");
	for (; schedules->name; schedules++) {
		if (!hf_marks_get(state, schedules->name, &slot_s, error))
			return false;
		if (slot_s > 0)
			hf_exposition_add(text, name,
					  (const HfLabel[]){{"schedule", schedules->name}, {NULL, NULL}},
					  (uint64_t)slot_s);
	}
	return true;
}

char *
hf_metrics_text(HfState *state, const HfSettings *settings, const HfMetricsSchedule *schedules,
		bool *is_running_out, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	bool is_running = false;

	add_build(text);
	if (!hf_metrics_add_sets(state, text, error) || !hf_metrics_add_jobs(state, text, &is_running, error))
		return NULL;
	add_enabled(text, schedules);
	add_next(text, schedules);
	if (!add_last(state, text, schedules, error) ||
	    !hf_metrics_add_replicas(state, settings, text, error) ||
	    !hf_metrics_add_outbox(state, text, error))
		return NULL;
	if (is_running_out)
		*is_running_out = is_running;
	return g_string_free(g_steal_pointer(&text), FALSE);
}
