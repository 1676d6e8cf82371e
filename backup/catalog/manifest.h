/*
 * backup/catalog/manifest.h -- what a backup set says of itself.  A set exists when its manifest exists.
 *
 * A manifest is read from a place that others can write to: names of objects are checked to be of the set's own naming
 * (docs/format.md), without a path; versions newer than ours are refused; what is not ours is CORRUPT.
 */
#pragma once

#include "backup/archive/archive.h"
#include "backup/catalog/signed.h"
#include "backup/catalog/run-metrics.h"

#define HF_SET_ID_LEN 19 /* "2024-01-15_02-00-00", UTC */

typedef enum {
	HF_SET_COMPLETE,
	HF_SET_PARTIAL, /* committed, but a part of what was asked for is missing: note says what */
} HfSetStatus;

typedef struct {
	char *name;
	char *server_version;
	char *dump_version;
	char *encoding;
	char *collate;
	char *ctype;
	HfArchive *archive;
	HfArchive *globals;   /* NULL: globals_absent says why */
	char *globals_absent; /* NULL where globals is set */
	HfArchive *index;     /* the tables and the archive's member table */
	uint64_t tables;
	uint64_t rows;
} HfDatabaseRecord;

/* A tarball that this set's index refers to; it may have been written by an earlier set. */
typedef struct {
	unsigned number; /* what the index calls it; unique in a chain of sets, and kept for ever */
	char *set_id;    /* of the set that wrote it */
	HfArchive *archive;
	uint64_t live_objects; /* of this set's index: those whose content, or whose name, lies in it */
	uint64_t live_bytes;   /* packed bytes of their entries */
	/*
	 * The number of the oldest archive that a hard link in this one leads to; its own where none leads out.  Stock tar
	 * needs all from that one on, also where the link itself is dead.
	 */
	unsigned links_from;
} HfImageArchive;

/* Where a piece of the index begins: the key of its first line, and the piece's packed offset. */
typedef struct {
	char *key;
	uint64_t offset;
} HfIndexPiece;

typedef struct {
	char *key;
	char *reason;
} HfImageTrouble;

/* So many of the objects that could not be read are named in the manifest; the index has them all. */
#define HF_IMAGE_TROUBLES_MAX 100

typedef enum {
	HF_REFERENCE_MISSING, /* a row names it, and the set does not hold it */
	HF_REFERENCE_UNNAMED, /* the set holds it, and no row names it */
	HF_REFERENCE_KINDS,
} HfReferenceKind;

/* So many keys of each kind stand in the manifest; the list has them all. */
#define HF_REFERENCES_LISTED_MAX 100

/* What rows say of the images, in the dump's own snapshot. */
typedef struct {
	uint64_t named; /* keys that rows name */
	uint64_t counts[HF_REFERENCE_KINDS];
	GPtrArray *keys[HF_REFERENCE_KINDS]; /* of char *: the first ones */
	HfArchive *list;                     /* NULL where nothing differs (reference-list.h) */
} HfReferencesRecord;

typedef struct {
	char *source;        /* hf_store_location() of what was backed up */
	char *base;          /* the set whose index this run went on from; NULL: a full run */
	char *full_reason;   /* NULL, or why there was no base although none was asked for */
	GPtrArray *archives; /* of HfImageArchive, oldest first: extracted in this order they are the set */
	HfArchive *index;
	GPtrArray
		*pieces; /* of HfIndexPiece, in order; empty where the index has too many: then top is set */
	HfArchive *top;  /* NULL, or the pieces as an object of their own */
	HfArchive *parity; /* of the index (index-parity.h); NULL in sets of versions before it */
	HfArchive *dead;   /* NULL, or the list of paths to remove after the archives were extracted */
	uint64_t dead_paths;
	uint64_t objects, bytes; /* of the whole view, without those that could not be read */
	uint64_t added, changed, deleted, unchanged, troubled;
	GPtrArray *troubles;            /* of HfImageTrouble: the first ones */
	HfReferencesRecord *references; /* NULL: rows were not asked */
	char *interrupted; /* NULL, or why the run ended early: behind the last key it read, the view is that of base */
} HfImagesRecord;

