#include "config.h"

#include "backup/store/dir-direct.h"
#include "backup/stage/relay.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

G_STATIC_ASSERT(HF_DIRECT_BYTES % HF_RELAY_ALIGNMENT == 0);

struct HfDirect {
	int fd;
	char *path;
	HfRelay *relay;
	uint64_t offset;
};

static bool
is_direct(int fd)
{
	return (fcntl(fd, F_GETFL) & O_DIRECT) != 0;
}

/* Best effort: a file system that has no O_DIRECT refuses the flag, or the first write. */
static void
set_direct(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	(void)fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT);
}

/* What is not aligned, the rest of a file and what follows a short write, goes the ordinary way. */
static bool
write_all(HfDirect *direct, const char *bytes, size_t len, GError **error)
{
	while (len > 0) {
		ssize_t put;

		if ((uintptr_t)bytes % HF_RELAY_ALIGNMENT != 0 || len % HF_RELAY_ALIGNMENT != 0)
			set_direct(direct->fd, false);
		put = write(direct->fd, bytes, len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EINVAL && is_direct(direct->fd)) {
			set_direct(direct->fd, false);
			continue;
		}
		if (put < 0)
			return hf_error_errno(error, "write \"%s\"", direct->path);
		bytes += put;
		len -= (size_t)put;
	}
	return true;
}

static bool
take(void *context, const void *buf, size_t len, GError **error)
{
	HfDirect *direct = context;

	if (direct->offset == 0 && len == HF_DIRECT_BYTES)
		set_direct(direct->fd, true);
	if (!write_all(direct, buf, len, error))
		return false;
	/* Without O_DIRECT the disk is put to work now, so that the sync at the end has little left to wait for. */
	if (!is_direct(direct->fd))
		(void)sync_file_range(direct->fd, (off_t)direct->offset, (off_t)len, SYNC_FILE_RANGE_WRITE);
	direct->offset += len;
	return true;
}

HfDirect *
hf_direct_new(int fd, const char *path)
{
	HfDirect *direct = g_new0(HfDirect, 1);

	direct->fd = fd;
	direct->path = g_strdup(path);
	direct->relay = hf_relay_new("folder", HF_DIRECT_BYTES, take, direct);
	return direct;
}

bool
hf_direct_write(HfDirect *direct, const void *buf, size_t len, GError **error)
{
	return hf_relay_write(direct->relay, buf, len, error);
}

bool
hf_direct_finish(HfDirect *direct, GError **error)
{
	return hf_relay_finish(direct->relay, error);
}

void
hf_direct_free(HfDirect *direct)
{
	if (!direct)
		return;
	hf_relay_free(direct->relay);
	g_free(direct->path);
	g_free(direct);
}
