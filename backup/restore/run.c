#include "config.h"

#include "backup/restore/run.h"
#include "backup/restore/database-target.h"
#include "backup/restore/in-place.h"
#include "backup/restore/swap.h"
#include "backup/restore/table.h"
#include "backup/store/replica.h"
#include "common/clock.h"
#include "common/error.h"

#include <string.h>
#include <time.h>

typedef struct {
	const HfRestoreRun *run;
	HfStore *store;
	const HfSet *set;
	const HfDatabaseRecord *database;
	GPtrArray *tables;  /* of HfTable; NULL: the set has no index */
	HfDumpFacts *facts; /* NULL: not known */
	char *globals_hint;
	HfJson *reply;
} Context;

static const char *const way_names[] = {
	[HF_RESTORE_INTO] = "into",         [HF_RESTORE_CREATE] = "create", [HF_RESTORE_SWAP] = "swap",
	[HF_RESTORE_IN_PLACE] = "in-place", [HF_RESTORE_TABLES] = "tables",
};

unsigned
hf_restore_default_jobs(void)
{
	return MIN(g_get_num_processors(), HF_RESTORE_JOBS_DEFAULT_MAX);
}

static unsigned
jobs_of(const HfRestoreRun *run)
{
	return run->jobs > 0 ? run->jobs : hf_restore_default_jobs();
}

static void
set_phase(const Context *context, const char *phase)
{
	if (context->run->progress)
		__atomic_store_n(&context->run->progress->phase, phase, __ATOMIC_RELEASE);
}

static HfStore *
open_store(gpointer data, GError **error)
{
	const HfRestoreRun *run = data;

	return hf_store_open_from(run->settings, run->from, error);
}

static HfRestoreDatabase
options_of(const Context *context, const HfPgTarget *target)
{
	const HfRestoreRun *run = context->run;
	const HfDatabaseRecord *database = context->database;

	return (HfRestoreDatabase){
		.target = target,
		.bin_dir = hf_settings_text(run->settings, HF_SET_DB_BIN_DIR),
		.dump_version = database->dump_version,
		.encoding = database->encoding,
		.collate = database->collate,
		.ctype = database->ctype,
		.tables = context->tables,
		.globals_hint = context->globals_hint,
		.bytes = run->progress ? &run->progress->bytes : NULL,
		.jobs = jobs_of(run),
		.open_store = open_store,
		.open_data = (gpointer)(guintptr)run,
		.facts = context->facts,
		.progress = run->progress,
	};
}

/* ---- what is known before ---- */

static bool
read_set(Context *context, GError **error)
{
	const HfArchive *archive = context->database->archive;

	set_phase(context, "preflight");
	if (!context->database->index)
		return true;
	context->tables = hf_catalog_read_tables(context->store, context->set->manifest, error);
	if (!context->tables)
		return false;
	if (context->run->way == HF_RESTORE_TABLES || !hf_dump_facts_can_read(archive, context->tables))
		return true;
	context->facts = hf_dump_facts_read(context->store, archive, context->tables, error);
	return context->facts != NULL;
}

static void
tell_findings(const Context *context, const GPtrArray *findings)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < findings->len; i++) {
		const HfFinding *finding = findings->pdata[i];
		HfJson *item = json_object_new_object();

		hf_json_add_flag(item, "error", finding->is_error);
		hf_json_add_bytes(item, "what", finding->what);
		hf_json_add_bytes(item, "remedy", finding->remedy);
		json_object_array_add(array, item);
		if (!finding->is_error)
			g_warning("%s%s%s", finding->what, finding->remedy ? ": " : "",
				  finding->remedy ? finding->remedy : "");
	}
	hf_json_add(context->reply, "preflight", array);
}

