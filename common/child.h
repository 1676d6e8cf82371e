/*
 * common/child.h -- another program, run with pipes.
 *
 * No shell is ever involved.  A child gets PATH, HOME, LANG, LC_*, TZ and what is asked for, and nothing else of our
 * environment, so that no secret of ours leaks into it.  The tail of what it says on stderr becomes the error.
 * A child has a process group of its own, so that a Ctrl-C reaches us alone, and it gets TERM when the thread that
 * started it ends, also by SIGKILL.  SIGPIPE is ignored from the first child on.
 * A child that was not waited for is ended (TERM, then KILL after five seconds) when it is freed: nothing is left
 * running.
 */
#pragma once

#include "common/secret.h"

#include <stdint.h>

typedef struct HfChild HfChild;

typedef enum {
	HF_CHILD_STDOUT = 1 << 0, /* we read its output; else it goes to /dev/null */
	HF_CHILD_STDIN = 1 << 1,  /* we write its input; else it is /dev/null */
} HfChildPipes;

typedef struct {
	const char *const *argv; /* NULL-terminated; argv[0] is a path or a name to be found in PATH */
	const char *const *env;  /* NULL or NULL-terminated NAME=VALUE, on top of what every child gets */
	HfChildPipes pipes;
	/*
	 * NULL, or the content of a private file (a memfd of mode 0600, never on a disk) that the child can open; the
	 * variable file_env is set to its path, for example PGPASSFILE.
	 */
	const HfSecret *file;
	const char *file_env;
} HfChildOptions;

/* NOT_FOUND names the program where there is none. */
HfChild *hf_child_spawn(const HfChildOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Reads what there is, up to len bytes, after a moment's pause where that is little: give it 256 KiB where the output
 * is large (child.c says why); *got_out is 0 at the end of its output.  Waits; CANCELLED when a stop is asked
 * for meanwhile.
 */
bool hf_child_read(HfChild *child, void *buf, size_t len, size_t *got_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Writes all of it.  A child that closed its input or ended is not an error of its own: false with the child's own
 * words, after it was waited for.
 */
bool hf_child_write(HfChild *child, const void *buf, size_t len, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Closes the pipes, waits, and proves that it ended with exit status 0.  Else FAILED: "pg_dump: <its last words>", or
 * the signal that ended it.
 */
bool hf_child_wait(HfChild *child, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether it has ended by now; nothing is collected yet. */
bool hf_child_has_ended(const HfChild *child);

/* Ends it with a signal of the caller's choice, and KILL after five seconds; also works once a stop was asked for. */
void hf_child_end(HfChild *child, int signal_number);

/* The last 8 KiB at most of its stderr, complete after hf_child_wait() or hf_child_end().  Borrowed. */
const char *hf_child_stderr(HfChild *child);

void hf_child_free(HfChild *child);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfChild, hf_child_free)

/* Runs a program to its end and gives its output, at most limit_bytes of it. */
bool hf_child_output(const char *const *argv, size_t limit_bytes, char **output_out,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;
