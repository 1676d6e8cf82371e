/*
 * backup/source/dump-settings.h -- what the settings say of how a database is dumped.
 */
#pragma once

#include "backup/source/postgres.h"
#include "common/settings.h"

/* DB_JOBS (not set: as many as there are processors, at most 8), DB_JOBS_TABLE_BYTES, DB_LOCK_SECONDS. */
HfPgDumpOptions hf_dump_settings(const HfSettings *settings);
