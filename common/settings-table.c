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
#define REPLICAS "Replicas"
#define TUNING "Tuning"
#define PROOF "Proof"
#define TOKENS "Tokens"
#define SCHEDULE "Schedule"
#define SERVICE "Service"
#define NOTIFICATIONS "Notifications"

#define KEEP(name, which, unit) \
	{ \
		name, NULL, HF_TYPE_NUMBER, RETENTION, "0", 0, 100000, \
			"For so many " which " that have one, the newest good set of the " unit \
			" stays, whatever its age." \
	}

/* One setting of one replica; n is its number as it is spelled. */
#define OF_REPLICA(n, id, word, alias, type, default_value, max, help) \
	[HF_SET_REPLICA(n, id)] = {"REPLICA_" #n "_" word, alias, type, REPLICAS, default_value, 0, max, help}

#define REPLICA(n) \
	OF_REPLICA(n, HF_REPLICA_DIR, "DIR", NULL, HF_TYPE_TEXT, NULL, 0, \
		   "A folder that holds a second copy of all sets, such as a mounted NAS. REPLICA_2_ to " \
		   "REPLICA_4_ " \
		   "are up to three more, with the same settings each."), \
		OF_REPLICA(n, HF_REPLICA_BUCKET, "BUCKET", NULL, HF_TYPE_TEXT, NULL, 0, \
			   "The bucket that holds a second copy of all sets, brought level after each " \
			   "backup and by \"holdfast replicate\"."), \
		OF_REPLICA(n, HF_REPLICA_PREFIX, "PREFIX", NULL, HF_TYPE_TEXT, "backups", 0, \
			   "What the keys of backups begin with in that bucket."), \
		OF_REPLICA(n, HF_REPLICA_REGION, "REGION", NULL, HF_TYPE_TEXT, NULL, 0, \
			   "That bucket's region. Not set: S3_BACKUP_REGION, or AWS_REGION."), \
		OF_REPLICA( \
			n, HF_REPLICA_ENDPOINT_URL, "ENDPOINT_URL", NULL, HF_TYPE_TEXT, NULL, 0, \
			"That bucket's S3 server. Not set: the backup bucket's. Set but empty: Amazon's."), \
		OF_REPLICA(n, HF_REPLICA_ACCESS_KEY, "ACCESS_KEY", "REPLICA_" #n "_ACCESS_KEY_ID", \
			   HF_TYPE_TEXT, NULL, 0, \
			   "The access key for it. Not set: that of the backup bucket."), \
		OF_REPLICA(n, HF_REPLICA_SECRET_ACCESS_KEY, "SECRET_ACCESS_KEY", NULL, HF_TYPE_SECRET, NULL, \
			   0, "The access key's secret."), \
		OF_REPLICA( \
			n, HF_REPLICA_CA_BUNDLE, "CA_BUNDLE", NULL, HF_TYPE_TEXT, NULL, 0, \
			"A PEM file with the private CA that signed the certificate of its S3 server. Not " \
			"set: AWS_CA_BUNDLE."), \
		OF_REPLICA(n, HF_REPLICA_FORCE_PATH_STYLE, "FORCE_PATH_STYLE", NULL, HF_TYPE_FLAG, NULL, 0, \
			   "Whether that bucket's name goes into the path. Not set: S3_FORCE_PATH_STYLE, " \
			   "else true where an endpoint is set."), \
		OF_REPLICA(n, HF_REPLICA_RETENTION_DAYS, "RETENTION_DAYS", NULL, HF_TYPE_NUMBER, NULL, \
			   36500, \
			   "A set stays for so many days there, whatever becomes of it here; KEEP_* go for " \
			   "both. Not set: BACKUP_RETENTION_DAYS.")

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
	[HF_SET_DB_JOBS] =
		{"DB_JOBS", NULL, HF_TYPE_NUMBER, DATABASE, NULL, 1, 8,
		 "How many connections read the tables side by side, inside one snapshot. Not set: the "
		 "number of processors, at most 8. 1: pg_dump alone does it all."},
	[HF_SET_DB_JOBS_TABLE_BYTES] =
		{"DB_JOBS_TABLE_BYTES", NULL, HF_TYPE_BYTES, DATABASE, "4M", 0, INT64_MAX,
		 "Tables of this size on are read side by side; smaller ones are left to pg_dump."},
	[HF_SET_DB_LOCK_SECONDS] =
		{"DB_LOCK_SECONDS", NULL, HF_TYPE_NUMBER, DATABASE, "300", 0, 86400,
		 "How long to wait for a table that another session has locked before the backup "
		 "fails. 0: for ever."},
	[HF_SET_AWS_ACCESS_KEY_ID] =
		{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", HF_TYPE_TEXT, ACCESS, NULL, 0, 0,
		 "The access key. Not set: the credentials come from the container or the instance."},
	[HF_SET_AWS_SECRET_ACCESS_KEY] = {"AWS_SECRET_ACCESS_KEY", NULL, HF_TYPE_SECRET, ACCESS, NULL, 0, 0,
					  "The access key's secret."},
	[HF_SET_AWS_SESSION_TOKEN] = {"AWS_SESSION_TOKEN", NULL, HF_TYPE_SECRET, ACCESS, NULL, 0, 0,
				      "The session token that belongs to a temporary access key."},
	[HF_SET_AWS_ROLE_ARN] = {"AWS_ROLE_ARN", NULL, HF_TYPE_TEXT, ACCESS, NULL, 0, 0,
				 "The role to take by the token in AWS_WEB_IDENTITY_TOKEN_FILE (Kubernetes, "
				 "CI), where no access key is "
				 "set."},
	[HF_SET_AWS_WEB_IDENTITY_TOKEN_FILE] = {"AWS_WEB_IDENTITY_TOKEN_FILE", NULL, HF_TYPE_TEXT, ACCESS,
						NULL, 0, 0,
						"The file with the OpenID Connect token that AWS_ROLE_ARN is "
						"taken with; it is read again each time the "
						"keys are renewed."},
	[HF_SET_AWS_ROLE_SESSION_NAME] = {"AWS_ROLE_SESSION_NAME", NULL, HF_TYPE_TEXT, ACCESS, NULL, 0, 0,
					  "What the session of that role is called in AWS's logs: 2 to 64 "
					  "letters, digits and =,.@-_. Not set: "
					  "holdfast and the host's name."},
	[HF_SET_AWS_ENDPOINT_URL_STS] =
		{"AWS_ENDPOINT_URL_STS", NULL, HF_TYPE_TEXT, ACCESS, NULL, 0, 0,
		 "The security token service where it is not Amazon's of AWS_REGION, as https://host:port."},
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
	[HF_SET_S3_USE_ACCELERATE] = {"S3_USE_ACCELERATE", NULL, HF_TYPE_FLAG, BACKUPS, "false", 0, 0,
				      "Whether backups go by S3 Transfer Acceleration, which must be on for "
				      "the bucket. Amazon's S3 alone."},
	[HF_SET_S3_SSE] =
		{"S3_SSE", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
		 "How the server encrypts what is stored in the backup bucket: AES256 or aws:kms. Not "
		 "set: as the bucket has it."},
	[HF_SET_S3_SSE_KMS_KEY_ID] = {"S3_SSE_KMS_KEY_ID", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
				      "The KMS key (id, ARN or alias) for S3_SSE=aws:kms. Not set: the "
				      "account's own for S3."},
	[HF_SET_S3_STORAGE_CLASS] =
		{"S3_STORAGE_CLASS", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
		 "The storage class of the archives: STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, "
		 "GLACIER_IR, "
		 "GLACIER or DEEP_ARCHIVE. What lies in the last two must be restored there before it can be "
		 "read: "
		 "no proof above level 1 without that. Indexes and manifests stay as the bucket has it."},
	[HF_SET_S3_TAGS] =
		{"S3_TAGS", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
		 "Tags for all objects in the backup bucket: name=value, with commas between several, "
		 "at most 10."},
	[HF_SET_S3_OBJECT_LOCK_DAYS] = {"S3_OBJECT_LOCK_DAYS", NULL, HF_TYPE_NUMBER, BACKUPS, "0", 0, 36500,
					"For so many days nobody can overwrite or delete what a set consists "
					"of (S3 Object Lock, which must be "
					"on for the bucket). Sets of new and changed images need archives of "
					"earlier ones: take the interval of "
					"full runs on top. 0: nothing is locked."},
	[HF_SET_S3_OBJECT_LOCK_MODE] = {"S3_OBJECT_LOCK_MODE", NULL, HF_TYPE_TEXT, BACKUPS, "GOVERNANCE", 0,
					0,
					"GOVERNANCE, which who has s3:BypassGovernanceRetention can lift, or "
					"COMPLIANCE, which nobody can, not even the account's owner."},
	[HF_SET_BACKUP_COMPRESSION] = {"BACKUP_COMPRESSION", NULL, HF_TYPE_TEXT, BACKUPS, "gzip", 0, 0,
				       "How archives are compressed: gzip or gzip:1 to gzip:9, zstd or "
				       "zstd:1 to zstd:19, or none."},
	[HF_SET_BACKUP_STATE_DIR] =
		{"BACKUP_STATE_DIR", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
		 "Where this host keeps notes that may be lost at any time. Not set: /var/lib/holdfast where "
		 "that may "
		 "be written to, else $XDG_STATE_HOME/holdfast or ~/.local/state/holdfast."},
	[HF_SET_LEASES] = {"LEASES", NULL, HF_TYPE_TEXT, BACKUPS, "auto", 0, 0,
			   "How hosts that share a store keep out of each other's way. auto: by leases in "
			   "the store; where it "
			   "cannot have any, a warning says so and the run goes on. required: no run without "
			   "a lease. off: "
			   "only one host uses the store."},
	[HF_SET_LEASE_SECONDS] = {"LEASE_SECONDS", NULL, HF_TYPE_NUMBER, BACKUPS, "120", 10, 3600,
				  "After so many seconds without a sign of life of another host's job its "
				  "lease is taken over, "
				  "and it cannot commit any more."},
	[HF_SET_HOLDFAST_HOST_NAME] = {"HOLDFAST_HOST_NAME", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
				       "What this host is called in the store, where its own name is not "
				       "what people know it by, as in a "
				       "container. Not set: the system's."},
	[HF_SET_BACKUP_RECIPIENTS] =
		{"BACKUP_RECIPIENTS", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
		 "The public keys that backups are encrypted for, as age spells them (age1...), with commas "
		 "between them. "
		 "\"holdfast keygen\" makes a pair. Not set: backups are not encrypted."},
	[HF_SET_BACKUP_PASSPHRASE] =
		{"BACKUP_PASSPHRASE", NULL, HF_TYPE_SECRET, BACKUPS, NULL, 0, 0,
		 "A passphrase to encrypt and to read backups with, instead of keys; long and "
		 "random, best in a file that BACKUP_PASSPHRASE_FILE names."},
	[HF_SET_BACKUP_IDENTITY] =
		{"BACKUP_IDENTITY", NULL, HF_TYPE_SECRET, BACKUPS, NULL, 0, 0,
		 "The secret keys that open encrypted backups (AGE-SECRET-KEY-1...), best in a file that "
		 "BACKUP_IDENTITY_FILE names. A host that only makes backups does without."},
	[HF_SET_ENCRYPT_METADATA] =
		{"ENCRYPT_METADATA", NULL, HF_TYPE_FLAG, BACKUPS, "false", 0, 0,
		 "Whether what tells names is encrypted, too: of tables, images, the database and this host, "
		 "in indexes, manifests, proofs and RESTORE.txt. It takes BACKUP_RECIPIENTS or "
		 "BACKUP_PASSPHRASE."},
	[HF_SET_SIGNING_KEY] =
		{"SIGNING_KEY", NULL, HF_TYPE_SECRET, BACKUPS, NULL, 0, 0,
		 "The secret key that manifests are signed with, a file of minisign's kind without a "
		 "password, best "
		 "named by SIGNING_KEY_FILE. \"holdfast keygen --signing\" makes one. Not set: nothing is "
		 "signed."},
	[HF_SET_SIGNING_PUBLIC_KEYS] =
		{"SIGNING_PUBLIC_KEYS", NULL, HF_TYPE_TEXT, BACKUPS, NULL, 0, 0,
		 "The public keys (RW...) that signatures of manifests are checked with, several with commas "
		 "between them: the old and the new one while keys are changed. That of SIGNING_KEY counts "
		 "as "
		 "well. Not set, nor a key: signatures are not checked."},
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
	REPLICA(1),
	REPLICA(2),
	REPLICA(3),
	REPLICA(4),
	/* The upper bound leaves room below 10,000 parts of 16 MiB, the S3 User Guide's "multipart upload limits". */
	[HF_SET_ARCHIVE_BYTES] = {"ARCHIVE_BYTES", NULL, HF_TYPE_BYTES, TUNING, "100G", MIB, 150 * GIB,
				  "An archive that reaches this size goes on in a next object."},
	[HF_SET_S3_TRIES] = {"S3_TRIES", NULL, HF_TYPE_NUMBER, TUNING, "6", 1, 20,
			     "How often a request to the S3 server is tried before it counts as failed."},
	[HF_SET_S3_STALL_SECONDS] =
		{"S3_STALL_SECONDS", NULL, HF_TYPE_NUMBER, TUNING, "30", 1, 3600,
		 "After how many seconds without a byte a transfer is given up and tried again."},
	[HF_SET_JWT_SECRET] =
		{"JWT_SECRET", NULL, HF_TYPE_SECRET, TOKENS, NULL, 0, 0,
		 "The secret that the application signs its tokens with (HS256, HS384, HS512); 32 bytes or "
		 "more. The service wants at least one key: this, JWT_PUBLIC_KEY_FILE, JWT_JWKS_FILE or "
		 "JWT_JWKS_URL."},
	[HF_SET_JWT_ALGORITHMS] =
		{"JWT_ALGORITHMS", NULL, HF_TYPE_TEXT, TOKENS, NULL, 0, 0,
		 "The algorithms that a token may be signed with, separated by commas: HS256, HS384, HS512, "
		 "RS256, RS384, RS512, ES256, ES384, ES512. Not set: those that fit the keys."},
	[HF_SET_JWT_PUBLIC_KEY_FILE] =
		{"JWT_PUBLIC_KEY_FILE", NULL, HF_TYPE_TEXT, TOKENS, NULL, 0, 0,
		 "A PEM file with the public key, or the certificate, that tokens are checked with (RS256, "
		 "ES256, ...). Several in one file, or several files separated by commas: each is tried, so "
		 "that keys can change."},
	[HF_SET_JWT_JWKS_FILE] = {"JWT_JWKS_FILE", NULL, HF_TYPE_TEXT, TOKENS, NULL, 0, 0,
				  "A file with the keys as a JSON Web Key Set; a token names its key by "
				  "\"kid\". Several secrets can be listed here as well (kty oct)."},
	[HF_SET_JWT_JWKS_URL] =
		{"JWT_JWKS_URL", NULL, HF_TYPE_TEXT, TOKENS, NULL, 0, 0,
		 "Where the identity provider serves its JSON Web Key Set, as https://host/path. Kept in "
		 "memory, read again each hour and, at most once a minute, when a token names an unknown "
		 "key."},
	[HF_SET_JWT_JWKS_CA_BUNDLE] = {"JWT_JWKS_CA_BUNDLE", NULL, HF_TYPE_TEXT, TOKENS, NULL, 0, 0,
				       "A PEM file with the private CA that signed the certificate of "
				       "JWT_JWKS_URL's server."},
	[HF_SET_JWT_ISSUER] = {"JWT_ISSUER", NULL, HF_TYPE_TEXT, TOKENS, NULL, 0, 0,
			       "What a token's \"iss\" must be; several are separated by commas. Not set: "
			       "it is not looked at."},
	[HF_SET_JWT_AUDIENCE] = {"JWT_AUDIENCE", NULL, HF_TYPE_TEXT, TOKENS, NULL, 0, 0,
				 "What a token's \"aud\" must hold; one of several, separated by commas, is "
				 "enough. Not set: it is not looked at."},
	[HF_SET_JWT_ADMIN_CLAIM] =
		{"JWT_ADMIN_CLAIM", NULL, HF_TYPE_TEXT, TOKENS, "role", 0, 0,
		 "The claim that makes an administrator: a name, or a path such as realm_access.roles."},
	[HF_SET_JWT_ADMIN_VALUES] = {"JWT_ADMIN_VALUES", NULL, HF_TYPE_TEXT, TOKENS, "admin", 0, 0,
				     "What that claim must be, or hold where it is a list; one of several, "
				     "separated by commas, is "
				     "enough. \"true\" matches a true claim."},
	[HF_SET_JWT_ADMIN_SUBJECTS] = {"JWT_ADMIN_SUBJECTS", NULL, HF_TYPE_TEXT, TOKENS, NULL, 0, 0,
				       "Administrators by their \"sub\" or \"id\", separated by commas, "
				       "whatever their role."},
	[HF_SET_INTERNAL_TOKEN] =
		{"INTERNAL_TOKEN", NULL, HF_TYPE_SECRET, TOKENS, NULL, 0, 0,
		 "What the timer shows to the service; 32 letters or more. Not set: a random one, kept in "
		 "BACKUP_STATE_DIR/internal-token."},
	[HF_SET_METRICS_TOKEN] = {"METRICS_TOKEN", NULL, HF_TYPE_SECRET, TOKENS, NULL, 0, 0,
				  "What Prometheus shows to read GET /api/backup/metrics, and nothing else; "
				  "32 letters or more. Not "
				  "set: an administrator's token is wanted there as everywhere."},
	[HF_SET_ENABLE_DAILY_BACKUP] = {"ENABLE_DAILY_BACKUP", NULL, HF_TYPE_FLAG, SCHEDULE, "false", 0, 0,
					"Whether holdfast-timer runs the daily backup: database, and images "
					"that are new or changed."},
	[HF_SET_ENABLE_WEEKLY_BACKUP] = {"ENABLE_WEEKLY_BACKUP", NULL, HF_TYPE_FLAG, SCHEDULE, "false", 0, 0,
					 "Whether holdfast-timer runs the weekly backup: database and all "
					 "images, verified afterwards."},
	[HF_SET_DAILY_BACKUP_SCHEDULE] = {"DAILY_BACKUP_SCHEDULE", NULL, HF_TYPE_TEXT, SCHEDULE, "0 2 * * *",
					  0, 0,
					  "When the daily backup runs, in TZ: minute, hour, day of the "
					  "month, month and weekday as in a "
					  "crontab, or a word such as @daily."},
	[HF_SET_WEEKLY_BACKUP_SCHEDULE] = {"WEEKLY_BACKUP_SCHEDULE", NULL, HF_TYPE_TEXT, SCHEDULE,
					   "0 3 * * 0", 0, 0,
					   "When the weekly backup runs, in the same words."},
	[HF_SET_TZ] = {"TZ", NULL, HF_TYPE_TEXT, SCHEDULE, "UTC", 0, 0,
		       "The time zone of the schedule, such as Europe/Berlin. A time that the clock skips in "
		       "spring "
		       "runs right after the gap, one that comes twice in autumn runs the first time only."},
	[HF_SET_TRIGGER_WAIT_SECONDS] =
		{"TRIGGER_WAIT_SECONDS", NULL, HF_TYPE_NUMBER, SERVICE, "300", 0, 3600,
		 "How many seconds a request that triggers a backup waits for its end, before it is answered "
		 "202 with the job's address. 0: not at all."},
	[HF_SET_FCGI_WORKERS] =
		{"FCGI_WORKERS", NULL, HF_TYPE_NUMBER, SERVICE, "4", 1, 256,
		 "How many workers the pool has, as multiwatch was told by -f: half of them may "
		 "wait for backups at a time."},
	[HF_SET_FCGI_PEER_USERS] =
		{"FCGI_PEER_USERS", NULL, HF_TYPE_TEXT, SERVICE, "www-data", 0, 0,
		 "The users, separated by blanks or commas, that may connect to the pool's socket: nginx's "
		 "workers, and the timer where it has another user than the pool. The pool's own user and "
		 "root may always."},
	[HF_SET_HOLDFAST_PROGRAM] =
		{"HOLDFAST_PROGRAM", NULL, HF_TYPE_TEXT, SERVICE, NULL, 0, 0,
		 "The path of the holdfast program that the workers start. Not set: the one in the worker's "
		 "own folder."},
	[HF_SET_FCGI_SOCKET] = {"FCGI_SOCKET", NULL, HF_TYPE_TEXT, SERVICE, "/run/holdfast/fcgi.sock", 0, 0,
				"The pool's socket, where nginx and holdfast-timer find it."},
	[HF_SET_NOTIFY_ON] =
		{"NOTIFY_ON", NULL, HF_TYPE_TEXT, NOTIFICATIONS,
		 "failure, suspect, missed, verify_failed, replica_behind, chain_broken, recovered", 0, 0,
		 "What is told by e-mail and webhooks: success, failure, suspect, missed, verified, "
		 "verify_failed, replica_behind, replica_level, chain_broken, recovered; all or none. A "
		 "trouble is told "
		 "once, once a day while it stays, and when it is over."},
	[HF_SET_NOTIFY_NAME] = {"NOTIFY_NAME", NULL, HF_TYPE_TEXT, NOTIFICATIONS, NULL, 0, 0,
				"What this installation is called in messages. Not set: the host's name."},
	[HF_SET_NOTIFY_EMAIL_TO] = {"NOTIFY_EMAIL_TO", NULL, HF_TYPE_TEXT, NOTIFICATIONS, NULL, 0, 0,
				    "Who gets e-mail: addresses, with commas between them."},
	[HF_SET_NOTIFY_EMAIL_FROM] =
		{"NOTIFY_EMAIL_FROM", NULL, HF_TYPE_TEXT, NOTIFICATIONS, NULL, 0, 0,
		 "The sender: an address, or Name <address>. Not set: SMTP_USER where that is an address, "
		 "else holdfast at the host's name, which many servers refuse."},
	[HF_SET_SMTP_URL] = {"SMTP_URL", NULL, HF_TYPE_SECRET, NOTIFICATIONS, NULL, 0, 0,
			     "The mail server as smtp://host:port (STARTTLS) or smtps://host:port (TLS from "
			     "the start); a "
			     "user:password@ before the host is taken as the login. Ports not given: 587 "
			     "with a login, 25 "
			     "without, 465 for smtps. Not set: smtp://localhost."},
	[HF_SET_SMTP_USER] = {"SMTP_USER", NULL, HF_TYPE_TEXT, NOTIFICATIONS, NULL, 0, 0,
			      "The login at the mail server. Not set: none, or the one in SMTP_URL."},
	[HF_SET_SMTP_PASSWORD] = {"SMTP_PASSWORD", "SMTP_PASS", HF_TYPE_SECRET, NOTIFICATIONS, NULL, 0, 0,
				  "Its password."},
	[HF_SET_SMTP_TLS] =
		{"SMTP_TLS", NULL, HF_TYPE_TEXT, NOTIFICATIONS, NULL, 0, 0,
		 "required: no mail without TLS; off: for smtp:// servers that have none. Not set: off for "
		 "a server on this host, required for all others."},
	[HF_SET_SMTP_CA_BUNDLE] =
		{"SMTP_CA_BUNDLE", NULL, HF_TYPE_TEXT, NOTIFICATIONS, NULL, 0, 0,
		 "A PEM file with the private CA that signed the mail server's certificate."},
	[HF_SET_WEBHOOK_URL] = {"WEBHOOK_URL", NULL, HF_TYPE_SECRET, NOTIFICATIONS, NULL, 0, 0,
				"Where messages are posted to as JSON: https://host/path, several with "
				"blanks between them."},
	[HF_SET_WEBHOOK_FORMAT] =
		{"WEBHOOK_FORMAT", NULL, HF_TYPE_TEXT, NOTIFICATIONS, "auto", 0, 0,
		 "What the JSON looks like: generic, slack, discord or teams; one word for all, or one for "
		 "each URL with commas between them. auto: as the URL's host wants it."},
	[HF_SET_WEBHOOK_SECRET] =
		{"WEBHOOK_SECRET", NULL, HF_TYPE_SECRET, NOTIFICATIONS, NULL, 0, 0,
		 "What webhooks are signed with, as the Standard Webhooks specification has it: whsec_ and "
		 "24 "
		 "to 64 bytes in base64; several, with blanks between them, while one replaces another. Not "
		 "set: they are not signed."},
	[HF_SET_WEBHOOK_CA_BUNDLE] = {"WEBHOOK_CA_BUNDLE", NULL, HF_TYPE_TEXT, NOTIFICATIONS, NULL, 0, 0,
				      "A PEM file with the private CA that signed the certificates of "
				      "WEBHOOK_URL and HEARTBEAT_URL."},
	[HF_SET_HEARTBEAT_URL] =
		{"HEARTBEAT_URL", NULL, HF_TYPE_SECRET, NOTIFICATIONS, NULL, 0, 0,
		 "What a dead man's switch such as healthchecks.io wants to be asked for after each good "
		 "backup; with /start behind it when one begins, and /fail when it was not good."},
};

const HfSetting *
hf_setting(HfSettingId id)
{
	g_assert(id < HF_SETTING_COUNT);
	return &table[id];
}

bool
hf_setting_is_repeated(HfSettingId id)
{
	return id >= HF_SET_REPLICA(2, HF_REPLICA_DIR) && id <= HF_SET_REPLICAS_LAST;
}
