/*
 * backup/source/dump-readers.h -- the connections that read a plan's tables side by side, each with a thread of its own.
 *
 * Each is inside the one snapshot already.  A reader claims a piece, asks for it with COPY ... TO STDOUT, and fills its lane of
 * the window (reorder.h); the caller's thread takes the pieces out in order and writes them.
 */
#pragma once

#include "backup/source/dump-plan.h"
#include "backup/stage/stage.h"

typedef struct HfDumpReaders HfDumpReaders;

/* connections are of PGconn, at most HF_REORDER_LANES_MAX; borrowed with the plan until the readers are freed. */
HfDumpReaders *hf_dump_readers_start(const HfDumpPlan *plan, GPtrArray *connections,
				     GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes all tables, each as a block that pg_dump could have written; once. */
bool hf_dump_readers_write(HfDumpReaders *readers, HfStage *into, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ends the threads; where they are still at work the server is told to stop. */
void hf_dump_readers_free(HfDumpReaders *readers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HfDumpReaders, hf_dump_readers_free)
