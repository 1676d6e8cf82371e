#include "config.h"

#include "common/clock.h"
#include "common/error.h"
#include "fcgi/deadline.h"
#include "fcgi/loop.h"
#include "fcgi/records.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* nginx has the whole request before it connects: what takes longer is no nginx of ours. */
#define READ_PATIENCE_S 10
/* Of one write: nginx takes what we send as fast as it comes, or spools it. */
#define WRITE_PATIENCE_S 60
#define ROLE_RESPONDER 1

static volatile sig_atomic_t is_stopping;
static const int stop_signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};

static void
on_stop(int number)
{
	(void)number;
	is_stopping = 1;
}

/* *open_out is the mask for waiting: the four are blocked elsewhere. */
static void
prepare_signals(sigset_t *open_out)
{
	struct sigaction stop = {.sa_handler = on_stop};
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < G_N_ELEMENTS(stop_signals); i++)
		sigaddset(&blocked, stop_signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, open_out);
	for (size_t i = 0; i < G_N_ELEMENTS(stop_signals); i++) {
		sigdelset(open_out, stop_signals[i]);
		sigaction(stop_signals[i], &stop, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL);
	hf_deadline_install();
}

/* ---- waiting ---- */

typedef struct {
	HfService *service;
	const HfPeers *peers;
	int listener;
	int fd; /* of the request in hand */
	sigset_t open;
} Loop;

static struct timespec
from_ms(int ms)
{
	return (struct timespec){ms / 1000, (long)(ms % 1000) * 1000000};
}

/* True where somebody may be waiting to be accepted. */
static bool
wait_for_peer(Loop *loop)
{
	struct pollfd listener = {.fd = loop->listener, .events = POLLIN};
	int ms = hf_service_idle(loop->service, hf_clock_now_s());
	struct timespec patience = from_ms(MAX(ms, 0));

	return ppoll(&listener, 1, ms < 0 ? NULL : &patience, &loop->open) > 0;
}

/* For handlers that wait: false where nobody reads the reply any more, or the worker is to stop. */
static bool
wait_in_request(void *context, unsigned ms)
{
	Loop *loop = context;
	struct pollfd peer = {.fd = loop->fd, .events = POLLRDHUP};
	struct timespec patience = from_ms((int)ms);
	int ready = is_stopping ? 1 : ppoll(&peer, 1, &patience, &loop->open);

	return !is_stopping && (ready == 0 || (ready < 0 && errno == EINTR));
}

/* ---- one connection ---- */

/* -1 where there is nobody, or nobody whom we serve. */
static int
accept_peer(Loop *loop)
{
	struct timeval read_patience = {.tv_sec = READ_PATIENCE_S},
		       write_patience = {.tv_sec = WRITE_PATIENCE_S};
	int fd = accept4(loop->listener, NULL, NULL, SOCK_CLOEXEC), room_bytes = HF_RECORDS_SOCKET_BYTES;
	g_autofree char *who = NULL;

	if (fd < 0)
		return -1;
	if (!hf_peers_allow(loop->peers, fd, &who)) {
		g_warning("%s was refused: set FCGI_PEER_USERS where it is nginx or the timer", who);
		close(fd);
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &read_patience, sizeof read_patience);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &write_patience, sizeof write_patience);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room_bytes, sizeof room_bytes);
	return fd;
}

static const char *
parameter(void *context, const char *name)
{
	const FCGX_Request *fcgi = context;

	return FCGX_GetParam(name, fcgi->envp);
}

/*
 * To its end in any case: a socket that is closed with something unread in it loses the reply as well.  What is too long
 * is read and dropped up to a bound.
 */
static bool
read_body(FCGX_Request *fcgi, HfRequest *request)
{
	char piece[4096];
	size_t total = 0;
	int got;

	do {
		got = FCGX_GetStr(piece, sizeof piece, fcgi->in);
		if (got > 0 && total <= HF_REQUEST_BODY_MAX && !request->refusal)
			g_byte_array_append(request->body, (const guint8 *)piece, (guint)got);
		total += got > 0 ? (size_t)got : 0;
	} while (got == sizeof piece && total < 16 * HF_REQUEST_BODY_MAX);
	if (FCGX_GetError(fcgi->in) != 0)
		return false;
	if (total > HF_REQUEST_BODY_MAX)
		hf_request_refuse(request, 413, HF_CODE_TOO_LARGE, "the body is longer than %d bytes",
				  HF_REQUEST_BODY_MAX);
	else if (total != request->body_declared)
		hf_request_refuse(request, 400, HF_CODE_USAGE, "the body has %zu bytes, and %zu were told",
				  total, request->body_declared);
	return true;
}

/* ---- the reply ---- */

static bool
put(FCGX_Request *fcgi, const void *bytes, size_t len)
{
	if (len >= HF_RECORDS_WORTH_BYTES)
		return FCGX_FFlush(fcgi->out) == 0 &&
		       hf_records_put(fcgi->ipcFd, (uint16_t)fcgi->requestId, bytes, len);
	return len <= INT_MAX && FCGX_PutStr(bytes, (int)len, fcgi->out) == (int)len;
}

