#include "config.h"

#include "backup/age/keyring.h"
#include "backup/catalog/names.h"
#include "backup/store/open.h"
#include "backup/store/open-impl.h"
#include "backup/store/dir.h"
#include "backup/store/s3.h"
#include "common/error.h"

#include <stdlib.h>
#include <string.h>

const char *
hf_store_settings_bucket(const HfSettings *settings)
{
	const char *bucket = hf_settings_text(settings, HF_SET_S3_BACKUP_BUCKET);

	if (bucket || hf_settings_is_empty(settings, HF_SET_S3_BACKUP_BUCKET))
		return bucket;
	return hf_settings_text(settings, HF_SET_AWS_BUCKET_NAME);
}

const char *
hf_open_first_set(const HfSettings *settings, HfSettingId id, HfSettingId fallback)
{
	const char *text = hf_settings_text(settings, id);

	return text || hf_settings_is_empty(settings, id) ? text : hf_settings_text(settings, fallback);
}

/* EKS and CI systems set both; one alone is a slip. */
static HfCredentials *
credentials_of_role(const HfSettings *settings, GError **error)
{
	const HfWebIdentity identity = {
		.role_arn = hf_settings_text(settings, HF_SET_AWS_ROLE_ARN),
		.token_file = hf_settings_text(settings, HF_SET_AWS_WEB_IDENTITY_TOKEN_FILE),
		.session_name = hf_settings_text(settings, HF_SET_AWS_ROLE_SESSION_NAME),
		.region = hf_settings_text(settings, HF_SET_AWS_REGION),
		.endpoint_url = hf_settings_text(settings, HF_SET_AWS_ENDPOINT_URL_STS),
		.ca_file = hf_settings_text(settings, HF_SET_AWS_CA_BUNDLE),
	};

	if (!identity.role_arn && !identity.token_file)
		return hf_credentials_discover();
	if (identity.role_arn && identity.token_file)
		return hf_credentials_web_identity(&identity, error);
	hf_error_set(error, HF_ERROR_USAGE, "%s is set, but %s is not: set both, or neither",
		     identity.role_arn ? "AWS_ROLE_ARN" : "AWS_WEB_IDENTITY_TOKEN_FILE",
		     identity.role_arn ? "AWS_WEB_IDENTITY_TOKEN_FILE" : "AWS_ROLE_ARN");
	return NULL;
}

