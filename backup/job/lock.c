#include "config.h"

#include "backup/job/lock.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
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
	/* The number is for people: on a full disk, or a read-only one, the lock holds without it. */
	len = g_snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
	(void)(ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)len, 0) == len);
	return true;
}

/* A file that cannot be written, or made, may be there all the same, and can be locked. */
static int
open_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd >= 0 ? fd : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* Notes of this host may be lost at any time, so a folder that cannot be used stops no run. */
static HfLock *
go_without(const char *path)
{
	int number = errno;
	HfLock *lock = g_new0(HfLock, 1);

	lock->fd = -1;
	g_warning("\"%s\" cannot be made: %s: another run at the same time would not be noticed: check owner "
		  "and "
		  "permissions of BACKUP_STATE_DIR, or set it to another folder",
		  path, g_strerror(number));
	return lock;
}

HfLock *
hf_lock_take(const char *folder, const char *name, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%s.lock", folder, name);
	HfLock *lock;
	int fd;

	fd = g_mkdir_with_parents(folder, 0700) == 0 ? open_lock(path) : -1;
	if (fd < 0)
		return go_without(path);
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
	if (lock->fd >= 0)
		close(lock->fd);
	g_free(lock);
}
