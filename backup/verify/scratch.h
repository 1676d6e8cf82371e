/*
 * backup/verify/scratch.h -- a PostgreSQL server to restore into and throw away.
 *
 * Its own cluster: initdb of the major version of the original, or newer, in a private folder, reached by a socket there
 * alone, without fsync, and as another user than root.  Freed, cancelled or killed, nothing of it is left: the server ends
 * with us, and the folder is removed by us or by the next run (scratch-folder.h).
 *
 * Or a database on a server that VERIFY_DATABASE_URL names, of a name of its own, dropped afterwards; where the run was
 * killed, by the next one, since the session that held its advisory lock is gone.
 */
#pragma once

#include "backup/source/postgres.h"

typedef struct HfScratch HfScratch;

typedef struct {
	const char *bin_dir;      /* DB_BIN_DIR; NULL: found as hf_pg_program() does */
	const char *folder;       /* SCRATCH_DIR; NULL: the default (scratch-folder.h) */
	const char *user;         /* SCRATCH_USER; NULL: the default */
	const HfPgTarget *server; /* VERIFY_DATABASE_URL; NULL: a cluster of its own */
	int major;            /* of the original server, or of pg_dump, whichever is newer; 0: not known */
	uint64_t plain_bytes; /* of the dump: says how much space is needed */
	const char
		*database; /* the original's name, which the scratch database has in a cluster of its own */
} HfScratchOptions;

/* What a restored dump of so many bytes takes: its tables, their indexes, WAL, and the cluster itself. */
uint64_t hf_scratch_bytes(uint64_t plain_bytes);

/* NOT_FOUND, with the package, where there is no such server program; FAILED where the space does not do. */
HfScratch *hf_scratch_new(const HfScratchOptions *options, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The scratch database, which does not exist yet: hf_restore_database() makes it.  Borrowed. */
const HfPgTarget *hf_scratch_target(const HfScratch *scratch);

/* True: a cluster of its own, in which roles may be made. */
bool hf_scratch_is_own(const HfScratch *scratch);
const char *hf_scratch_version(const HfScratch *scratch); /* the server's: "15.18" */
int hf_scratch_major(const HfScratch *scratch);

/* Of a cluster of its own: its programs; its socket's folder; its superuser; a folder for tablespaces. */
const char *hf_scratch_bin_dir(const HfScratch *scratch);
const char *hf_scratch_socket_dir(const HfScratch *scratch);
const char *hf_scratch_superuser(void);
char *hf_scratch_make_folder(const HfScratch *scratch, const char *name,
			     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Drops the database, or ends the server and removes its folder; also once a stop was asked for. */
void hf_scratch_free(HfScratch *scratch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfScratch, hf_scratch_free)
