/*
 * backup/store/upkeep.h -- what a store knows beside its objects: writes that were never finished, what becomes of what is
 * removed, and what may not be removed yet.
 *
 * None of it is needed to store or to restore: prune and doctor ask.  A server that does not know a question, or does not
 * answer it to us, is no error.
 */
#pragma once

#include "backup/store/store.h"

/* A write that nobody finishes any more. */
typedef struct {
	char *key;       /* in a folder: the temporary file */
	char *upload_id; /* NULL in a folder */
	int64_t begun_s; /* by the store's clock */
} HfUnfinished;

void hf_unfinished_free(HfUnfinished *unfinished);

/*
 * Those whose key begins with prefix: multipart uploads that were begun before before_s; in a folder the temporary files
 * that no process holds, whatever their age and their key, which nobody knows any more.  Of HfUnfinished.
 */
GPtrArray *hf_store_unfinished(HfStore *store, const char *prefix, int64_t before_s,
			       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Gives up what it holds.  One that is gone, or was taken up again, is no error. */
bool hf_store_abandon(HfStore *store, const HfUnfinished *unfinished,
		      GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef enum {
	HF_VERSIONS_NONE, /* what is removed is gone; and where nothing is known */
	HF_VERSIONS_KEPT, /* what is removed stays as an older version (S3 User Guide, "Deleting object versions") */
	HF_VERSIONS_SUSPENDED, /* that goes for what was stored while they were kept */
} HfVersions;

typedef struct {
	HfVersions versions;
	bool has_lock;        /* S3 Object Lock is on: objects may be locked */
	bool is_expiry_known; /* whether the next two were told to us */
	unsigned
		expiry_days; /* older versions below our prefix go after so many days by a lifecycle rule; 0: there is none */
	unsigned upload_days; /* unfinished uploads, the same */
} HfUpkeep;

bool hf_store_upkeep(HfStore *store, HfUpkeep *upkeep_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What keeps an object: a time that is set (until_s, compliance or governance), a legal hold, both, or nothing. */
typedef struct {
	int64_t until_s; /* 0: none */
	bool is_compliance;
	bool has_legal_hold;
} HfObjectLock;

/* The lock on the object's current version; nothing where there is no such key. */
bool hf_store_lock(HfStore *store, const char *key, HfObjectLock *lock_out,
		   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "until 2024-01-15T02:00:00Z (compliance)", "under legal hold"; NULL where it holds nothing at now_s.  g_free() it. */
char *hf_object_lock_to_text(const HfObjectLock *lock, int64_t now_s);
