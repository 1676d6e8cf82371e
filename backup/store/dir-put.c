#include "config.h"

#include "backup/store/dir-impl.h"
#include "backup/store/put-impl.h"
#include "common/error.h"

#include <fcntl.h>
#include <unistd.h>

/*
 * One after the other, each renamed into its place whole.  The disk is waited for once, at the end: a sync an object
 * would cost a restore of many small ones most of its time, and until hf_put_finish() nothing was promised.
 */
typedef struct {
	HfPut base;
	HfDir *dir;
	bool was_public;
	bool has_written;
} DirPut;

static bool
put_object(HfPut *self, const char *key, const HfObjectMeta *meta, GBytes *content, GError **error)
{
	DirPut *put = (DirPut *)self;

	put->has_written = true;
	return hf_dir_write_unsynced(put->dir, key, meta, content, error);
}

static bool
put_finish(HfPut *self, GError **error)
{
	const DirPut *put = (const DirPut *)self;
	const char *location = put->dir->base.location;
	bool is_done;
	int fd;

	if (!put->has_written)
		return true;
	fd = open(location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return hf_error_errno(error, "folder \"%s\"", location);
	is_done = syncfs(fd) == 0 || hf_error_errno(error, "sync the file system of \"%s\"", location);
	close(fd);
	return is_done;
}

static void
put_clear(HfPut *self)
{
	const DirPut *put = (const DirPut *)self;

	put->dir->is_public = put->was_public;
}

static const HfPutOps put_ops = {put_object, put_finish, put_clear};

HfPut *
hf_dir_put_new(HfStore *self, const HfPutOptions *options)
{
	DirPut *put = g_new0(DirPut, 1);

	hf_put_init(&put->base, &put_ops, options);
	put->dir = (HfDir *)self;
	put->was_public = put->dir->is_public;
	/* Backups are for their owner alone; what is restored is for the application, whoever runs it. */
	put->dir->is_public = true;
	return &put->base;
}
