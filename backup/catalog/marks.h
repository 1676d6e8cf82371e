/*
 * backup/catalog/marks.h -- what is known of a set since it was stored: proofs of it, good and failed, why it is
 * suspect, and that somebody accepted it.  Each is a small object beside the manifest (docs/format.md, "Proofs" and
 * "Suspect sets"), so that one listing shows which there are.
 *
 * A proof that failed and an alarm both make a set suspect: nothing is pruned then until somebody looked.
 */
#pragma once

#include "backup/catalog/catalog.h"

/* So many differences and reasons are kept; the numbers beside them count all. */
#define HF_MARKS_LISTED_MAX 1000

/* What came of trying to prove a level.  Zero and NULL: not known. */
typedef struct {
	int level;
	bool has_failed; /* the set was seen not to be of this level */
	bool is_drill;   /* by the commands of RESTORE.txt */
	int64_t at_s;
	double duration_s;      /* of all of it */
	double recover_s;       /* of bringing the data back: the measured time to recover */
	char *server_version;   /* that it was restored into */
	uint64_t tables, rows;  /* compared */
	uint64_t objects;       /* images compared */
	char *error;            /* why it failed */
	GPtrArray *differences; /* of char *: "table public.a: ..." */
	uint64_t difference_count;
	GPtrArray *unproved; /* of char *: what was asked for and not seen, and why */
} HfProof;

HfProof *hf_proof_new(int level);
void hf_proof_add_difference(HfProof *proof, const char *format, ...) G_GNUC_PRINTF(2, 3);
void hf_proof_add_unproved(HfProof *proof, const char *format, ...) G_GNUC_PRINTF(2, 3);
void hf_proof_free(HfProof *proof);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfProof, hf_proof_free)

/*
 * Records the proof beside the manifest of set id.  A good one takes away the failed ones of its level and below; a
 * failed one takes away an acceptance, which was of something else.
 */
bool hf_catalog_record_proof(HfStore *store, const char *id, const HfProof *proof,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for a level that was reached and has nothing more to say. */
bool hf_catalog_record_level(HfStore *store, const char *id, int level, int64_t now_s, double duration_s,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The recorded proofs of a listed set, of HfProof, in order of level, failed ones behind good ones of their level. */
GPtrArray *hf_catalog_read_proofs(HfStore *store, const HfSet *set, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Stores backup_T.suspect.json: the manifest's alarms, and the set that it was compared with. */
bool hf_marks_write_suspect(HfStore *store, const HfManifest *manifest,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Says that somebody looked at a suspect or partial set and takes it for good; by: "cli:root".  USAGE where there is
 * nothing to accept.  Saying it again is fine.
 */
bool hf_catalog_accept(HfStore *store, const HfSet *set, const char *by, int64_t now_s,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Why the set is suspect, in a line; g_free() it.  Never NULL: a mark that cannot be read is a reason as well. */
char *hf_marks_reason(HfStore *store, const char *id, bool has_suspect, int failed_level);
