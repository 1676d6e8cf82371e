/*
 * cli/progress.h -- how far a long run is, on stderr.
 *
 * On a terminal a bar, drawn again four times a second by a thread of its own; elsewhere a log line at the start and
 * every 30 seconds.  The run only adds to an HfProgress.
 */
#pragma once

#include "backup/job/backup-database.h"

typedef struct HfProgressBar HfProgressBar;

/* Whether bars are shown at all: once, before the first. */
void hf_progress_bar_set_quiet(bool is_quiet);

/* How far the run is whose bar was started last, both halves of a full run added up; false where there is none. */
bool hf_progress_look(HfProgress *now_out);

/* Starts showing.  verb is "backing up", static; progress is borrowed and must outlive the bar. */
HfProgressBar *hf_progress_bar_start(const char *verb, const HfProgress *progress);

/* Stops the thread and takes the bar away. */
void hf_progress_bar_stop(HfProgressBar *bar);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfProgressBar, hf_progress_bar_stop)

/* What stands in a terminal of so many columns after elapsed_s: one line, never wider; g_free() it. */
char *hf_progress_line(const HfProgress *progress, double elapsed_s, unsigned columns);