static bool
preflight(const Context *context, const HfPgTarget *target, const char *replaces, GError **error)
{
	const HfRestoreRun *run = context->run;
	const HfPreflightOptions options = {
		.target = target,
		.database = context->database,
		.facts = context->facts,
		.bin_dir = hf_settings_text(run->settings, HF_SET_DB_BIN_DIR),
		.globals_hint = context->globals_hint,
		.create = run->way == HF_RESTORE_CREATE || run->way == HF_RESTORE_SWAP,
		.allow_non_empty = run->allow_non_empty || run->way == HF_RESTORE_IN_PLACE,
		.replaces = replaces,
		.jobs = jobs_of(run),
	};
	g_autoptr(GPtrArray) findings = hf_preflight(&options, error);
	g_autoptr(GError) stands = NULL;

	if (!findings)
		return false;
	tell_findings(context, findings);
	if (hf_preflight_check(findings, &stands))
		return true;
	if (run->skip_preflight && !run->preflight_only) {
		g_warning("going on although %s", stands->message);
		return true;
	}
	g_propagate_error(error, g_steal_pointer(&stands));
	return false;
}

static bool
check_confirm(const Context *context, GError **error)
{
	const HfRestoreRun *run = context->run;
	const char *name = run->target->database;

	if (run->preflight_only || g_strcmp0(run->confirm, name) == 0)
		return true;
	if (!run->confirm)
		return hf_error_set(
			error, HF_ERROR_USAGE,
			"database \"%s\" is to be replaced: confirm it with its name (--confirm \"%s\")",
			name, name);
	return hf_error_set(error, HF_ERROR_USAGE,
			    "database \"%s\" is to be replaced, but \"%s\" was confirmed: nothing was done",
			    name, run->confirm);
}

static void
tell_result(const Context *context, const HfRestoreResult *result)
{
	hf_json_add_flag(context->reply, "compared", context->tables != NULL);
	hf_json_add_number(context->reply, "tables", result->tables);
	hf_json_add_number(context->reply, "rows", result->rows);
	hf_json_add_number(context->reply, "connections", MAX(result->connections, 1));
	hf_json_add_text(context->reply, "serial_reason", result->serial_reason);
}

/* ---- the ways ---- */

static bool
restore_plainly(const Context *context, GError **error)
{
	const HfRestoreRun *run = context->run;
	HfRestoreDatabase options = options_of(context, run->target);
	HfRestoreResult result = {0};

	if (!preflight(context, run->target, NULL, error))
		return false;
	if (run->preflight_only)
		return true;
	options.create = run->way == HF_RESTORE_CREATE;
	options.allow_non_empty = run->allow_non_empty;
	if (!hf_restore_database(context->store, context->database->archive, &options, &result, error))
		return false;
	tell_result(context, &result);
	return true;
}

/* Fills the new database, unless an earlier run did; then its rows are counted once more. */
static bool
fill(const Context *context, HfSwap *swap, HfRestoreResult *result, GError **error)
{
	HfRestoreDatabase options = options_of(context, hf_swap_target(swap));

	options.tablespace = hf_swap_tablespace(swap);
	if (!hf_swap_create(swap, &options, error))
		return false;
	if (hf_swap_is_filled(swap)) {
		g_message(
			"database \"%s\" was restored by an earlier run: it is checked again and swapped in",
			options.target->database);
		set_phase(context, "checking");
		result->connections = 1;
		return !context->tables || hf_restore_compare(options.target, context->tables, result, error);
	}
	return hf_restore_database(context->store, context->database->archive, &options, result, error) &&
	       hf_swap_mark_filled(swap, error);
}

static bool
restore_and_swap(const Context *context, GError **error)
{
	const HfRestoreRun *run = context->run;
	g_autoptr(HfSwap) swap = NULL;
	HfRestoreResult result = {0};

	if (!check_confirm(context, error))
		return false;
	swap = hf_swap_new(run->target, context->set->id, (int64_t)time(NULL), error);
	if (!swap)
		return false;
	/* What an earlier run left filled is there, and is to be. */
	if (!hf_swap_is_filled(swap) &&
	    !preflight(context, hf_swap_target(swap), run->target->database, error))
		return false;
	if (run->preflight_only)
		return true;
	if (!fill(context, swap, &result, error))
		return false;
	set_phase(context, "swapping");
	if (!hf_swap_commit(swap, error))
		return false;
	tell_result(context, &result);
	hf_json_add_bytes(context->reply, "old_database", hf_swap_old_name(swap));
	return true;
}