/* A set that another one names, by the SHA-256 of its manifest's bytes. */
typedef struct {
	char id[HF_SET_ID_LEN + 1];
	char sha256[HF_SHA256_HEX_LEN + 1];
} HfLink;

/* So many are named at most: all that there are, where a store of an earlier version is gone on with. */
#define HF_LINKS_MAX 4096

typedef struct {
	char *id;
	HfSetStatus status;
	char *note; /* NULL, or a line for people */
	int64_t started_s;
	int64_t finished_s;
	char *host;
	char *program;              /* "holdfast 0.1.0" */
	HfDatabaseRecord *database; /* NULL: the set has none */
	HfImagesRecord *images;     /* NULL: the set has none */
	/* Where names are encrypted (manifest-private.h): sealed is NULL, or why they are not known here, nor any text above. */
	bool hides_names;
	char *sealed;
	GArray *previous; /* of HfLink: the newest sets before it (chain.h); NULL: it does not say */
	/* Of a set that was read; not a part of the stored manifest either. */
	char *sha256; /* of its bytes */
	HfSigned is_signed;
	HfRunMetrics *metrics; /* NULL: not known */
	/* Of a set that is being made; not a part of the stored manifest (backup/job/guard.h, docs/format.md). */
	GPtrArray *alarms;    /* NULL, or of char *: why it is suspect */
	char *alarms_against; /* NULL, or the id of the set that it was compared with */
} HfManifest;

HfManifest *hf_manifest_new(const char *id);
/* The same, with this host and program as who makes it; the run is measured from now on. */
HfManifest *hf_manifest_begin(const char *id, int64_t started_s);
/* All but the commit is done: that is when the run finished, and what it cost. */
void hf_manifest_end(HfManifest *manifest);
HfDatabaseRecord *hf_database_record_new(void);
void hf_database_record_free(HfDatabaseRecord *record);
HfImagesRecord *hf_images_record_new(void);
HfImageArchive *hf_images_record_add_archive(HfImagesRecord *record, unsigned number, const char *set_id);
/* The archive that the index calls number, or NULL.  Borrowed. */
HfImageArchive *hf_images_record_archive(const HfImagesRecord *record, unsigned number);
/* Counts it, and names it where not too many are named already. */
void hf_images_record_add_trouble(HfImagesRecord *record, const char *key, const char *reason);
HfReferencesRecord *hf_references_record_new(void);
/* Counts it, and names it where not too many are named already. */
void hf_references_record_add(HfReferencesRecord *record, HfReferenceKind kind, const char *key);
void hf_references_record_free(HfReferencesRecord *record);
void hf_images_record_free(HfImagesRecord *record);
void hf_manifest_free(HfManifest *manifest);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfManifest, hf_manifest_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfDatabaseRecord, hf_database_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfReferencesRecord, hf_references_record_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfImagesRecord, hf_images_record_free)

/* The JSON of docs/format.md, indented for people, with a line end. */
GBytes *hf_manifest_to_json(const HfManifest *manifest);

/*
 * CORRUPT, naming what is wrong; USAGE for a version that is newer than ours, with the remedy.  Names that are encrypted are
 * opened by keyring, which may be NULL; where it does not, the manifest is sealed.
 */
HfManifest *hf_manifest_parse(GBytes *json, const char *id, HfKeyring *keyring,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* DENIED, with the remedy, where names are encrypted and not known here: for whoever cannot do without them. */
bool hf_manifest_check_names(const HfManifest *manifest, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Adds a line for people, behind those that are there. */
void hf_manifest_add_note(HfManifest *manifest, const char *note);

/* What all the set's objects take in the store. */
uint64_t hf_manifest_stored_bytes(const HfManifest *manifest);

/* "database", "images", "full" */
const char *hf_manifest_kind(const HfManifest *manifest);
