#include "config.h"

#include "backup/store/dir-impl.h"
#include "backup/store/fetch-impl.h"
#include "common/cancel.h"
#include "common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file that changes while it is read is read so often in all. */
#define TRIES 4

/* How long ago a file's last change must be: is_settled(). */
#define SETTLED_US 50000

#define NS_PER_US ((int64_t)1000)
#define NS_PER_S ((int64_t)1000000000)

/* One read() of a large file. */
#define READ_BYTES ((size_t)256 << 10)

/* The oldest item alone is worked on; a large file stays open from when it was looked at to the end of its streaming. */
typedef struct {
	HfFetch base;
	HfDir *dir;
	int fd;           /* -1 or open */
	struct stat info; /* as it was before it was read */
} DirFetch;

/* What one look at a file gave. */
typedef enum {
	LOOK_DONE,
	LOOK_FAILED,  /* for good */
	LOOK_CHANGED, /* meanwhile: once more */
} Look;

static bool
is_same_version(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_ino == b->st_ino && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/*
 * A change in the same tick of the kernel's clock as the one before, 10 ms at most, leaves no trace in the times; and a
 * write() sets them when it begins, not when it ends.  So a file counts only some time after its last change: whatever
 * changes it from then on gives it a new time.  A time in the future (the clock was set back) says nothing, and must not
 * hold us up for ever.
 */
static bool
is_settled(const struct stat *info, const struct timespec *now)
{
	int64_t age_ns = ((int64_t)now->tv_sec - info->st_ctim.tv_sec) * NS_PER_S + now->tv_nsec -
			 info->st_ctim.tv_nsec;

	return age_ns > SETTLED_US * NS_PER_US || age_ns < -NS_PER_S;
}

static bool
look(const char *path, int fd, struct stat *info_out, GError **error)
{
	if (fstat(fd, info_out) != 0)
		return hf_error_errno(error, "\"%s\"", path);
	if (!S_ISREG(info_out->st_mode))
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "\"%s\" is not a file", path);
	return true;
}

