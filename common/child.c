#include "config.h"

#include "common/cancel.h"
#include "common/child.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STDERR_KEPT 8192
#define PIPE_BYTES (1 << 20) /* what /proc/sys/fs/pipe-max-size allows anybody by default */
#define TERM_PATIENCE_MS 5000
#define END_LOOK_MS 16

/*
 * pg_dump writes its output in pieces of a few KiB.  A reader that is woken for each of them costs a context switch a
 * piece on both sides, so when less than a quarter of the pipe is filled we first sleep a moment on the cancel
 * descriptor alone, which the writer cannot wake, and then take what has gathered.  The same for psql, the other way
 * round.  At 2 ms a pipe of 1 MiB allows 500 MB/s, more than either side of PostgreSQL 15 does.  Seen with pg_dump of
 * a 540 MB database on 2 cores: docs/facts.md, "Reading a child".
 */
#define PAUSE_MS 2
#define PAUSE_BELOW (PIPE_BYTES / 4)

struct HfChild {
	char *name; /* for messages: "pg_dump" */
	pid_t pid;  /* also its process group's; 0 once it was waited for */
	int input;  /* -1 where there is none, or once it was closed */
	int output; /* the same */
	int status; /* as from waitpid() */
	bool was_cancelled;
	GThread *stderr_thread; /* NULL once it was joined */
	int stderr_fd;
	char stderr_tail[STDERR_KEPT + 1];
	size_t stderr_len;
};

/* ---- the start ---- */

/* What the child's side needs; all is made before the fork: behind it only async-signal-safe calls are allowed. */
typedef struct {
	char *program;
	char **argv;
	char **envp;
	int file;         /* the private file, or -1 */
	int ours[3];      /* our ends of its stdin, stdout, stderr; -1 for none */
	int theirs[3];    /* its ends */
	int failure_read; /* closed by a successful exec; else the errno comes through it */
	int failure_written;
	pid_t parent;
} Launch;

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
launch_clear(Launch *launch)
{
	g_free(launch->program);
	g_strfreev(launch->envp);
	close_fd(&launch->file);
	close_fd(&launch->failure_read);
	close_fd(&launch->failure_written);
	for (int i = 0; i < 3; i++) {
		close_fd(&launch->ours[i]);
		close_fd(&launch->theirs[i]);
	}
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Launch, launch_clear)

/* Out of the way of 0, 1 and 2, in case one of ours was closed when we were started. */
static bool
move_up(int *fd)
{
	int moved;

	if (*fd > STDERR_FILENO)
		return true;
	moved = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(*fd);
	*fd = moved;
	return moved >= 0;
}

static bool
make_pipe(int *read_end, int *write_end, GError **error)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return hf_error_errno(error, "pipe to a child");
	*read_end = ends[0];
	*write_end = ends[1];
	if (!move_up(read_end) || !move_up(write_end))
		return hf_error_errno(error, "pipe to a child");
	return true;
}

/* A refusal leaves the pipe at its 64 KiB: slower, not wrong. */
static void
enlarge(int fd)
{
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
}

