/*
 * backup/source/postgres.h -- a PostgreSQL database as a source.
 *
 * A libpq connection holds one snapshot (REPEATABLE READ, READ ONLY, pg_export_snapshot()) for as long as the source is
 * open, and pg_dump works inside it.  pg_dump of the server's version or newer is looked for below
 * /usr/lib/postgresql and in PATH; the password reaches it through a private file, never argv, environment or shell.
 */
#pragma once

#include "backup/stage/stage.h"
#include "common/secret.h"

#include <stdint.h>

typedef struct HfPostgres HfPostgres;

/* Where a database is: libpq's keywords without the password, and the password.  Made from settings or a URL. */
typedef struct {
	char *conninfo;     /* "host='...' port='...' dbname='...' user='...'": no secret in it */
	char *database;     /* its name, for messages */
	HfSecret *password; /* NULL: none given; libpq's own ways (peer, ~/.pgpass, certificates) apply */
} HfPgTarget;

/*
 * From a URL or a conninfo string (libpq, section 34.1.1 "Connection Strings").  USAGE where it cannot be read, where
 * it names no database, or holds secrets that we could not keep out of argv (sslpassword).
 */
HfPgTarget *hf_pg_target_parse(const char *url, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* From the parts; NULL for each that is not set.  password is copied. */
typedef struct {
	const char *host, *port, *database, *user, *sslmode;
	const HfSecret *password;
} HfPgParts;
HfPgTarget *hf_pg_target_new(const HfPgParts *parts, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same server and login, another database. */
HfPgTarget *hf_pg_target_with_database(const HfPgTarget *target, const char *database);
void hf_pg_target_free(HfPgTarget *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPgTarget, hf_pg_target_free)

/*
 * The program (pg_dump, pg_dumpall, psql) of the lowest major version that is at least server_major, below
 * /usr/lib/postgresql/<major>/bin, then in PATH; where bin_dir is not NULL, only there.  NOT_FOUND with the package to
 * install.  *found_version_out ("15.18") may be NULL.
 */
char *hf_pg_program(const char *name, int server_major, const char *bin_dir, char **found_version_out,
		    GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	const char *database;       /* as the server spells it */
	const char *server_version; /* "15.18" */
	int server_major;           /* 15 */
	const char *encoding;       /* "UTF8" */
	const char *collate;        /* "C.UTF-8" */
	const char *ctype;
	const char *dump_version; /* pg_dump's: "15.18" */
	uint64_t estimated_bytes; /* what the tables take on the server: for a progress bar, nothing else */
} HfPgInfo;

/*
 * Connects, takes the snapshot, and finds pg_dump.  bin_dir may be NULL.  USAGE for what a setting can mend (host,
 * login, database, version), DENIED for rights; target is borrowed during the call.
 */
HfPostgres *hf_postgres_open(const HfPgTarget *target, const char *bin_dir,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Borrowed, lives as long as postgres. */
const HfPgInfo *hf_postgres_info(const HfPostgres *postgres);

/* How it is dumped; all zero: by pg_dump alone. */
typedef struct {
	unsigned jobs;         /* connections that read tables side by side; 0 and 1: pg_dump alone */
	uint64_t table_bytes;  /* what is smaller, with its TOAST, is left to pg_dump in any case */
	unsigned lock_seconds; /* how long to wait for tables that others have locked; 0: for ever */
} HfPgDumpOptions;
void hf_postgres_set_dump(HfPostgres *postgres, const HfPgDumpOptions *options);

/*
 * Writes the dump in plain format into the chain, which is left open: finish it only if this succeeded.  Success means
 * that pg_dump ended with status 0 and that the snapshot's connection is still alive.
 */
bool hf_postgres_dump(HfPostgres *postgres, HfStage *into, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Starts what hf_postgres_globals() reads, so that it works beside the dump: a role that owns something in the snapshot, and is
 * dropped while the dump goes on, is there still.  Without it hf_postgres_globals() starts by itself.  Fails as that does.
 */
bool hf_postgres_start_globals(HfPostgres *postgres, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/*
 * Writes roles, memberships and tablespaces (pg_dumpall --globals-only) into the chain.  Where the login may not read
 * pg_authid the roles come without their passwords, and the first line, a comment, says so: without the roles a restore
 * stops at the first OWNER TO.  Where even that is refused it fails with DENIED, before a byte is written: the caller
 * then records why there are none.
 */
bool hf_postgres_globals(HfPostgres *postgres, HfStage *into, GError **error) G_GNUC_WARN_UNUSED_RESULT;

void hf_postgres_free(HfPostgres *postgres);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfPostgres, hf_postgres_free)
