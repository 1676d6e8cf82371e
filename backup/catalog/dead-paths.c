#include "config.h"

#include "backup/archive/pull.h"
#include "backup/catalog/dead-paths.h"
#include "backup/source/tarball.h"
#include "common/error.h"

#include <string.h>

/* A key of 1,024 bytes, each escaped, with its cuts: well below. */
#define PATH_BYTES_MAX 4096

bool
hf_dead_write(HfStage *into, const HfDead *dead, GError **error)
{
	g_autofree char *escaped = NULL;

	if (dead->paths & HF_DEAD_PLAIN && (!hf_stage_write(into, dead->key, strlen(dead->key), error) ||
					    !hf_stage_write(into, "\n", 1, error)))
		return false;
	if (!(dead->paths & HF_DEAD_ESCAPED))
		return true;
	escaped = hf_tarball_path(dead->key, true);
	return hf_stage_write(into, escaped, strlen(escaped), error) && hf_stage_write(into, "\n", 1, error);
}

/* A path read ahead: the next key's, perhaps. */
struct HfDeadReader {
	HfPull *pull;
	const HfArchive *list;
	char *key; /* of the path ahead; NULL at the end */
	unsigned path;
	bool has_begun;
	HfDead dead;
	char *dead_key;
};

HfDeadReader *
hf_dead_open(HfStore *store, const HfManifest *manifest)
{
	HfDeadReader *reader = g_new0(HfDeadReader, 1);

	reader->list = manifest->images->dead;
	reader->pull = hf_pull_new(store, reader->list, PATH_BYTES_MAX);
	return reader;
}

void
hf_dead_free(HfDeadReader *reader)
{
	if (!reader)
		return;
	hf_pull_free(reader->pull);
	g_free(reader->key);
	g_free(reader->dead_key);
	g_free(reader);
}

static bool
damaged(const HfDeadReader *reader, GError **error, const char *what)
{
	const HfPart *part = g_ptr_array_index(reader->list->parts, 0);

	return hf_error_set(error, HF_ERROR_CORRUPT, "list of paths \"%s\": %s", part->key, what);
}

static bool
look_ahead(HfDeadReader *reader, GError **error)
{
	g_autofree char *path = NULL;
	const char *line;
	size_t len;

	g_clear_pointer(&reader->key, g_free);
	if (!hf_pull_line(reader->pull, &line, &len, error))
		return false;
	if (!line)
		return true;
	if (memchr(line, 0, len))
		return damaged(reader, error, "a path holds a NUL");
	path = g_strndup(line, len);
	reader->key = hf_tarball_key(path);
	if (!reader->key)
		return damaged(reader, error, "a path is not one that a tarball of ours has");
	reader->path = strcmp(path, reader->key) == 0 ? HF_DEAD_PLAIN : HF_DEAD_ESCAPED;
	return !reader->dead_key || strcmp(reader->dead_key, reader->key) <= 0 ||
	       damaged(reader, error, "a path is out of order");
}

bool
hf_dead_next(HfDeadReader *reader, const HfDead **dead_out, GError **error)
{
	*dead_out = NULL;
	if (!reader->has_begun && !look_ahead(reader, error))
		return false;
	reader->has_begun = true;
	if (!reader->key)
		return true;
	g_free(reader->dead_key);
	reader->dead_key = g_steal_pointer(&reader->key);
	reader->dead = (HfDead){reader->dead_key, reader->path};
	if (!look_ahead(reader, error))
		return false;
	if (reader->key && strcmp(reader->key, reader->dead_key) == 0) {
		reader->dead.paths |= reader->path;
		if (!look_ahead(reader, error))
			return false;
	}
	*dead_out = &reader->dead;
	return true;
}
