#include "config.h"

#include "backup/restore/table.h"
#include "backup/restore/database-target.h"
#include "backup/restore/rows.h"
#include "backup/restore/table-impl.h"
#include "common/error.h"

#include <string.h>

typedef struct {
	const HfRestoreTables *options;
	PGconn *connection;
	GPtrArray *wanted; /* of HfTable, borrowed */
	GHashTable *there; /* names of those that the target has */
	GHashTable *found; /* names of those whose rows were found where the index says */
	HfTableOwn own;
	GPtrArray *head, *tail; /* of Piece: what is run before the rows, and behind them */
	HfRestoredTables *result;
} Run;

typedef struct {
	char *sql, *about;
	uint64_t line;
} Piece;

static void
piece_free(gpointer data)
{
	Piece *piece = data;

	g_free(piece->sql);
	g_free(piece->about);
	g_free(piece);
}

void
hf_restored_tables_clear(HfRestoredTables *result)
{
	g_clear_pointer(&result->brought, g_ptr_array_unref);
	g_clear_pointer(&result->left_out, g_ptr_array_unref);
}

/* ---- which table is meant ---- */

/* The parts of a name without their quotes; as_written leaves those that are not quoted in the case that they have. */
static GPtrArray *
parts_of(const char *name, bool as_written)
{
	g_auto(HfTokens) tokens = {0};
	GPtrArray *parts = g_ptr_array_new_with_free_func(g_free);

	hf_tokens_begin(&tokens, name);
	while (hf_tokens_next(&tokens) == HF_TOKEN_WORD || tokens.kind == HF_TOKEN_QUOTED) {
		bool takes_source = as_written && tokens.kind == HF_TOKEN_WORD;

		g_ptr_array_add(parts, takes_source
					       ? g_strndup(tokens.start, (gsize)(tokens.at - tokens.start))
					       : g_strdup(tokens.text->str));
		(void)hf_tokens_next(&tokens);
	}
	return parts;
}

/* Whether the name's parts are the last ones of the table's. */
static bool
is_meant(const GPtrArray *parts, const HfTable *table)
{
	g_autoptr(GPtrArray) own = parts_of(table->name, false);

	if (parts->len == 0 || parts->len > own->len)
		return false;
	for (guint i = 0; i < parts->len; i++)
		if (strcmp(parts->pdata[i], own->pdata[own->len - parts->len + i]) != 0)
			return false;
	return true;
}

static const HfTable *
find_by(const GPtrArray *tables, const GPtrArray *parts, const char *name, GError **error)
{
	const HfTable *found = NULL;

	for (guint i = 0; i < tables->len; i++) {
		const HfTable *table = tables->pdata[i];

		if (!is_meant(parts, table))
			continue;
		if (found) {
			hf_error_set(error, HF_ERROR_USAGE, "table \"%s\": there are %s and %s: say which",
				     name, found->name, table->name);
			return NULL;
		}
		found = table;
	}
	return found;
}

const HfTable *
hf_restore_find_table(const GPtrArray *tables, const char *name, GError **error)
{
	for (int as_written = 0; as_written < 2; as_written++) {
		g_autoptr(GPtrArray) parts = parts_of(name, as_written);
		g_autoptr(GError) ambiguous = NULL;
		const HfTable *table = find_by(tables, parts, name, &ambiguous);

		if (table)
			return table;
		if (ambiguous) {
			g_propagate_error(error, g_steal_pointer(&ambiguous));
			return NULL;
		}
	}
	hf_error_set(error, HF_ERROR_NOT_FOUND,
		     "table \"%s\" has no rows of its own in the set: \"holdfast show SET --tables\" names "
		     "those that do; "
		     "of a partitioned table, name the partitions",
		     name);
	return NULL;
}

static bool
find_wanted(Run *run, GError **error)
{
	for (const char *const *name = run->options->names; *name; name++) {
		const HfTable *table = hf_restore_find_table(run->options->tables, *name, error);

		if (!table)
			return false;
		if (g_hash_table_add(run->own.tables, g_strdup(table->name)))
			g_ptr_array_add(run->wanted, (gpointer)(guintptr)table);
	}
	return true;
}