static bool
open_stdio(Launch *launch, HfChildPipes pipes, GError **error)
{
	if (pipes & HF_CHILD_STDIN) {
		if (!make_pipe(&launch->theirs[0], &launch->ours[0], error))
			return false;
		enlarge(launch->ours[0]);
	} else {
		launch->theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	if (pipes & HF_CHILD_STDOUT) {
		if (!make_pipe(&launch->ours[1], &launch->theirs[1], error))
			return false;
		enlarge(launch->ours[1]);
	} else {
		launch->theirs[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	}
	if (launch->theirs[0] < 0 || launch->theirs[1] < 0)
		return hf_error_errno(error, "open \"/dev/null\"");
	if (!move_up(&launch->theirs[0]) || !move_up(&launch->theirs[1]))
		return hf_error_errno(error, "open \"/dev/null\"");
	return make_pipe(&launch->ours[2], &launch->theirs[2], error);
}

static bool
write_private_file(Launch *launch, const HfSecret *content, GError **error)
{
	size_t len = hf_secret_len(content);

	launch->file = memfd_create("holdfast", MFD_CLOEXEC);
	if (launch->file < 0 || !move_up(&launch->file))
		return hf_error_errno(error, "memory for a private file");
	/* libpq wants a password file that nobody else can read; a memfd is made with mode 0777. */
	if (fchmod(launch->file, S_IRUSR | S_IWUSR) < 0 ||
	    write(launch->file, hf_secret_bytes(content), len) != (ssize_t)len)
		return hf_error_errno(error, "write a private file");
	return true;
}

static bool
is_passed_on(const char *variable)
{
	static const char *const prefixes[] = {"PATH=", "HOME=", "LANG=", "LC_", "TZ="};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (g_str_has_prefix(variable, prefixes[i]))
			return true;
	return false;
}

static char **
make_environment(const HfChildOptions *options, int file)
{
	g_auto(GStrv) env = g_new0(char *, 1);
	g_auto(GStrv) ours = g_get_environ();

	for (char **variable = ours; *variable; variable++) {
		const char *equals = strchr(*variable, '=');
		g_autofree char *name = g_strndup(*variable, equals ? (size_t)(equals - *variable) : 0);

		if (equals && is_passed_on(*variable))
			env = g_environ_setenv(env, name, equals + 1, TRUE);
	}
	for (const char *const *variable = options->env; variable && *variable; variable++) {
		const char *equals = strchr(*variable, '=');
		g_autofree char *name = NULL;

		g_assert(equals);
		name = g_strndup(*variable, (size_t)(equals - *variable));
		env = g_environ_setenv(env, name, equals + 1, TRUE);
	}
	if (file >= 0) {
		g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", file);

		env = g_environ_setenv(env, options->file_env, path, TRUE);
	}
	return g_steal_pointer(&env);
}

/* In the child, between fork and exec: nothing here may allocate or lock. */
static G_NORETURN void
become(const Launch *launch)
{
	struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;
	int number;

	/* A group of its own: a Ctrl-C on the terminal is for us, and we end the child in order. */
	(void)setpgid(0, 0);
	/* And where we are killed, it must not go on writing for nobody. */
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() != launch->parent)
		_exit(127);
	sigaction(SIGPIPE, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Ours are all close-on-exec; this is for what a library or our own parent left open. */
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	if (dup2(launch->theirs[0], 0) == 0 && dup2(launch->theirs[1], 1) == 1 &&
	    dup2(launch->theirs[2], 2) == 2 && (launch->file < 0 || fcntl(launch->file, F_SETFD, 0) == 0))
		execve(launch->program, launch->argv, launch->envp);
	number = errno;
	(void)!write(launch->failure_written, &number, sizeof number);
	_exit(127);
}

static gpointer
drain_stderr(gpointer data)
{
	HfChild *child = data;
	char piece[4096];

	for (;;) {
		ssize_t got = read(child->stderr_fd, piece, sizeof piece);
		size_t keep, overflow;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return NULL;
		keep = (size_t)got;
		overflow = child->stderr_len + keep > STDERR_KEPT ? child->stderr_len + keep - STDERR_KEPT
								  : 0;
		memmove(child->stderr_tail, child->stderr_tail + overflow, child->stderr_len - overflow);
		child->stderr_len -= overflow;
		memcpy(child->stderr_tail + child->stderr_len, piece, keep);
		child->stderr_len += keep;
	}
}

static pid_t
fork_and_exec(Launch *launch, GError **error)
{
	int number = 0;
	ssize_t got;
	pid_t pid = fork();

	if (pid == 0)
		become(launch);
	if (pid < 0) {
		hf_error_errno(error, "start \"%s\"", launch->program);
		return 0;
	}
	(void)setpgid(pid, pid); /* here as well, so that it holds whoever of the two runs first */
	close_fd(&launch->failure_written);
	do
		got = read(launch->failure_read, &number, sizeof number);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return pid;
	(void)waitpid(pid, NULL, 0);
	errno = number;
	hf_error_errno(error, "start \"%s\"", launch->program);
	return 0;
}

static bool
prepare(Launch *launch, const HfChildOptions *options, GError **error)
{
	union {
		const char *const *given;
		char **as_exec_wants;
	} argv = {.given = options->argv};

	launch->program = g_find_program_in_path(options->argv[0]);
	if (!launch->program)
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "program \"%s\" was not found",
				    options->argv[0]);
	if (options->file && !write_private_file(launch, options->file, error))
		return false;
	launch->argv = argv.as_exec_wants;
	launch->envp = make_environment(options, launch->file);
	return open_stdio(launch, options->pipes, error) &&
	       make_pipe(&launch->failure_read, &launch->failure_written, error);
}

static void
ignore_sigpipe(void)
{
	static gsize is_done;

	if (g_once_init_enter(&is_done)) {
		struct sigaction ignore = {.sa_handler = SIG_IGN};

		sigaction(SIGPIPE, &ignore, NULL);
		g_once_init_leave(&is_done, 1);
	}
}

HfChild *
hf_child_spawn(const HfChildOptions *options, GError **error)
{
	g_auto(Launch) launch = {.file = -1,
				 .ours = {-1, -1, -1},
				 .theirs = {-1, -1, -1},
				 .failure_read = -1,
				 .failure_written = -1,
				 .parent = getpid()};
	g_autoptr(HfChild) child = g_new0(HfChild, 1);

	child->input = child->output = child->stderr_fd = -1;
	child->name = g_path_get_basename(options->argv[0]);
	if (!prepare(&launch, options, error))
		return NULL;
	ignore_sigpipe();
	child->pid = fork_and_exec(&launch, error);
	if (!child->pid)
		return NULL;
	child->input = launch.ours[0];
	child->output = launch.ours[1];
	child->stderr_fd = launch.ours[2];
	launch.ours[0] = launch.ours[1] = launch.ours[2] = -1;
	child->stderr_thread = g_thread_new("child-stderr", drain_stderr, child);
	return g_steal_pointer(&child);
}

/* ---- moving bytes ---- */

/* False with CANCELLED where a stop was asked for within the time. */
static bool
pause_ms(int ms, GError **error)
{
	struct pollfd stop = {.fd = hf_cancel_fd(), .events = POLLIN};

	(void)poll(&stop, 1, ms);
	return hf_cancel_check(error);
}

/* Waits until fd is ready; false with CANCELLED. */
static bool
wait_ready(int fd, short events, GError **error)
{
	struct pollfd both[2] = {{.fd = fd, .events = events}, {.fd = hf_cancel_fd(), .events = POLLIN}};

	while (poll(both, 2, -1) < 0)
		if (errno != EINTR)
			return hf_error_errno(error, "wait for a child");
	return hf_cancel_check(error);
}

/* Waits for something to read and, for a large buffer, until it is worth a read. */
static bool
let_it_gather(HfChild *child, size_t len, GError **error)
{
	int waiting = 0;

	(void)ioctl(child->output, FIONREAD, &waiting);
	if ((size_t)waiting >= MIN(len, PAUSE_BELOW))
		return true;
	if (waiting == 0 && !wait_ready(child->output, POLLIN, error))
		return false;
	return len <= PIPE_BUF || pause_ms(PAUSE_MS, error);
}

bool
hf_child_read(HfChild *child, void *buf, size_t len, size_t *got_out, GError **error)
{
	g_assert(child->output >= 0);
	if (!hf_cancel_check(error) || !let_it_gather(child, len, error))
		return false;
	for (;;) {
		ssize_t got = read(child->output, buf, len);

		if (got >= 0) {
			*got_out = (size_t)got;
			return true;
		}
		if (errno == EAGAIN && !wait_ready(child->output, POLLIN, error))
			return false;
		if (errno != EAGAIN && errno != EINTR)
			return hf_error_errno(error, "read from \"%s\"", child->name);
	}
}

/* It closed its input: what it says about that is the error. */
static bool
fail_with_its_words(HfChild *child, GError **error)
{
	if (!hf_child_wait(child, error))
		return false;
	return hf_error_set(error, HF_ERROR_FAILED, "%s: it ended before it had read everything",
			    child->name);
}

bool
hf_child_write(HfChild *child, const void *buf, size_t len, GError **error)
{
	const char *at = buf;

	g_assert(child->input >= 0);
	while (len > 0) {
		ssize_t put;

		if (!hf_cancel_check(error))
			return false;
		put = write(child->input, at, len);
		if (put >= 0) {
			at += put;
			len -= (size_t)put;
		} else if (errno == EAGAIN) {
			if (!wait_ready(child->input, POLLOUT, error) || !pause_ms(PAUSE_MS, error))
				return false;
		} else if (errno == EPIPE) {
			return fail_with_its_words(child, error);
		} else if (errno != EINTR) {
			return hf_error_errno(error, "write to \"%s\"", child->name);
		}
	}
	return true;
}

/* ---- the end ---- */

static bool
has_ended(const HfChild *child)
{
	siginfo_t info = {0};

	return waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/*
 * Waits until it has ended; false with CANCELLED.  By looking again and again: a pidfd would be woken at once, but
 * kernels before 5.3 have none, nor has valgrind, and some milliseconds at the end of a dump are nothing.
 */
static bool
wait_ended(const HfChild *child, GError **error)
{
	for (int ms = 1; !has_ended(child); ms = MIN(2 * ms, END_LOOK_MS))
		if (!pause_ms(ms, error))
			return false;
	return hf_cancel_check(error);
}

/* Collects the child, and ends what it may have left behind: while it is a zombie, its group is nobody else's. */
static void
reap(HfChild *child)
{
	(void)kill(-child->pid, SIGKILL);
	while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR)
		;
	child->pid = 0;
	g_clear_pointer(&child->stderr_thread, g_thread_join);
}

/* Asks first; reap() kills what did not listen. */
static void
end_with(HfChild *child, int signal_number)
{
	(void)kill(-child->pid, signal_number);
	for (int ms = 0; ms < TERM_PATIENCE_MS && !has_ended(child); ms += END_LOOK_MS)
		g_usleep(END_LOOK_MS * 1000);
	reap(child);
}

static void
end(HfChild *child)
{
	end_with(child, SIGTERM);
}

bool
hf_child_has_ended(const HfChild *child)
{
	return child->pid == 0 || has_ended(child);
}

void
hf_child_end(HfChild *child, int signal_number)
{
	if (child->pid)
		end_with(child, signal_number);
}

/* The last line that says something, as one line of plain text without the program's own name. */
static char *
last_words(HfChild *child)
{
	g_autofree char *text = g_utf8_make_valid(hf_child_stderr(child), -1);
	const char *line;
	g_autofree char *prefix = g_strdup_printf("%s: ", child->name);

	g_strchomp(text);
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	if (g_str_has_prefix(line, prefix))
		line += strlen(prefix);
	return g_strdup(line);
}

static bool
judge(HfChild *child, GError **error)
{
	g_autofree char *words = last_words(child);

	if (WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0)
		return true;
	if (WIFSIGNALED(child->status))
		return hf_error_set(error, HF_ERROR_FAILED, "%s: ended by signal %d (%s)%s%s", child->name,
				    WTERMSIG(child->status), g_strsignal(WTERMSIG(child->status)),
				    *words ? ": " : "", words);
	if (*words)
		return hf_error_set(error, HF_ERROR_FAILED, "%s: %s", child->name, words);
	return hf_error_set(error, HF_ERROR_FAILED, "%s: ended with status %d", child->name,
			    WEXITSTATUS(child->status));
}

bool
hf_child_wait(HfChild *child, GError **error)
{
	close_fd(&child->input);
	close_fd(&child->output);
	if (child->pid) {
		g_autoptr(GError) stopped = NULL;

		if (!wait_ended(child, &stopped)) {
			end(child);
			child->was_cancelled = true;
		} else {
			reap(child);
		}
	}
	/* Whoever asks us to stop may have asked the child as well: its signal is not the news then. */
	if (child->was_cancelled)
		return hf_error_set(error, HF_ERROR_CANCELLED, "cancelled");
	return judge(child, error);
}

const char *
hf_child_stderr(HfChild *child)
{
	g_assert(!child->stderr_thread);
	child->stderr_tail[child->stderr_len] = '\0';
	return child->stderr_tail;
}

void
hf_child_free(HfChild *child)
{
	if (!child)
		return;
	close_fd(&child->input);
	close_fd(&child->output);
	if (child->pid)
		end(child);
	close_fd(&child->stderr_fd);
	g_free(child->name);
	g_free(child);
}

/* ---- a small program's whole output ---- */

bool
hf_child_output(const char *const *argv, size_t limit_bytes, char **output_out, GError **error)
{
	HfChildOptions options = {.argv = argv, .pipes = HF_CHILD_STDOUT};
	g_autoptr(HfChild) child = hf_child_spawn(&options, error);
	g_autoptr(GString) output = g_string_new(NULL);
	char piece[4096];
	size_t got;

	if (!child)
		return false;
	do {
		if (!hf_child_read(child, piece, sizeof piece, &got, error))
			return false;
		if (output->len + got > limit_bytes)
			return hf_error_set(error, HF_ERROR_FAILED, "%s: more than %zu bytes of output",
					    child->name, limit_bytes);
		g_string_append_len(output, piece, (gssize)got);
	} while (got > 0);
	if (!hf_child_wait(child, error))
		return false;
	*output_out = g_string_free(g_steal_pointer(&output), FALSE);
	return true;
}
