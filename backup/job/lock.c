#include "config.h"

#include "backup/job/lock.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

struct HfLock {
	int fd;
};

/* The holder's process id as it stands in the file; "?" between its locking and its writing. */
static void
read_holder(int fd, char *pid_out, size_t size)
{
	ssize_t got = pread(fd, pid_out, size - 1, 0);

	pid_out[got > 0 ? got : 0] = 0;
	g_strchomp(pid_out);
	if (!*pid_out)
		g_strlcpy(pid_out, "?", size);
}

static bool
lock_file(int fd, const char *path, const char *name, GError **error)
{
	char pid[24];
	int len;

	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return hf_error_errno(error, "lock \"%s\"", path);
		read_holder(fd, pid, sizeof pid);
		return hf_error_set(
			error, HF_ERROR_CONFLICT,
			"a backup of the %s is running already as process %s: wait for it, or stop "
			"it with kill %s",
			name, pid, pid);
	}
	len = g_snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	return (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)len, 0) == len) ||
	       hf_error_errno(error, "write \"%s\"", path);
}

HfLock *
hf_lock_take(const char *folder, const char *name, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%s.lock", folder, name);
	HfLock *lock;
	int fd;

	if (g_mkdir_with_parents(folder, 0700) != 0) {
		hf_error_errno(error, "BACKUP_STATE_DIR \"%s\"", folder);
		return NULL;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		hf_error_errno(error, "lock \"%s\"", path);
		return NULL;
	}
	if (!lock_file(fd, path, name, error)) {
		close(fd);
		return NULL;
	}
	lock = g_new0(HfLock, 1);
	lock->fd = fd;
	return lock;
}

void
hf_lock_free(HfLock *lock)
{
	if (!lock)
		return;
	close(lock->fd);
	g_free(lock);
}
