/*
 * backup/catalog/catalog.h -- which sets a store holds, and how a new one gets in.
 *
 * Objects of the earlier Node implementation (database_backup_*.sql.gz, images_backup_*.tar.gz without a manifest)
 * are adopted: listed as unverified, and read like others.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/source/scan.h"

/* One row of a list. */
typedef struct {
	char *id;         /* for an adopted file: from its name, or the name itself where it holds no time */
	const char *kind; /* "database", "images", "full"; static */
	int level;        /* 0 unverified (adopted), 1 stored, 2 read, ... */
	HfSetStatus status;
	bool is_adopted;
	bool is_damaged; /* a manifest is there, but cannot be read: trouble says why */
	char *trouble;
	int64_t started_s;
	uint64_t bytes;       /* in the store */
	HfManifest *manifest; /* NULL where is_damaged */
	/* What lies beside the manifest (marks.h). */
	bool is_suspect; /* an alarm was raised, or a proof failed: suspect_reason says what, also once accepted */
	char *suspect_reason; /* NULL: not suspect */
	bool is_accepted;     /* somebody looked and said that it is good */
	unsigned proofs;      /* bit N: a proof of level N is recorded */
	int failed_level;     /* the lowest level whose last proof failed; 0: none */
	bool is_held;         /* nothing deletes it until it is released (hold.h) */
	char *hold_reason;    /* NULL where none was given, or it cannot be read */
	char *file_key;       /* of an adopted file: its key; else NULL */
	HfSigned is_signed; /* its manifest; UNCHECKED: a signature is there, and nothing to check it with */
} HfSet;

/* Complete or accepted, not damaged, and not suspect or accepted.  An adopted file is as good as we know. */
bool hf_set_is_good(const HfSet *set);

void hf_set_free(HfSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfSet, hf_set_free)

/* All sets, of HfSet, oldest first. */
GPtrArray *hf_catalog_list(HfStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The ids of all sets that have a manifest, of char *, oldest first: one listing, nothing is read. */
GPtrArray *hf_catalog_list_ids(HfStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * For who lists and then reads the manifests by any of these: says that the object, as it was just listed, will be read if it is a
 * manifest, or a signature that is checked (backup/store/expect.h).  hf_store_expect_nothing() when all are read.
 */
void hf_catalog_expect(HfStore *store, const HfObject *object);

/* The manifest of a set of ours, by its whole id.  CORRUPT also where its signature is wrong (signed.h). */
HfManifest *hf_catalog_read_manifest(HfStore *store, const char *id,
				     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same with this host's own copy (own-copy.h) where there is one: for a run, which goes on from what it knows. */
HfManifest *hf_catalog_read_known(HfStore *store, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a list: its names stay sealed where opening each would take long (hf_keyring_is_quick()). */
HfManifest *hf_catalog_read_listed(HfStore *store, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Opens the names of a listed set that a passphrase closes: a list does without, since each takes a quarter of a second. */
bool hf_catalog_open_names(HfStore *store, HfSet *set, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same as it is stored, whatever it is worth. */
GBytes *hf_catalog_read_manifest_bytes(HfStore *store, const char *id,
				       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * One set by its id or a unique beginning of it; "latest" is the newest good one of our own (one that is suspect only
 * where there is no other), or the newest adopted one where there is none.  NOT_FOUND names what there is.
 */
HfSet *hf_catalog_find(HfStore *store, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Reads the index of a set's database: its tables, of HfTable; and fills archive->members. */
GPtrArray *hf_catalog_read_tables(HfStore *store, HfManifest *manifest,
				  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ---- a new set ---- */

typedef struct HfSetWriter HfSetWriter;

/*
 * Begins a set under an id of now_s, or of the next free second where a set or a file of that id exists.  Freed
 * without commit, it removes everything that was stored through it.  Borrows store.
 */
HfSetWriter *hf_set_writer_new(HfStore *store, int64_t now_s, GError **error) G_GNUC_WARN_UNUSED_RESULT;
const char *hf_set_writer_id(const HfSetWriter *writer);
HfStore *hf_set_writer_store(const HfSetWriter *writer); /* borrowed, as it was given */

/*
 * A writer of the same set for another thread, with a store handle of its own that was opened on the same place.  It
 * stores archives and does not commit.  Freed, it removes what was stored through it, and nothing else; joined, which
 * frees it as well, that becomes the first writer's.  Both calls are made by the thread that has the first writer.
 */
HfSetWriter *hf_set_writer_fork(const HfSetWriter *writer, HfStore *store);
void hf_set_writer_join(HfSetWriter *writer, HfSetWriter *fork);

/* A stage that stores an archive of this set; options->stem is ignored and made from the id and prefix
 * ("database_backup").  record as in hf_archive_write(). */
HfStage *hf_set_writer_archive(HfSetWriter *writer, const char *prefix, const HfArchiveOptions *options,
			       HfArchive *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Stores the index of the set's database: the tables, then the member table of record->archive; fills record->index. */
bool hf_set_writer_index(HfSetWriter *writer, HfDatabaseRecord *record, const GPtrArray *tables,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Stores RESTORE.txt, why the set is suspect where it is, the signature where the store has a key to sign with, then the manifest,
 * last and only if absent.  Fills manifest->previous (chain.h).  CONFLICT where another host was faster.
 */
bool hf_set_writer_commit(HfSetWriter *writer, HfManifest *manifest,
			  GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_set_writer_free(HfSetWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfSetWriter, hf_set_writer_free)
