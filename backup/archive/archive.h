/*
 * backup/archive/archive.h -- one compressed stream, stored as one object or more.
 *
 * An archive that reaches archive_bytes goes on in a next object, cut between two members, so each object is a valid
 * file and `gunzip -c` of all in order is the stream.  The record says what was stored; it is what a manifest holds of
 * an archive.  Names: docs/format.md.
 */
#pragma once

#include "backup/stage/digest.h"
#include "backup/stage/members.h"
#include "backup/store/store.h"

typedef enum {
	HF_COMPRESSION_GZIP,
	HF_COMPRESSION_ZSTD,
	HF_COMPRESSION_NONE
} HfCompressionKind;

/* What BACKUP_COMPRESSION says: "gzip", "gzip:6", "zstd", "zstd:3", "none".  level 0 is the kind's default. */
typedef struct {
	HfCompressionKind kind;
	int level;
} HfCompression;

bool hf_compression_parse(const char *text, HfCompression *compression_out,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "gzip", "zstd", "none" */
const char *hf_compression_name(HfCompressionKind kind);
bool hf_compression_from_name(const char *name, HfCompressionKind *kind_out);

/* ".gz", ".zst", "" */
const char *hf_compression_suffix(HfCompressionKind kind);

typedef struct {
	char *key;
	uint64_t bytes;
	char sha256[HF_SHA256_HEX_LEN +
		    1]; /* "" where it is not known (files of the earlier implementation) */
} HfPart;

typedef struct {
	HfCompressionKind compression;
	uint64_t plain_bytes;
	uint64_t packed_bytes; /* of all parts */
	GPtrArray *parts;      /* of HfPart, in order, at least one once written */
	HfMembers *members;    /* NULL where it was not kept or read */
} HfArchive;

/*
 * The key of an archive's part, counted from 1: STEM.sql.gz, STEM.part0002.sql.gz, ...  g_free() it.
 * extension as in HfArchiveOptions.
 */
char *hf_archive_part_key(const char *stem, const char *extension, HfCompressionKind kind, unsigned number);

HfArchive *hf_archive_new(HfCompressionKind kind);
void hf_archive_add_part(HfArchive *archive, const char *key, uint64_t bytes, const char *sha256_hex);
void hf_archive_free(HfArchive *archive);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfArchive, hf_archive_free)

#define HF_ARCHIVE_BYTES_DEFAULT ((uint64_t)100 << 30)

/* Zero means the default, which is written behind each. */
typedef struct {
	const char *stem;      /* required: "database_backup_2024-01-15_02-00-00" */
	const char *extension; /* required: ".sql", ".tar", ".index.jsonl" */
	HfCompression compression;
	uint64_t archive_bytes; /* 100 GiB; a part ends at the first member end past it */
	bool cuts_at_marks;     /* see backup/stage/gzip.h */
	/*
	 * NULL: the record gets the member table at finish.  Else, borrowed, it grows while the archive is written, for
	 * who takes its members out meanwhile; the record gets none.  Without compression there are no members.
	 */
	HfMembers *live_members;
} HfArchiveOptions;

/*
 * A stage that compresses and stores what is written.  At finish record, which the caller owns and keeps until then,
 * says what was stored; discarding the stage removes the parts that were complete already.  Borrows store.
 */
HfStage *hf_archive_write(HfStore *store, const HfArchiveOptions *options, HfArchive *record,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Reads the whole archive, part after part: each part's size and digest are checked, then it is unpacked into `into`,
 * which is left open.  CORRUPT or NOT_FOUND names the part, and the set's other objects are not touched.
 */
bool hf_archive_read(HfStore *store, const HfArchive *archive, HfStage *into,
		     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads the plain bytes of range by one ranged read a part; needs archive->members. */
bool hf_archive_read_range(HfStore *store, const HfArchive *archive, HfRange range, HfStage *into,
			   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Unpacks the members that lie in the packed range (through all parts; it begins and ends between two members) into
 * `into`, which is left open, by one ranged read a part.  CORRUPT where the range is not wholly inside the archive.
 */
bool hf_archive_read_members(HfStore *store, const HfArchive *archive, HfRange packed, HfStage *into,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same range as it is stored, not unpacked. */
bool hf_archive_read_packed(HfStore *store, const HfArchive *archive, HfRange packed, HfStage *into,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A stage that unpacks; for HF_COMPRESSION_NONE it is next itself.  Takes next. */
HfStage *hf_compression_unpack(HfCompressionKind kind, HfStage *next);
