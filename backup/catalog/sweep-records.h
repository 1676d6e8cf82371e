/*
 * backup/catalog/sweep-records.h -- which records of deletions (deletion.h) nobody needs any more.
 *
 * One is needed while a manifest names the set that it is of, or a record that is needed does; while it is young, since a run that
 * read the chain before may still name the set; and while no newer set is there: it says that the newest one was deleted.
 */
#pragma once

#include "backup/catalog/deletion.h"
#include "backup/catalog/names.h"

typedef struct HfRecords HfRecords;

HfRecords *hf_records_new(void);
void hf_records_free(HfRecords *records);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfRecords, hf_records_free)

/* An object of kind HF_NAME_DELETION, in the order of a listing. */
void hf_records_note(HfRecords *records, const HfObject *object, const HfName *name);

/* A set that is there, and what it names. */
void hf_records_note_manifest(HfRecords *records, const HfManifest *manifest);

typedef struct {
	int64_t newest_set_s; /* when the newest set began */
	int64_t before_s;     /* what was stored later is too young */
} HfRecordsLimits;

/* Calls add for each object that may go. */
typedef void (*HfRecordsFunc)(const char *key, uint64_t bytes, gpointer context);
bool hf_records_unneeded(HfRecords *records, HfStore *store, const HfRecordsLimits *limits, HfRecordsFunc add,
			 gpointer context, GError **error) G_GNUC_WARN_UNUSED_RESULT;
