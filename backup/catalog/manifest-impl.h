/*
 * backup/catalog/manifest-impl.h -- what manifest.c (the set, its database) and manifest-images.c share.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "common/json.h"

/* What the manifest of a set may name: these keys and no others. */
typedef struct {
	const char *id;
	const char *prefix;
	const char *extension;
} HfNaming;

bool hf_is_sha256(const char *hex);

/* ---- what a set names (manifest-chain.c) ---- */

GArray *hf_links_new(void);
void hf_links_add(GArray *links, const char *id, const char *sha256);
/* NULL where it is not among them; links may be NULL.  Borrowed. */
const HfLink *hf_links_find(const GArray *links, const char *id);
/* The member "previous"; none where links is NULL.  Read, NULL where there is none. */
void hf_links_to_json(HfJson *object, const GArray *links);
bool hf_links_parse(HfJson *object, GArray **links_out, GError **error);

HfJson *hf_archive_to_json(const HfArchive *archive);
HfArchive *hf_archive_parse_json(HfJson *object, const HfNaming *naming, GError **error);
/* The archive that stands in a member; prefixes the trouble with the member's name. */
bool hf_archive_get_json(HfJson *object, const char *member, const HfNaming *naming, HfArchive **archive_out,
			 GError **error);

HfJson *hf_images_record_to_json(const HfImagesRecord *record);
bool hf_images_record_parse(HfJson *object, const char *id, HfImagesRecord *record, GError **error);
HfJson *hf_references_record_to_json(const HfReferencesRecord *record);
HfReferencesRecord *hf_references_record_parse(HfJson *object, const char *id, GError **error);
/* What of it the set itself stored. */
uint64_t hf_images_record_stored_bytes(const HfImagesRecord *record, const char *id);
