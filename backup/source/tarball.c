#include "config.h"

#include "backup/source/tarball.h"
#include "backup/store/meta.h"
#include "common/error.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

/* Objects have neither owner nor mode; tar wants some. */
#define ENTRY_MODE 0644

/* Under the one prefix that an unprivileged user may set on Linux (xattr(7)); the others: backup/store/meta.h. */
#define KEY_ATTRIBUTE "user.holdfast.key"

struct HfTarball {
	HfStage *into;
	struct archive *archive;
	struct archive_entry *entry; /* reused */
	uint64_t offset;
	uint64_t left; /* of the open entry's content */
	GError *error; /* what the chain said, for who called libarchive */
};

/*
 * Names are UTF-8 (hf_tarball_path()), but libarchive takes them for the locale's character set, which in locale C
 * makes it crash (docs/facts.md); and with hdrcharset=BINARY GNU tar warns at each entry.  Only this thread's locale is
 * changed, and only meanwhile.  A C library that does not have C.UTF-8 leaves it as it is.
 */
static locale_t
enter_utf8(void)
{
	static gsize utf8;

	if (g_once_init_enter(&utf8)) {
		locale_t made = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);

		g_once_init_leave(&utf8, made ? (gsize)made : (gsize)LC_GLOBAL_LOCALE);
	}
	return uselocale((locale_t)utf8);
}

static la_ssize_t
on_bytes(struct archive *archive, void *context, const void *buf, size_t len)
{
	HfTarball *tarball = context;

	if (tarball->error || !hf_stage_write(tarball->into, buf, len, &tarball->error)) {
		archive_set_error(archive, EIO, "the chain failed");
		return ARCHIVE_FATAL;
	}
	tarball->offset += len;
	return (la_ssize_t)len;
}

/* Only what is worse than a warning is a failure (docs/facts.md). */
static bool
is_done(HfTarball *tarball, int rc, const char *what, GError **error)
{
	if (rc >= ARCHIVE_WARN)
		return true;
	if (!tarball->error)
		return hf_error_set(error, HF_ERROR_FAILED, "tarball, %s: %s", what,
				    archive_error_string(tarball->archive));
	g_propagate_error(error, g_steal_pointer(&tarball->error));
	return false;
}

HfTarball *
hf_tarball_new(HfStage *into)
{
	HfTarball *tarball = g_new0(HfTarball, 1);
	locale_t before = enter_utf8();
	struct archive *archive = archive_write_new();
	int rc;

	tarball->into = into;
	tarball->archive = archive;
	tarball->entry = archive_entry_new();
	g_assert(archive && tarball->entry);
	/* "restricted": a pax header only where an entry needs one. */
	rc = archive_write_set_format_pax_restricted(archive);
	rc |= archive_write_set_format_option(archive, "pax", "xattrheader", "SCHILY");
	rc |= archive_write_set_bytes_per_block(archive, 0);
	rc |= archive_write_set_bytes_in_last_block(archive, 1);
	rc |= archive_write_open(archive, tarball, NULL, on_bytes, NULL);
	g_assert(rc == ARCHIVE_OK);
	uselocale(before);
	return tarball;
}

static void
add_attribute(HfTarball *tarball, const char *name, const char *value)
{
	if (value)
		archive_entry_xattr_add_entry(tarball->entry, name, value, strlen(value));
}

/* libarchive percent-encodes what a pax keyword cannot hold. */
static void
add_user_attributes(HfTarball *tarball, GHashTable *user)
{
	GHashTableIter iter;
	gpointer name, value;

	if (!user)
		return;
	g_hash_table_iter_init(&iter, user);
	while (g_hash_table_iter_next(&iter, &name, &value)) {
		g_autofree char *attribute = g_strconcat(HF_META_USER_ATTRIBUTE, (const char *)name, NULL);

		add_attribute(tarball, attribute, value);
	}
}

static void
fill_entry(HfTarball *tarball, const HfTarEntry *entry)
{
	const HfObjectMeta *meta = entry->meta;

	archive_entry_clear(tarball->entry);
	archive_entry_set_pathname(tarball->entry, entry->path);
	archive_entry_set_filetype(tarball->entry, AE_IFREG);
	archive_entry_set_perm(tarball->entry, ENTRY_MODE);
	archive_entry_set_mtime(tarball->entry, (time_t)entry->modified_s, 0);
	archive_entry_set_size(tarball->entry, (la_int64_t)entry->bytes);
	if (entry->link)
		archive_entry_set_hardlink(tarball->entry, entry->link);
	if (strcmp(entry->key, entry->path) != 0)
		add_attribute(tarball, KEY_ATTRIBUTE, entry->key);
	if (!meta)
		return;
	for (HfMetaField field = 0; field < HF_META_FIELDS; field++)
		add_attribute(tarball, hf_meta_attribute(field), hf_meta_get(meta, field));
	add_user_attributes(tarball, meta->user);
}

bool
hf_tarball_begin(HfTarball *tarball, const HfTarEntry *entry, uint64_t *data_offset_out, GError **error)
{
	uint64_t start = tarball->offset;
	locale_t before;
	int rc;

	g_assert(tarball->left == 0 && (!entry->link || entry->bytes == 0));
	fill_entry(tarball, entry);
	before = enter_utf8();
	rc = archive_write_header(tarball->archive, tarball->entry);
	uselocale(before);
	if (!is_done(tarball, rc, entry->path, error))
		return false;
	tarball->left = entry->bytes;
	*data_offset_out = tarball->offset - start;
	return true;
}

bool
hf_tarball_write(HfTarball *tarball, const void *buf, size_t len, GError **error)
{
	const char *bytes = buf;

	if (len > tarball->left)
		return hf_error_set(error, HF_ERROR_FAILED, "tarball: more bytes came than were announced");
	tarball->left -= len;
	while (len > 0) {
		la_ssize_t written = archive_write_data(tarball->archive, bytes, len);

		if (written <= 0)
			return is_done(tarball, ARCHIVE_FATAL, "content", error);
		bytes += written;
		len -= (size_t)written;
	}
	return true;
}

bool
hf_tarball_end(HfTarball *tarball, GError **error)
{
	if (tarball->left > 0)
		return hf_error_set(error, HF_ERROR_FAILED,
				    "tarball: %" G_GUINT64_FORMAT " bytes fewer came than were announced",
				    tarball->left);
	return is_done(tarball, archive_write_finish_entry(tarball->archive), "padding", error) &&
	       hf_stage_mark(tarball->into, error);
}

uint64_t
hf_tarball_offset(const HfTarball *tarball)
{
	return tarball->offset;
}

bool
hf_tarball_close(HfTarball *tarball, GError **error)
{
	return is_done(tarball, archive_write_close(tarball->archive), "end", error);
}

void
hf_tarball_free(HfTarball *tarball)
{
	if (!tarball)
		return;
	/* Else it would write the end blocks into a chain that is to be discarded. */
	if (!tarball->error)
		tarball->error = g_error_new_literal(HF_ERROR, HF_ERROR_FAILED, "discarded");
	archive_write_free(tarball->archive);
	archive_entry_free(tarball->entry);
	g_clear_error(&tarball->error);
	g_free(tarball);
}
