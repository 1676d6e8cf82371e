#include "config.h"

#include "backup/store/dir-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* One read() of a file: large enough that the calls cost nothing, small enough to stay in the second-level cache. */
#define READ_BYTES ((size_t)256 << 10)

/* POSIX NAME_MAX on every Linux file system that matters. */
#define NAME_BYTES_MAX 255

static bool
check_part(const HfDir *dir, const char *key, const char *part, size_t len, GError **error)
{
	if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && part[0] == '.' && part[1] == '.'))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "key \"%s\": a folder cannot hold it, since a part of it is empty, \".\" "
				    "or \"..\"",
				    key);
	if (len > NAME_BYTES_MAX)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "key \"%s\": the folder \"%s\" cannot hold it, since a part of it has "
				    "%zu bytes: at most %d are possible; use a bucket",
				    key, dir->base.location, len, NAME_BYTES_MAX);
	if (strncmp(part, HF_DIR_TEMPORARY, strlen(HF_DIR_TEMPORARY)) == 0)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "key \"%s\": names that begin with \"%s\" are kept for temporary files",
				    key, HF_DIR_TEMPORARY);
	return true;
}

static bool
check_key(const HfDir *dir, const char *key, GError **error)
{
	for (const char *part = key;;) {
		size_t len = strcspn(part, "/");

		if (!check_part(dir, key, part, len, error))
			return false;
		if (part[len] == 0)
			return true;
		part += len + 1;
	}
}

