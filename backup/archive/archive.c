#include "config.h"

#include "backup/age/age.h"
#include "backup/archive/archive.h"
#include "common/error.h"

#include <string.h>

/* The one table of what compressions there are. */
static const struct {
	const char *name;
	const char *suffix;
	int level_max; /* 0: takes none */
} kinds[] = {
	[HF_COMPRESSION_GZIP] = {"gzip", ".gz", 9},
	[HF_COMPRESSION_ZSTD] = {"zstd", ".zst", 19},
	[HF_COMPRESSION_NONE] = {"none", "", 0},
};

const char *
hf_compression_name(HfCompressionKind kind)
{
	return kinds[kind].name;
}

const char *
hf_compression_suffix(HfCompressionKind kind)
{
	return kinds[kind].suffix;
}

bool
hf_compression_from_name(const char *name, HfCompressionKind *kind_out)
{
	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0) {
			*kind_out = (HfCompressionKind)i;
			return true;
		}
	return false;
}

bool
hf_compression_parse(const char *text, HfCompression *compression_out, GError **error)
{
	size_t len = strcspn(text, ":");
	g_autofree char *name = g_strndup(text, len);
	HfCompression compression = {0};
	guint64 level = 0;

	if (hf_compression_from_name(name, &compression.kind) &&
	    (text[len] == 0 ||
	     (kinds[compression.kind].level_max > 0 &&
	      g_ascii_string_to_unsigned(text + len + 1, 10, 1, (guint64)kinds[compression.kind].level_max,
					 &level, NULL)))) {
		compression.level = (int)level;
		*compression_out = compression;
		return true;
	}
	return hf_error_set(error, HF_ERROR_USAGE,
			    "compression \"%s\" is not known: use gzip, gzip:1 to gzip:9, zstd, zstd:1 to "
			    "zstd:19, or none",
			    text);
}

char *
hf_archive_part_key(const HfArchive *archive, const char *stem, const char *extension, unsigned number)
{
	const char *suffix = hf_compression_suffix(archive->compression);
	const char *sealed = archive->is_encrypted ? ".age" : "";

	if (number == 1)
		return g_strconcat(stem, extension, suffix, sealed, NULL);
	return g_strdup_printf("%s.part%04u%s%s%s", stem, number, extension, suffix, sealed);
}

static void
part_free(gpointer data)
{
	HfPart *part = data;

	g_free(part->key);
	g_clear_pointer(&part->prologue, g_bytes_unref);
	g_free(part);
}

HfArchive *
hf_archive_new(HfCompressionKind kind)
{
	HfArchive *archive = g_new0(HfArchive, 1);

	archive->compression = kind;
	archive->parts = g_ptr_array_new_with_free_func(part_free);
	return archive;
}

void
hf_archive_add_part(HfArchive *archive, const char *key, uint64_t bytes, const char *sha256_hex)
{
	HfPart *part = g_new0(HfPart, 1);

	part->key = g_strdup(key);
	part->bytes = bytes;
	part->packed_bytes = bytes;
	g_strlcpy(part->sha256, sha256_hex, sizeof part->sha256);
	archive->packed_bytes += bytes;
	g_ptr_array_add(archive->parts, part);
}

bool
hf_archive_seal_part(HfArchive *archive, GBytes *prologue, GError **error)
{
	HfPart *part = g_ptr_array_index(archive->parts, archive->parts->len - 1);
	uint64_t inside;

	if (!hf_age_plain_bytes(part->bytes, g_bytes_get_size(prologue), &inside))
		return hf_error_set(error, HF_ERROR_CORRUPT,
				    "\"%s\": no encrypted file has %" G_GUINT64_FORMAT " bytes", part->key,
				    part->bytes);
	archive->packed_bytes -= part->packed_bytes - inside;
	part->packed_bytes = inside;
	part->prologue = g_bytes_ref(prologue);
	return true;
}

HfArchive *
hf_archive_copy(const HfArchive *archive)
{
	HfArchive *copy = hf_archive_new(archive->compression);

	copy->is_encrypted = archive->is_encrypted;
	copy->plain_bytes = archive->plain_bytes;
	for (guint i = 0; i < archive->parts->len; i++) {
		const HfPart *part = g_ptr_array_index(archive->parts, i);

		hf_archive_add_part(copy, part->key, part->bytes, part->sha256);
		/* It was sealed once, so it can be again. */
		if (part->prologue && !hf_archive_seal_part(copy, part->prologue, NULL))
			g_assert_not_reached();
	}
	return copy;
}

uint64_t
hf_archive_stored_bytes(const HfArchive *archive)
{
	uint64_t bytes = 0;

	for (guint i = 0; archive && i < archive->parts->len; i++)
		bytes += ((const HfPart *)g_ptr_array_index(archive->parts, i))->bytes;
	return bytes;
}

void
hf_archive_free(HfArchive *archive)
{
	if (!archive)
		return;
	g_ptr_array_unref(archive->parts);
	hf_members_free(archive->members);
	hf_archive_free(archive->copy);
	g_free(archive);
}
