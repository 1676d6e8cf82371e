#include "config.h"

#include "backup/store/replica.h"
#include "backup/store/dir.h"
#include "backup/store/open-impl.h"
#include "backup/store/open.h"
#include "common/error.h"

#include <string.h>

static const char *const names[HF_REPLICAS_MAX] = {"replica-1", "replica-2", "replica-3", "replica-4"};

const char *
hf_replica_name(unsigned number)
{
	g_assert(number >= 1 && number <= HF_REPLICAS_MAX);
	return names[number - 1];
}

bool
hf_replica_parse(const HfSettings *settings, const char *name, unsigned *number_out, GError **error)
{
	for (unsigned number = 1; number <= HF_REPLICAS_MAX; number++) {
		const char *word = hf_replica_name(number);

		if (strcmp(name, word) != 0 && strcmp(name, word + strlen("replica-")) != 0)
			continue;
		if (!hf_settings_has_replica(settings, number))
			return hf_error_set(error, HF_ERROR_USAGE,
					    "%s has no place: set REPLICA_%u_BUCKET or REPLICA_%u_DIR", word,
					    number, number);
		*number_out = number;
		return true;
	}
	return hf_error_set(error, HF_ERROR_USAGE, "\"%s\" is no replica: replica-1 to replica-%d are", name,
			    HF_REPLICAS_MAX);
}

static const char *
text_of(const HfSettings *settings, unsigned number, HfReplicaSetting which)
{
	return hf_settings_text(settings, HF_SET_REPLICA(number, which));
}

/* ---- where it must not be ---- */

/* A place to compare: a folder without links, or a bucket and what keys begin with. */
typedef struct {
	const char *bucket;   /* NULL: a folder */
	const char *endpoint; /* of a bucket */
	char *path;           /* without a slash at either end; NULL: there is no such place */
} Where;