int
hf_dir_open_below(int parent_fd, const char *name)
{
	return openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Makes the folder and what is missing above it, each one synced into its parent. */
static bool
make_root(const char *path, GError **error)
{
	g_autofree char *parent = NULL;
	int fd;
	bool is_done;

	if (mkdir(path, 0700) != 0 && errno == ENOENT) {
		parent = g_path_get_dirname(path);
		if (!make_root(parent, error))
			return false;
		(void)mkdir(path, 0700);
	}
	g_clear_pointer(&parent, g_free);
	parent = g_path_get_dirname(path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return hf_error_errno(error, "folder \"%s\"", path);
	close(fd);
	fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return true; /* made by somebody else, above what we may read */
	is_done = fsync(fd) == 0 || errno == EINVAL || hf_error_errno(error, "sync folder \"%s\"", parent);
	close(fd);
	return is_done;
}

mode_t
hf_dir_mode(const HfDir *dir, mode_t mode)
{
	return dir->is_public ? mode : mode & 0700;
}

static int
open_root(HfDir *dir, bool make, GError **error)
{
	int fd = open(dir->base.location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make) {
		if (!make_root(dir->base.location, error))
			return -1;
		fd = open(dir->base.location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		hf_error_errno(error, "folder \"%s\"", dir->base.location);
	return fd;
}

/* Opens name below *fd, which it replaces.  mode 0: it is not made. */
static bool
descend(int *fd, const char *name, mode_t mode)
{
	int next = hf_dir_open_below(*fd, name);
	int saved;

	if (next < 0 && errno == ENOENT && mode && (mkdirat(*fd, name, mode) == 0 || errno == EEXIST) &&
	    fsync(*fd) == 0)
		next = hf_dir_open_below(*fd, name);
	saved = errno;
	close(*fd);
	errno = saved;
	*fd = next;
	return next >= 0;
}

int
hf_dir_open_parent(HfDir *dir, const char *key, bool make, const char **name_out, GError **error)
{
	const char *part = key;
	int fd;

	if (!check_key(dir, key, error))
		return -1;
	fd = open_root(dir, make, error);
	for (const char *slash; fd >= 0 && (slash = strchr(part, '/')); part = slash + 1) {
		g_autofree char *name = g_strndup(part, (size_t)(slash - part));

		if (descend(&fd, name, make ? hf_dir_mode(dir, 0777) : 0))
			continue;
		if (errno == ELOOP || errno == ENOTDIR)
			hf_error_set(error, make ? HF_ERROR_CONFLICT : HF_ERROR_NOT_FOUND,
				     "\"%s/%s\": \"%s\" is no folder (symbolic links are not followed)",
				     dir->base.location, key, name);
		else
			hf_error_errno(error, "\"%s/%s\"", dir->base.location, key);
	}
	*name_out = part;
	return fd;
}

char *
hf_dir_etag(const struct stat *info)
{
	uint64_t modified_ns = (uint64_t)info->st_mtim.tv_sec * 1000000000 + (uint64_t)info->st_mtim.tv_nsec;

	return g_strdup_printf("%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x",
			       modified_ns, (uint64_t)info->st_size, (uint64_t)info->st_ino);
}

/* ---- reading ---- */

static bool
copy_range(const char *path, int fd, HfRange range, HfStage *into, GError **error)
{
	g_autofree char *buffer = g_malloc(READ_BYTES);

	while (range.length > 0) {
		size_t want = (size_t)MIN(range.length, READ_BYTES);
		ssize_t got = pread(fd, buffer, want, (off_t)range.offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return hf_error_errno(error, "read \"%s\"", path);
		if (got == 0)
			return hf_error_set(error, HF_ERROR_CORRUPT,
					    "\"%s\" became shorter while it was read", path);
		if (!hf_cancel_check(error) || !hf_stage_write(into, buffer, (size_t)got, error))
			return false;
		range.offset += (uint64_t)got;
		range.length -= (uint64_t)got;
	}
	return true;
}

static bool
read_file(const char *path, int fd, HfRange range, HfStage *into, GError **error)
{
	struct stat info;
	uint64_t bytes;

	if (fstat(fd, &info) != 0)
		return hf_error_errno(error, "\"%s\"", path);
	if (!S_ISREG(info.st_mode))
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "\"%s\" is not a file", path);
	bytes = (uint64_t)info.st_size;
	if (range.offset > bytes || (range.length != HF_TO_END && range.length > bytes - range.offset))
		return hf_error_set(error, HF_ERROR_USAGE,
				    "\"%s\" has %" G_GUINT64_FORMAT
				    " bytes: a range beyond its end was asked for",
				    path, bytes);
	if (range.length == HF_TO_END)
		range.length = bytes - range.offset;
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return copy_range(path, fd, range, into, error);
}

int
hf_dir_open_file(HfDir *dir, const char *key, const char *path, GError **error)
{
	const char *name;
	int parent = hf_dir_open_parent(dir, key, false, &name, error);
	int fd;

	if (parent < 0)
		return -1;
	/* NONBLOCK: a pipe of that name must not hold us up. */
	fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP)
		hf_error_set(error, HF_ERROR_NOT_FOUND, "\"%s\" is a symbolic link: these are not followed",
			     path);
	else if (fd < 0)
		hf_error_errno(error, "open \"%s\"", path);
	close(parent);
	return fd;
}

static bool
dir_read(HfStore *self, const char *key, HfRange range, HfStage *into, GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%s", self->location, key);
	int fd = hf_dir_open_file((HfDir *)self, key, path, error);
	bool is_done;

	if (fd < 0)
		return false;
	is_done = read_file(path, fd, range, into, error);
	close(fd);
	return is_done;
}

static bool
read_small(const char *path, int fd, size_t limit_bytes, GBytes **bytes_out, char **etag_out, GError **error)
{
	struct stat info;
	g_autofree char *buffer = NULL;
	ssize_t got;

	/* By the call that replacing looks with, so that both see one time, also where a library shifts clocks. */
	if (fstatat(fd, "", &info, AT_EMPTY_PATH) != 0)
		return hf_error_errno(error, "\"%s\"", path);
	if (!S_ISREG(info.st_mode))
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "\"%s\" is not a file", path);
	if (info.st_size < 0 || (size_t)info.st_size > limit_bytes)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" is larger than it can be", path);
	buffer = g_malloc((size_t)info.st_size + 1);
	got = pread(fd, buffer, (size_t)info.st_size, 0);
	if (got < 0)
		return hf_error_errno(error, "read \"%s\"", path);
	if (got != (ssize_t)info.st_size)
		return hf_error_set(error, HF_ERROR_CORRUPT, "\"%s\" became shorter while it was read", path);
	*bytes_out = g_bytes_new_take(g_steal_pointer(&buffer), (gsize)got);
	*etag_out = hf_dir_etag(&info);
	return true;
}

/* A file is only ever renamed to its name whole: what was opened is one version, and its etag is that version's. */
static bool
dir_get(HfStore *self, const char *key, size_t limit_bytes, GBytes **bytes_out, char **etag_out,
	GError **error)
{
	g_autofree char *path = g_strdup_printf("%s/%s", self->location, key);
	int fd = hf_dir_open_file((HfDir *)self, key, path, error);
	bool is_done;

	if (fd < 0)
		return false;
	is_done = read_small(path, fd, limit_bytes, bytes_out, etag_out, error);
	close(fd);
	return is_done;
}

/*
 * A folder's lock, which replace needs, is one machine's alone on NFS (flock(2), "NFS details"), and may be on others
 * that reach several machines.  The numbers are those of statfs(2).
 */
static bool
is_shared(const char *path)
{
	static const uint32_t kinds[] = {0x6969 /* NFS */,      0xff534d42 /* CIFS */, 0xfe534d42 /* SMB 2 */,
					 0x65735546 /* FUSE */, 0x00c36400 /* Ceph */, 0x01021997 /* 9p */};
	struct statfs info;

	if (statfs(path, &info) != 0)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if ((uint32_t)info.f_type == kinds[i])
			return true;
	return false;
}

static bool
dir_probe(HfStore *self, const char *key, HfConditions *found_out, GError **error)
{
	g_autoptr(GBytes) bytes = g_bytes_new_static("", 0);
	const char *const keys[] = {key, NULL};

	if (!hf_dir_create(self, key, bytes, error))
		return false;
	*found_out = (HfConditions){.has_create = true, .has_replace = !is_shared(self->location)};
	return hf_store_remove(self, keys, error);
}

/* ---- removing ---- */

static bool
remove_one(HfDir *dir, const char *key, GError **error)
{
	g_autoptr(GError) trouble = NULL;
	const char *name;
	int parent = hf_dir_open_parent(dir, key, false, &name, &trouble);
	bool is_done;

	if (parent < 0) {
		is_done = hf_error_is(trouble, HF_ERROR_NOT_FOUND);
		if (!is_done)
			g_propagate_error(error, g_steal_pointer(&trouble));
		return is_done;
	}
	if (unlinkat(parent, name, 0) == 0)
		is_done = fsync(parent) == 0 ||
			  hf_error_errno(error, "sync the folder of \"%s/%s\"", dir->base.location, key);
	else
		is_done = errno == ENOENT ||
			  hf_error_errno(error, "remove \"%s/%s\"", dir->base.location, key);
	close(parent);
	return is_done;
}

/* Goes on behind a refusal, so that one locked file does not keep the rest. */
static bool
dir_remove(HfStore *self, const char *const *keys, GError **error)
{
	GError *first = NULL;

	for (; *keys; keys++)
		(void)!remove_one((HfDir *)self, *keys, first ? NULL : &first);
	if (!first)
		return true;
	g_propagate_error(error, first);
	return false;
}

static bool
dir_takes_key(const HfStore *self, const char *key, GError **error)
{
	return check_key((const HfDir *)self, key, error);
}

static const HfStoreOps dir_ops = {
	.list = hf_dir_list,
	.read = dir_read,
	.write = hf_dir_write,
	.create = hf_dir_create,
	.replace = hf_dir_replace,
	.get = dir_get,
	.probe = dir_probe,
	.remove = dir_remove,
	.fetch_new = hf_dir_fetch_new,
	.put_new = hf_dir_put_new,
	.unfinished = hf_dir_unfinished,
	.abandon = hf_dir_abandon,
	.takes_key = dir_takes_key,
};

HfStore *
hf_dir_open(const char *folder, GError **error)
{
	HfDir *dir;

	if (!*folder) {
		hf_error_set(error, HF_ERROR_USAGE, "the folder's name is empty: set BACKUP_DIR");
		return NULL;
	}
	dir = g_new0(HfDir, 1);
	hf_store_init(&dir->base, &dir_ops, g_canonicalize_filename(folder, NULL));
	return &dir->base;
}
