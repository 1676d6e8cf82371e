/* Temporary files that killed writers left in the store's folder: what upkeep.h asks of a folder. */
#include "config.h"

#include "backup/store/dir-impl.h"
#include "common/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void
note_stale(int folder, const char *name, GPtrArray *found)
{
	HfUnfinished *stale;
	struct stat info;

	if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !hf_dir_is_stale(folder, name))
		return;
	stale = g_new0(HfUnfinished, 1);
	stale->key = g_strdup(name);
	stale->begun_s = info.st_mtim.tv_sec;
	g_ptr_array_add(found, stale);
}

/* The names of a backup hold no "/": the folder itself is all there is to look at. */
GPtrArray *
hf_dir_unfinished(HfStore *self, const char *prefix, int64_t before_s, GError **error)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)hf_unfinished_free);
	DIR *folder = opendir(self->location);
	const struct dirent *entry;
	int trouble;

	(void)prefix;
	(void)before_s;
	if (!folder && errno == ENOENT)
		return g_steal_pointer(&found); /* not made yet: dir.h */
	if (!folder) {
		hf_error_errno(error, "list \"%s\"", self->location);
		return NULL;
	}
	while ((errno = 0, entry = readdir(folder)))
		if (g_str_has_prefix(entry->d_name, HF_DIR_TEMPORARY))
			note_stale(dirfd(folder), entry->d_name, found);
	trouble = errno;
	closedir(folder);
	errno = trouble;
	if (trouble != 0) {
		hf_error_errno(error, "list \"%s\"", self->location);
		return NULL;
	}
	return g_steal_pointer(&found);
}

bool
hf_dir_abandon(HfStore *self, const HfUnfinished *unfinished, GError **error)
{
	int folder = open(self->location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0)
		return errno == ENOENT || hf_error_errno(error, "open \"%s\"", self->location);
	hf_dir_remove_stale(folder, unfinished->key);
	close(folder);
	return true;
}