/* One half of a key pair is a slip, not a wish for credentials from elsewhere. */
HfCredentials *
hf_store_settings_credentials(const HfSettings *settings, GError **error)
{
	const char *key = hf_settings_text(settings, HF_SET_AWS_ACCESS_KEY_ID);
	const HfSecret *secret = hf_settings_secret(settings, HF_SET_AWS_SECRET_ACCESS_KEY);

	if (!key && !secret)
		return credentials_of_role(settings, error);
	if (key && secret)
		return hf_credentials_fixed(key, secret,
					    hf_settings_secret(settings, HF_SET_AWS_SESSION_TOKEN));
	hf_error_set(
		error, HF_ERROR_USAGE, "%s is set (%s), but %s is not: set both, or neither",
		key ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
		hf_settings_origin(settings, key ? HF_SET_AWS_ACCESS_KEY_ID : HF_SET_AWS_SECRET_ACCESS_KEY),
		key ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
	return NULL;
}

/* "/a/b/" is meant as "a/b": a key never begins with a slash here. */
char *
hf_open_trim_slashes(const char *prefix)
{
	size_t len;

	while (*prefix == '/')
		prefix++;
	len = strlen(prefix);
	while (len > 0 && prefix[len - 1] == '/')
		len--;
	return g_strndup(prefix, len);
}

/* Most servers that are not Amazon's have no DNS name for each bucket. */
bool
hf_open_wants_path_style(const HfSettings *settings, const char *endpoint)
{
	if (hf_settings_origin(settings, HF_SET_S3_FORCE_PATH_STYLE))
		return hf_settings_flag(settings, HF_SET_S3_FORCE_PATH_STYLE);
	return endpoint != NULL;
}

HfStore *
hf_open_bucket(const HfSettings *settings, const HfPlace *place, HfCredentials *keys, GError **error)
{
	HfS3Options options = {
		.bucket = place->bucket,
		.prefix = place->prefix,
		.region = place->region,
		.endpoint_url = place->endpoint,
		.use_accelerate = place->use_accelerate,
		.storing = place->storing,
		.force_path_style = place->has_path_style,
		.ca_file = place->ca_file,
		.tries = (unsigned)hf_settings_number(settings, HF_SET_S3_TRIES),
		.stall_s = (unsigned)hf_settings_number(settings, HF_SET_S3_STALL_SECONDS),
	};

	return hf_s3_open(&options, keys, error);
}

static HfStore *
open_bucket(const HfSettings *settings, const HfPlace *place, GError **error)
{
	HfCredentials *keys = hf_store_settings_credentials(settings, error);

	return keys ? hf_open_bucket(settings, place, keys, error) : NULL;
}

/* Which server, which prefix: all else is the same for the backups' bucket and the images'. */
static HfPlace
place_of(const HfSettings *settings, const char *bucket, const char *prefix, const char *region,
	 const char *endpoint)
{
	return (HfPlace){.bucket = bucket,
			 .prefix = prefix,
			 .region = region,
			 .endpoint = endpoint,
			 .ca_file = hf_settings_text(settings, HF_SET_AWS_CA_BUNDLE),
			 .has_path_style = hf_open_wants_path_style(settings, endpoint)};
}

const char *
hf_open_backup_endpoint(const HfSettings *settings)
{
	return hf_open_first_set(settings, HF_SET_S3_BACKUP_ENDPOINT_URL, HF_SET_AWS_ENDPOINT_URL);
}

HfPlace
hf_open_backup_place(const HfSettings *settings, const char *prefix)
{
	return place_of(settings, hf_store_settings_bucket(settings), prefix,
			hf_open_first_set(settings, HF_SET_S3_BACKUP_REGION, HF_SET_AWS_REGION),
			hf_open_backup_endpoint(settings));
}

static HfS3Storing *
storing_from_settings(const HfSettings *settings, GError **error)
{
	const HfS3StoringOptions options = {
		.encryption = hf_settings_text(settings, HF_SET_S3_SSE),
		.kms_key_id = hf_settings_text(settings, HF_SET_S3_SSE_KMS_KEY_ID),
		.storage_class = hf_settings_text(settings, HF_SET_S3_STORAGE_CLASS),
		.tags = hf_settings_text(settings, HF_SET_S3_TAGS),
		.lock_days = (unsigned)hf_settings_number(settings, HF_SET_S3_OBJECT_LOCK_DAYS),
		.lock_mode = hf_settings_text(settings, HF_SET_S3_OBJECT_LOCK_MODE),
		.keeping = hf_name_keeping,
	};

	return hf_s3_storing_new(&options, error);
}

static HfStore *
open_place(const HfSettings *settings, GError **error)
{
	if (hf_store_settings_bucket(settings)) {
		g_autofree char *prefix = hf_open_trim_slashes(
			hf_settings_text(settings, HF_SET_S3_BACKUP_PREFIX));
		g_autoptr(HfS3Storing) storing = storing_from_settings(settings, error);
		HfPlace place = hf_open_backup_place(settings, prefix);

		place.use_accelerate = hf_settings_flag(settings, HF_SET_S3_USE_ACCELERATE);
		place.storing = storing;
		return storing ? open_bucket(settings, &place, error) : NULL;
	}
	return hf_dir_open(hf_settings_text(settings, HF_SET_BACKUP_DIR), error);
}

HfStore *
hf_open_with_keyring(const HfSettings *settings, HfStore *store, GError **error)
{
	HfKeyring *keyring;

	if (!store)
		return NULL;
	if (hf_keyring_from_settings(settings, &keyring, error)) {
		hf_store_set_keyring(store, keyring);
		return store;
	}
	hf_store_free(store);
	return NULL;
}

HfStore *
hf_store_open_settings(const HfSettings *settings, GError **error)
{
	return hf_open_with_keyring(settings, open_place(settings, error), error);
}

/* ---- the images ---- */

/*
 * What the keys of the backups begin with, seen from the images; both are paths without a slash at either end.  The
 * backups' keys hold no slash themselves (docs/format.md), so where the images lie deeper than they, none of them is
 * among the images.
 */
static bool
find_skip_prefix(const char *images, const char *backups, const char *remedy, char **skip_prefix_out,
		 GError **error)
{
	size_t len = strlen(images);

	*skip_prefix_out = NULL;
	if (strcmp(images, backups) == 0)
		return hf_error_set(error, HF_ERROR_USAGE, "the backups lie among the images: %s", remedy);
	if (len > 0 && (strncmp(backups, images, len) != 0 || backups[len] != '/'))
		return true;
	*skip_prefix_out = *backups ? g_strconcat(backups + (len > 0 ? len + 1 : 0), "/", NULL) : NULL;
	return true;
}

/* remedy: where the backups lie in that very place. */
static HfStore *
open_images_bucket(const HfSettings *settings, const HfPlace *place, const char *remedy,
		   char **skip_prefix_out, GError **error)
{
	const char *backup_bucket = hf_store_settings_bucket(settings);
	g_autofree char *backups = hf_open_trim_slashes(hf_settings_text(settings, HF_SET_S3_BACKUP_PREFIX));

	if (g_strcmp0(place->bucket, backup_bucket) == 0 &&
	    g_strcmp0(place->endpoint, hf_open_backup_endpoint(settings)) == 0 &&
	    !find_skip_prefix(place->prefix, backups, remedy, skip_prefix_out, error))
		return NULL;
	return open_bucket(settings, place, error);
}

static HfPlace
images_place(const HfSettings *settings, const char *bucket, const char *prefix)
{
	return place_of(settings, bucket, prefix, hf_settings_text(settings, HF_SET_AWS_REGION),
			hf_settings_text(settings, HF_SET_AWS_ENDPOINT_URL));
}

/* Without links, where it is there. */
char *
hf_open_real_path(const char *folder)
{
	g_autofree char *absolute = g_canonicalize_filename(folder, NULL);
	char *real = realpath(absolute, NULL);
	char *copy = g_strdup(real ? real : absolute);

	free(real);
	return copy;
}

static HfStore *
open_images_folder(const HfSettings *settings, const char *images, const char *remedy, char **skip_prefix_out,
		   GError **error)
{
	g_autofree char *backups = hf_open_real_path(hf_settings_text(settings, HF_SET_BACKUP_DIR));

	if (!hf_store_settings_bucket(settings) &&
	    !find_skip_prefix(images + 1, backups + 1, remedy, skip_prefix_out, error))
		return NULL;
	return hf_dir_open(images, error);
}

HfStore *
hf_images_open_settings(const HfSettings *settings, char **skip_prefix_out, GError **error)
{
	const char *folder = hf_settings_text(settings, HF_SET_IMAGES_DIR);
	const char *bucket = hf_settings_text(settings, HF_SET_AWS_BUCKET_NAME);
	const char *prefix = hf_settings_text(settings, HF_SET_IMAGES_PREFIX);
	g_autofree char *trimmed = hf_open_trim_slashes(prefix ? prefix : "");
	g_autofree char *images = folder ? hf_open_real_path(folder) : NULL;
	const HfPlace place = images_place(settings, bucket, trimmed);

	*skip_prefix_out = NULL;
	/* A folder that is not there would list as empty, and all images as deleted. */
	if (folder && !g_file_test(images, G_FILE_TEST_IS_DIR))
		hf_error_set(error, HF_ERROR_USAGE, "IMAGES_DIR \"%s\" is no folder", images);
	else if (folder)
		return open_images_folder(settings, images, "set BACKUP_DIR to another folder",
					  skip_prefix_out, error);
	else if (bucket)
		return open_images_bucket(settings, &place, "set S3_BACKUP_PREFIX to a prefix of its own",
					  skip_prefix_out, error);
	else
		hf_error_set(error, HF_ERROR_USAGE,
			     "there are no images to back up: set IMAGES_DIR to their folder, or "
			     "AWS_BUCKET_NAME to "
			     "their bucket");
	return NULL;
}

/* ---- a place that was named ---- */

#define S3_SCHEME "s3://"

static HfStore *
open_images_url(const HfSettings *settings, const char *url, char **skip_prefix_out, GError **error)
{
	const char *rest = url + strlen(S3_SCHEME);
	g_autofree char *bucket = g_strndup(rest, strcspn(rest, "/"));
	g_autofree char *prefix = hf_open_trim_slashes(rest + strlen(bucket));
	const HfPlace place = images_place(settings, bucket, prefix);

	if (!*bucket) {
		hf_error_set(error, HF_ERROR_USAGE, "\"%s\" names no bucket: s3://bucket/prefix is wanted",
			     url);
		return NULL;
	}
	return open_images_bucket(settings, &place, "name another prefix", skip_prefix_out, error);
}

HfStore *
hf_images_open_place(const HfSettings *settings, const char *place, char **skip_prefix_out, GError **error)
{
	g_autofree char *folder = NULL;

	*skip_prefix_out = NULL;
	if (g_str_has_prefix(place, S3_SCHEME))
		return open_images_url(settings, place, skip_prefix_out, error);
	if (!*place || strstr(place, "://")) {
		hf_error_set(error, HF_ERROR_USAGE,
			     "\"%s\" is no place for images: s3://bucket/prefix or a path is wanted", place);
		return NULL;
	}
	folder = hf_open_real_path(place);
	return open_images_folder(settings, folder, "name another folder", skip_prefix_out, error);
}
