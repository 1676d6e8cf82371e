#include "config.h"

#include "fcgi/records.h"

#include <errno.h>
#include <glib.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define FCGI_1 1
#define FCGI_STDOUT_RECORD 6
#define HEAD_BYTES 8
/* The most that a record holds is 65,535; a multiple of eight needs no padding (section 3.3). */
#define CONTENT_BYTES 65528u
#define RECORDS_A_CALL 8

/* Of a socket: MSG_NOSIGNAL, since a client that leaves is nobody's fault. */
static bool
send_all(int fd, struct iovec *vectors, size_t count)
{
	struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};

	while (message.msg_iovlen > 0) {
		ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
		size_t left = sent > 0 ? (size_t)sent : 0;

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		while (message.msg_iovlen > 0 && left >= message.msg_iov->iov_len) {
			left -= message.msg_iov->iov_len;
			message.msg_iov++;
			message.msg_iovlen--;
		}
		if (left > 0) {
			message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + left;
			message.msg_iov->iov_len -= left;
		}
	}
	return true;
}

static void
fill_head(unsigned char *head, uint16_t request_id, size_t content_bytes)
{
	head[0] = FCGI_1;
	head[1] = FCGI_STDOUT_RECORD;
	head[2] = (unsigned char)(request_id >> 8);
	head[3] = (unsigned char)request_id;
	head[4] = (unsigned char)(content_bytes >> 8);
	head[5] = (unsigned char)content_bytes;
	head[6] = head[7] = 0;
}

bool
hf_records_put(int fd, uint16_t request_id, const void *bytes, size_t len)
{
	const char *next = bytes;

	while (len > 0) {
		unsigned char heads[RECORDS_A_CALL][HEAD_BYTES];
		struct iovec vectors[2 * RECORDS_A_CALL];
		size_t count = 0;

		for (size_t i = 0; i < RECORDS_A_CALL && len > 0; i++) {
			size_t content = MIN(len, CONTENT_BYTES);

			fill_head(heads[i], request_id, content);
			vectors[count++] = (struct iovec){heads[i], HEAD_BYTES};
			/* sendmsg() does not write to it. */
			vectors[count++] = (struct iovec){(void *)(uintptr_t)next, content};
			next += content;
			len -= content;
		}
		if (!send_all(fd, vectors, count))
			return false;
	}
	return true;
}
