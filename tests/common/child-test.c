#include "config.h"

#include "common/cancel.h"
#include "common/child.h"
#include "common/error.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The shell here is the program under observation, not how a child is run. */
static HfChild *
run(const char *script, HfChildPipes pipes)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	HfChildOptions options = {.argv = argv, .pipes = pipes};
	g_autoptr(GError) error = NULL;
	HfChild *child = hf_child_spawn(&options, &error);

	g_assert_no_error(error);
	return child;
}

static char *
read_all(HfChild *child)
{
	g_autoptr(GString) text = g_string_new(NULL);
	char piece[65536];
	size_t got;

	do {
		g_assert_true(hf_child_read(child, piece, sizeof piece, &got, NULL));
		g_string_append_len(text, piece, (gssize)got);
	} while (got > 0);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
test_reads_all_output(void)
{
	g_autoptr(HfChild) child = run("head -c 3000000 /dev/zero | tr '\\0' x", HF_CHILD_STDOUT);
	g_autofree char *text = read_all(child);

	g_assert_cmpuint(strlen(text), ==, 3000000);
	g_assert_true(hf_child_wait(child, NULL));
}

static void
test_writes_all_input(void)
{
	g_autoptr(HfChild) child = run("test $(wc -c) -eq 5000000", HF_CHILD_STDIN);
	g_autofree char *text = g_strnfill(5000000, 'x');

	g_assert_true(hf_child_write(child, text, 5000000, NULL));
	g_assert_true(hf_child_wait(child, NULL));
}

static const struct {
	const char *name, *script, *message;
} failures[] = {
	{"status", "exit 3", "sh: ended with status 3"},
	{"last-words", "echo one >&2; echo 'sh: error: two' >&2; exit 1", "sh: error: two"},
	{"signal", "kill -9 $$", "sh: ended by signal 9 (Killed)"},
	{"words-that-are-no-text", "printf 'a\\377b\\n' >&2; exit 1", "sh: a\357\277\275b"},
};

static void
test_failure_is_told(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	g_autoptr(HfChild) child = run(failures[i].script, 0);
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_child_wait(child, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_FAILED));
	g_assert_cmpstr(error->message, ==, failures[i].message);
}

static void
test_a_missing_program_is_named(void)
{
	const char *argv[] = {"no-such-program", NULL};
	HfChildOptions options = {.argv = argv};
	g_autoptr(GError) error = NULL;

	g_assert_null(hf_child_spawn(&options, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_NOT_FOUND));
	g_assert_nonnull(strstr(error->message, "\"no-such-program\""));
}

/* Found, executable, and yet not to be run: the exec's own error comes back. */
static void
test_a_failed_exec_is_told(void)
{
	g_autofree char *path = NULL;
	int fd = g_file_open_tmp("holdfast-XXXXXX", &path, NULL);
	const char *argv[] = {path, NULL};
	HfChildOptions options = {.argv = argv};
	g_autoptr(GError) error = NULL;

	g_assert_cmpint(fchmod(fd, 0700), ==, 0);
	g_assert_cmpint(write(fd, "\177ELF", 4), ==, 4);
	close(fd);
	g_assert_null(hf_child_spawn(&options, &error));
	g_assert_nonnull(strstr(error->message, "Exec format error"));
	unlink(path);
}

static void
test_keeps_the_tail_of_stderr(void)
{
	g_autoptr(HfChild) child = run("seq 100000 >&2; exit 1", 0);

	g_assert_false(hf_child_wait(child, NULL));
	g_assert_cmpuint(strlen(hf_child_stderr(child)), ==, 8192);
	g_assert_true(g_str_has_suffix(hf_child_stderr(child), "\n99999\n100000\n"));
}

static void
test_closed_input_gives_the_childs_words(void)
{
	g_autoptr(HfChild) child = run("echo 'no more' >&2; exit 1", HF_CHILD_STDIN);
	g_autofree char *text = g_strnfill(4 << 20, 'x');
	g_autoptr(GError) error = NULL;

	g_assert_false(hf_child_write(child, text, 4 << 20, &error));
	g_assert_cmpstr(error->message, ==, "sh: no more");
}

static void
test_environment_is_not_inherited(void)
{
	const char *argv[] = {"env", NULL};
	const char *env[] = {"OURS=1", "LC_ALL=C", NULL};
	HfChildOptions options = {.argv = argv, .env = env, .pipes = HF_CHILD_STDOUT};
	g_autoptr(HfChild) child = NULL;
	g_autofree char *text = NULL;

	child = hf_child_spawn(&options, NULL);
	text = read_all(child);
	g_assert_null(strstr(text, "hunter2"));
	g_assert_nonnull(strstr(text, "OURS=1\n"));
	g_assert_nonnull(strstr(text, "LC_ALL=C\n"));
	g_assert_null(strstr(text, "xx_XX"));
	g_assert_nonnull(strstr(text, "PATH="));
	g_assert_true(hf_child_wait(child, NULL));
}

static void
test_private_file_is_private(void)
{
	const char *argv[] = {"sh", "-c", "cat \"$SECRET\"; stat -L -c ' %a %F' \"$SECRET\"", NULL};
	g_autoptr(HfSecret) secret = hf_secret_new("a:b\\c", 5, "test", NULL);
	HfChildOptions options = {
		.argv = argv, .pipes = HF_CHILD_STDOUT, .file = secret, .file_env = "SECRET"};
	g_autoptr(HfChild) child = hf_child_spawn(&options, NULL);
	g_autofree char *text = read_all(child);

	g_assert_cmpstr(text, ==, "a:b\\c 600 regular file\n");
	g_assert_true(hf_child_wait(child, NULL));
}