/* ---- what there is ---- */

static PGresult *
ask(Run *run, const char *before, const char *name, const char *after, GError **error)
{
	char *literal = PQescapeLiteral(run->connection, name, strlen(name));
	g_autofree char *sql = g_strconcat(before, literal ? literal : "''", after, NULL);

	PQfreemem(literal);
	return hf_pg_query(run->connection, sql, NULL, error);
}

static bool
is_empty(Run *run, const HfTable *table, bool *empty_out, GError **error)
{
	g_autofree char *sql = g_strdup_printf("SELECT NOT EXISTS (SELECT FROM ONLY %s)", table->name);
	g_autoptr(PGresult) result = hf_pg_query(run->connection, sql, NULL, error);

	*empty_out = result && strcmp(PQgetvalue(result, 0, 0), "t") == 0;
	return result != NULL;
}

static bool
look_at(Run *run, const HfTable *table, GError **error)
{
	g_autoptr(PGresult)
		result = ask(run, "SELECT pg_catalog.to_regclass(", table->name, ") IS NOT NULL", error);
	const char *database = run->options->target->database;
	bool empty = false;

	if (!result)
		return false;
	if (strcmp(PQgetvalue(result, 0, 0), "t") != 0)
		return !run->options->data_only ||
		       hf_error_set(error, HF_ERROR_NOT_FOUND,
				    "database \"%s\" has no table %s: leave out --data-only to make it",
				    database, table->name);
	g_hash_table_add(run->there, table->name);
	if (!is_empty(run, table, &empty, error))
		return false;
	return empty || run->options->allow_non_empty ||
	       hf_error_set(error, HF_ERROR_CONFLICT,
			    "table %s of database \"%s\" holds rows: empty or rename it, or add to it with "
			    "--allow-non-empty",
			    table->name, database);
}

static bool
look(Run *run, GError **error)
{
	g_autoptr(PGresult) roles = NULL;

	if (!hf_session_run(run->connection, "SET row_security = off; SET search_path = ''", (HfPlace){0},
			    error))
		return false;
	roles = hf_pg_query(run->connection, "SELECT rolname FROM pg_catalog.pg_roles", NULL, error);
	if (!roles)
		return false;
	for (int i = 0; i < PQntuples(roles); i++)
		g_hash_table_add(run->own.roles, g_strdup(PQgetvalue(roles, i, 0)));
	for (guint i = 0; i < run->wanted->len; i++)
		if (!look_at(run, run->wanted->pdata[i], error))
			return false;
	return true;
}

/* ---- which statements ---- */

/* What the statement is about is there already, with the table. */
static bool
is_of_a_table_that_is_there(const Run *run)
{
	return g_hash_table_size(run->there) == run->wanted->len;
}

static void
add_piece(Run *run, GPtrArray *pieces, const HfWalkItem *item, char *about)
{
	Piece *piece = g_new0(Piece, 1);

	(void)run;
	piece->sql = g_strdup(item->text);
	piece->about = about;
	piece->line = item->line;
	g_ptr_array_add(pieces, piece);
}

static void
take_statement(Run *run, const HfWalkItem *item, bool is_tail)
{
	g_auto(HfStatement) statement = {0};
	char *about = NULL;

	hf_statement_parse(item->text, &statement);
	if (statement.kind == HF_STATEMENT_SETTING) {
		add_piece(run, is_tail ? run->tail : run->head, item, NULL);
		return;
	}
	if (is_of_a_table_that_is_there(run)) {
		/* Whoever has a table has its definition; where its sequences go on is theirs to say. */
		if (statement.kind == HF_STATEMENT_DATA &&
		    hf_table_share(&run->own, item->text, &about) == HF_TABLE_BRING)
			g_ptr_array_add(run->result->left_out, g_steal_pointer(&about));
		g_free(about);
		return;
	}
	switch (hf_table_share(&run->own, item->text, &about)) {
	case HF_TABLE_BRING:
		add_piece(run, is_tail ? run->tail : run->head, item, about);
		break;
	case HF_TABLE_LEAVE:
		g_ptr_array_add(run->result->left_out, about);
		break;
	case HF_TABLE_FOREIGN:
		break;
	}
}

