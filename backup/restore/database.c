#include "config.h"

#include "backup/restore/database-target.h"
#include "backup/restore/parallel.h"
#include "backup/restore/psql.h"
#include "backup/source/scan.h"
#include "common/cancel.h"
#include "common/error.h"

#include <string.h>

static void
set_phase(const HfRestoreDatabase *options, const char *phase)
{
	if (options->progress)
		__atomic_store_n(&options->progress->phase, phase, __ATOMIC_RELEASE);
}

static HfPsqlOptions
psql_options_of(const HfRestoreDatabase *options)
{
	return (HfPsqlOptions){
		.target = options->target,
		.bin_dir = options->bin_dir,
		.dump_version = options->dump_version,
		.globals_hint = options->globals_hint,
		.stays = options->create ? NULL : "; what was restored before that stays in the database",
		.bytes = options->bytes,
	};
}

/* The scan in front of psql sees a dump that was cut, also where no digest is known to tell. */
static bool
feed(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options, GError **error)
{
	const HfPsqlOptions psql_options = psql_options_of(options);
	g_autoptr(HfPsql) psql = hf_psql_start(&psql_options, error);
	g_autoptr(HfStage) chain = psql ? hf_scan_new(hf_psql_stage_new(psql), HF_SCAN_DATABASE) : NULL;

	if (!psql)
		return false;
	set_phase(options, "restoring");
	return (hf_archive_read(store, archive, chain, error) && hf_stage_finish(chain, error) &&
		hf_psql_end(psql, error)) ||
	       hf_psql_explain(psql, error);
}

/* Only what stands in front of the first rows. */
static bool
feed_head(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options, GError **error)
{
	const HfPsqlOptions psql_options = psql_options_of(options);
	const HfTable *first = options->tables->pdata[0];
	g_autoptr(HfPsql) psql = hf_psql_start(&psql_options, error);
	g_autoptr(HfStage) chain = psql ? hf_psql_stage_new(psql) : NULL;

	if (!psql)
		return false;
	set_phase(options, "definitions");
	return (hf_archive_read_range(store, archive, (HfRange){0, first->offset}, chain, error) &&
		hf_stage_finish(chain, error) && hf_psql_end(psql, error)) ||
	       hf_psql_explain(psql, error);
}

/* NULL where it can be taken apart. */
static const char *
why_alone(const HfArchive *archive, const HfRestoreDatabase *options)
{
	if (!options->tables || !archive->members)
		return "the set has no table of its archive's members";
	/* Members have checksums of their own; of a piece of bare bytes nobody could say that it is whole. */
	if (archive->compression == HF_COMPRESSION_NONE)
		return "the archive is not compressed, so its pieces have no checksums";
	if (options->tables->len == 0)
		return "it holds no rows";
	return NULL;
}

static bool
restore_parallel(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options, GError **error)
{
	const HfParallelOptions parallel = {
		.store = store,
		.archive = archive,
		.tables = options->tables,
		.facts = options->facts,
		.target = options->target,
		.open_store = options->open_store,
		.open_data = options->open_data,
		.jobs = options->jobs,
		.progress = options->progress,
	};
	GError *failure = NULL;

	if (!feed_head(store, archive, options, error))
		return false;
	if (hf_restore_parallel(&parallel, &failure))
		return true;
	hf_error_set(error, (HfError)failure->code, "%s%s", failure->message,
		     options->create ? "" : "; what was restored before that stays in the database");
	g_error_free(failure);
	return false;
}

static bool
restore_all(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options,
	    HfRestoreResult *result_out, GError **error)
{
	g_autoptr(HfDumpFacts) own_facts = NULL;
	HfRestoreDatabase with_facts = *options;

	result_out->connections = 1;
	if (options->jobs > 1 && !options->facts && !why_alone(archive, options)) {
		own_facts = hf_dump_facts_read(store, archive, options->tables, error);
		if (!own_facts)
			return false;
		with_facts.facts = own_facts;
	}
	if (options->jobs > 1) {
		result_out->serial_reason = why_alone(archive, options);
		if (!result_out->serial_reason && with_facts.facts->serial_reason)
			result_out->serial_reason =
				"the dump has statements that other connections could not follow";
		if (result_out->serial_reason)
			g_message("restored by psql alone: %s", result_out->serial_reason);
	}
	if (options->jobs > 1 && !result_out->serial_reason) {
		result_out->connections = options->jobs;
		return restore_parallel(store, archive, &with_facts, error);
	}
	return feed(store, archive, options, error);
}

static bool
restore_into(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options,
	     HfRestoreResult *result_out, GError **error)
{
	if (!restore_all(store, archive, options, result_out, error))
		return false;
	set_phase(options, "checking");
	return !options->tables || hf_restore_compare(options->target, options->tables, result_out, error);
}

/* The least major version of psql that reads the dump: pg_dump's own. */
static int
dump_major(const HfRestoreDatabase *options)
{
	return options->dump_version ? (int)g_ascii_strtoll(options->dump_version, NULL, 10) : 0;
}

bool
hf_restore_database(HfStore *store, const HfArchive *archive, const HfRestoreDatabase *options,
		    HfRestoreResult *result_out, GError **error)
{
	g_autofree char *program = NULL;
	HfRestoreResult result = {0};

	if (!hf_cancel_check(error))
		return false;
	/* Before anything is made. */
	program = hf_pg_program("psql", dump_major(options), options->bin_dir, NULL, error);
	if (!program)
		return false;
	if (options->create ? !hf_restore_create(options, error)
			    : !options->allow_non_empty && !hf_restore_check_empty(options->target, error))
		return false;
	if (!restore_into(store, archive, options, &result, error)) {
		if (options->create && !options->keep_failed && !hf_restore_drop(options->target))
			g_prefix_error(error, "database \"%s\" was made and could not be dropped, drop it: ",
				       options->target->database);
		return false;
	}
	*result_out = result;
	return true;
}
