/*
 * backup/verify/drill.h -- a restore drill: the commands of a set's RESTORE.txt, run literally in an empty folder and against a
 * scratch cluster, with stock tools alone.  Its PATH holds links to those and nothing else, so that holdfast, or anything
 * else that the text does not name, cannot help.  What came back is then compared with what was backed up.
 */
#pragma once

#include "backup/catalog/marks.h"
#include "backup/job/progress.h"
#include "common/secret.h"

typedef struct {
	const char *bin_dir;      /* DB_BIN_DIR, or NULL */
	const char *scratch_dir;  /* SCRATCH_DIR, or NULL */
	const char *scratch_user; /* SCRATCH_USER, or NULL */
	const HfSecret
		*aws_credentials;  /* NULL, or awscli's credentials file: it reaches aws by a private file */
	const char *aws_region;    /* NULL: us-east-1 */
	const char *aws_ca_bundle; /* NULL, or a PEM file */
	/* NULL, or the role that aws takes by a web identity's token, as we do; sts_url NULL: Amazon's. */
	const char *role_arn, *role_token_file, *role_session, *sts_url;
	const char *identity_file; /* NULL, or the file with the age identity, which RESTORE_IDENTITY names */
	HfProgress *progress;      /* NULL: not wanted */
} HfDrillOptions;

/*
 * Runs it.  As hf_prove(): proof->level is 4 where all came back and is equal, and that is recorded as a drill;
 * proof->recover_s is how long the commands took.  What this host lacks (a tool, the server program, space) is in
 * proof->unproved, by name; then as much is proved as can be, one half or level 2, and proof->level says so.
 */
bool hf_drill(HfStore *store, const HfSet *set, const HfDrillOptions *options, HfProof **proof_out,
	      GError **error) G_GNUC_WARN_UNUSED_RESULT;
