/*
 * The client against a server that misbehaves in every way, and against libfcgi (tests/fcgi/echo.c).
 */
#include "config.h"

#include "fcgi/client.h"
#include "common/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *folder; /* of the socket */
static char *socket_path;
static const char *echo_path;

static int
listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)g_unlink(path);
	g_assert_cmpuint(strlen(path), <, sizeof address.sun_path);
	memcpy(address.sun_path, path, strlen(path));
	g_assert_cmpint(bind(fd, (const struct sockaddr *)&address, sizeof address), ==, 0);
	g_assert_cmpint(listen(fd, 8), ==, 0);
	return fd;
}

/* ---- a server of our own ---- */

typedef struct {
	int fd;
	const char *reply; /* what it sends */
	size_t reply_len;
	bool reads_first; /* else it replies and closes at once, without a look at the request */
	bool stays;       /* says nothing more, and waits until the client has gone */
	char *request;    /* what it read; bytes, closed by a NUL */
	size_t request_len;
} Server;

/* Reads to the empty stdin record, which ends a request. */
static void
read_request(Server *server, int fd)
{
	GString *text = g_string_new(NULL);
	char buf[4096];
	ssize_t n;

	while (text->len < 8 || memcmp(text->str + text->len - 8, "\1\5\0\1\0\0\0\0", 8) != 0) {
		n = read(fd, buf, sizeof buf);
		if (n <= 0)
			break;
		g_string_append_len(text, buf, n);
	}
	server->request_len = text->len;
	server->request = g_string_free(text, FALSE);
}

static void *
serve(void *data)
{
	Server *server = data;
	int fd = accept(server->fd, NULL, NULL);
	char rest[256];

	if (server->reads_first)
		read_request(server, fd);
	/* A client that has had enough closes in between. */
	if (server->reply_len > 0)
		(void)!send(fd, server->reply, server->reply_len, MSG_NOSIGNAL);
	while (server->stays && read(fd, rest, sizeof rest) > 0)
		;
	close(fd);
	return NULL;
}

static HfFcgiReply *
ask(Server *server, const HfFcgiRequest *request, unsigned timeout_s, GError **error)
{
	static const HfFcgiRequest plain = {.method = "GET", .path = "/x"};
	HfFcgiReply *reply = NULL;
	GThread *thread;

	server->fd = listen_at(socket_path);
	thread = g_thread_new("server", serve, server);
	g_assert_true(hf_fcgi_request(socket_path, request ? request : &plain, timeout_s, &reply, error) ==
		      (reply != NULL));
	g_thread_join(thread);
	close(server->fd);
	g_free(server->request);
	return reply;
}

#define RECORD(type, length, padding) "\1" type "\0\1\0" length padding "\0"
#define END "\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"
#define OVERLOADED "\1\3\0\1\0\10\0\0\0\0\0\0\2\0\0\0"
#define OUT "\6"

static const struct {
	const char *name;
	const char *reply;
	size_t len;
	HfError expected;
	const char *says;
} cases[] = {
#define CASE(name, reply, expected, says) \
	{ \
		"/client/" name, reply, sizeof(reply) - 1, expected, says \
	}
	CASE("closed-at-once", "", HF_ERROR_TRANSIENT, "closed before"),
	CASE("half-a-header", "\1\6\0", HF_ERROR_TRANSIENT, "closed before"),
	CASE("half-a-record", RECORD(OUT, "\20", "\0") "Status: ", HF_ERROR_TRANSIENT, "closed before"),
	CASE("no-end-record", RECORD(OUT, "\17", "\0") "Status: 200\r\n\r\n", HF_ERROR_TRANSIENT,
	     "closed before"),
	CASE("overloaded", OVERLOADED, HF_ERROR_TRANSIENT, "overloaded"),
	CASE("a-web-server", "HTTP/1.1 400 Bad Request\r\n\r\n", HF_ERROR_CORRUPT, "does not speak FastCGI"),
	CASE("rubbish", "\0\0\0\0\0\0\0\0\0", HF_ERROR_CORRUPT, "does not speak FastCGI"),
	CASE("nothing-but-an-end", END, HF_ERROR_CORRUPT, "header has no end"),
	CASE("header-without-an-end", RECORD(OUT, "\15", "\0") "Status: 200\r\n" END, HF_ERROR_CORRUPT,
	     "header has no end"),
	CASE("line-without-a-colon", RECORD(OUT, "\7", "\0") "abc\r\n\r\n" END, HF_ERROR_CORRUPT,
	     "no header"),
	CASE("body-without-a-header", RECORD(OUT, "\6", "\0") "\r\nbody" END, HF_ERROR_CORRUPT, "no header"),
	CASE("status-of-letters", RECORD(OUT, "\17", "\0") "Status: two\r\n\r\n" END, HF_ERROR_CORRUPT,
	     "status"),
	CASE("status-out-of-bounds", RECORD(OUT, "\17", "\0") "Status: 999\r\n\r\n" END, HF_ERROR_CORRUPT,
	     "status"),
	CASE("a-nul-in-a-header", RECORD(OUT, "\13", "\0") "A: \0b\r\nB:\r\n" END, HF_ERROR_CORRUPT,
	     "header"),
};

