/*
 * common/settings.h -- the settings, from the environment and an env file.
 *
 * One table (settings-table.c) gives each setting's name, type, default, bounds and help; the parser, `holdfast config`,
 * the man page and the docs are made from it.  NAME_FILE reads a secret from a file.  A value out of bounds, and a name
 * that looks like ours but is not, is an error that says what is allowed.
 */
#pragma once

#include "common/secret.h"

#include <stdint.h>

/* Second copies, REPLICA_1_ to REPLICA_4_: the same settings each, HF_SET_REPLICA(1, HF_REPLICA_BUCKET). */
#define HF_REPLICAS_MAX 4
typedef enum {
	HF_REPLICA_DIR,
	HF_REPLICA_BUCKET,
	HF_REPLICA_PREFIX,
	HF_REPLICA_REGION,
	HF_REPLICA_ENDPOINT_URL,
	HF_REPLICA_ACCESS_KEY,
	HF_REPLICA_SECRET_ACCESS_KEY,
	HF_REPLICA_CA_BUNDLE,
	HF_REPLICA_FORCE_PATH_STYLE,
	HF_REPLICA_RETENTION_DAYS,
	HF_REPLICA_SETTINGS,
} HfReplicaSetting;

#define HF_SET_REPLICA(number, which) \
	((HfSettingId)(HF_SET_REPLICAS + ((int)(number)-1) * HF_REPLICA_SETTINGS + (int)(which)))

typedef enum {
	HF_SET_DATABASE_URL,
	HF_SET_DB_HOST,
	HF_SET_DB_PORT,
	HF_SET_DB_NAME,
	HF_SET_DB_USER,
	HF_SET_DB_PASSWORD,
	HF_SET_DB_SSLMODE,
	HF_SET_DB_BIN_DIR,
	HF_SET_DB_JOBS,
	HF_SET_DB_JOBS_TABLE_BYTES,
	HF_SET_DB_LOCK_SECONDS,
	HF_SET_AWS_ACCESS_KEY_ID, /* AWS_ACCESS_KEY is another name for it */
	HF_SET_AWS_SECRET_ACCESS_KEY,
	HF_SET_AWS_SESSION_TOKEN,
	HF_SET_AWS_ROLE_ARN,
	HF_SET_AWS_WEB_IDENTITY_TOKEN_FILE,
	HF_SET_AWS_ROLE_SESSION_NAME,
	HF_SET_AWS_ENDPOINT_URL_STS,
	HF_SET_AWS_REGION,
	HF_SET_AWS_BUCKET_NAME,
	HF_SET_AWS_ENDPOINT_URL,
	HF_SET_AWS_CA_BUNDLE,
	HF_SET_S3_FORCE_PATH_STYLE,
	HF_SET_IMAGES_PREFIX,
	HF_SET_IMAGES_DIR,
	HF_SET_IMAGE_REFERENCES_SQL,
	HF_SET_BACKUP_DIR,
	HF_SET_S3_BACKUP_BUCKET,
	HF_SET_S3_BACKUP_PREFIX,
	HF_SET_S3_BACKUP_ENDPOINT_URL,
	HF_SET_S3_BACKUP_REGION,
	HF_SET_S3_USE_ACCELERATE,
	HF_SET_S3_SSE,
	HF_SET_S3_SSE_KMS_KEY_ID,
	HF_SET_S3_STORAGE_CLASS,
	HF_SET_S3_TAGS,
	HF_SET_S3_OBJECT_LOCK_DAYS,
	HF_SET_S3_OBJECT_LOCK_MODE,
	HF_SET_BACKUP_COMPRESSION,
	HF_SET_BACKUP_STATE_DIR,
	HF_SET_LEASES,
	HF_SET_LEASE_SECONDS,
	HF_SET_HOLDFAST_HOST_NAME,
	HF_SET_BACKUP_RECIPIENTS,
	HF_SET_BACKUP_PASSPHRASE,
	HF_SET_BACKUP_IDENTITY,
	HF_SET_ENCRYPT_METADATA,
	HF_SET_SIGNING_KEY,
	HF_SET_SIGNING_PUBLIC_KEYS,
	HF_SET_SHRINK_ALERT_PERCENT,
	HF_SET_VERIFY_AFTER_BACKUP,
	HF_SET_VERIFY_DATABASE_URL,
	HF_SET_SCRATCH_DIR,
	HF_SET_SCRATCH_USER,
	HF_SET_BACKUP_RETENTION_DAYS,
	HF_SET_KEEP_LAST,
	HF_SET_KEEP_DAILY,
	HF_SET_KEEP_WEEKLY,
	HF_SET_KEEP_MONTHLY,
	HF_SET_KEEP_YEARLY,
	HF_SET_PRUNE_AFTER_BACKUP,
	HF_SET_REPLICAS,
	HF_SET_REPLICAS_LAST = HF_SET_REPLICAS + HF_REPLICAS_MAX * HF_REPLICA_SETTINGS - 1,
	HF_SET_ARCHIVE_BYTES,
	HF_SET_S3_TRIES,
	HF_SET_S3_STALL_SECONDS,
	HF_SET_JWT_SECRET,
	HF_SET_JWT_ALGORITHMS,
	HF_SET_JWT_PUBLIC_KEY_FILE,
	HF_SET_JWT_JWKS_FILE,
	HF_SET_JWT_JWKS_URL,
	HF_SET_JWT_JWKS_CA_BUNDLE,
	HF_SET_JWT_ISSUER,
	HF_SET_JWT_AUDIENCE,
	HF_SET_JWT_ADMIN_CLAIM,
	HF_SET_JWT_ADMIN_VALUES,
	HF_SET_JWT_ADMIN_SUBJECTS,
	HF_SET_INTERNAL_TOKEN,
	HF_SET_METRICS_TOKEN,
	HF_SET_ENABLE_DAILY_BACKUP,
	HF_SET_ENABLE_WEEKLY_BACKUP,
	HF_SET_DAILY_BACKUP_SCHEDULE,
	HF_SET_WEEKLY_BACKUP_SCHEDULE,
	HF_SET_TZ,
	HF_SET_TRIGGER_WAIT_SECONDS,
	HF_SET_FCGI_WORKERS,
	HF_SET_FCGI_PEER_USERS,
	HF_SET_HOLDFAST_PROGRAM,
	HF_SET_FCGI_SOCKET,
	HF_SET_NOTIFY_ON,
	HF_SET_NOTIFY_NAME,
	HF_SET_NOTIFY_EMAIL_TO,
	HF_SET_NOTIFY_EMAIL_FROM,
	HF_SET_SMTP_URL,
	HF_SET_SMTP_USER,
	HF_SET_SMTP_PASSWORD, /* SMTP_PASS is another name for it */
	HF_SET_SMTP_TLS,
	HF_SET_SMTP_CA_BUNDLE,
	HF_SET_WEBHOOK_URL,
	HF_SET_WEBHOOK_FORMAT,
	HF_SET_WEBHOOK_SECRET,
	HF_SET_WEBHOOK_CA_BUNDLE,
	HF_SET_HEARTBEAT_URL,
	HF_SETTING_COUNT,
} HfSettingId;

