#include "config.h"

#include "backup/stage/stage-impl.h"
#include "backup/store/dir-direct.h"
#include "backup/store/dir-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Tries to find a temporary name that nobody else has or sweeps. */
#define NAME_TRIES 100

/* A temporary file, locked for as long as it is open: that is how a sweep tells it from one that was left behind. */
typedef struct {
	mode_t mode;
	int folder; /* where it lies, and the object will */
	int fd;
	char name[sizeof HF_DIR_TEMPORARY + 16];
	char *path; /* the object's, for messages */
	const char *key_name;
} Temporary;

typedef enum {
	COMMIT_REPLACE,
	COMMIT_IF_ABSENT,
} CommitMode;

typedef struct {
	CommitMode mode;
	const char *etag; /* COMMIT_REPLACE: what must be there; NULL: whatever is */
} Commit;

/* ---- leftovers ---- */

/* Open and locked, so that nobody else takes it; -1 where somebody holds it. */
static int
lock_stale(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool
hf_dir_is_stale(int folder, const char *name)
{
	int fd = lock_stale(folder, name);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

void
hf_dir_remove_stale(int folder, const char *name)
{
	int fd = lock_stale(folder, name);

	if (fd < 0)
		return;
	(void)unlinkat(folder, name, 0);
	close(fd);
}

/* Removes the temporary files that no process holds.  Best effort: whoever may not remove them, leaves them. */
static void
sweep(HfDir *dir, int folder)
{
	struct stat info;
	const struct dirent *entry;
	DIR *entries;
	int fd;

	if (fstat(folder, &info) != 0 ||
	    (dir->swept_device == info.st_dev && dir->swept_inode == info.st_ino))
		return;
	fd = hf_dir_open_below(folder, ".");
	entries = fd < 0 ? NULL : fdopendir(fd);
	if (!entries) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(entries)))
		if (g_str_has_prefix(entry->d_name, HF_DIR_TEMPORARY))
			hf_dir_remove_stale(folder, entry->d_name);
	closedir(entries);
	dir->swept_device = info.st_dev;
	dir->swept_inode = info.st_ino;
}

/* ---- temporary files ---- */

/* True where the file is ours: locked, and not removed by a sweep between its making and its locking. */
static bool
is_held(int fd)
{
	struct stat info;

	return flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &info) == 0 && info.st_nlink > 0;
}

static bool
temporary_make(Temporary *temporary, GError **error)
{
	for (int i = 0; i < NAME_TRIES; i++) {
		g_snprintf(temporary->name, sizeof temporary->name, HF_DIR_TEMPORARY "%08x%08x",
			   g_random_int(), g_random_int());
		temporary->fd = openat(temporary->folder, temporary->name,
				       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, temporary->mode);
		if (temporary->fd < 0 && errno == EEXIST)
			continue;
		if (temporary->fd < 0)
			return hf_error_errno(error, "write \"%s\"", temporary->path);
		if (is_held(temporary->fd))
			return true;
		(void)unlinkat(temporary->folder, temporary->name, 0);
		close(temporary->fd);
		temporary->fd = -1;
	}
	return hf_error_set(error, HF_ERROR_FAILED, "write \"%s\": the folder takes no locked temporary file",
			    temporary->path);
}

static bool
temporary_open(HfDir *dir, const char *key, Temporary *temporary, GError **error)
{
	*temporary = (Temporary){.mode = hf_dir_mode(dir, 0666), .folder = -1, .fd = -1};
	temporary->folder = hf_dir_open_parent(dir, key, true, &temporary->key_name, error);
	if (temporary->folder < 0)
		return false;
	temporary->path = g_strdup_printf("%s/%s", dir->base.location, key);
	temporary->key_name = temporary->path + strlen(temporary->path) - strlen(temporary->key_name);
	sweep(dir, temporary->folder);
	return temporary_make(temporary, error);
}

static void
temporary_discard(Temporary *temporary)
{
	if (temporary->fd >= 0)
		(void)unlinkat(temporary->folder, temporary->name, 0);
}

