#include "config.h"

#include "tests/backup/store/scripted.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_END "\r\n\r\n"

struct Scripted {
	int fd;
	char *url;
	ScriptedAnswer answer;
	void *data;
	GThread *thread;
	GMutex lock;
	GPtrArray *requests; /* of char *, guarded by lock */
};

char *
scripted_header(const char *request, const char *name)
{
	g_autofree char *head = g_strndup(request, (gsize)(scripted_body(request) - request));
	g_auto(GStrv) lines = g_strsplit(head, "\r\n", -1);
	size_t len = strlen(name);

	for (char **line = lines + 1; *line; line++)
		if (g_ascii_strncasecmp(*line, name, len) == 0 && (*line)[len] == ':')
			return g_strdup(g_strstrip(*line + len + 1));
	return NULL;
}

const char *
scripted_body(const char *request)
{
	const char *end = strstr(request, HEAD_END);

	return end ? end + strlen(HEAD_END) : request + strlen(request);
}

static bool
is_whole(const GString *request)
{
	g_autofree char *length = NULL;

	if (!strstr(request->str, HEAD_END))
		return false;
	length = scripted_header(request->str, "content-length");
	return request->len - (gsize)(scripted_body(request->str) - request->str) >=
	       (length ? g_ascii_strtoull(length, NULL, 10) : 0);
}

/* Bodies of tests hold no NUL. */
static char *
read_request(int fd)
{
	g_autoptr(GString) request = g_string_new(NULL);
	char piece[65536];
	ssize_t got;

	while (!is_whole(request)) {
		got = read(fd, piece, sizeof piece);
		if (got <= 0)
			return NULL;
		g_string_append_len(request, piece, got);
	}
	return g_string_free(g_steal_pointer(&request), FALSE);
}

static void
send_answer(int fd, const char *answer)
{
	const char *end = strstr(answer, HEAD_END);
	const char *body = end ? end + strlen(HEAD_END) : "";
	g_autofree char *head = end ? g_strndup(answer, (gsize)(end - answer)) : g_strdup(answer);
	g_autofree char *reply = g_strdup_printf(
		"HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", head, strlen(body),
		body);

	for (size_t sent = 0; sent < strlen(reply);) {
		ssize_t n = send(fd, reply + sent, strlen(reply) - sent, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		sent += (size_t)n;
	}
}

static void
serve_one(Scripted *server, int fd)
{
	char *request = read_request(fd);
	g_autofree char *answer = NULL;

	if (!request)
		return;
	g_mutex_lock(&server->lock);
	g_ptr_array_add(server->requests, request);
	g_mutex_unlock(&server->lock);
	answer = server->answer(request, server->data);
	if (answer)
		send_answer(fd, answer);
}

static gpointer
serve(gpointer data)
{
	Scripted *server = data;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
		serve_one(server, fd);
		close(fd);
	}
	return NULL;
}

Scripted *
scripted_start(ScriptedAnswer answer, void *data)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	Scripted *server = g_new0(Scripted, 1);

	server->answer = answer;
	server->data = data;
	server->requests = g_ptr_array_new_with_free_func(g_free);
	g_mutex_init(&server->lock);
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	g_assert_cmpint(bind(server->fd, (struct sockaddr *)&address, len), ==, 0);
	g_assert_cmpint(listen(server->fd, 16), ==, 0);
	g_assert_cmpint(getsockname(server->fd, (struct sockaddr *)&address, &len), ==, 0);
	server->url = g_strdup_printf("http://127.0.0.1:%u", ntohs(address.sin_port));
	server->thread = g_thread_new("scripted", serve, server);
	return server;
}

const char *
scripted_url(const Scripted *server)
{
	return server->url;
}

guint
scripted_count(const Scripted *server)
{
	GMutex *lock = (GMutex *)(uintptr_t)&server->lock;
	guint count;

	g_mutex_lock(lock);
	count = server->requests->len;
	g_mutex_unlock(lock);
	return count;
}

const char *
scripted_request(const Scripted *server, guint number)
{
	GMutex *lock = (GMutex *)(uintptr_t)&server->lock;
	const char *request;

	g_mutex_lock(lock);
	g_assert_cmpuint(number, <, server->requests->len);
	request = server->requests->pdata[number];
	g_mutex_unlock(lock);
	return request;
}

void
scripted_stop(Scripted *server)
{
	if (!server)
		return;
	shutdown(server->fd, SHUT_RDWR);
	g_thread_join(server->thread);
	close(server->fd);
	g_ptr_array_unref(server->requests);
	g_mutex_clear(&server->lock);
	g_free(server->url);
	g_free(server);
}
