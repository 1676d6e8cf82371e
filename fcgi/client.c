#include "config.h"

#include "fcgi/client.h"
#include "fcgi/wire.h"
#include "common/error.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the reply ---- */

void
hf_fcgi_reply_free(HfFcgiReply *reply)
{
	if (!reply)
		return;
	g_hash_table_unref(reply->headers);
	g_clear_pointer(&reply->body, g_bytes_unref);
	g_free(reply);
}

const char *
hf_fcgi_header(const HfFcgiReply *reply, const char *name)
{
	return g_hash_table_lookup(reply->headers, name);
}

/* "Name: value". */
static bool
take_header(HfFcgiReply *reply, const char *line, size_t len, GError **error)
{
	const char *colon = memchr(line, ':', len);
	g_autofree char *name = NULL, *value = NULL;

	if (!colon || colon == line || memchr(line, 0, len))
		return hf_error_set(error, HF_ERROR_CORRUPT, "a line of the reply's header is no header");
	name = g_ascii_strdown(line, colon - line);
	value = g_strstrip(g_strndup(colon + 1, len - (size_t)(colon + 1 - line)));
	g_hash_table_replace(reply->headers, g_steal_pointer(&name), g_steal_pointer(&value));
	return true;
}

/* RFC 3875 section 6.3.3: "Status: 202 Accepted". */
static bool
take_status(HfFcgiReply *reply, GError **error)
{
	const char *text = hf_fcgi_header(reply, "status");

	reply->status = 200;
	if (!text)
		return true;
	if (!g_ascii_isdigit(text[0]) || !g_ascii_isdigit(text[1]) || !g_ascii_isdigit(text[2]) ||
	    (text[3] && text[3] != ' ') || text[0] < '1' || text[0] > '5')
		return hf_error_set(error, HF_ERROR_CORRUPT, "the reply's status is none");
	reply->status = (unsigned)g_ascii_strtoull(text, NULL, 10);
	return true;
}

/* Takes the lines up to the empty one; *body_out is what is left. */
static bool
take_headers(HfFcgiReply *reply, const char *text, size_t len, GBytes **body_out, GError **error)
{
	for (;;) {
		const char *end = len > 0 ? memchr(text, '\n', len) : NULL;
		size_t line_len;

		if (!end)
			return hf_error_set(error, HF_ERROR_CORRUPT, "the reply's header has no end");
		line_len = (size_t)(end - text);
		len -= line_len + 1;
		if (line_len > 0 && text[line_len - 1] == '\r')
			line_len--;
		if (line_len == 0) {
			*body_out = g_bytes_new(end + 1, len);
			return true;
		}
		if (!take_header(reply, text, line_len, error))
			return false;
		text = end + 1;
	}
}

HfFcgiReply *
hf_fcgi_reply_parse(const uint8_t *bytes, size_t len, GError **error)
{
	g_autoptr(HfFcgiReply) reply = g_new0(HfFcgiReply, 1);

	reply->headers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (!take_headers(reply, (const char *)bytes, len, &reply->body, error))
		return NULL;
	if (g_hash_table_size(reply->headers) == 0) {
		hf_error_set(error, HF_ERROR_CORRUPT, "the reply has no header");
		return NULL;
	}
	return take_status(reply, error) ? g_steal_pointer(&reply) : NULL;
}

/* ---- the request ---- */

/* RFC 3875 section 4.1.18: HTTP_ and the name in upper case, - as _. */
static void
append_header(GByteArray *params, const char *name, const char *value)
{
	g_autofree char *upper = g_ascii_strup(name, -1);
	g_autofree char *variable = g_strconcat("HTTP_", g_strdelimit(upper, "-", '_'), NULL);

	hf_wire_pair(params, variable, value);
}

/* More than params and the heads of records ever need here. */
#define ROOM_BYTES 16384

/* What nginx's fastcgi_params says, as far as it is known here. */
static GByteArray *
params_of(const HfFcgiRequest *request)
{
	GByteArray *params = g_byte_array_sized_new(ROOM_BYTES);
	const char *query = request->query ? request->query : "";
	g_autofree char *uri = g_strconcat(request->path, *query ? "?" : "", query, NULL);
	g_autofree char *length = g_strdup_printf("%zu", request->body ? request->body_len : 0);

	hf_wire_pair(params, "GATEWAY_INTERFACE", "CGI/1.1");
	hf_wire_pair(params, "SERVER_SOFTWARE", "holdfast/" PACKAGE_VERSION);
	hf_wire_pair(params, "SERVER_PROTOCOL", "HTTP/1.1");
	hf_wire_pair(params, "REQUEST_METHOD", request->method);
	hf_wire_pair(params, "REQUEST_URI", uri);
	hf_wire_pair(params, "SCRIPT_NAME", request->path);
	hf_wire_pair(params, "DOCUMENT_URI", request->path);
	hf_wire_pair(params, "QUERY_STRING", query);
	hf_wire_pair(params, "CONTENT_TYPE", request->content_type ? request->content_type : "");
	hf_wire_pair(params, "CONTENT_LENGTH", request->body ? length : "");
	for (const char *const *header = request->headers; header && header[0] && header[1]; header += 2)
		append_header(params, header[0], header[1]);
	return params;
}

static GByteArray *
bytes_of(const HfFcgiRequest *request)
{
	GByteArray *params = params_of(request);
	/* Room for all of it: one of the headers is a token, and growing would leave copies of it behind. */
	GByteArray *out = g_byte_array_sized_new((guint)(params->len + request->body_len + ROOM_BYTES));

	hf_wire_begin(out);
	hf_wire_stream(out, HF_WIRE_PARAMS, params->data, params->len);
	hf_wire_stream(out, HF_WIRE_STDIN, request->body, request->body ? request->body_len : 0);
	explicit_bzero(params->data, params->len);
	g_byte_array_unref(params);
	return out;
}

