#include "config.h"

#include "backup/age/keyring.h"
#include "backup/archive/archive.h"
#include "backup/archive/copy.h"
#include "backup/stage/gzip.h"
#include "backup/stage/stage-impl.h"
#include "backup/stage/zstd.h"
#include "common/error.h"

/*
 * The end of the chain: cuts the packed stream into parts, each  [copy -> age ->] digest -> object.  A part that is complete is closed
 * when the next byte comes, so that no empty part is left at the end.
 */
typedef struct {
	HfStage base;
	HfStore *store;
	HfArchive *record;
	HfMembers *members; /* what the compressor fills.  NULL without compression */
	bool owns_members;  /* they are the record's at finish */
	HfArchive *done;    /* the parts that are committed */
	char *stem, *extension;
	uint64_t limit_bytes;
	bool cuts_anywhere; /* without compression every byte is a place to cut at */
	bool is_full;       /* the next byte goes into the next part */
	HfStage *part;      /* the head of the open part's chain */
	HfStage *digest;    /* in it */
	HfStage *age;       /* in it; NULL where it is not encrypted */
	HfStage *copying;   /* in it; NULL where no copy is kept */
	uint64_t part_bytes;
} Split;

static char *
part_key(const Split *split)
{
	return hf_archive_part_key(split->done, split->stem, split->extension, split->done->parts->len + 1);
}

/* Under the part's own key, but for the word that says that it is encrypted. */
static HfStage *
open_copy(Split *split)
{
	g_autofree char *key = NULL;

	if (!split->done->copy)
		return NULL;
	key = hf_archive_part_key(split->done->copy, split->stem, split->extension,
				  split->done->parts->len + 1);
	return hf_copy_new(split->part, hf_store_copies(split->store), key);
}

static bool
open_part(Split *split, GError **error)
{
	g_autofree char *key = part_key(split);
	HfStage *object = hf_store_write(split->store, key, NULL, error);

	if (!object)
		return false;
	split->part = split->digest = hf_digest_new(object);
	if (split->done->is_encrypted) {
		split->part = split->age = hf_age_new(
			split->digest, hf_keyring_recipients(hf_store_keyring(split->store)), error);
		if (!split->age)
			return false;
	}
	split->copying = open_copy(split);
	if (split->copying)
		split->part = split->copying;
	split->part_bytes = 0;
	split->is_full = false;
	return true;
}

static bool
close_part(Split *split, GError **error)
{
	g_autofree char *key = NULL;
	char hex[HF_SHA256_HEX_LEN + 1];

	if (!hf_stage_finish(split->part, error))
		return false;
	key = part_key(split);
	hf_digest_hex(split->digest, hex);
	hf_archive_add_part(split->done, key, hf_digest_bytes(split->digest), hex);
	if (split->done->is_encrypted &&
	    !hf_archive_seal_part(split->done, hf_age_prologue(split->age), error))
		return false;
	/* A copy that could not be kept is none, as a whole. */
	if (split->copying && !hf_copy_record(split->copying, split->done->copy))
		g_clear_pointer(&split->done->copy, hf_archive_free);
	g_clear_pointer(&split->part, hf_stage_free);
	return true;
}

static bool
split_write(HfStage *self, const void *buf, size_t len, GError **error)
{
	Split *split = (Split *)self;
	const char *bytes = buf;

	while (len > 0) {
		size_t fits = len;

		if (split->is_full && (!close_part(split, error) || !open_part(split, error)))
			return false;
		if (split->cuts_anywhere)
			fits = (size_t)MIN(len, split->limit_bytes - split->part_bytes);
		if (!hf_stage_write(split->part, bytes, fits, error))
			return false;
		split->part_bytes += fits;
		split->is_full = split->cuts_anywhere && split->part_bytes == split->limit_bytes;
		bytes += fits;
		len -= fits;
	}
	return true;
}

static bool
split_mark(HfStage *self, GError **error)
{
	Split *split = (Split *)self;

	(void)error;
	if (split->part_bytes >= split->limit_bytes)
		split->is_full = true;
	return true;
}

