/*
 * common/log.h -- what is said on stderr while something runs.
 *
 * Whoever has something to say calls g_message(), g_warning() or g_info(); one line comes out, "holdfast: ..." on a
 * terminal, and with the time (RFC 3339, UTC) and the level otherwise.  On a terminal a status line, such as a progress
 * bar, may stand below the log's lines: it is taken away before a line is written and drawn again below it.
 */
#pragma once

#include <stdbool.h>

typedef enum {
	HF_LOG_QUIET,   /* warnings and errors */
	HF_LOG_NORMAL,  /* messages, too */
	HF_LOG_VERBOSE, /* everything */
} HfLogLevel;

/* Takes over GLib's log for the whole process.  Once, before other threads are started. */
void hf_log_install(HfLogLevel level);

/* Draws line, which must be no wider than the terminal, in place of the status line before; NULL takes it away. */
void hf_log_set_status(const char *line);

/*
 * Every line goes to this descriptor as well, with time and level; -1 ends that.  What is said to standard output, and not
 * through the log, can be added by hf_log_copy().
 */
void hf_log_set_copy(int fd);
void hf_log_copy(const char *text);

/* The text without what could make two lines of it or move a terminal's cursor; g_free() it. */
char *hf_log_one_line(const char *text);