typedef enum {
	HF_TYPE_TEXT,
	HF_TYPE_NUMBER,
	HF_TYPE_BYTES,
	HF_TYPE_FLAG,
	HF_TYPE_SECRET
} HfSettingType;

typedef struct {
	const char *name;
	const char *alias; /* NULL, or another name that is read where the first is not set */
	HfSettingType type;
	const char *group;         /* "Database", "Images", "Backups": a heading */
	const char *default_value; /* NULL: none */
	int64_t min, max;          /* numbers and bytes ("100G", "16M" are read) */
	const char *help;          /* one or two sentences for people */
} HfSetting;

const HfSetting *hf_setting(HfSettingId id);

/* Whether it is a replica's from the second on: what is said of the first one's goes for it. */
bool hf_setting_is_repeated(HfSettingId id);

typedef struct HfSettings HfSettings;

/*
 * Reads the environment on top of env_file; env_file NULL: ./.env where there is one, else
 * /etc/holdfast/holdfast.env where there is one.  An env_file that was named must exist.  USAGE names the setting, the
 * value (never a secret's), and what is allowed.
 */
HfSettings *hf_settings_load(const char *env_file, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same from NAME=VALUE strings instead of the environment: for tests. */
HfSettings *hf_settings_load_from(const char *const *environment, const char *env_file,
				  GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Typed getters; borrowed; NULL (text, secret) where neither set nor defaulted.  An empty value counts as not set,
 * but hf_settings_is_empty() tells the two apart (S3_BACKUP_BUCKET). */
const char *hf_settings_text(const HfSettings *settings, HfSettingId id);
int64_t hf_settings_number(const HfSettings *settings, HfSettingId id); /* numbers, bytes */
bool hf_settings_flag(const HfSettings *settings, HfSettingId id);
const HfSecret *hf_settings_secret(const HfSettings *settings, HfSettingId id);
bool hf_settings_is_empty(const HfSettings *settings, HfSettingId id);

/* Where the value came from: "environment", the env file's path, "default", or NULL where it is not set.  Borrowed. */
const char *hf_settings_origin(const HfSettings *settings, HfSettingId id);

/* The file that NAME_FILE names; NULL where the secret did not come from one.  Borrowed. */
const char *hf_settings_secret_file(const HfSettings *settings, HfSettingId id);

/* Whether a replica of this number, from 1, has a place: REPLICA_n_BUCKET or REPLICA_n_DIR. */
bool hf_settings_has_replica(const HfSettings *settings, unsigned number);

void hf_settings_free(HfSettings *settings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfSettings, hf_settings_free)
