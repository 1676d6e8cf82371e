#include "config.h"

#include "backup/source/dump-settings.h"
#include "backup/stage/blocks.h"

HfPgDumpOptions
hf_dump_settings(const HfSettings *settings)
{
	int64_t jobs = hf_settings_number(settings, HF_SET_DB_JOBS);

	return (HfPgDumpOptions){
		.jobs = jobs > 0 ? (unsigned)jobs : hf_blocks_default_threads(),
		.table_bytes = (uint64_t)hf_settings_number(settings, HF_SET_DB_JOBS_TABLE_BYTES),
		.lock_seconds = (unsigned)hf_settings_number(settings, HF_SET_DB_LOCK_SECONDS),
	};
}