/* ---- the connection ---- */

typedef struct {
	int fd;
	int stop_fd;    /* -1: none */
	int64_t end_us; /* when the time is over, on the monotonic clock */
} Connection;

/* Waits until the connection is ready for events. */
static bool
wait_for(const Connection *connection, short events, GError **error)
{
	struct pollfd fds[] = {{.fd = connection->fd, .events = events},
			       {.fd = connection->stop_fd, .events = POLLIN}};

	for (;;) {
		int64_t left_us = connection->end_us - g_get_monotonic_time();
		int ready;

		if (left_us <= 0)
			return hf_error_set(error, HF_ERROR_TRANSIENT, "it does not answer in time");
		ready = poll(fds, G_N_ELEMENTS(fds), (int)MIN(left_us / 1000 + 1, G_MAXINT));
		if (ready < 0 && errno != EINTR)
			return hf_error_errno(error, "wait for an answer");
		if (ready > 0 && fds[1].revents)
			return hf_error_set(error, HF_ERROR_CANCELLED, "cancelled");
		if (ready > 0 && fds[0].revents)
			return true;
	}
}

/* Nobody there, or not for us. */
static bool
connect_failed(GError **error)
{
	switch (errno) {
	case EACCES:
	case EPERM:
		return hf_error_set(error, HF_ERROR_DENIED,
				    "%s: whoever connects must be of the socket's group", g_strerror(errno));
	case ENOENT:
	case ENOTDIR:
		return hf_error_set(error, HF_ERROR_TRANSIENT,
				    "there is no such socket: is the pool started?");
	case ECONNREFUSED:
		return hf_error_set(error, HF_ERROR_TRANSIENT, "nobody listens: is the pool started?");
	case EAGAIN:
		return hf_error_set(error, HF_ERROR_TRANSIENT, "all workers are busy");
	default:
		return hf_error_set(error, HF_ERROR_TRANSIENT, "connect: %s", g_strerror(errno));
	}
}

static bool
open_connection(Connection *connection, const char *path, GError **error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path)
		return hf_error_set(error, HF_ERROR_USAGE, "a socket's path has at most %zu bytes",
				    sizeof address.sun_path - 1);
	memcpy(address.sun_path, path, strlen(path));
	connection->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connection->fd < 0)
		return hf_error_errno(error, "make a socket");
	return connect(connection->fd, (const struct sockaddr *)&address, sizeof address) == 0 ||
	       connect_failed(error);
}

/* An application may reply and close before it has read all: what could not be sent is no error of its own. */
static bool
send_all(const Connection *connection, const GByteArray *bytes, GError **error)
{
	for (size_t sent = 0; sent < bytes->len;) {
		ssize_t n = send(connection->fd, bytes->data + sent, bytes->len - sent, MSG_NOSIGNAL);

		if (n >= 0)
			sent += (size_t)n;
		else if (errno == EPIPE || errno == ECONNRESET)
			return true;
		else if (errno != EAGAIN && errno != EINTR)
			return hf_error_errno(error, "send");
		else if (!wait_for(connection, POLLOUT, error))
			return false;
	}
	return true;
}

static bool
read_reply(const Connection *connection, HfWireReader *reader, GError **error)
{
	uint8_t buf[8192];

	while (!hf_wire_is_ended(reader)) {
		ssize_t n = recv(connection->fd, buf, sizeof buf, 0);

		if (n > 0 && !hf_wire_feed(reader, buf, (size_t)n, error))
			return false;
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return hf_error_set(error, HF_ERROR_TRANSIENT,
					    "the connection was closed before the reply was complete");
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return hf_error_errno(error, "receive");
		/* Asked each time, so that a trickle of bytes does not put the end off. */
		if (!hf_wire_is_ended(reader) && !wait_for(connection, POLLIN, error))
			return false;
	}
	return true;
}

static HfFcgiReply *
converse(Connection *connection, const char *path, const HfFcgiRequest *request, GError **error)
{
	g_autoptr(HfWireReader) reader = hf_wire_reader_new(HF_CLIENT_REPLY_MAX);
	GByteArray *bytes = NULL;
	bool is_sent;

	if (!open_connection(connection, path, error))
		return NULL;
	bytes = bytes_of(request);
	is_sent = send_all(connection, bytes, error);
	explicit_bzero(bytes->data, bytes->len);
	g_byte_array_unref(bytes);
	if (!is_sent || !read_reply(connection, reader, error))
		return NULL;
	if (*hf_wire_stderr(reader))
		g_info("%s says: %s", path, hf_wire_stderr(reader));
	return hf_fcgi_reply_parse(hf_wire_stdout(reader)->data, hf_wire_stdout(reader)->len, error);
}

bool
hf_fcgi_request(const char *socket_path, const HfFcgiRequest *request, unsigned timeout_s,
		HfFcgiReply **reply_out, GError **error)
{
	Connection connection = {
		.fd = -1,
		.stop_fd = request->stop_fd ? *request->stop_fd : -1,
		.end_us = g_get_monotonic_time() + (int64_t)timeout_s * G_USEC_PER_SEC,
	};
	HfFcgiReply *reply = converse(&connection, socket_path, request, error);

	if (connection.fd >= 0)
		close(connection.fd);
	if (!reply) {
		g_prefix_error(error, "pool \"%s\": ", socket_path);
		return false;
	}
	*reply_out = reply;
	return true;
}
