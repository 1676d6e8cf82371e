/*
 * backup/store/dir-impl.h -- what dir.c (objects) and dir-list.c (listing) share.
 */
#pragma once

#include "backup/store/dir.h"
#include "backup/store/meta.h"
#include "backup/store/store-impl.h"

#include <sys/types.h>

/* Every temporary file's name begins so; no key may have a part that does. */
#define HF_DIR_TEMPORARY ".holdfast-tmp-"

typedef struct {
	HfStore base;
	/* The folder that was swept of stale temporaries last: objects mostly come folder by folder. */
	uint64_t swept_device, swept_inode;
	bool is_public; /* files and folders are made as the umask says, not for their owner alone */
} HfDir;

/* What a file or folder is made with that any other program would make with mode. */
mode_t hf_dir_mode(const HfDir *dir, mode_t mode);

/* Opens a folder below parent_fd without following a symbolic link; -1 with errno. */
int hf_dir_open_below(int parent_fd, const char *name);

/* "mtime-size-inode", in hexadecimal.  g_free() it. */
struct stat;
char *hf_dir_etag(const struct stat *info);

/* The listing of self; see dir-list.c. */
HfListing *hf_dir_list(HfStore *self, const char *prefix, const char *start_after, GError **error);

/*
 * Opens a file for reading without following a symbolic link; path is for messages.  -1 with the error.  The caller
 * finds out whether it is a file.
 */
int hf_dir_open_file(HfDir *dir, const char *key, const char *path, GError **error);

/* Reading and writing many: see dir-fetch.c and dir-put.c. */
HfFetch *hf_dir_fetch_new(HfStore *self, const HfFetchOptions *options);
HfPut *hf_dir_put_new(HfStore *self, const HfPutOptions *options);

/* Writes and renames content as hf_dir_write() does, but syncs nothing. */
bool hf_dir_write_unsynced(HfDir *dir, const char *key, const HfObjectMeta *meta, GBytes *content,
			   GError **error);

/*
 * Metadata as extended attributes.  Best effort both ways: where the file system has none, or no room for them, the
 * object is stored without.
 */
void hf_dir_write_meta(int fd, const HfObjectMeta *meta);
void hf_dir_read_meta(int fd, HfMeta *meta_out);

/* The write stage and the two commits of small objects; see dir-write.c. */
HfStage *hf_dir_write(HfStore *self, const char *key, const HfObjectMeta *meta, GError **error);
bool hf_dir_create(HfStore *self, const char *key, GBytes *bytes, GError **error);
bool hf_dir_replace(HfStore *self, const char *key, GBytes *bytes, const char *etag, GError **error);

/*
 * Whether nobody holds a temporary file any more, and its removal where that is so.  Best effort: whoever may not open
 * one, leaves it.
 */
bool hf_dir_is_stale(int folder, const char *name);
void hf_dir_remove_stale(int folder, const char *name);

/* What killed writers left; see dir-upkeep.c. */
GPtrArray *hf_dir_unfinished(HfStore *self, const char *prefix, int64_t before_s, GError **error);
bool hf_dir_abandon(HfStore *self, const HfUnfinished *unfinished, GError **error);

/*
 * Opens the folder that holds key, *name_out being the key's last part, borrowed from key.  With make, folders that are
 * not there are made and synced.  -1 with the error: USAGE for a key that would leave the folder.
 */
int hf_dir_open_parent(HfDir *dir, const char *key, bool make, const char **name_out, GError **error);
