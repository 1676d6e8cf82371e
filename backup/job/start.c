#include "config.h"

#include "backup/job/start.h"
#include "backup/job/job-file.h"
#include "backup/job/marks.h"
#include "common/clock.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Above these, so that nothing that is moved to a low number covers what is still needed. */
#define FIRST_FREE_FD 10

/* Where exec's failure is told; all above it is closed. */
#define LOW_ERROR_FD 3

/* A log that is longer is begun anew. */
#define DELIVER_LOG_BYTES (256 << 10)

/* ---- a process ---- */

typedef struct {
	char **argv;
	int null_fd;
	int said_fd;  /* what becomes standard error; -1: it stays ours */
	int error_fd; /* close-on-exec: errno is written to it where exec fails */
} Launch;

/* Only what signal-safety(7) allows, from here to exec: other threads may have held locks at the fork. */
static void
forget_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGCHLD, SIGQUIT, SIGUSR1, SIGUSR2};
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
		(void)sigaction(numbers[i], &plain, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

G_NORETURN static void
become(const Launch *launch)
{
	int told_fd = launch->error_fd;
	int number;

	(void)setsid();
	forget_signals();
	if (dup2(launch->null_fd, STDIN_FILENO) >= 0 &&
	    dup2(launch->said_fd >= 0 ? launch->said_fd : launch->null_fd, STDOUT_FILENO) >= 0 &&
	    (launch->said_fd < 0 || dup2(launch->said_fd, STDERR_FILENO) >= 0) &&
	    dup3(launch->error_fd, LOW_ERROR_FD, O_CLOEXEC) >= 0) {
		told_fd = LOW_ERROR_FD;
		closefrom(LOW_ERROR_FD + 1);
		execv(launch->argv[0], launch->argv);
	}
	number = errno;
	(void)!write(told_fd, &number, sizeof number);
	_exit(127);
}

/* The one between us and it ends at once, so that it has no parent that has to wait for it. */
static bool
fork_twice(const Launch *launch, GError **error)
{
	pid_t between = fork();

	if (between < 0)
		return hf_error_errno(error, "start a process");
	if (between == 0) {
		pid_t child = fork();
		int number = errno;

		if (child == 0)
			become(launch);
		if (child < 0)
			(void)!write(launch->error_fd, &number, sizeof number);
		_exit(0);
	}
	while (waitpid(between, NULL, 0) < 0 && errno == EINTR)
		;
	return true;
}

/* Nothing is read where exec closed the pipe. */
static bool
read_errno(int fd, const char *program, GError **error)
{
	int number = 0;
	ssize_t got;

	do
		got = read(fd, &number, sizeof number);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof number)
		return true;
	return hf_error_set(error, HF_ERROR_FAILED,
			    "\"%s\" cannot be executed: %s: set HOLDFAST_PROGRAM to the path of holdfast",
			    program, g_strerror(number));
}

static void
close_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int
move_up(int fd)
{
	int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);

	close_open(fd);
	return moved;
}

static bool
launch_with(Launch *launch, GError **error)
{
	int ends[2];
	bool is_started;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return hf_error_errno(error, "make a pipe");
	ends[0] = move_up(ends[0]);
	launch->error_fd = ends[1] = move_up(ends[1]);
	launch->null_fd = move_up(open("/dev/null", O_RDWR | O_CLOEXEC));
	is_started = ends[0] >= 0 && ends[1] >= 0 && launch->null_fd >= 0
			     ? fork_twice(launch, error)
			     : hf_error_errno(error, "prepare a process");
	close_open(ends[1]);
	close_open(launch->null_fd);
	is_started = is_started && read_errno(ends[0], launch->argv[0], error);
	close_open(ends[0]);
	return is_started;
}

static bool
run_detached(char **argv, int said_fd, GError **error)
{
	Launch launch = {.argv = argv,
			 .said_fd = said_fd < 0 ? -1 : fcntl(said_fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD)};
	bool is_started;

	if (said_fd >= 0 && launch.said_fd < 0)
		return hf_error_errno(error, "prepare a process");
	is_started = launch_with(&launch, error);
	close_open(launch.said_fd);
	return is_started;
}

