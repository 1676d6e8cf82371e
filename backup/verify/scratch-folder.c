#include "config.h"

#include "backup/verify/scratch-folder.h"
#include "common/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "holdfast-scratch-"
#define LOCK_NAME "lock"
/* Between making a folder and locking it lies a moment; a folder without a lock that is older was left by a killed run. */
#define UNLOCKED_AGE_S 60
#define SERVER_PATIENCE_MS 5000

struct HfScratchFolder {
	char *path;
	char *user; /* NULL: we are not root */
	uid_t uid;
	gid_t gid;
	int lock;
};

const char *
hf_scratch_base(const char *base)
{
	const char *tmpdir = g_getenv("TMPDIR");

	if (base)
		return base;
	return tmpdir && *tmpdir ? tmpdir : "/var/tmp";
}

/* ---- removing ---- */

static void remove_inside(int folder);

/* By descriptors, so that a link that somebody puts in our way leads nowhere. */
static void
remove_entry(int folder, const char *name)
{
	int inner;

	if (unlinkat(folder, name, 0) == 0 || (errno != EISDIR && errno != EPERM))
		return;
	inner = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (inner < 0)
		return;
	remove_inside(inner);
	(void)unlinkat(folder, name, AT_REMOVEDIR);
}

/* Takes folder. */
static void
remove_inside(int folder)
{
	DIR *entries = fdopendir(folder);
	const struct dirent *entry;

	if (!entries) {
		close(folder);
		return;
	}
	while ((entry = readdir(entries)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_entry(folder, entry->d_name);
	closedir(entries);
}

static void
remove_tree(const char *path)
{
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (folder >= 0)
		remove_inside(folder);
	if (rmdir(path) != 0 && errno != ENOENT)
		g_warning("\"%s\" could not be removed: %s", path, g_strerror(errno));
}

/* ---- what killed runs left ---- */

/* The server's process id, where one runs in this folder: its data folder is among its arguments. */
static pid_t
find_server(const char *path)
{
	g_autofree char *data = g_strdup_printf("%s/data", path);
	g_autofree char *pid_file = g_strdup_printf("%s/postmaster.pid", data);
	g_autofree char *text = NULL;
	g_autofree char *command_file = NULL;
	g_autofree char *command = NULL;
	gsize len;
	gint64 pid;

	if (!g_file_get_contents(pid_file, &text, NULL, NULL))
		return 0;
	pid = g_ascii_strtoll(text, NULL, 10);
	if (pid <= 1)
		return 0;
	command_file = g_strdup_printf("/proc/%" G_GINT64_FORMAT "/cmdline", pid);
	if (!g_file_get_contents(command_file, &command, &len, NULL))
		return 0;
	for (gsize at = 0; at < len; at += strlen(command + at) + 1)
		if (strcmp(command + at, data) == 0)
			return (pid_t)pid;
	return 0;
}

static void
end_server(const char *path)
{
	for (int ms = 0; ms < SERVER_PATIENCE_MS; ms += 20) {
		pid_t pid = find_server(path);

		if (pid == 0 || (ms == 0 && kill(pid, SIGQUIT) != 0))
			return;
		g_usleep(20 * 1000);
	}
}

static bool
is_left_over(int folder)
{
	struct stat status;
	int lock;
	bool is_free;

	/* Only what is our own user's: in a common folder anybody may make one of this name. */
	if (fstat(folder, &status) != 0 || status.st_uid != geteuid())
		return false;
	lock = openat(folder, LOCK_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (lock < 0)
		return time(NULL) - status.st_ctime > UNLOCKED_AGE_S;
	is_free = flock(lock, LOCK_EX | LOCK_NB) == 0;
	close(lock);
	return is_free;
}

static void
sweep(const char *base)
{
	g_autoptr(GDir) entries = g_dir_open(base, 0, NULL);
	const char *name;

	while (entries && (name = g_dir_read_name(entries))) {
		g_autofree char *path = NULL;
		int folder;

		if (!g_str_has_prefix(name, PREFIX))
			continue;
		path = g_build_filename(base, name, NULL);
		folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (folder < 0)
			continue;
		if (is_left_over(folder)) {
			g_message("removing \"%s\", which a killed run left", path);
			end_server(path);
			remove_tree(path);
		}
		close(folder);
	}
}

/* ---- whose it is ---- */

static bool
find_user(HfScratchFolder *self, const char *user, GError **error)
{
	const struct passwd *entry;

	self->uid = geteuid();
	self->gid = getegid();
	if (self->uid != 0)
		return true;
	entry = getpwnam(user ? user : "postgres");
	if (!entry && !user)
		entry = getpwnam("nobody");
	if (!entry)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"SCRATCH_USER \"%s\": there is no such user; PostgreSQL does not run as root",
			user ? user : "nobody");
	if (entry->pw_uid == 0)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "SCRATCH_USER \"%s\" is root: PostgreSQL does not run as root", user);
	self->user = g_strdup(entry->pw_name);
	self->uid = entry->pw_uid;
	self->gid = entry->pw_gid;
	return true;
}

static bool
may_pass(const struct stat *status, uid_t uid, gid_t gid)
{
	if (status->st_uid == uid)
		return status->st_mode & S_IXUSR;
	return status->st_mode & (status->st_gid == gid ? S_IXGRP : S_IXOTH);
}

/* The server's user has to pass through every folder on the way. */
static bool
check_way(const HfScratchFolder *self, const char *base, GError **error)
{
	g_autofree char *path = g_strdup(base);

	while (self->user) {
		struct stat status;

		if (stat(path, &status) == 0 && !may_pass(&status, self->uid, self->gid))
			return hf_error_set(
				error, HF_ERROR_USAGE,
				"user \"%s\", who runs the scratch cluster, cannot enter \"%s\": set "
				"SCRATCH_DIR to another folder, or chmod a+x it",
				self->user, path);
		if (strcmp(path, "/") == 0)
			break;
		*(strrchr(path, '/') == path ? path + 1 : strrchr(path, '/')) = '\0';
	}
	return true;
}

/* ---- making ---- */

static bool
take_lock(HfScratchFolder *self, GError **error)
{
	g_autofree char *path = g_build_filename(self->path, LOCK_NAME, NULL);

	self->lock = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return (self->lock >= 0 && flock(self->lock, LOCK_EX | LOCK_NB) == 0) ||
	       hf_error_errno(error, "lock \"%s\"", path);
}

/* In front of everything that is made from a path of ours: no link in it, and it begins at the root. */
static char *
resolve(const char *base, GError **error)
{
	char *real = realpath(base, NULL);
	char *copy = g_strdup(real);

	if (!copy)
		hf_error_set(error, HF_ERROR_USAGE, "SCRATCH_DIR \"%s\": %s", base, g_strerror(errno));
	if (copy && !g_file_test(copy, G_FILE_TEST_IS_DIR)) {
		hf_error_set(error, HF_ERROR_USAGE, "SCRATCH_DIR \"%s\" is not a folder", base);
		g_clear_pointer(&copy, g_free);
	}
	free(real);
	return copy;
}

HfScratchFolder *
hf_scratch_folder_new(const char *base, const char *user, GError **error)
{
	g_autoptr(HfScratchFolder) self = g_new0(HfScratchFolder, 1);
	g_autofree char *real = resolve(hf_scratch_base(base), error);
	g_autofree char *template = NULL;

	self->lock = -1;
	if (!real || !find_user(self, user, error) || !check_way(self, real, error))
		return NULL;
	sweep(real);
	template = g_build_filename(real, PREFIX "XXXXXX", NULL);
	if (!mkdtemp(template)) {
		hf_error_errno(error, "make a folder in \"%s\"", real);
		return NULL;
	}
	self->path = g_steal_pointer(&template);
	if (!take_lock(self, error))
		return NULL;
	if (self->user && chmod(self->path, 0711) != 0) {
		hf_error_errno(error, "chmod \"%s\"", self->path);
		return NULL;
	}
	return g_steal_pointer(&self);
}

const char *
hf_scratch_folder_path(const HfScratchFolder *folder)
{
	return folder->path;
}

const char *
hf_scratch_folder_user(const HfScratchFolder *folder)
{
	return folder->user;
}

gid_t
hf_scratch_folder_gid(const HfScratchFolder *folder)
{
	return folder->gid;
}

char *
hf_scratch_folder_make(const HfScratchFolder *folder, const char *name, GError **error)
{
	g_autofree char *path = g_build_filename(folder->path, name, NULL);

	if (mkdir(path, 0700) != 0 || (folder->user && chown(path, folder->uid, folder->gid) != 0)) {
		hf_error_errno(error, "make \"%s\"", path);
		return NULL;
	}
	return g_steal_pointer(&path);
}

bool
hf_scratch_folder_check_space(const char *base, uint64_t needed_bytes, const char *what_for, GError **error)
{
	const char *folder = hf_scratch_base(base);
	struct statvfs status;
	g_autofree char *free_text = NULL;
	g_autofree char *needed_text = NULL;
	uint64_t free_bytes;

	if (statvfs(folder, &status) != 0)
		return hf_error_set(error, HF_ERROR_USAGE, "SCRATCH_DIR \"%s\": %s", folder,
				    g_strerror(errno));
	free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
	if (free_bytes >= needed_bytes)
		return true;
	free_text = g_format_size(free_bytes);
	needed_text = g_format_size(needed_bytes);
	return hf_error_set(
		error, HF_ERROR_FAILED,
		"%s are free in \"%s\", and %s takes about %s: free some space, or set SCRATCH_DIR "
		"to a folder with more",
		free_text, folder, what_for, needed_text);
}

void
hf_scratch_folder_free(HfScratchFolder *folder)
{
	if (!folder)
		return;
	if (folder->path)
		remove_tree(folder->path);
	if (folder->lock >= 0)
		close(folder->lock);
	g_free(folder->path);
	g_free(folder->user);
	g_free(folder);
}
