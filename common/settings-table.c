#include "config.h"

#include "common/settings.h"

#define KIB INT64_C(1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

#define DATABASE "Database"
#define ACCESS "S3 access"
#define IMAGES "Images"
#define BACKUPS "Backups"
#define RETENTION "Retention"
#define TUNING "Tuning"
#define PROOF "Proof"

#define KEEP(name, which, unit) \
	{ \
		name, NULL, HF_TYPE_NUMBER, RETENTION, "0", 0, 100000, \
			"For so many " which " that have one, the newest good set of the " unit \
			" stays, whatever its age." \
	}

static const HfSetting table[HF_SETTING_COUNT] = {
	[HF_SET_DATABASE_URL] =
		{"DATABASE_URL", NULL, HF_TYPE_SECRET, DATABASE, NULL, 0, 0,
		 "The database as postgres://user:password@host:port/name, or any libpq connection string. "
		 "DB_* that "
		 "contradict it are refused; DB_PASSWORD completes a URL without a password."},
	[HF_SET_DB_HOST] =
		{"DB_HOST", NULL, HF_TYPE_TEXT, DATABASE, NULL, 0, 0,
		 "The database server's name, address, or the folder of its socket. Not set: libpq's "
		 "default, the local socket."},
	[HF_SET_DB_PORT] = {"DB_PORT", NULL, HF_TYPE_NUMBER, DATABASE, "5432", 1, 65535,
			    "The database server's port."},
	[HF_SET_DB_NAME] = {"DB_NAME", NULL, HF_TYPE_TEXT, DATABASE, NULL, 0, 0, "The database to back up."},
	[HF_SET_DB_USER] = {"DB_USER", NULL, HF_TYPE_TEXT, DATABASE, NULL, 0, 0, "The role to log in as."},
	[HF_SET_DB_PASSWORD] = {"DB_PASSWORD", NULL, HF_TYPE_SECRET, DATABASE, NULL, 0, 0,
				"Its password. Not set: libpq's own ways, such as ~/.pgpass, apply."},
	[HF_SET_DB_SSLMODE] = {"DB_SSLMODE", NULL, HF_TYPE_TEXT, DATABASE, NULL, 0, 0,
			       "How much TLS is insisted on: disable, allow, prefer, require, verify-ca or "
			       "verify-full. Not set: libpq's default, prefer."},
	[HF_SET_DB_BIN_DIR] = {"DB_BIN_DIR", NULL, HF_TYPE_TEXT, DATABASE, NULL, 0, 0,
			       "The folder of pg_dump and psql. Not set: the lowest version below "
			       "/usr/lib/postgresql or in PATH that is not older than the server."},
	[HF_SET_AWS_ACCESS_KEY_ID] =
		{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", HF_TYPE_TEXT, ACCESS, NULL, 0, 0,
		 "The access key. Not set: the credentials come from the container or the instance."},
	[HF_SET_AWS_SECRET_ACCESS_KEY] = {"AWS_SECRET_ACCESS_KEY", NULL, HF_TYPE_SECRET, ACCESS, NULL, 0, 0,
					  "The access key's secret."},
	[HF_SET_AWS_SESSION_TOKEN] = {"AWS_SESSION_TOKEN", NULL, HF_TYPE_SECRET, ACCESS, NULL, 0, 0,
				      "The session token that belongs to a temporary access key."},
	[HF_SET_AWS_REGION] = {"AWS_REGION", NULL, HF_TYPE_TEXT, ACCESS, NULL, 0, 0,
			       "The bucket's region. Not set: us-east-1."},
	[HF_SET_AWS_BUCKET_NAME] =
		{"AWS_BUCKET_NAME", NULL, HF_TYPE_TEXT, ACCESS, NULL, 0, 0,
		 "The web application's bucket; backups go there where S3_BACKUP_BUCKET is not "
		 "set."},
	[HF_SET_AWS_ENDPOINT_URL] = {"AWS_ENDPOINT_URL", NULL, HF_TYPE_TEXT, ACCESS, NULL, 0, 0,
				     "The S3 server where it is not Amazon's, as https://host:port."},
	[HF_SET_AWS_CA_BUNDLE] = {"AWS_CA_BUNDLE", NULL, HF_TYPE_TEXT, ACCESS, NULL, 0, 0,
				  "A PEM file with the private CA that signed the S3 server's certificate."},
	[HF_SET_S3_FORCE_PATH_STYLE] =
		{"S3_FORCE_PATH_STYLE", NULL, HF_TYPE_FLAG, ACCESS, NULL, 0, 0,
		 "Whether the bucket's name goes into the path instead of the host name. Not "
		 "set: true where an endpoint is set, false on Amazon's."},
	[HF_SET_IMAGES_PREFIX] =
		{"IMAGES_PREFIX", NULL, HF_TYPE_TEXT, IMAGES, NULL, 0, 0,
		 "What the images' keys begin with in AWS_BUCKET_NAME. Not set: the whole bucket, "
		 "the backups' own keys left out."},
	[HF_SET_IMAGES_DIR] = {"IMAGES_DIR", NULL, HF_TYPE_TEXT, IMAGES, NULL, 0, 0,
			       "The folder of the images where they are not in a bucket; set, it goes before "
			       "AWS_BUCKET_NAME."},
	[HF_SET_IMAGE_REFERENCES_SQL] =
		{"IMAGE_REFERENCES_SQL", NULL, HF_TYPE_TEXT, IMAGES, NULL, 0, 0,
		 "A query with one column: the keys of the images that rows name, without IMAGES_PREFIX. "
		 "With it "
		 "\"backup full\" says which images are missing for rows, and which no row names."},
	[HF_SET_BACKUP_DIR] = {"BACKUP_DIR", NULL, HF_TYPE_TEXT, BACKUPS, "./backups", 0, 0,
			       "The folder that backups go to where no bucket is set."},
	[HF_SET_S3_BACKUP_BUCKET] =
		{"S3_BACKUP_BUCKET", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
		 "The bucket that backups go to. Not set: AWS_BUCKET_NAME. Set but empty: BACKUP_DIR."},
	[HF_SET_S3_BACKUP_PREFIX] = {"S3_BACKUP_PREFIX", NULL, HF_TYPE_TEXT, BACKUPS, "backups", 0, 0,
				     "What the keys of backups begin with in the bucket."},
	[HF_SET_S3_BACKUP_ENDPOINT_URL] =
		{"S3_BACKUP_ENDPOINT_URL", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
		 "The S3 server of the backup bucket. Not set: AWS_ENDPOINT_URL. Set but empty: Amazon's."},
	[HF_SET_S3_BACKUP_REGION] = {"S3_BACKUP_REGION", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
				     "The backup bucket's region. Not set: AWS_REGION."},
	[HF_SET_BACKUP_COMPRESSION] = {"BACKUP_COMPRESSION", NULL, HF_TYPE_TEXT, BACKUPS, "gzip", 0, 0,
				       "How archives are compressed: gzip or gzip:1 to gzip:9, zstd or "
				       "zstd:1 to zstd:19, or none."},
	[HF_SET_BACKUP_STATE_DIR] =
		{"BACKUP_STATE_DIR", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
		 "Where this host keeps notes that may be lost at any time. Not set: /var/lib/holdfast where "
		 "that may "
		 "be written to, else $XDG_STATE_HOME/holdfast or ~/.local/state/holdfast."},
	[HF_SET_BACKUP_RETENTION_DAYS] = {"BACKUP_RETENTION_DAYS", NULL, HF_TYPE_NUMBER, RETENTION, "30", 0,
					  36500,
					  "A set stays for so many days. 0: no set stays for its age, only "
					  "by KEEP_*; with none of these, "
					  "every set stays. The newest good set, and the newest at the "
					  "highest level of proof, always do."},
	[HF_SET_KEEP_LAST] = {"KEEP_LAST", NULL, HF_TYPE_NUMBER, RETENTION, "0", 0, 100000,
			      "So many of the newest good sets stay, whatever their age."},
	[HF_SET_KEEP_DAILY] = KEEP("KEEP_DAILY", "of the last days (UTC)", "day"),
	[HF_SET_KEEP_WEEKLY] = KEEP("KEEP_WEEKLY", "of the last weeks (Monday to Sunday, UTC)", "week"),
	[HF_SET_KEEP_MONTHLY] = KEEP("KEEP_MONTHLY", "of the last months (UTC)", "month"),
	[HF_SET_KEEP_YEARLY] = KEEP("KEEP_YEARLY", "of the last years (UTC)", "year"),
	[HF_SET_PRUNE_AFTER_BACKUP] =
		{"PRUNE_AFTER_BACKUP", NULL, HF_TYPE_FLAG, RETENTION, "true", 0, 0,
		 "Whether each good backup is followed by \"holdfast prune\". false where this host may not "
		 "delete."},
	[HF_SET_SHRINK_ALERT_PERCENT] =
		{"SHRINK_ALERT_PERCENT", NULL, HF_TYPE_NUMBER, PROOF, "50", 1, 100,
		 "A set in which a table or the images lost more than so many percent of what the set before "
		 "had is suspect, and nothing is pruned until \"holdfast accept\". 100: only what is wholly "
		 "gone."},
	[HF_SET_VERIFY_AFTER_BACKUP] =
		{"VERIFY_AFTER_BACKUP", NULL, HF_TYPE_NUMBER, PROOF, "0", 0, 4,
		 "The level that each new set is proved to be of right after it was stored: 2 reads it back, "
		 "3 "
		 "restores it into a scratch cluster, 4 compares that with the original. 0: none."},
	[HF_SET_VERIFY_DATABASE_URL] =
		{"VERIFY_DATABASE_URL", NULL, HF_TYPE_SECRET, PROOF, NULL, 0, 0,
		 "A server on which proofs may make and drop a database of their own, with the database to "
		 "connect to for that. Not set: a scratch cluster on this host, made and removed each time."},
	[HF_SET_SCRATCH_DIR] = {"SCRATCH_DIR", NULL, HF_TYPE_TEXT, PROOF, NULL, 0, 0,
				"The folder for scratch clusters and drills. Not set: TMPDIR, or /var/tmp."},
	[HF_SET_SCRATCH_USER] =
		{"SCRATCH_USER", NULL, HF_TYPE_TEXT, PROOF, NULL, 0, 0,
		 "The user that a scratch cluster runs as where holdfast runs as root. Not set: postgres, or "
		 "nobody."},
	/* The upper bound leaves room below 10,000 parts of 16 MiB, the S3 User Guide's "multipart upload limits". */
	[HF_SET_ARCHIVE_BYTES] = {"ARCHIVE_BYTES", NULL, HF_TYPE_BYTES, TUNING, "100G", MIB, 150 * GIB,
				  "An archive that reaches this size goes on in a next object."},
	[HF_SET_S3_TRIES] = {"S3_TRIES", NULL, HF_TYPE_NUMBER, TUNING, "6", 1, 20,
			     "How often a request to the S3 server is tried before it counts as failed."},
	[HF_SET_S3_STALL_SECONDS] =
		{"S3_STALL_SECONDS", NULL, HF_TYPE_NUMBER, TUNING, "30", 1, 3600,
		 "After how many seconds without a byte a transfer is given up and tried again."},
};

const HfSetting *
hf_setting(HfSettingId id)
{
	g_assert(id < HF_SETTING_COUNT);
	return &table[id];
}