static void
test_bad_reply(gconstpointer data)
{
	size_t i = GPOINTER_TO_SIZE(data);
	Server server = {.reply = cases[i].reply, .reply_len = cases[i].len, .reads_first = true};
	g_autoptr(GError) error = NULL;

	g_assert_null(ask(&server, NULL, 30, &error));
	g_assert_error(error, HF_ERROR, (int)cases[i].expected);
	g_assert_nonnull(strstr(error->message, cases[i].says));
	g_assert_nonnull(strstr(error->message, socket_path));
}

static void
test_good_replies(void)
{
	static const struct {
		const char *text;
		unsigned status;
		const char *body;
	} good[] = {
		{"Status: 409 Conflict\r\nContent-Type: a/b\r\n\r\nx\r\n\r\ny", 409, "x\r\n\r\ny"},
		{"Content-type:a/b\n\n", 200, ""},
		{"status:  503 \r\n\r\n", 503, ""},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(HfFcgiReply) reply = hf_fcgi_reply_parse((const uint8_t *)good[i].text,
								   strlen(good[i].text), &error);

		g_assert_no_error(error);
		g_assert_cmpuint(reply->status, ==, good[i].status);
		g_assert_cmpuint(g_bytes_get_size(reply->body), ==, strlen(good[i].body));
	}
}

/* Workers do so where they refuse a body by its length. */
static void
test_a_reply_before_the_request_was_read_is_taken(void)
{
	static const char text[] = RECORD(OUT, "\17", "\0") "Status: 413\r\n\r\n" END;
	g_autofree char *body = g_strnfill(4 << 20, 'x');
	HfFcgiRequest request = {.method = "POST", .path = "/x", .body = body, .body_len = 4 << 20};
	Server server = {.reply = text, .reply_len = sizeof text - 1};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfFcgiReply) reply = ask(&server, &request, 30, &error);

	/* The close may also be seen as a reset that takes the reply away: then it is tried again. */
	if (reply)
		g_assert_cmpuint(reply->status, ==, 413);
	else
		g_assert_error(error, HF_ERROR, HF_ERROR_TRANSIENT);
}

