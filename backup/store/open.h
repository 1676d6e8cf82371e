/*
 * backup/store/open.h -- the backup store that the settings name.
 *
 * S3_BACKUP_BUCKET (default AWS_BUCKET_NAME) is a bucket; where it is set but empty, or neither is set, BACKUP_DIR is
 * the store.
 */
#pragma once

#include "backup/store/s3-credentials.h"
#include "backup/store/store.h"
#include "common/settings.h"

/* The bucket, or NULL where the store is the folder BACKUP_DIR.  Borrowed. */
const char *hf_store_settings_bucket(const HfSettings *settings);

/* Who S3 is asked as: the keys, the role, or else whatever the machine gives.  USAGE where half of it is set. */
HfCredentials *hf_store_settings_credentials(const HfSettings *settings,
					     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Opens it, without asking a server anything.  Keys that are half set are USAGE; where none are set, they come from the
 * container or the instance.  The keyring is that of the settings.
 */
HfStore *hf_store_open_settings(const HfSettings *settings, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * The images that the settings name: IMAGES_DIR, or AWS_BUCKET_NAME below IMAGES_PREFIX.  *skip_prefix_out is NULL, or
 * what the keys of the backup store begin with among them: g_free() it.  USAGE where nothing is named, and where the
 * backups lie among the images without a prefix or folder of their own.
 */
HfStore *hf_images_open_settings(const HfSettings *settings, char **skip_prefix_out,
				 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * A place for images that a person named: "s3://bucket/prefix", with the endpoint and the keys of the images' settings,
 * or a folder, which need not be there yet.  The rest is as above.
 */
HfStore *hf_images_open_place(const HfSettings *settings, const char *place, char **skip_prefix_out,
			      GError **error) G_GNUC_WARN_UNUSED_RESULT;