static bool
skip_rows(HfWalk *walk, const HfWalkItem *item, GError **error)
{
	const char *bytes;
	size_t len;

	if (item->table)
		return true;
	do {
		if (!hf_walk_rows(walk, &bytes, &len, error))
			return false;
	} while (bytes);
	return true;
}

/* The first pass notes what the tables own, since it is said behind where it is made; the second takes the statements. */
static bool
walk_dump(Run *run, bool is_second, GError **error)
{
	const HfWalkOptions options = {.store = run->options->store,
				       .archive = run->options->archive,
				       .tables = run->options->tables,
				       .line = 1};
	g_autoptr(HfWalk) walk = hf_walk_new(&options);
	bool is_tail = false;
	HfWalkItem item;

	do {
		if (!hf_walk_next(walk, &item, error) || (item.is_copy && !skip_rows(walk, &item, error)))
			return false;
		if (item.is_copy && item.table)
			g_hash_table_add(run->found, item.table->name);
		is_tail = is_tail || item.is_copy;
		if (!item.text || item.is_command || item.is_copy)
			continue;
		if (is_second)
			take_statement(run, &item, is_tail);
		else
			hf_table_note_own(&run->own, item.text);
	} while (item.text);
	run->result->read_bytes += hf_walk_bytes(walk);
	return true;
}

static bool
check_found(Run *run, GError **error)
{
	for (guint i = 0; i < run->wanted->len; i++) {
		const HfTable *table = run->wanted->pdata[i];

		if (!g_hash_table_contains(run->found, table->name))
			return hf_error_set(error, HF_ERROR_FAILED,
					    "table %s: its rows lie in more than one place of the dump: "
					    "restore the whole "
					    "database and copy it",
					    table->name);
	}
	return true;
}

/* ---- the restore ---- */

static bool
run_pieces(Run *run, GPtrArray *pieces, GError **error)
{
	for (guint i = 0; i < pieces->len; i++) {
		Piece *piece = pieces->pdata[i];

		if (!hf_session_run(run->connection, piece->sql, (HfPlace){.line = piece->line}, error))
			return false;
		if (piece->about)
			g_ptr_array_add(run->result->brought, g_steal_pointer(&piece->about));
	}
	return true;
}

/* Of "schema.name": a schema that is not there is made, with nothing in it. */
static bool
make_schema(Run *run, const HfTable *table, GError **error)
{
	g_auto(HfTokens) tokens = {0};
	g_autofree char *sql = NULL;
	const char *start;

	hf_tokens_begin(&tokens, table->name);
	(void)hf_tokens_next(&tokens);
	start = tokens.start;
	if (run->options->data_only || *tokens.at != '.')
		return true;
	sql = g_strdup_printf("CREATE SCHEMA IF NOT EXISTS %.*s", (int)(tokens.at - start), start);
	return hf_session_run(run->connection, sql, (HfPlace){0}, error);
}

static bool
count(Run *run, const HfTable *table, uint64_t *rows_out, GError **error)
{
	g_autofree char *sql = hf_restore_count_sql(run->connection, table->name);
	g_autoptr(PGresult) result = hf_pg_query(run->connection, sql, NULL, error);

	if (result)
		*rows_out = g_ascii_strtoull(PQgetvalue(result, 0, 0), NULL, 10);
	return result != NULL;
}

/* The COPY as the dump has it: only there the order of the columns is said. */
static bool
read_copy(Run *run, const HfTable *table, GByteArray *sql, GError **error)
{
	const HfWalkOptions options = {.store = run->options->store, .archive = run->options->archive};
	g_autoptr(HfWalk) walk = hf_walk_new(&options);

	if (!hf_walk_read(walk, table->offset, table->data_offset - table->offset, sql, error))
		return false;
	g_byte_array_append(sql, (const guint8 *)"", 1);
	run->result->read_bytes += hf_walk_bytes(walk);
	return true;
}

