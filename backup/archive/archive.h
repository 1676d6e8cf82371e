/*
 * backup/archive/archive.h -- one compressed stream, stored as one object or more.
 *
 * An archive that reaches archive_bytes goes on in a next object, cut between two members, so each object is a valid
 * file and `gunzip -c` of all in order is the stream.  The record says what was stored; it is what a manifest holds of
 * an archive.  Names: docs/format.md.
 *
 * Where the store has a keyring with recipients, each part is written as an age file of its own; offsets into the packed stream
 * are of what is inside.  Reading such an archive takes the store's keyring, or a copy of this host's own: else DENIED.
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
	uint64_t bytes;        /* as stored */
	uint64_t packed_bytes; /* of the packed stream in it: bytes where it is not encrypted */
	GBytes *prologue;      /* NULL, or how its age file begins (backup/age/age.h) */
	char sha256[HF_SHA256_HEX_LEN +
		    1]; /* "" where it is not known (files of the earlier implementation) */
} HfPart;

typedef struct HfArchive {
	HfCompressionKind compression;
	bool is_encrypted; /* each part is an age file */
	uint64_t plain_bytes;
	uint64_t packed_bytes; /* of all parts: compressed, not encrypted */
	GPtrArray *parts;      /* of HfPart, in order, at least one once written */
	HfMembers *members;    /* NULL where it was not kept or read */
	/* NULL, or the same packed stream in the clear, in hf_store_copies(): it is read where the keyring opens nothing. */
	struct HfArchive *copy;
} HfArchive;

/*
 * The key of an archive's part, counted from 1: STEM.sql.gz, STEM.part0002.sql.gz, ..., with .age behind it where it is
 * encrypted.  g_free() it.  extension as in HfArchiveOptions.
 */
char *hf_archive_part_key(const HfArchive *archive, const char *stem, const char *extension, unsigned number);

HfArchive *hf_archive_new(HfCompressionKind kind);
void hf_archive_add_part(HfArchive *archive, const char *key, uint64_t bytes, const char *sha256_hex);

/*
 * Says that the part that was added last is an age file with this prologue, of which a reference is taken.  CORRUPT where no
 * age file has that many bytes.
 */
bool hf_archive_seal_part(HfArchive *archive, GBytes *prologue, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What the parts take in the store.  archive may be NULL: 0. */
uint64_t hf_archive_stored_bytes(const HfArchive *archive);
/* Without its members and its copy in the clear. */
HfArchive *hf_archive_copy(const HfArchive *archive);
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
	 * Names and sizes, no content: encrypted only where the keyring hides names, and then with a copy in the clear in
	 * hf_store_copies(), so that a host without an identity goes on from it.
	 */
	bool is_metadata;
	bool is_public; /* tells nothing, and is never encrypted */
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

/* Whether it is encrypted and the store's keyring has nothing to read it with. */
bool hf_archive_is_sealed(const HfStore *store, const HfArchive *archive);

/* Where no key opens it and this host has a copy of it: that one, and the store that it lies in.  Else both are left as they are. */
void hf_archive_prefer_copy(HfStore **store, const HfArchive **archive);

/*
 * Reads the whole archive as it is stored, and compares each part's size and digest; nothing is decrypted or unpacked.  bytes is
 * added to, atomically.  Fails as hf_archive_read() does.
 */
bool hf_archive_check_stored(HfStore *store, const HfArchive *archive, uint64_t *bytes,
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

/*
 * A stage that decrypts a whole part, as it is stored; next itself where it is not encrypted.  Takes next, also on failure;
 * DENIED where the store's keyring does not open it.
 */
HfStage *hf_archive_open_part(HfStore *store, const HfPart *part, HfStage *next,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A stage that unpacks; for HF_COMPRESSION_NONE it is next itself.  Takes next. */
HfStage *hf_compression_unpack(HfCompressionKind kind, HfStage *next);