static bool
put_head(FCGX_Request *fcgi, const HfReply *reply)
{
	bool has_etag = strstr(reply->headers->str, "ETag: ") != NULL;
	g_autoptr(GString) head = g_string_new(NULL);
	uint64_t bytes = reply->body ? g_bytes_get_size(reply->body) : reply->source_bytes;

	g_string_append_printf(head, "Status: %s\r\n%s", hf_reply_status_line(reply->status),
			       reply->headers->str);
	if (reply->type)
		g_string_append_printf(head, "Content-Type: %s\r\nContent-Length: %" G_GUINT64_FORMAT "\r\n",
				       reply->type, bytes);
	/* Kept by a browser only to be asked for again; and not at all where it cannot be compared. */
	g_string_append_printf(head, "Cache-Control: %s\r\nX-Content-Type-Options: nosniff\r\n\r\n",
			       has_etag ? "private, no-cache" : "no-store");
	return put(fcgi, head->str, head->len);
}

/* What began and cannot be finished must not look whole: the connection ends without an end. */
static void
break_off(Loop *loop, const HfRequest *request, const char *why)
{
	g_warning("%s the reply was cut off: %s", request->id, why);
	(void)shutdown(loop->fd, SHUT_RDWR);
}

static void
put_source(Loop *loop, FCGX_Request *fcgi, const HfRequest *request, HfReply *reply)
{
	g_autoptr(GError) error = NULL;
	const void *bytes = NULL;
	size_t len = 0;
	bool is_headed = false;

	do {
		if (!reply->source->next(reply->source, &bytes, &len, &error)) {
			break_off(loop, request, error->message);
			return;
		}
		if ((!is_headed && !put_head(fcgi, reply)) || !put(fcgi, bytes, len))
			return;
		is_headed = true;
	} while (len > 0);
}

static void
put_reply(Loop *loop, FCGX_Request *fcgi, const HfRequest *request, HfReply *reply)
{
	gsize len = 0;
	const void *bytes = reply->body ? g_bytes_get_data(reply->body, &len) : NULL;

	if (reply->source && !request->is_head) {
		put_source(loop, fcgi, request, reply);
		return;
	}
	if (put_head(fcgi, reply) && bytes && !request->is_head)
		(void)put(fcgi, bytes, len);
}

/* ---- one request ---- */

/* True where all that the peer sent was read. */
static bool
serve(Loop *loop, FCGX_Request *fcgi)
{
	g_autoptr(HfRequest) request = hf_request_new(parameter, fcgi);
	g_autoptr(HfReply) reply = NULL;
	bool is_whole = read_body(fcgi, request) && !hf_deadline_clear();

	(void)hf_deadline_clear();
	/* Whoever left in the middle asked for nothing. */
	if (!is_whole) {
		g_message("%s %s %s: the request ended in the middle", request->id, request->method,
			  request->path);
		return false;
	}
	request->wait = wait_in_request;
	request->wait_context = loop;
	reply = hf_service_answer(loop->service, request);
	put_reply(loop, fcgi, request, reply);
	return true;
}

/*
 * libfcgi closes, and waits up to a second until the peer has read all and closed, too.  A peer of a local socket loses
 * nothing where it sent nothing that is still unread (unix(7)), and the worker is free at once.
 */
static void
finish_at_once(FCGX_Request *fcgi)
{
	int fd = fcgi->ipcFd;

	fcgi->keepConnection = 1;
	FCGX_Finish_r(fcgi);
	/* Where it could not write, it has closed. */
	if (fcgi->ipcFd == fd && fd >= 0) {
		close(fd);
		fcgi->ipcFd = -1;
	}
}

/*
 * libfcgi would accept by itself, but then reads the head of a request before anybody could bound that.  So it is given
 * the connection: a request that is "kept" has one already.  Its own listener is none, so that after a peer that talks
 * nonsense it comes back instead of accepting the next.
 */
static void
serve_peer(Loop *loop, FCGX_Request *fcgi)
{
	bool is_read = false;

	loop->fd = accept_peer(loop);
	if (loop->fd < 0)
		return;
	fcgi->ipcFd = loop->fd;
	fcgi->keepConnection = 1;
	hf_deadline_shut(loop->fd, READ_PATIENCE_S);
	if (FCGX_Accept_r(fcgi) == 0) {
		/* A kept connection pins a worker: docs/facts.md. */
		fcgi->keepConnection = 0;
		if (fcgi->role == ROLE_RESPONDER)
			is_read = serve(loop, fcgi);
	}
	(void)hf_deadline_clear();
	if (is_read)
		finish_at_once(fcgi);
	else
		FCGX_Finish_r(fcgi);
}

bool
hf_loop_run(HfService *service, const HfPeers *peers, int listener, GError **error)
{
	Loop loop = {.service = service, .peers = peers, .listener = listener, .fd = -1};
	FCGX_Request fcgi;
	int flags = fcntl(listener, F_GETFL);

	if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) < 0)
		return hf_error_errno(error, "the listening socket, descriptor %d", listener);
	if (FCGX_Init() != 0 || FCGX_InitRequest(&fcgi, -1, FCGI_FAIL_ACCEPT_ON_INTR) != 0)
		return hf_error_set(error, HF_ERROR_FAILED, "libfcgi cannot be used");
	/* After libfcgi, which has handlers of its own. */
	prepare_signals(&loop.open);
	while (!is_stopping)
		if (wait_for_peer(&loop))
			serve_peer(&loop, &fcgi);
	return true;
}
