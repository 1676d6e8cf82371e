/*
 * backup/job/cached-sets.h -- the catalogue as it was last seen, so that showing it costs no request to the store.
 *
 * A job that changed the store replaces it at its end, and so does `holdfast refresh`, which a worker starts where it is
 * old or missing (hf_refresh_start(), start.h).
 */
#pragma once

#include "backup/job/state.h"

/* An object of the set that holds what was backed up, as the earlier API's status shows it. */
typedef struct {
	char *key; /* relative to the store; the set's first file of a type is the one to name */
	uint64_t bytes;
	int64_t modified_s;
	const char *type; /* "database" or "images"; static */
} HfCachedFile;

typedef struct {
	char *id;
	char *kind; /* "full", "database", "images"; NULL where the set is damaged */
	int level;
	char *status; /* "complete", "partial", "adopted", "damaged" */
	int64_t started_s;
	uint64_t bytes;
	bool is_adopted, is_damaged, is_held, is_suspect, is_accepted;
	char *is_signed;      /* "yes", "no", "bad", "unchecked"; NULL where nothing can be: adopted */
	char *trouble;        /* NULL, or what is wrong with it */
	char *suspect_reason; /* NULL, or why it is suspect */
	GPtrArray *files;     /* of HfCachedFile, in the order of their keys */
	char *manifest; /* JSON text; NULL where there is none, and in a list: only one set's is read at a time */
} HfCachedSet;

HfCachedSet *hf_cached_set_new(const char *id);
void hf_cached_set_add_file(HfCachedSet *set, const char *key, uint64_t bytes, int64_t modified_s,
			    const char *type);
void hf_cached_set_free(HfCachedSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfCachedSet, hf_cached_set_free)

/* Of HfCachedSet, in the order in which a list gives them back: the catalogue's, oldest first. */
bool hf_cached_sets_replace(HfState *state, const GPtrArray *sets, int64_t now_s,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* *as_of_s_out is when they were seen; 0 where they never were. */
GPtrArray *hf_cached_sets_list(HfState *state, int64_t *as_of_s_out,
			       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* When they were seen, alone; 0 where they never were. */
bool hf_cached_sets_when(HfState *state, int64_t *as_of_s_out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One of them with its manifest; NOT_FOUND where it is not among them. */
HfCachedSet *hf_cached_sets_find(HfState *state, const char *id, GError **error) G_GNUC_WARN_UNUSED_RESULT;
