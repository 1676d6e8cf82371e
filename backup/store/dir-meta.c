#include "config.h"

#include "backup/store/dir-impl.h"

#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

/* xattr(7), "limits": the list of names, and one value, are at most 64 KiB on Linux; a name at most 255 bytes. */
#define VALUE_BYTES_MAX ((size_t)64 << 10)
#define NAME_BYTES_MAX 255

static void
write_attribute(int fd, const char *name, const char *value)
{
	/* Not there, no room, not allowed: dir-impl.h, "best effort". */
	(void)!fsetxattr(fd, name, value, strlen(value), 0);
}

void
hf_dir_write_meta(int fd, const HfObjectMeta *meta)
{
	GHashTableIter each;
	gpointer name, value;

	for (HfMetaField field = 0; field < HF_META_FIELDS; field++)
		if (hf_meta_get(meta, field))
			write_attribute(fd, hf_meta_attribute(field), hf_meta_get(meta, field));
	if (!meta->user)
		return;
	g_hash_table_iter_init(&each, meta->user);
	while (g_hash_table_iter_next(&each, &name, &value)) {
		g_autofree char *full = g_strconcat(HF_META_USER_ATTRIBUTE, name, NULL);

		if (strlen(full) <= NAME_BYTES_MAX)
			write_attribute(fd, full, value);
	}
}

/* NULL where it went meanwhile, or is no text: HfObjectMeta's values end at a NUL. */
static char *
read_attribute(int fd, const char *name)
{
	ssize_t len = fgetxattr(fd, name, NULL, 0);
	g_autofree char *value = NULL;

	if (len < 0 || (size_t)len > VALUE_BYTES_MAX)
		return NULL;
	value = g_malloc((size_t)len + 1);
	/* Longer than a moment ago: ERANGE, and none. */
	len = fgetxattr(fd, name, value, (size_t)len);
	if (len < 0 || memchr(value, 0, (size_t)len))
		return NULL;
	value[len] = 0;
	return g_steal_pointer(&value);
}

static void
take_attribute(int fd, const char *name, HfMeta *meta)
{
	char *value = NULL;

	if (!g_str_has_prefix(name, "user."))
		return;
	for (HfMetaField field = 0; field < HF_META_FIELDS; field++)
		if (strcmp(name, hf_meta_attribute(field)) == 0) {
			value = read_attribute(fd, name);
			if (value)
				hf_meta_set(meta, field, value);
			return;
		}
	if (g_str_has_prefix(name, HF_META_USER_ATTRIBUTE) && name[strlen(HF_META_USER_ATTRIBUTE)])
		value = read_attribute(fd, name);
	if (value)
		hf_meta_add_user(meta, name + strlen(HF_META_USER_ATTRIBUTE), value);
}

void
hf_dir_read_meta(int fd, HfMeta *meta_out)
{
	ssize_t len = flistxattr(fd, NULL, 0); /* most files have none: one call */
	g_autofree char *names = NULL;

	if (len <= 0)
		return;
	names = g_malloc((size_t)len);
	len = flistxattr(fd, names, (size_t)len);
	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1)
		take_attribute(fd, names + at, meta_out);
}