static void
test_silence_is_given_up(void)
{
	Server server = {.reads_first = true, .stays = true};
	g_autoptr(GError) error = NULL;

	g_assert_null(ask(&server, NULL, 1, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_TRANSIENT);
	g_assert_nonnull(strstr(error->message, "in time"));
}

static void
test_being_asked_to_stop_ends_it(void)
{
	Server server = {.reads_first = true, .stays = true};
	g_autoptr(GError) error = NULL;
	int fds[2];
	HfFcgiRequest request = {.method = "GET", .path = "/x", .stop_fd = &fds[0]};

	g_assert_cmpint(pipe(fds), ==, 0);
	g_assert_cmpint(write(fds[1], "x", 1), ==, 1);
	g_assert_null(ask(&server, &request, 600, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_CANCELLED);
	close(fds[0]);
	close(fds[1]);
}

/* More than the limit, without an end in sight. */
static void
test_a_reply_without_bounds_is_refused(void)
{
	GString *flood = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	Server server = {.reads_first = true};

	for (unsigned i = 0; i < HF_CLIENT_REPLY_MAX / 200 + 2; i++) {
		g_string_append_len(flood, RECORD(OUT, "\310", "\0"), 8);
		for (unsigned j = 0; j < 200; j++)
			g_string_append_c(flood, 'x');
	}
	server.reply = flood->str;
	server.reply_len = HF_CLIENT_REPLY_MAX /
			   4; /* what a socket takes without a reader, and then the end */
	g_assert_null(ask(&server, NULL, 30, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_TRANSIENT);
	g_clear_error(&error);
	server = (Server){.reads_first = true, .stays = false, .reply = flood->str, .reply_len = flood->len};
	g_assert_null(ask(&server, NULL, 30, &error));
	g_assert_error(error, HF_ERROR, HF_ERROR_FAILED);
	g_string_free(flood, TRUE);
}

/* ---- nobody there ---- */

static void
expect_failure(const char *path, HfError expected, const char *says)
{
	static const HfFcgiRequest request = {.method = "GET", .path = "/x"};
	g_autoptr(GError) error = NULL;
	g_autoptr(HfFcgiReply) reply = NULL;

	g_assert_false(hf_fcgi_request(path, &request, 5, &reply, &error));
	g_assert_error(error, HF_ERROR, (int)expected);
	g_assert_nonnull(strstr(error->message, says));
}

static void
test_nobody_there(void)
{
	g_autofree char *missing = g_build_filename(folder, "missing", NULL);
	g_autofree char *endless = g_strnfill(200, 'x');

	close(listen_at(socket_path));
	expect_failure(socket_path, HF_ERROR_TRANSIENT, "nobody listens");
	expect_failure(missing, HF_ERROR_TRANSIENT, "no such socket");
	expect_failure("/dev/null/x", HF_ERROR_TRANSIENT, "no such socket");
	expect_failure(endless, HF_ERROR_USAGE, "at most 107 bytes");
}

static void
test_a_full_queue_is_transient(void)
{
	int fd = listen_at(socket_path), waiting[64];
	size_t count = 0;

	g_assert_cmpint(listen(fd, 0), ==, 0);
	for (; count < G_N_ELEMENTS(waiting); count++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};

		memcpy(address.sun_path, socket_path, strlen(socket_path));
		waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (connect(waiting[count], (const struct sockaddr *)&address, sizeof address) != 0)
			break;
	}
	g_assert_cmpuint(count, <, G_N_ELEMENTS(waiting));
	expect_failure(socket_path, HF_ERROR_TRANSIENT, "busy");
	for (size_t i = 0; i <= count; i++)
		close(waiting[i]);
	close(fd);
}

/* ---- libfcgi ---- */

static GPid
start_echo(void)
{
	int fd = listen_at(socket_path);
	GPid pid = fork();

	if (pid == 0) {
		dup2(fd, STDIN_FILENO);
		execl(echo_path, echo_path, "3", NULL);
		_exit(127);
	}
	g_assert_cmpint(pid, >, 0);
	close(fd);
	return pid;
}

static void
check_echo(const HfFcgiRequest *request, const char *const *lines)
{
	g_autoptr(HfFcgiReply) reply = NULL;
	g_autoptr(GError) error = NULL;
	const char *text;
	gsize len;

	if (!hf_fcgi_request(socket_path, request, 30, &reply, &error))
		g_assert_no_error(error);
	g_assert_cmpuint(reply->status, ==, 202);
	g_assert_cmpstr(hf_fcgi_header(reply, "content-type"), ==, "text/plain");
	g_assert_cmpstr(hf_fcgi_header(reply, "x-echo"), ==, "yes");
	text = g_bytes_get_data(reply->body, &len);
	for (; *lines; lines++)
		if (!g_strstr_len(text, (gssize)len, *lines))
			g_error("not in the echo: %s", *lines);
	g_assert_cmpuint(len, >=, request->body_len);
	g_assert_true(request->body_len == 0 ||
		      memcmp(text + len - request->body_len, request->body, request->body_len) == 0);
}

static void
test_libfcgi_understands_it(void)
{
	static const char *const headers[] = {"Authorization", "Bearer abc", "X-Request-Id", "r1", NULL};
	static const char *const plain[] = {"REQUEST_METHOD=GET\n", "REQUEST_URI=/x\n", "QUERY_STRING=\n",
					    NULL};
	static const char *const full[] = {"REQUEST_METHOD=POST\n",   "REQUEST_URI=/a/b?c=d\n",
					   "QUERY_STRING=c=d\n",      "CONTENT_TYPE=application/json\n",
					   "CONTENT_LENGTH=200000\n", "HTTP_AUTHORIZATION=Bearer abc\n",
					   "HTTP_X_REQUEST_ID=r1\n",  NULL};
	g_autofree char *body = g_strnfill(200000, 'b');
	HfFcgiRequest small = {.method = "GET", .path = "/x"};
	HfFcgiRequest large = {.method = "POST",
			       .path = "/a/b",
			       .query = "c=d",
			       .content_type = "application/json",
			       .body = body,
			       .body_len = 200000,
			       .headers = headers};
	GPid pid = start_echo();
	int status;

	check_echo(&small, plain);
	check_echo(&large, full);
	check_echo(&small, plain);
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_cmpint(status, ==, 0);
	expect_failure(socket_path, HF_ERROR_TRANSIENT, "nobody listens");
}

int
main(int argc, char **argv)
{
	g_autofree char *own_folder = g_path_get_dirname(argv[0]);
	g_autofree char *echo = g_build_filename(own_folder, "echo", NULL);
	int status;

	g_test_init(&argc, &argv, NULL);
	signal(SIGPIPE, SIG_IGN);
	echo_path = echo;
	folder = g_dir_make_tmp("holdfast-client.XXXXXX", NULL);
	socket_path = g_build_filename(folder, "socket", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
		g_test_add_data_func(cases[i].name, GSIZE_TO_POINTER(i), test_bad_reply);
	g_test_add_func("/client/good-replies", test_good_replies);
	g_test_add_func("/client/a-reply-before-the-request-was-read-is-taken",
			test_a_reply_before_the_request_was_read_is_taken);
	g_test_add_func("/client/silence-is-given-up", test_silence_is_given_up);
	g_test_add_func("/client/being-asked-to-stop-ends-it", test_being_asked_to_stop_ends_it);
	g_test_add_func("/client/a-reply-without-bounds-is-refused", test_a_reply_without_bounds_is_refused);
	g_test_add_func("/client/nobody-there", test_nobody_there);
	g_test_add_func("/client/a-full-queue-is-transient", test_a_full_queue_is_transient);
	g_test_add_func("/client/libfcgi-understands-it", test_libfcgi_understands_it);
	status = g_test_run();
	(void)g_unlink(socket_path);
	(void)g_rmdir(folder);
	g_free(socket_path);
	g_free(folder);
	return status;
}
