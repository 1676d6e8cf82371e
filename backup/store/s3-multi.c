#include "config.h"

#include "backup/store/s3-multi.h"
#include "backup/store/s3-client.h"
#include "backup/store/traffic.h"
#include "common/cancel.h"
#include "common/error.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* So many sockets are looked at after one wait; more wait for the next. */
#define EVENTS 32

struct HfS3Multi {
	HfS3Client *client;
	CURLM *curl;
	unsigned connections;
	int epoll;
	int epoll_errno;  /* why there is none */
	int64_t timer_us; /* when libcurl wants to be called; -1: never */
	GQueue waiting;   /* of HfS3Job: for their first try or another one */
	GQueue running;
};

/* ---- libcurl's side: which sockets, and when ---- */

static int
on_socket(CURL *curl, curl_socket_t socket, int what, void *data, void *is_known)
{
	HfS3Multi *multi = data;
	struct epoll_event event = {.data.fd = socket};

	(void)curl;
	if (what == CURL_POLL_REMOVE) {
		(void)epoll_ctl(multi->epoll, EPOLL_CTL_DEL, socket, NULL); /* it may be closed already */
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
		       (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	if (epoll_ctl(multi->epoll, is_known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, socket, &event) != 0 &&
	    (errno != EEXIST || epoll_ctl(multi->epoll, EPOLL_CTL_MOD, socket, &event) != 0))
		return -1;
	curl_multi_assign(multi->curl, socket, multi);
	return 0;
}

static int
on_timer(CURLM *curl, long timeout_ms, void *data)
{
	HfS3Multi *multi = data;

	(void)curl;
	multi->timer_us = timeout_ms < 0 ? -1 : g_get_monotonic_time() + (int64_t)timeout_ms * 1000;
	return 0;
}

HfS3Multi *
hf_s3_multi_new(HfS3Client *client, unsigned connections)
{
	HfS3Multi *multi = g_new0(HfS3Multi, 1);
	struct epoll_event stop = {.events = EPOLLIN, .data.fd = -1};

	multi->client = client;
	multi->connections = connections;
	multi->timer_us = -1;
	multi->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (multi->epoll < 0 || epoll_ctl(multi->epoll, EPOLL_CTL_ADD, hf_cancel_fd(), &stop) != 0)
		multi->epoll_errno = errno;
	multi->curl = curl_multi_init();
	g_assert(multi->curl);
	curl_multi_setopt(multi->curl, CURLMOPT_MAXCONNECTS, (long)connections);
	curl_multi_setopt(multi->curl, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(multi->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(multi->curl, CURLMOPT_SOCKETDATA, multi);
	curl_multi_setopt(multi->curl, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(multi->curl, CURLMOPT_TIMERDATA, multi);
	return multi;
}

/* ---- jobs ---- */

void
hf_s3_multi_add(HfS3Multi *multi, HfS3Job *job)
{
	g_assert(!job->transfer);
	job->link.data = job;
	job->tries = 0;
	job->due_us = 0;
	g_queue_push_tail_link(&multi->waiting, &job->link);
}

unsigned
hf_s3_multi_running(const HfS3Multi *multi)
{
	return multi->running.length;
}

bool
hf_s3_multi_has_room(const HfS3Multi *multi)
{
	unsigned busy = multi->running.length;
	int64_t now_us = multi->waiting.length > 0 ? g_get_monotonic_time() : 0;

	for (const GList *link = multi->waiting.head; link; link = link->next)
		busy += ((const HfS3Job *)link->data)->due_us <= now_us;
	return busy < multi->connections;
}

/* Ends this try of the job, and says what comes next.  The job is in no queue. */
static void
end_try(HfS3Multi *multi, HfS3Job *job, bool is_done, GError *error)
{
	g_auto(HfS3Reply) reply = {0};
	g_autoptr(GError) cause = error;

	hf_s3_transfer_take_reply(job->transfer, &reply);
	g_clear_pointer(&job->transfer, hf_s3_transfer_free);
	job->tries++;
	if (!is_done && hf_error_is(cause, HF_ERROR_TRANSIENT) && job->tries < multi->client->tries) {
		job->due_us = g_get_monotonic_time() + (int64_t)hf_s3_retry_pause_ms(job->tries) * 1000;
		hf_traffic_count_retry();
		g_queue_push_tail_link(&multi->waiting, &job->link);
		if (job->again)
			job->again(job);
		return;
	}
	job->end(job, &reply, cause);
}

static void
start_try(HfS3Multi *multi, HfS3Job *job)
{
	GError *error = NULL;

	job->transfer = hf_s3_transfer_new(multi->client, &job->request);
	if (!hf_s3_transfer_start(job->transfer, &error)) {
		end_try(multi, job, false, error);
		return;
	}
	curl_easy_setopt(hf_s3_transfer_handle(job->transfer), CURLOPT_PRIVATE, job);
	g_queue_push_tail_link(&multi->running, &job->link);
	curl_multi_add_handle(multi->curl, hf_s3_transfer_handle(job->transfer));
}

/* Sends what is due.  *next_us_out: when the next one will be, or -1. */
static void
start_due(HfS3Multi *multi, int64_t *next_us_out)
{
	int64_t now_us = multi->waiting.length > 0 ? g_get_monotonic_time() : 0;

	*next_us_out = -1;
	for (GList *link = multi->waiting.head, *next; link; link = next) {
		HfS3Job *job = link->data;

		next = link->next;
		if (job->due_us > now_us) {
			*next_us_out = *next_us_out < 0 ? job->due_us : MIN(*next_us_out, job->due_us);
		} else if (multi->running.length < multi->connections) {
			g_queue_unlink(&multi->waiting, link);
			start_try(multi, job);
		}
	}
}

static unsigned
end_finished(HfS3Multi *multi)
{
	const CURLMsg *message;
	unsigned count = 0;
	int left;

	while ((message = curl_multi_info_read(multi->curl, &left))) {
		CURLcode result = message->data.result;
		CURL *curl = message->easy_handle;
		HfS3Job *job = NULL;
		GError *error = NULL;
		bool is_done;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(curl, CURLINFO_PRIVATE, (char **)&job);
		curl_multi_remove_handle(multi->curl, curl); /* message is gone from here on */
		g_queue_unlink(&multi->running, &job->link);
		is_done = hf_s3_transfer_result(job->transfer, result, &error);
		end_try(multi, job, is_done, error);
		count++;
	}
	return count;
}

void
hf_s3_multi_take_out(HfS3Multi *multi, HfS3Job *job)
{
	if (g_queue_link_index(&multi->waiting, &job->link) >= 0) {
		g_queue_unlink(&multi->waiting, &job->link);
	} else if (job->transfer) {
		g_queue_unlink(&multi->running, &job->link);
		curl_multi_remove_handle(multi->curl, hf_s3_transfer_handle(job->transfer));
		g_clear_pointer(&job->transfer, hf_s3_transfer_free);
	}
}

/* ---- driving ---- */

/* Milliseconds from now to the earlier of the two, of which -1 is never; -1: for ever. */
static int
wait_ms(int64_t a_us, int64_t b_us)
{
	int64_t first_us = a_us < 0 || (b_us >= 0 && b_us < a_us) ? b_us : a_us;
	int64_t left_us;

	if (first_us < 0)
		return -1;
	left_us = first_us - g_get_monotonic_time();
	return left_us <= 0 ? 0 : (int)MIN((left_us + 999) / 1000, G_MAXINT);
}

static void
move_bytes(HfS3Multi *multi, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(multi->epoll, events, EVENTS, timeout_ms);
	int still_running;

	for (int i = 0; i < count; i++) {
		uint32_t bits = events[i].events;
		int mask = (bits & EPOLLIN ? CURL_CSELECT_IN : 0) | (bits & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
			   (bits & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

		if (events[i].data.fd >= 0)
			curl_multi_socket_action(multi->curl, events[i].data.fd, mask, &still_running);
	}
	if (multi->timer_us >= 0 && g_get_monotonic_time() >= multi->timer_us) {
		multi->timer_us = -1; /* libcurl sets it anew where it wants more */
		curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &still_running);
	}
}

bool
hf_s3_multi_step(HfS3Multi *multi, bool waits, GError **error)
{
	int64_t next_us;

	if (!hf_cancel_check(error))
		return false;
	if (multi->epoll_errno) {
		errno = multi->epoll_errno;
		return hf_error_errno(error, "wait for connections");
	}
	start_due(multi, &next_us);
	if (multi->running.length == 0 && multi->waiting.length == 0)
		return true;
	move_bytes(multi, waits ? wait_ms(multi->timer_us, next_us) : 0);
	(void)end_finished(multi);
	return true;
}

void
hf_s3_multi_free(HfS3Multi *multi)
{
	if (!multi)
		return;
	g_assert(multi->running.length == 0 && multi->waiting.length == 0);
	curl_multi_cleanup(multi->curl);
	if (multi->epoll >= 0)
		close(multi->epoll);
	g_free(multi);
}
