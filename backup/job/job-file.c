#include "config.h"

#include "backup/job/job-file.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct HfJobFile {
	char *path;
	int fd;
};

static char *
path_of(const char *folder, const char *id)
{
	return g_strdup_printf("%s/jobs/%s.log", folder, id);
}

/* The whole file, for ever; see F_OFD_SETLK in fcntl(2). */
static struct flock
whole_file(void)
{
	return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

static bool
hold(int fd, const char *path, GError **error)
{
	struct flock lock = whole_file();

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return true;
	if (errno == EAGAIN || errno == EACCES)
		return hf_error_set(error, HF_ERROR_CONFLICT, "\"%s\" is held: the job runs already", path);
	return hf_error_errno(error, "lock \"%s\"", path);
}

static bool
open_failed(const char *path, GError **error)
{
	int number = errno;

	if (number == EEXIST)
		return hf_error_set(error, HF_ERROR_CONFLICT, "\"%s\" is there already", path);
	return hf_error_set(
		error, number == ENOSPC || number == EDQUOT ? HF_ERROR_TRANSIENT : HF_ERROR_FAILED,
		"\"%s\" cannot be made: %s: check free space, owner and permissions of BACKUP_STATE_DIR, or "
		"set it to another folder",
		path, g_strerror(number));
}

static HfJobFile *
take(int fd, char *path, GError **error)
{
	HfJobFile *file;

	if (fd < 0 || !hold(fd, path, error)) {
		if (fd < 0)
			open_failed(path, error);
		else
			close(fd);
		g_free(path);
		return NULL;
	}
	file = g_new0(HfJobFile, 1);
	file->fd = fd;
	file->path = path;
	return file;
}

static int
open_new(const char *path)
{
	g_autofree char *folder = g_path_get_dirname(path);

	if (g_mkdir_with_parents(folder, 0700) != 0)
		return -1;
	return open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
}

HfJobFile *
hf_job_file_make(const char *folder, const char *id, GError **error)
{
	char *path = path_of(folder, id);

	return take(open_new(path), path, error);
}

static bool
is_at(int fd, const char *path)
{
	struct stat open_one, named;

	return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 && open_one.st_dev == named.st_dev &&
	       open_one.st_ino == named.st_ino;
}

HfJobFile *
hf_job_file_adopt(const char *folder, const char *id, GError **error)
{
	char *path = path_of(folder, id);
	int fd;

	if (is_at(STDERR_FILENO, path))
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	return take(fd, path, error);
}

bool
hf_job_file_is_held(const char *folder, const char *id)
{
	g_autofree char *path = path_of(folder, id);
	struct flock lock = whole_file();
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_held;

	if (fd < 0)
		return false;
	is_held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return is_held;
}

int
hf_job_file_fd(const HfJobFile *file)
{
	return file->fd;
}

void
hf_job_file_say(const HfJobFile *file, const char *text)
{
	g_autofree char *line = g_strconcat(text, "\n", NULL);

	/* One call, so that lines of several threads do not mix. */
	(void)!write(file->fd, line, strlen(line));
}

/* ---- tending ---- */

/*
 * The old part becomes a hole: places in the file stay what they are for who reads it meanwhile.  Where the file system
 * has no holes, the log begins anew.
 */
static void
give_back(const HfJobFile *file)
{
	struct stat now;
	off_t old;

	if (fstat(file->fd, &now) != 0)
		return;
	old = now.st_size - (off_t)HF_JOB_LOG_BYTES;
	if (old < (off_t)HF_JOB_LOG_BYTES || (uint64_t)now.st_blocks * 512 < 2 * HF_JOB_LOG_BYTES)
		return;
	if (fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, old) != 0)
		(void)!ftruncate(file->fd, 0);
}

static void
make_anew(HfJobFile *file)
{
	bool is_stderr;
	struct stat own, said;
	int fd = open_new(file->path);

	if (fd < 0)
		return;
	if (!hold(fd, file->path, NULL)) {
		close(fd);
		return;
	}
	is_stderr = fstat(file->fd, &own) == 0 && fstat(STDERR_FILENO, &said) == 0 &&
		    own.st_dev == said.st_dev && own.st_ino == said.st_ino;
	/* Others know the descriptor by its number. */
	if (dup3(fd, file->fd, O_CLOEXEC) >= 0 && is_stderr) {
		(void)dup2(fd, STDOUT_FILENO);
		(void)dup2(fd, STDERR_FILENO);
	}
	close(fd);
}

void
hf_job_file_tend(HfJobFile *file)
{
	if (!is_at(file->fd, file->path))
		make_anew(file);
	give_back(file);
}

/* ---- reading ---- */

static bool
append_range(int fd, const char *path, uint64_t from, uint64_t to, GString *text, GError **error)
{
	char buf[16384];

	while (from < to) {
		ssize_t got = pread(fd, buf, (size_t)MIN(sizeof buf, to - from), (off_t)from);

		if (got < 0)
			return hf_error_errno(error, "read \"%s\"", path);
		if (got == 0)
			break;
		g_string_append_len(text, buf, got);
		from += (uint64_t)got;
	}
	return true;
}

/* What was cut does not begin with half a line, nor with the zeros of a hole. */
static void
drop_half_line(GString *text, gsize begin)
{
	const char *end = memchr(text->str + begin, '\n', text->len - begin);
	gsize zeros = 0;

	if (end)
		g_string_erase(text, (gssize)begin, end + 1 - (text->str + begin));
	while (begin + zeros < text->len && text->str[begin + zeros] == 0)
		zeros++;
	g_string_erase(text, (gssize)begin, (gssize)zeros);
}

bool
hf_job_file_read(const char *folder, const char *id, uint64_t after, GString *text, uint64_t *next_out,
		 GError **error)
{
	g_autofree char *path = path_of(folder, id);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	gsize begin = text->len;
	struct stat now;
	uint64_t size;
	bool is_cut, is_read;

	*next_out = 0;
	if (fd < 0)
		return errno == ENOENT || hf_error_errno(error, "open \"%s\"", path);
	size = fstat(fd, &now) == 0 ? (uint64_t)now.st_size : 0;
	if (after > size) /* it was made anew */
		after = 0;
	is_cut = size - after > HF_JOB_LOG_BYTES;
	is_read = append_range(fd, path, is_cut ? size - HF_JOB_LOG_BYTES : after, size, text, error);
	close(fd);
	if (is_read && is_cut)
		drop_half_line(text, begin);
	*next_out = size;
	return is_read;
}

/* ---- sweeping ---- */

static gint
compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
hf_job_files_sweep(const char *folder, unsigned kept)
{
	g_autofree char *path = g_build_filename(folder, "jobs", NULL);
	g_autoptr(GDir) entries = g_dir_open(path, 0, NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const char *name;

	while (entries && (name = g_dir_read_name(entries)))
		if (g_str_has_suffix(name, ".log"))
			g_ptr_array_add(names, g_strdup(name));
	/* An id begins with its time. */
	g_ptr_array_sort(names, compare_names);
	for (guint i = 0; i + kept < names->len; i++) {
		g_autofree char *id = g_strndup(names->pdata[i], strlen(names->pdata[i]) - strlen(".log"));
		g_autofree char *doomed = path_of(folder, id);

		if (!hf_job_file_is_held(folder, id))
			(void)unlink(doomed);
	}
}

void
hf_job_file_free(HfJobFile *file)
{
	if (!file)
		return;
	close(file->fd);
	g_free(file->path);
	g_free(file);
}

void
hf_job_file_discard(HfJobFile *file)
{
	if (file)
		(void)unlink(file->path);
	hf_job_file_free(file);
}