static void
where_clear(Where *where)
{
	g_free(where->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Where, where_clear)

static Where
where_folder(const char *folder)
{
	g_autofree char *real = folder ? hf_open_real_path(folder) : NULL;

	return (Where){NULL, NULL, real ? hf_open_trim_slashes(real) : NULL};
}

static Where
where_bucket(const char *bucket, const char *endpoint, const char *prefix)
{
	return (Where){bucket, endpoint, bucket ? hf_open_trim_slashes(prefix ? prefix : "") : NULL};
}

static Where
where_backups(const HfSettings *settings)
{
	const char *bucket = hf_store_settings_bucket(settings);

	return bucket ? where_bucket(bucket, hf_open_backup_endpoint(settings),
				     hf_settings_text(settings, HF_SET_S3_BACKUP_PREFIX))
		      : where_folder(hf_settings_text(settings, HF_SET_BACKUP_DIR));
}

static Where
where_images(const HfSettings *settings)
{
	const char *folder = hf_settings_text(settings, HF_SET_IMAGES_DIR);

	return folder ? where_folder(folder)
		      : where_bucket(hf_settings_text(settings, HF_SET_AWS_BUCKET_NAME),
				     hf_settings_text(settings, HF_SET_AWS_ENDPOINT_URL),
				     hf_settings_text(settings, HF_SET_IMAGES_PREFIX));
}

static const char *
endpoint_of(const HfSettings *settings, unsigned number)
{
	const HfSettingId id = HF_SET_REPLICA(number, HF_REPLICA_ENDPOINT_URL);

	return hf_settings_text(settings, id) || hf_settings_is_empty(settings, id)
		       ? hf_settings_text(settings, id)
		       : hf_open_backup_endpoint(settings);
}

static Where
where_replica(const HfSettings *settings, unsigned number)
{
	const char *folder = text_of(settings, number, HF_REPLICA_DIR);

	return folder ? where_folder(folder)
		      : where_bucket(text_of(settings, number, HF_REPLICA_BUCKET),
				     endpoint_of(settings, number),
				     text_of(settings, number, HF_REPLICA_PREFIX));
}

/* Whether inner is outer's own place, or lies below it. */
static bool
is_inside(const Where *inner, const Where *outer)
{
	size_t len;

	if (!inner->path || !outer->path || g_strcmp0(inner->bucket, outer->bucket) != 0 ||
	    g_strcmp0(inner->endpoint, outer->endpoint) != 0)
		return false;
	len = strlen(outer->path);
	return len == 0 || (strncmp(inner->path, outer->path, len) == 0 &&
			    (inner->path[len] == 0 || inner->path[len] == '/'));
}

static bool
refuse(const HfSettings *settings, unsigned number, const char *where, GError **error)
{
	const char *folder = text_of(settings, number, HF_REPLICA_DIR);

	if (folder)
		return hf_error_set(error, HF_ERROR_USAGE,
				    "REPLICA_%u_DIR \"%s\" lies in %s: name another folder", number, folder,
				    where);
	return hf_error_set(error, HF_ERROR_USAGE,
			    "REPLICA_%u_BUCKET \"%s\" with REPLICA_%u_PREFIX \"%s\" lies in %s: name another "
			    "bucket, or a prefix elsewhere",
			    number, text_of(settings, number, HF_REPLICA_BUCKET), number,
			    text_of(settings, number, HF_REPLICA_PREFIX), where);
}

static bool
check_place(const HfSettings *settings, unsigned number, GError **error)
{
	g_auto(Where) own = where_replica(settings, number);
	g_auto(Where) backups = where_backups(settings);
	g_auto(Where) images = where_images(settings);

	if (is_inside(&own, &backups))
		return refuse(settings, number, "the place of the backups themselves", error);
	if (is_inside(&own, &images))
		return refuse(settings, number, "the images that are backed up", error);
	for (unsigned other = 1; other <= HF_REPLICAS_MAX; other++) {
		g_auto(Where) its = where_replica(settings, other);

		if (other != number && is_inside(&own, &its))
			return refuse(settings, number, hf_replica_name(other), error);
	}
	return true;
}

/* ---- opening ---- */

HfStoreAccess
hf_store_access(const HfSettings *settings, const char *from)
{
	const HfPlace backups = hf_open_backup_place(settings, "");
	HfStoreAccess access = {
		.access_key = hf_settings_text(settings, HF_SET_AWS_ACCESS_KEY_ID),
		.secret_key = hf_settings_secret(settings, HF_SET_AWS_SECRET_ACCESS_KEY),
		.session_token = hf_settings_secret(settings, HF_SET_AWS_SESSION_TOKEN),
		.region = backups.region,
		.ca_file = backups.ca_file,
	};
	unsigned number;

	if (!from || !hf_replica_parse(settings, from, &number, NULL))
		return access;
	if (text_of(settings, number, HF_REPLICA_ACCESS_KEY)) {
		access.access_key = text_of(settings, number, HF_REPLICA_ACCESS_KEY);
		access.secret_key = hf_settings_secret(settings,
						       HF_SET_REPLICA(number, HF_REPLICA_SECRET_ACCESS_KEY));
		access.session_token = NULL;
	}
	if (text_of(settings, number, HF_REPLICA_REGION))
		access.region = text_of(settings, number, HF_REPLICA_REGION);
	if (text_of(settings, number, HF_REPLICA_CA_BUNDLE))
		access.ca_file = text_of(settings, number, HF_REPLICA_CA_BUNDLE);
	return access;
}

static HfCredentials *
keys_of(const HfSettings *settings, unsigned number, GError **error)
{
	const char *key = text_of(settings, number, HF_REPLICA_ACCESS_KEY);
	const HfSecret *secret = hf_settings_secret(settings,
						    HF_SET_REPLICA(number, HF_REPLICA_SECRET_ACCESS_KEY));

	if (!key && !secret)
		return hf_store_settings_credentials(settings, error);
	if (key && secret)
		return hf_credentials_fixed(key, secret, NULL);
	hf_error_set(error, HF_ERROR_USAGE,
		     "REPLICA_%u_%s is set, but REPLICA_%u_%s is not: set both, or neither", number,
		     key ? "ACCESS_KEY" : "SECRET_ACCESS_KEY", number,
		     key ? "SECRET_ACCESS_KEY" : "ACCESS_KEY");
	return NULL;
}

static HfStore *
open_bucket(const HfSettings *settings, unsigned number, GError **error)
{
	g_autofree char *prefix = hf_open_trim_slashes(text_of(settings, number, HF_REPLICA_PREFIX)
							       ? text_of(settings, number, HF_REPLICA_PREFIX)
							       : "");
	const HfStoreAccess access = hf_store_access(settings, hf_replica_name(number));
	const HfSettingId style = HF_SET_REPLICA(number, HF_REPLICA_FORCE_PATH_STYLE);
	HfPlace place = {.bucket = text_of(settings, number, HF_REPLICA_BUCKET),
			 .prefix = prefix,
			 .region = access.region,
			 .endpoint = endpoint_of(settings, number),
			 .ca_file = access.ca_file};
	HfCredentials *keys = keys_of(settings, number, error);

	place.has_path_style = hf_settings_origin(settings, style)
				       ? hf_settings_flag(settings, style)
				       : hf_open_wants_path_style(settings, place.endpoint);
	return keys ? hf_open_bucket(settings, &place, keys, error) : NULL;
}

HfStore *
hf_replica_open(const HfSettings *settings, unsigned number, GError **error)
{
	const char *folder = text_of(settings, number, HF_REPLICA_DIR);
	HfStore *store;

	if (folder && text_of(settings, number, HF_REPLICA_BUCKET)) {
		hf_error_set(error, HF_ERROR_USAGE,
			     "REPLICA_%u_DIR and REPLICA_%u_BUCKET are both set: unset one of them", number,
			     number);
		return NULL;
	}
	if (!check_place(settings, number, error))
		return NULL;
	/* A NAS that is not mounted would be an empty folder, and all of it be copied onto the disk below. */
	if (folder && !g_file_test(folder, G_FILE_TEST_IS_DIR)) {
		hf_error_set(error, HF_ERROR_TRANSIENT,
			     "REPLICA_%u_DIR \"%s\" is no folder: is it mounted? Else make it", number,
			     folder);
		return NULL;
	}
	store = folder ? hf_dir_open(folder, error) : open_bucket(settings, number, error);
	if (!store && error)
		hf_replica_name_settings(number, *error);
	return hf_open_with_keyring(settings, store, error);
}

HfStore *
hf_store_open_from(const HfSettings *settings, const char *from, GError **error)
{
	unsigned number;

	if (!from)
		return hf_store_open_settings(settings, error);
	return hf_replica_parse(settings, from, &number, error) ? hf_replica_open(settings, number, error)
								: NULL;
}

/* ---- messages ---- */

void
hf_replica_name_settings(unsigned number, GError *error)
{
	/* As s3-error.c has them, the longest first. */
	static const struct {
		const char *said, *meant;
	} words[] = {
		{"AWS_ENDPOINT_URL (or S3_BACKUP_ENDPOINT_URL)", "ENDPOINT_URL"},
		{"AWS_REGION (or S3_BACKUP_REGION)", "REGION"},
		{"S3_BACKUP_BUCKET or AWS_BUCKET_NAME", "BUCKET"},
		{"S3_BACKUP_PREFIX", "PREFIX"},
		{"AWS_SECRET_ACCESS_KEY", "SECRET_ACCESS_KEY"},
		{"AWS_ACCESS_KEY_ID", "ACCESS_KEY"},
		{"AWS_CA_BUNDLE", "CA_BUNDLE"},
	};
	g_autoptr(GString) text = g_string_new(error->message);

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		g_autofree char *name = g_strdup_printf("REPLICA_%u_%s", number, words[i].meant);

		g_string_replace(text, words[i].said, name, 0);
	}
	g_free(error->message);
	error->message = g_string_free(g_steal_pointer(&text), FALSE);
}