static bool
copy_rows(Run *run, const HfTable *table, GError **error)
{
	g_autoptr(GByteArray) sql = g_byte_array_new();
	HfProgress *progress = run->options->progress;
	HfRows rows = {.store = run->options->store,
		       .archive = run->options->archive,
		       .connection = run->connection,
		       .table = table->name,
		       .bytes = progress ? &progress->bytes : NULL};
	uint64_t before = 0, after = 0;

	if (!read_copy(run, table, sql, error) || !count(run, table, &before, error))
		return false;
	rows.sql = (const char *)sql->data;
	run->result->read_bytes += table->bytes;
	if (table->bytes > 0 && !hf_rows_copy_range(&rows, (HfRange){table->data_offset, table->bytes}, true,
						    table->data_offset + table->bytes, error))
		return false;
	if (!count(run, table, &after, error))
		return false;
	run->result->rows += table->rows;
	run->result->tables++;
	return after - before == table->rows ||
	       hf_error_set(error, HF_ERROR_CORRUPT,
			    "table %s: %" G_GUINT64_FORMAT " rows were backed up, %" G_GUINT64_FORMAT
			    " were restored",
			    table->name, table->rows, after - before);
}

static bool
restore(Run *run, GError **error)
{
	if (!hf_session_run(run->connection, "BEGIN", (HfPlace){0}, error))
		return false;
	for (guint i = 0; i < run->wanted->len; i++)
		if (!make_schema(run, run->wanted->pdata[i], error))
			return false;
	if (!run_pieces(run, run->head, error))
		return false;
	for (guint i = 0; i < run->wanted->len; i++)
		if (!copy_rows(run, run->wanted->pdata[i], error))
			return false;
	return run_pieces(run, run->tail, error) &&
	       hf_session_run_to_end(run->connection, "COMMIT", (HfPlace){0}, error);
}

static bool
run_all(Run *run, GError **error)
{
	const HfRestoreTables *options = run->options;

	if (!find_wanted(run, error))
		return false;
	run->connection = hf_pg_connect(options->target, error);
	if (!run->connection || !look(run, error))
		return false;
	/* Where some are there and some are not, the definitions of the former would collide. */
	if (g_hash_table_size(run->there) > 0 && !is_of_a_table_that_is_there(run))
		return hf_error_set(
			error, HF_ERROR_CONFLICT,
			"some of the tables are there and some are not: restore them one after the other");
	return walk_dump(run, false, error) && check_found(run, error) && walk_dump(run, true, error) &&
	       restore(run, error);
}

bool
hf_restore_tables(const HfRestoreTables *options, HfRestoredTables *result_out, GError **error)
{
	Run run = {.options = options, .result = result_out};
	GHashTable **const sets[] = {&run.own.tables, &run.own.sequences, &run.own.indexes, &run.own.roles};
	bool ok;

	*result_out = (HfRestoredTables){.brought = g_ptr_array_new_with_free_func(g_free),
					 .left_out = g_ptr_array_new_with_free_func(g_free)};
	for (size_t i = 0; i < G_N_ELEMENTS(sets); i++)
		*sets[i] = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	run.there = g_hash_table_new(g_str_hash, g_str_equal);
	run.found = g_hash_table_new(g_str_hash, g_str_equal);
	run.wanted = g_ptr_array_new();
	run.head = g_ptr_array_new_with_free_func(piece_free);
	run.tail = g_ptr_array_new_with_free_func(piece_free);
	ok = run_all(&run, error);
	PQfinish(run.connection);
	for (size_t i = 0; i < G_N_ELEMENTS(sets); i++)
		g_hash_table_destroy(*sets[i]);
	g_hash_table_destroy(run.there);
	g_hash_table_destroy(run.found);
	g_ptr_array_unref(run.wanted);
	g_ptr_array_unref(run.head);
	g_ptr_array_unref(run.tail);
	return ok;
}
