/*
 * backup/verify/scratch-database.h -- a name for a scratch database on a server that is not ours to change otherwise.
 *
 * The name is held by an advisory lock of a session, so that a database whose maker was killed can be told from one in use.
 */
#pragma once

#include "backup/source/postgres.h"

typedef struct HfScratchDatabase HfScratchDatabase;

/*
 * Connects to server, drops what killed runs left there, and takes a name that is free.  USAGE where the server is of a
 * version before major.
 */
HfScratchDatabase *hf_scratch_database_new(const HfPgTarget *server, int major,
					   GError **error) G_GNUC_WARN_UNUSED_RESULT;

const char *hf_scratch_database_name(const HfScratchDatabase *database);
const char *hf_scratch_database_version(const HfScratchDatabase *database); /* the server's: "15.18" */

/* Drops the database where it was made. */
void hf_scratch_database_free(HfScratchDatabase *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfScratchDatabase, hf_scratch_database_free)
