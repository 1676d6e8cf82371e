/*
 * backup/catalog/restore-txt-impl.h -- what restore-txt.c (the script, its database half) and restore-images.c share.
 */
#pragma once

#include "backup/catalog/manifest.h"
#include "backup/store/store.h"

/* "#   label   value", with nothing in it that would end the comment; value may be NULL. */
void hf_restore_comment(GString *out, const char *label, const char *value);

/* A line that checks each part of the archive; one that streams and unpacks all of them, to be piped on. */
void hf_restore_checks(GString *out, const HfArchive *archive);
void hf_restore_stream(GString *out, const HfArchive *archive);

/* The images' half: what they are; and the commands. */
void hf_restore_images_what(GString *out, const HfManifest *manifest);
void hf_restore_images_how(GString *out, const HfManifest *manifest);
void hf_restore_images(GString *out, const HfManifest *manifest);

/* Whether a folder's files are looked for in the folder itself, or from anywhere beside the script. */
typedef enum {
	HF_RESTORE_GO_THERE,
	HF_RESTORE_BESIDE,
	HF_RESTORE_UNLESS_SAID, /* the first, unless whoever runs the text has a "fetch" and says so in "place" */
} HfRestorePlace;

/* The function "fetch", which writes the file of a name to standard output. */
void hf_restore_put_fetch(GString *out, const HfStore *store, HfRestorePlace place);