static char **
words_of(const HfJobProgram *program, const char *command, const char *argument)
{
	g_autoptr(GPtrArray) words = g_ptr_array_new();
	g_autofree char *own = g_file_read_link("/proc/self/exe", NULL);
	g_autofree char *folder = own ? g_path_get_dirname(own) : NULL;

	g_ptr_array_add(words, program->program ? g_strdup(program->program)
						: g_build_filename(folder ? folder : "", "holdfast", NULL));
	if (program->env_file)
		g_ptr_array_add(words, g_strdup_printf("--env-file=%s", program->env_file));
	g_ptr_array_add(words, g_strdup(command));
	if (argument)
		g_ptr_array_add(words, g_strdup(argument));
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_steal(words, NULL);
}

/* ---- a job ---- */

/* Best effort: where it cannot be noted, the job counts as interrupted, as its file is held by nobody. */
static void
note_failure(HfState *state, const char *id, const GError *cause)
{
	g_autoptr(HfJobRecord) record = hf_jobs_find(state, id, NULL);
	bool is_cancelled;

	if (!record || hf_job_status_is_end(record->status))
		return;
	record->status = HF_JOB_FAILED;
	record->exit = 1;
	record->finished_s = hf_clock_now_s();
	record->error = g_strdup(cause->message);
	record->error_code = g_strdup("failed");
	if (!hf_jobs_save(state, record, &is_cancelled, NULL))
		g_info("job %s: its failure could not be noted", id);
}

static void
set_mark_back(HfState *state, const HfJobRequest *request, int64_t slot_s)
{
	g_autoptr(GError) trouble = NULL;

	if (request->mark && !hf_marks_set(state, request->mark, slot_s, &trouble))
		g_warning("schedule \"%s\": %s", request->mark, trouble->message);
}

bool
hf_job_start(HfState *state, const HfJobRequest *request, const HfJobProgram *program, char **id_out,
	     char **running_id_out, GError **error)
{
	g_autoptr(GError) cause = NULL;
	g_autofree char *id = NULL;
	g_auto(GStrv) words = NULL;
	HfJobFile *file = NULL;
	int64_t slot_s = 0;
	bool is_started;

	*running_id_out = NULL;
	if ((request->mark && !hf_marks_get(state, request->mark, &slot_s, error)) ||
	    !hf_jobs_claim(state, request, &id, &file, running_id_out, error))
		return false;
	words = words_of(program, "run-job", id);
	is_started = run_detached(words, hf_job_file_fd(file), &cause);
	if (!is_started) {
		set_mark_back(state, request, slot_s);
		note_failure(state, id, cause);
		g_propagate_error(error, g_steal_pointer(&cause));
	}
	/* The process that was started holds it, too. */
	hf_job_file_free(file);
	if (is_started)
		*id_out = g_steal_pointer(&id);
	return is_started;
}

bool
hf_refresh_start(const HfJobProgram *program, GError **error)
{
	g_auto(GStrv) words = words_of(program, "refresh", NULL);

	return run_detached(words, -1, error);
}

/* Never our own standard error: who reads that to its end would wait for as long as messages do. */
static int
open_deliver_log(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "notify.log", NULL);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct stat file;

	if (fd >= 0 && fstat(fd, &file) == 0 && file.st_size > DELIVER_LOG_BYTES)
		(void)!ftruncate(fd, 0);
	return fd >= 0 ? fd : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

bool
hf_deliver_start(const HfJobProgram *program, const char *folder, GError **error)
{
	g_auto(GStrv) words = words_of(program, "notify", "--deliver");
	int fd = open_deliver_log(folder);
	bool is_started;

	if (fd < 0)
		return hf_error_errno(error, "open /dev/null");
	is_started = run_detached(words, fd, error);
	close(fd);
	return is_started;
}

bool
hf_refresh_leases_start(const HfJobProgram *program, GError **error)
{
	g_auto(GStrv) words = words_of(program, "refresh", "--leases");

	return run_detached(words, -1, error);
}
