/*
 * backup/catalog/names.h -- the names of a set's objects, as docs/format.md ("Names") gives them.
 */
#pragma once

#include "backup/archive/archive.h"
#include "backup/store/keeping.h"

#define HF_DATABASE_PREFIX "database_backup"
#define HF_IMAGES_PREFIX "images_backup"
#define HF_SET_PREFIX "backup"

#define HF_EXT_DUMP ".sql"
#define HF_EXT_GLOBALS ".globals.sql"
#define HF_EXT_INDEX ".index.jsonl"
#define HF_EXT_TARBALL ".tar"
#define HF_EXT_TOP ".index.top.jsonl"
#define HF_EXT_PARITY ".index.parity"
#define HF_EXT_DEAD ".dead"
#define HF_EXT_REFERENCES ".references.jsonl"

/* Everything but the set's id stands here; g_free() what is returned. */
char *hf_name_stem(const char *prefix, const char *id); /* "database_backup_<id>" */
char *hf_name_manifest(const char *id);
char *hf_name_restore(const char *id);
char *hf_name_restore_sealed(
	const char *id); /* of a set whose names are encrypted: the commands themselves */
char *hf_name_claim(const char *id);
char *hf_name_proof(const char *id, int level);
char *hf_name_hold(const char *id);
char *hf_name_failed_proof(const char *id, int level);
char *hf_name_suspect(const char *id);
char *hf_name_accepted(const char *id);
char *hf_name_deletion(const char *id);

typedef enum {
	HF_NAME_OTHER,     /* not ours */
	HF_NAME_MANIFEST,  /* id */
	HF_NAME_PROOF,     /* id, level */
	HF_NAME_FAILED,    /* id, level: a proof of it that failed */
	HF_NAME_SUSPECT,   /* id */
	HF_NAME_ACCEPTED,  /* id */
	HF_NAME_CLAIM,     /* id */
	HF_NAME_HOLD,      /* id */
	HF_NAME_BESIDE,    /* RESTORE.txt, RESTORE.txt.age */
	HF_NAME_SIGNATURE, /* id: of its manifest */
	HF_NAME_DELETION,  /* id: the record that it was deleted, or that one's signature (deletion.h) */
	HF_NAME_DATABASE,  /* an object of a set's database, or a file of the earlier implementation */
	HF_NAME_IMAGES,    /* the same of images */
} HfNameKind;

typedef struct {
	HfNameKind kind;
	char id[20];        /* "" where the name holds no time */
	int level;          /* HF_NAME_PROOF, HF_NAME_FAILED */
	bool is_adoptable;  /* a whole archive by its name: *.sql.gz or *.tar.gz, no globals, no later part */
	bool is_later_part; /* .part0002 and on */
	bool has_own_form;  /* the time stands in our form and a dot follows: it may be an object of set id */
	bool is_own; /* word by word one of the names of docs/format.md: what else there is, is not ours to remove */
	int64_t time_s; /* of id */
} HfName;

/* What a key says. */
HfName hf_name_read(const char *key);

/*
 * Whether a set needs this object unchanged for as long as it exists, and whether only a restore reads it: docs/format.md,
 * "What a bucket is asked for".
 */
HfKeeping hf_name_keeping(const char *key);
