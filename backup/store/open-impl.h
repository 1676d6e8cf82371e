/*
 * backup/store/open-impl.h -- between open.c, which opens the backups and the images, and replica.c.
 */
#pragma once

#include "backup/store/s3.h"
#include "common/settings.h"

/* A bucket, and how it is reached.  All is borrowed. */
typedef struct {
	const char *bucket;
	const char *prefix; /* trimmed */
	const char *region;
	const char *endpoint; /* NULL: Amazon's */
	const char *ca_file;
	bool has_path_style;
	bool use_accelerate;
	const HfS3Storing *storing; /* NULL: as the bucket has it */
} HfPlace;

/* Takes keys, also on failure. */
HfStore *hf_open_bucket(const HfSettings *settings, const HfPlace *place, HfCredentials *keys,
			GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Gives store, which it takes and which may be NULL, the keyring of the settings. */
HfStore *hf_open_with_keyring(const HfSettings *settings, HfStore *store,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Where the backups' bucket is; bucket is NULL where they are in a folder.  prefix as it is to be there. */
HfPlace hf_open_backup_place(const HfSettings *settings, const char *prefix);

/* The text of id, where that is set or set but empty, else that of fallback. */
const char *hf_open_first_set(const HfSettings *settings, HfSettingId id, HfSettingId fallback);
const char *hf_open_backup_endpoint(const HfSettings *settings);
bool hf_open_wants_path_style(const HfSettings *settings, const char *endpoint);

/* "/a/b/" as "a/b"; a folder's path without links, as far as it is there.  g_free() them. */
char *hf_open_trim_slashes(const char *prefix);
char *hf_open_real_path(const char *folder);
