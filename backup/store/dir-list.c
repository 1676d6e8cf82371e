#include "config.h"

#include "backup/store/dir-impl.h"
#include "common/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A walk with a stack of open folders, each with its names sorted: one folder's names at a time per level is what it
 * holds.  Objects come in byte order of key, as S3 lists them: a folder takes part in the order as "name/", so that
 * "a.jpg" comes before "a/b.jpg".
 */
typedef struct {
	int fd;
	char *path;       /* the keys' beginning: "" or "a/b/" */
	GPtrArray *names; /* of char *, sorted; a folder's ends with "/" */
	guint position;
} Level;

typedef struct {
	HfListing base;
	char *location;
	char *prefix;
	char *start_after;
	GPtrArray *levels; /* of Level, the deepest last */
	HfObject object;
	char *key;
	char *etag;
} Listing;

static void
level_free(gpointer data)
{
	Level *level = data;

	close(level->fd);
	g_free(level->path);
	g_ptr_array_unref(level->names);
	g_free(level);
}

static int
compare_names(gconstpointer a, gconstpointer b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

/* Whether a key that is path, or for a folder one that begins with it, can be in the listing. */
static bool
is_wanted(const Listing *listing, const char *path, bool is_folder)
{
	bool has_prefix = g_str_has_prefix(path, listing->prefix) ||
			  (is_folder && g_str_has_prefix(listing->prefix, path));
	bool is_after = strcmp(path, listing->start_after) > 0 ||
			(is_folder && g_str_has_prefix(listing->start_after, path));

	return has_prefix && is_after;
}

/* What entry is, without following a link: DT_REG, DT_DIR or something else. */
static unsigned char
kind_of(int fd, const struct dirent *entry)
{
	struct stat info;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
		return DT_UNKNOWN;
	return S_ISREG(info.st_mode) ? DT_REG : S_ISDIR(info.st_mode) ? DT_DIR : DT_UNKNOWN;
}

static void
add_name(const Listing *listing, Level *level, const struct dirent *entry)
{
	const char *name = entry->d_name;
	unsigned char kind = kind_of(level->fd, entry);
	g_autofree char *path = NULL;

	if (g_str_has_prefix(name, HF_DIR_TEMPORARY) || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (kind != DT_REG && kind != DT_DIR)
		return;
	path = g_strconcat(level->path, name, kind == DT_DIR ? "/" : NULL, NULL);
	if (is_wanted(listing, path, kind == DT_DIR))
		g_ptr_array_add(level->names, g_strdup(path + strlen(level->path)));
}

static bool
read_names(const Listing *listing, Level *level, GError **error)
{
	/* A descriptor of its own: closedir() takes the one it was given. */
	int fd = hf_dir_open_below(level->fd, ".");
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	bool is_done;

	if (!folder) {
		hf_error_errno(error, "list \"%s/%s\"", listing->location, level->path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((errno = 0, entry = readdir(folder)))
		add_name(listing, level, entry);
	is_done = errno == 0 || hf_error_errno(error, "list \"%s/%s\"", listing->location, level->path);
	closedir(folder);
	g_ptr_array_sort(level->names, compare_names);
	return is_done;
}

/* Takes fd and path. */
static bool
push_level(Listing *listing, int fd, char *path, GError **error)
{
	Level *level = g_new0(Level, 1);

	level->fd = fd;
	level->path = path;
	level->names = g_ptr_array_new_with_free_func(g_free);
	g_ptr_array_add(listing->levels, level);
	return read_names(listing, level, error);
}

static bool
enter(Listing *listing, const Level *level, const char *name, GError **error)
{
	g_autofree char *plain = g_strndup(name, strlen(name) - 1);
	int fd = hf_dir_open_below(level->fd, plain);

	if (fd >= 0)
		return push_level(listing, fd, g_strconcat(level->path, name, NULL), error);
	/* It went, or something else took its place, since its name was read. */
	if (errno == ENOENT || errno == ELOOP || errno == ENOTDIR)
		return true;
	return hf_error_errno(error, "list \"%s/%s%s\"", listing->location, level->path, name);
}

/* Fills the object; *is_there_out is false where the file went since its name was read. */
static bool
describe(Listing *listing, const Level *level, const char *name, bool *is_there_out, GError **error)
{
	struct stat info;

	*is_there_out = false;
	if (fstatat(level->fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ||
		       hf_error_errno(error, "\"%s/%s%s\"", listing->location, level->path, name);
	if (!S_ISREG(info.st_mode))
		return true;
	g_free(listing->key);
	g_free(listing->etag);
	listing->key = g_strconcat(level->path, name, NULL);
	listing->etag = hf_dir_etag(&info);
	listing->object = (HfObject){listing->key, (uint64_t)info.st_size, listing->etag,
				     info.st_mtim.tv_sec};
	*is_there_out = true;
	return true;
}

static bool
listing_next(HfListing *base, const HfObject **object_out, GError **error)
{
	Listing *listing = (Listing *)base;

	*object_out = NULL;
	while (listing->levels->len > 0) {
		Level *level = g_ptr_array_index(listing->levels, listing->levels->len - 1);
		const char *name;
		bool is_there;

		if (level->position == level->names->len) {
			g_ptr_array_set_size(listing->levels, (int)listing->levels->len - 1);
			continue;
		}
		name = g_ptr_array_index(level->names, level->position++);
		if (g_str_has_suffix(name, "/")) {
			if (!enter(listing, level, name, error))
				return false;
			continue;
		}
		if (!describe(listing, level, name, &is_there, error))
			return false;
		if (is_there) {
			*object_out = &listing->object;
			return true;
		}
	}
	return true;
}

static void
listing_clear(HfListing *base)
{
	Listing *listing = (Listing *)base;

	g_ptr_array_unref(listing->levels);
	g_free(listing->location);
	g_free(listing->prefix);
	g_free(listing->start_after);
	g_free(listing->key);
	g_free(listing->etag);
}

static const HfListingOps listing_ops = {listing_next, listing_clear};

HfListing *
hf_dir_list(HfStore *self, const char *prefix, const char *start_after, GError **error)
{
	Listing *listing = g_new0(Listing, 1);
	int fd;

	listing->base.ops = &listing_ops;
	listing->location = g_strdup(self->location);
	listing->prefix = g_strdup(prefix);
	listing->start_after = g_strdup(start_after);
	listing->levels = g_ptr_array_new_with_free_func(level_free);
	fd = open(self->location, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return &listing->base; /* not made yet: dir.h */
	if (fd < 0)
		hf_error_errno(error, "list \"%s\"", self->location);
	else if (push_level(listing, fd, g_strdup(""), error))
		return &listing->base;
	hf_listing_free(&listing->base);
	return NULL;
}