static bool
restore_in_place(const Context *context, GError **error)
{
	const HfRestoreRun *run = context->run;
	HfRestoreDatabase options = options_of(context, run->target);
	HfRestoreResult result = {0};
	HfInPlaceLoss loss;

	if (!check_confirm(context, error) || !hf_in_place_loss(run->target, &loss, error))
		return false;
	hf_json_add_number(context->reply, "replaced_tables", loss.tables);
	hf_json_add_number(context->reply, "replaced_bytes", loss.bytes);
	if (!preflight(context, run->target, NULL, error))
		return false;
	if (run->preflight_only)
		return true;
	if (!hf_restore_in_place(context->store, context->database->archive, &options, &result, error))
		return false;
	tell_result(context, &result);
	return true;
}

static void
add_list(HfJson *reply, const char *name, const GPtrArray *list)
{
	HfJson *array = json_object_new_array();

	for (guint i = 0; i < list->len; i++) {
		g_autofree char *valid = g_utf8_make_valid(list->pdata[i], -1);

		json_object_array_add(array, json_object_new_string(valid));
	}
	hf_json_add(reply, name, array);
}

static bool
restore_tables(const Context *context, GError **error)
{
	const HfRestoreRun *run = context->run;
	HfRestoreTables options = {
		.store = context->store,
		.archive = context->database->archive,
		.tables = context->tables,
		.target = run->target,
		.names = run->tables,
		.data_only = run->data_only,
		.allow_non_empty = run->allow_non_empty,
		.progress = run->progress,
	};
	g_auto(HfRestoredTables) result = {0};

	if (!hf_dump_facts_can_read(context->database->archive, context->tables))
		return hf_error_set(error, HF_ERROR_FAILED,
				    "set \"%s\" has no index: single tables cannot be read out of it",
				    context->set->id);
	set_phase(context, "restoring");
	if (!hf_restore_tables(&options, &result, error))
		return false;
	hf_json_add_flag(context->reply, "compared", true);
	hf_json_add_number(context->reply, "tables", result.tables);
	hf_json_add_number(context->reply, "rows", result.rows);
	hf_json_add_number(context->reply, "read_bytes", result.read_bytes);
	add_list(context->reply, "brought", result.brought);
	add_list(context->reply, "left_out", result.left_out);
	return true;
}

/* ---- the whole ---- */

static bool
restore(Context *context, GError **error)
{
	static bool (*const ways[])(const Context *, GError **) = {
		[HF_RESTORE_INTO] = restore_plainly,  [HF_RESTORE_CREATE] = restore_plainly,
		[HF_RESTORE_SWAP] = restore_and_swap, [HF_RESTORE_IN_PLACE] = restore_in_place,
		[HF_RESTORE_TABLES] = restore_tables,
	};

	return read_set(context, error) && ways[context->run->way](context, error);
}

bool
hf_restore_run(const HfRestoreRun *run, HfStore *store, const HfSet *set, HfJson *reply, GError **error)
{
	Context context = {.run = run, .store = store, .set = set, .reply = reply};
	double started_s = hf_clock_monotonic_s();
	bool ok;

	if (set->is_damaged)
		return hf_error_set(error, HF_ERROR_CORRUPT, "set \"%s\" is damaged: %s", set->id,
				    set->trouble);
	if (!set->manifest->database)
		return hf_error_set(error, HF_ERROR_NOT_FOUND, "set \"%s\" holds no database", set->id);
	if (run->jobs > HF_RESTORE_JOBS_MAX)
		return hf_error_set(error, HF_ERROR_USAGE, "--jobs %u: at most %d connections", run->jobs,
				    HF_RESTORE_JOBS_MAX);
	context.database = set->manifest->database;
	if (context.database->globals)
		context.globals_hint = g_strdup_printf("holdfast cat %s globals | psql \"%s\"", set->id,
						       run->target->conninfo);
	hf_json_add_text(reply, "set", set->id);
	hf_json_add_bytes(reply, "target", run->target->database);
	hf_json_add_text(reply, "way", way_names[run->way]);
	ok = restore(&context, error);
	if (ok && !run->preflight_only) {
		char text[32];
		double duration_s = hf_clock_monotonic_s() - started_s;

		g_ascii_formatd(text, sizeof text, "%.3f", duration_s);
		hf_json_add(reply, "duration", json_object_new_double_s(duration_s, text));
	}
	g_clear_pointer(&context.tables, g_ptr_array_unref);
	hf_dump_facts_free(context.facts);
	g_free(context.globals_hint);
	return ok;
}