/* Reads up to len bytes from offset; *got_out is less at the end of the file. */
static bool
read_piece(const char *path, int fd, char *buffer, HfRange range, size_t *got_out, GError **error)
{
	size_t done = 0;

	while (done < range.length) {
		ssize_t got = pread(fd, buffer + done, (size_t)range.length - done,
				    (off_t)(range.offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return hf_error_errno(error, "read \"%s\"", path);
		if (got == 0)
			break;
		done += (size_t)got;
	}
	*got_out = done;
	return true;
}

static void
close_file(DirFetch *fetch)
{
	if (fetch->fd >= 0)
		close(fetch->fd);
	fetch->fd = -1;
}

static void
describe(HfFetchItem *item, int fd, const struct stat *info)
{
	hf_meta_clear(&item->meta);
	hf_dir_read_meta(fd, &item->meta);
	g_free(item->etag);
	item->etag = hf_dir_etag(info);
	item->fetched.bytes = (uint64_t)info->st_size;
	item->fetched.modified_s = info->st_mtim.tv_sec;
}

static Look
read_whole(DirFetch *fetch, HfFetchItem *item, const char *path, GError **error)
{
	size_t bytes = (size_t)fetch->info.st_size, got;
	g_autofree char *buffer = NULL;
	struct stat after;

	(void)hf_fetch_item_hold(&fetch->base, item, bytes); /* the oldest always may */
	buffer = g_malloc(bytes);
	if (!read_piece(path, fetch->fd, buffer, (HfRange){0, bytes}, &got, error) ||
	    !look(path, fetch->fd, &after, error))
		return LOOK_FAILED;
	if (got != bytes || !is_same_version(&fetch->info, &after))
		return LOOK_CHANGED;
	hf_fetch_item_done(&fetch->base, item, g_bytes_new_take(g_steal_pointer(&buffer), got));
	return LOOK_DONE;
}

/* Leaves the file open where it is to be streamed. */
static Look
read_once(DirFetch *fetch, HfFetchItem *item, const char *path, GError **error)
{
	struct timespec now;

	close_file(fetch);
	fetch->fd = hf_dir_open_file(fetch->dir, item->key, path, error);
	if (fetch->fd < 0)
		return LOOK_FAILED;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (!look(path, fetch->fd, &fetch->info, error))
		return LOOK_FAILED;
	if (!is_settled(&fetch->info, &now)) {
		g_usleep(SETTLED_US);
		return LOOK_CHANGED;
	}
	describe(item, fetch->fd, &fetch->info);
	if (!hf_fetch_is_large(&fetch->base, (uint64_t)fetch->info.st_size))
		return read_whole(fetch, item, path, error);
	hf_fetch_item_done(&fetch->base, item, NULL);
	return LOOK_DONE;
}

/* What is wrong with the folder itself, or with us (too many open files), is not the object's. */
static bool
check_folder(const DirFetch *fetch, GError **error)
{
	int fd = open(fetch->dir->base.location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return hf_error_errno(error, "folder \"%s\"", fetch->dir->base.location);
	close(fd);
	return true;
}

static bool
fetch_advance(HfFetch *self, GError **error)
{
	DirFetch *fetch = (DirFetch *)self;
	HfFetchItem *item = g_queue_peek_head(&self->items);
	g_autofree char *path = g_strdup_printf("%s/%s", fetch->dir->base.location, item->key);
	g_autoptr(GError) trouble = NULL;
	Look result = LOOK_CHANGED;

	(void)g_queue_pop_head_link(&self->waiting); /* nothing else is ever begun: it is this one */
	for (int tries = 0; tries < TRIES && result == LOOK_CHANGED; tries++)
		result = read_once(fetch, item, path, &trouble);
	if (result == LOOK_DONE)
		return true;
	if (result == LOOK_CHANGED)
		hf_error_set(&trouble, HF_ERROR_CONFLICT, "\"%s\" changes while it is read (read %d times)",
			     path, TRIES);
	else if (!check_folder(fetch, error))
		return false;
	hf_fetch_item_trouble(self, item, g_steal_pointer(&trouble));
	return true;
}

/*
 * A piece is passed on only after the file was seen to be the same still: so what was written when it is not, is never
 * the whole of it.
 */
static bool
stream_pieces(DirFetch *fetch, const char *path, HfStage *into, GError **error)
{
	uint64_t bytes = (uint64_t)fetch->info.st_size;
	g_autofree char *buffer = g_malloc(READ_BYTES);

	for (uint64_t offset = 0; offset < bytes;) {
		HfRange range = {offset, MIN(READ_BYTES, bytes - offset)};
		struct stat now;
		size_t got;

		if (!hf_cancel_check(error) || !read_piece(path, fetch->fd, buffer, range, &got, error) ||
		    !look(path, fetch->fd, &now, error))
			return false;
		if (got < range.length || !is_same_version(&fetch->info, &now))
			return hf_error_set(error, HF_ERROR_CONFLICT, "\"%s\" changed while it was read",
					    path);
		if (!hf_stage_write(into, buffer, got, error))
			return false;
		offset += got;
	}
	return true;
}

static bool
fetch_stream(HfFetch *self, HfFetchItem *item, HfStage *into, GError **error)
{
	DirFetch *fetch = (DirFetch *)self;
	g_autofree char *path = g_strdup_printf("%s/%s", fetch->dir->base.location, item->key);
	bool is_done;

	(void)posix_fadvise(fetch->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	is_done = stream_pieces(fetch, path, into, error);
	close_file(fetch);
	return is_done;
}

static void
fetch_clear(HfFetch *self)
{
	close_file((DirFetch *)self);
}

static const HfFetchOps fetch_ops = {
	.item_bytes = sizeof(HfFetchItem),
	.advance = fetch_advance,
	.stream = fetch_stream,
	.clear = fetch_clear,
};

HfFetch *
hf_dir_fetch_new(HfStore *self, const HfFetchOptions *options)
{
	DirFetch *fetch = g_new0(DirFetch, 1);

	hf_fetch_init(&fetch->base, &fetch_ops, options);
	fetch->dir = (HfDir *)self;
	fetch->fd = -1;
	return &fetch->base;
}