static bool
split_finish(HfStage *self, GError **error)
{
	Split *split = (Split *)self;
	HfArchive *record = split->record;

	if (!close_part(split, error))
		return false;
	g_ptr_array_unref(record->parts);
	record->parts = g_ptr_array_ref(split->done->parts);
	record->is_encrypted = split->done->is_encrypted;
	record->packed_bytes = split->done->packed_bytes;
	record->plain_bytes = split->members ? hf_members_plain_bytes(split->members) : record->packed_bytes;
	if (split->owns_members)
		record->members = g_steal_pointer(&split->members);
	record->copy = g_steal_pointer(&split->done->copy);
	if (record->copy)
		record->copy->plain_bytes = record->plain_bytes;
	return true;
}

static void
split_discard(HfStage *self)
{
	Split *split = (Split *)self;
	g_autoptr(GPtrArray) keys = g_ptr_array_new();

	g_clear_pointer(&split->part, hf_stage_free);
	for (guint i = 0; i < split->done->parts->len; i++)
		g_ptr_array_add(keys, ((HfPart *)g_ptr_array_index(split->done->parts, i))->key);
	g_ptr_array_add(keys, NULL);
	/* A discard cannot fail; who must know looks into the store (a set's writer does). */
	(void)!hf_store_remove(split->store, (const char *const *)keys->pdata, NULL);
}

static void
split_clear(HfStage *self)
{
	Split *split = (Split *)self;

	hf_stage_free(split->part);
	if (split->owns_members)
		hf_members_free(split->members);
	hf_archive_free(split->done);
	g_free(split->stem);
	g_free(split->extension);
}

static const HfStageOps split_ops = {
	.name = "archive",
	.write = split_write,
	.mark = split_mark,
	.finish = split_finish,
	.discard = split_discard,
	.clear = split_clear,
};

static HfMembers *
members_for(Split *split, const HfArchiveOptions *options)
{
	split->owns_members = !options->live_members;
	split->members = options->live_members ? options->live_members : hf_members_new();
	return split->members;
}

static HfStage *
compress_into(Split *split, const HfArchiveOptions *options)
{
	const HfGzipOptions gzip = {.level = options->compression.level,
				    .cuts_at_marks = options->cuts_at_marks};
	const HfZstdOptions zstd = {.level = options->compression.level,
				    .cuts_at_marks = options->cuts_at_marks};

	switch (options->compression.kind) {
	case HF_COMPRESSION_GZIP:
		return hf_gzip_new(&split->base, &gzip, members_for(split, options));
	case HF_COMPRESSION_ZSTD:
		return hf_zstd_new(&split->base, &zstd, members_for(split, options));
	case HF_COMPRESSION_NONE:
		split->cuts_anywhere = !options->cuts_at_marks;
		return &split->base;
	}
	g_assert_not_reached();
}

static bool
is_to_be_encrypted(const HfKeyring *keyring, const HfArchiveOptions *options)
{
	return hf_keyring_recipients(keyring) && !options->is_public &&
	       (!options->is_metadata || hf_keyring_hides_names(keyring));
}

HfStage *
hf_archive_write(HfStore *store, const HfArchiveOptions *options, HfArchive *record, GError **error)
{
	Split *split = g_new0(Split, 1);

	g_assert(record->compression == options->compression.kind && record->parts->len == 0);
	hf_stage_init(&split->base, &split_ops, NULL);
	split->store = store;
	split->record = record;
	split->done = hf_archive_new(record->compression);
	split->done->is_encrypted = is_to_be_encrypted(hf_store_keyring(store), options);
	if (split->done->is_encrypted && options->is_metadata && hf_store_copies(store))
		split->done->copy = hf_archive_new(record->compression);
	split->stem = g_strdup(options->stem);
	split->extension = g_strdup(options->extension);
	split->limit_bytes = options->archive_bytes ? options->archive_bytes : HF_ARCHIVE_BYTES_DEFAULT;
	if (open_part(split, error))
		return compress_into(split, options);
	hf_stage_free(&split->base);
	return NULL;
}
