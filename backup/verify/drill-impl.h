/*
 * backup/verify/drill-impl.h -- what drill.c (the course of it), drill-tools.c (PATH) and drill-images.c (what came back)
 * share.
 */
#pragma once

#include "backup/catalog/marks.h"

typedef struct {
	bool has_database, has_images, is_bucket;
	bool needs_gzip, needs_zstd, needs_age;
	const char *bin_dir; /* of createdb and psql; NULL where they are not needed */
} HfDrillNeeds;

/*
 * Makes folder and fills it with links to the tools that the commands need.  NOT_FOUND names all that are missing, with
 * the packages to install.
 */
bool hf_drill_tools(const char *folder, const HfDrillNeeds *needs, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Compares the files below folder with the set's index; what differs becomes a difference of proof. */
bool hf_drill_compare_images(HfStore *store, const HfManifest *manifest, const char *folder, HfProof *proof,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;