static void
test_no_descriptor_leaks(void)
{
	g_autoptr(HfChild) other = run("cat", HF_CHILD_STDIN | HF_CHILD_STDOUT);
	g_autoptr(HfChild) child = run("exec ls /proc/self/fd", HF_CHILD_STDOUT);
	g_autofree char *text = read_all(child);

	/* 3 is the one that ls lists by */
	g_assert_cmpstr(text, ==, "0\n1\n2\n3\n");
	g_assert_true(hf_child_wait(child, NULL));
	g_assert_true(hf_child_wait(other, NULL));
}

/* A zombie counts as gone: it is whoever adopted it that has not looked yet. */
static bool
is_gone(pid_t pid)
{
	g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);

	for (int i = 0; i < 12000; i++) {
		g_autofree char *state = NULL;

		if (!g_file_get_contents(path, &state, NULL, NULL) || strstr(state, ") Z "))
			return true;
		g_usleep(10000);
	}
	return false;
}

static void
test_free_ends_the_child_and_its_children(void)
{
	g_autoptr(HfChild) child = run("sleep 1000 & echo $!; wait", HF_CHILD_STDOUT);
	char piece[64] = "";
	size_t got;
	pid_t grandchild;

	g_assert_true(hf_child_read(child, piece, sizeof piece - 1, &got, NULL));
	grandchild = (pid_t)g_ascii_strtoll(piece, NULL, 10);
	g_assert_cmpint(kill(grandchild, 0), ==, 0);
	hf_child_free(g_steal_pointer(&child));
	g_assert_true(is_gone(grandchild));
}

static gpointer
cancel_soon(gpointer data)
{
	(void)data;
	g_usleep(100000);
	hf_cancel_request();
	return NULL;
}

static void
test_cancel_interrupts_each_wait(gconstpointer data)
{
	HfChildPipes pipes = (HfChildPipes)GPOINTER_TO_INT(data);
	g_autoptr(HfChild) child = run("sleep 1000", pipes);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = g_malloc0(8 << 20);
	GThread *thread = g_thread_new("cancel", cancel_soon, NULL);
	size_t got;
	bool is_done = pipes == HF_CHILD_STDOUT  ? hf_child_read(child, text, 100, &got, &error)
		       : pipes == HF_CHILD_STDIN ? hf_child_write(child, text, 8 << 20, &error)
						 : hf_child_wait(child, &error);

	g_thread_join(thread);
	g_assert_false(is_done);
	g_assert_true(hf_error_is(error, HF_ERROR_CANCELLED));
	g_clear_error(&error);
	g_assert_false(hf_child_wait(child, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_CANCELLED));
	hf_cancel_reset();
}

static void
test_output_is_limited(void)
{
	const char *argv[] = {"echo", "12345", NULL};
	g_autofree char *output = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(hf_child_output(argv, 6, &output, NULL));
	g_assert_cmpstr(output, ==, "12345\n");
	g_assert_false(hf_child_output(argv, 5, &output, &error));
	g_assert_true(hf_error_is(error, HF_ERROR_FAILED));
}

int
main(int argc, char **argv)
{
	g_setenv("DB_PASSWORD", "hunter2", TRUE);
	g_setenv("LC_ALL", "xx_XX", TRUE);
	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
		g_autofree char *path = g_strdup_printf("/child/failure-is-told/%s", failures[i].name);

		g_test_add_data_func(path, GSIZE_TO_POINTER(i), test_failure_is_told);
	}
	g_test_add_func("/child/reads-all-output", test_reads_all_output);
	g_test_add_func("/child/writes-all-input", test_writes_all_input);
	g_test_add_func("/child/a-missing-program-is-named", test_a_missing_program_is_named);
	g_test_add_func("/child/a-failed-exec-is-told", test_a_failed_exec_is_told);
	g_test_add_func("/child/keeps-the-tail-of-stderr", test_keeps_the_tail_of_stderr);
	g_test_add_func("/child/closed-input-gives-the-childs-words",
			test_closed_input_gives_the_childs_words);
	g_test_add_func("/child/environment-is-not-inherited", test_environment_is_not_inherited);
	g_test_add_func("/child/private-file-is-private", test_private_file_is_private);
	g_test_add_func("/child/no-descriptor-leaks", test_no_descriptor_leaks);
	g_test_add_func("/child/free-ends-the-child-and-its-children",
			test_free_ends_the_child_and_its_children);
	g_test_add_data_func("/child/cancel-interrupts/read", GINT_TO_POINTER(HF_CHILD_STDOUT),
			     test_cancel_interrupts_each_wait);
	g_test_add_data_func("/child/cancel-interrupts/write", GINT_TO_POINTER(HF_CHILD_STDIN),
			     test_cancel_interrupts_each_wait);
	g_test_add_data_func("/child/cancel-interrupts/wait", GINT_TO_POINTER(0),
			     test_cancel_interrupts_each_wait);
	g_test_add_func("/child/output-is-limited", test_output_is_limited);
	return g_test_run();
}