static void
temporary_clear(Temporary *temporary)
{
	if (temporary->fd >= 0)
		close(temporary->fd);
	if (temporary->folder >= 0)
		close(temporary->folder);
	g_free(temporary->path);
	*temporary = (Temporary){.folder = -1, .fd = -1};
}

static bool
temporary_write(Temporary *temporary, const char *buf, size_t len, GError **error)
{
	while (len > 0) {
		ssize_t put = write(temporary->fd, buf, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return hf_error_errno(error, "write \"%s\"", temporary->path);
		buf += put;
		len -= (size_t)put;
	}
	return true;
}

/* ---- commit ---- */

static bool
move_if_absent(const Temporary *temporary)
{
	if (renameat2(temporary->folder, temporary->name, temporary->folder, temporary->key_name,
		      RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	/* A file system without RENAME_NOREPLACE: rename(2), "EINVAL". */
	if (linkat(temporary->folder, temporary->name, temporary->folder, temporary->key_name, 0) != 0)
		return false;
	(void)unlinkat(temporary->folder, temporary->name, 0);
	return true;
}

static bool
temporary_move(const Temporary *temporary, CommitMode mode, GError **error)
{
	switch (mode) {
	case COMMIT_REPLACE:
		if (renameat(temporary->folder, temporary->name, temporary->folder, temporary->key_name) == 0)
			return true;
		break;
	case COMMIT_IF_ABSENT:
		if (move_if_absent(temporary))
			return true;
		if (errno == EEXIST)
			return hf_error_set(error, HF_ERROR_CONFLICT, "\"%s\" exists already",
					    temporary->path);
		break;
	}
	return hf_error_errno(error, "write \"%s\"", temporary->path);
}

/*
 * An inode is used again, and the clock of files ticks every 4 or 10 ms: the time of what replaces goes on by itself, so
 * that no etag comes back.
 */
static void
outdate(const Temporary *temporary, const struct stat *before)
{
	struct stat own;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, before->st_mtim};

	if (fstatat(temporary->fd, "", &own, AT_EMPTY_PATH) != 0 ||
	    own.st_mtim.tv_sec > before->st_mtim.tv_sec ||
	    (own.st_mtim.tv_sec == before->st_mtim.tv_sec && own.st_mtim.tv_nsec > before->st_mtim.tv_nsec))
		return;
	if (++times[1].tv_nsec == 1000000000) {
		times[1].tv_nsec = 0;
		times[1].tv_sec++;
	}
	(void)futimens(temporary->fd, times);
}

static bool
check_etag(const Temporary *temporary, const char *etag, GError **error)
{
	g_autofree char *now = NULL;
	struct stat info;

	if (!etag)
		return true;
	if (fstatat(temporary->folder, temporary->key_name, &info, AT_SYMLINK_NOFOLLOW) == 0)
		now = hf_dir_etag(&info);
	else if (errno != ENOENT)
		return hf_error_errno(error, "\"%s\"", temporary->path);
	if (g_strcmp0(now, etag) == 0) {
		outdate(temporary, &info);
		return true;
	}
	return hf_error_set(error, HF_ERROR_CONFLICT, "\"%s\" was changed by somebody else", temporary->path);
}

/* Syncs and moves the file to its name.  The folder's lock keeps replace's look and its rename together. */
static bool
temporary_commit(Temporary *temporary, const Commit *commit, GError **error)
{
	bool is_done;

	if (fsync(temporary->fd) != 0)
		return hf_error_errno(error, "sync \"%s\"", temporary->path);
	while (flock(temporary->folder, LOCK_EX) != 0)
		if (errno != EINTR)
			return hf_error_errno(error, "lock the folder of \"%s\"", temporary->path);
	is_done = check_etag(temporary, commit->etag, error) &&
		  temporary_move(temporary, commit->mode, error);
	(void)flock(temporary->folder, LOCK_UN);
	if (!is_done)
		return false;
	return fsync(temporary->folder) == 0 ||
	       hf_error_errno(error, "sync the folder of \"%s\"", temporary->path);
}

static bool
store_small(HfStore *self, const char *key, GBytes *bytes, const Commit *commit, GError **error)
{
	Temporary temporary;
	gsize len;
	const char *data = g_bytes_get_data(bytes, &len);
	bool is_done = temporary_open((HfDir *)self, key, &temporary, error) &&
		       temporary_write(&temporary, data, len, error) &&
		       temporary_commit(&temporary, commit, error);

	if (!is_done)
		temporary_discard(&temporary);
	temporary_clear(&temporary);
	return is_done;
}

bool
hf_dir_create(HfStore *self, const char *key, GBytes *bytes, GError **error)
{
	return store_small(self, key, bytes, &(Commit){COMMIT_IF_ABSENT, NULL}, error);
}

bool
hf_dir_replace(HfStore *self, const char *key, GBytes *bytes, const char *etag, GError **error)
{
	return store_small(self, key, bytes, &(Commit){COMMIT_REPLACE, etag}, error);
}

bool
hf_dir_write_unsynced(HfDir *dir, const char *key, const HfObjectMeta *meta, GBytes *content, GError **error)
{
	Temporary temporary;
	gsize len;
	const char *data = g_bytes_get_data(content, &len);
	bool is_done = temporary_open(dir, key, &temporary, error) &&
		       temporary_write(&temporary, data, len, error);

	if (is_done)
		hf_dir_write_meta(temporary.fd, meta);
	is_done = is_done && temporary_move(&temporary, COMMIT_REPLACE, error);
	if (!is_done)
		temporary_discard(&temporary);
	temporary_clear(&temporary);
	return is_done;
}

/* ---- the stage ---- */

typedef struct {
	HfStage base;
	Temporary temporary;
	HfDirect *direct;
	uint64_t bytes;
} Writer;

static bool
writer_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Writer *writer = (Writer *)self;

	if (!hf_cancel_check(error) || !hf_direct_write(writer->direct, buf, len, error))
		return false;
	writer->bytes += len;
	return true;
}

static bool
writer_finish(HfStage *self, GError **error)
{
	Writer *writer = (Writer *)self;
	struct stat info;

	if (!hf_direct_finish(writer->direct, error))
		return false;
	if (fstat(writer->temporary.fd, &info) != 0)
		return hf_error_errno(error, "\"%s\"", writer->temporary.path);
	if ((uint64_t)info.st_size != writer->bytes)
		return hf_error_set(error, HF_ERROR_FAILED,
				    "\"%s\" has %" G_GUINT64_FORMAT " bytes, %" G_GUINT64_FORMAT
				    " were written: somebody else wrote to it",
				    writer->temporary.path, (uint64_t)info.st_size, writer->bytes);
	return temporary_commit(&writer->temporary, &(Commit){COMMIT_REPLACE, NULL}, error);
}

static void
writer_discard(HfStage *self)
{
	temporary_discard(&((Writer *)self)->temporary);
}

static void
writer_clear(HfStage *self)
{
	hf_direct_free(((Writer *)self)->direct);
	temporary_clear(&((Writer *)self)->temporary);
}

static const HfStageOps writer_ops = {
	.name = "folder",
	.write = writer_write,
	.finish = writer_finish,
	.discard = writer_discard,
	.clear = writer_clear,
};

HfStage *
hf_dir_write(HfStore *self, const char *key, const HfObjectMeta *meta, GError **error)
{
	Writer *writer = g_new0(Writer, 1);

	hf_stage_init(&writer->base, &writer_ops, NULL);
	if (temporary_open((HfDir *)self, key, &writer->temporary, error)) {
		hf_dir_write_meta(writer->temporary.fd, meta);
		writer->direct = hf_direct_new(writer->temporary.fd, writer->temporary.path);
		return &writer->base;
	}
	hf_stage_free(&writer->base);
	return NULL;
}
